//! Every public error prints its sources in `Debug`, which `main`, `unwrap` and `expect` show.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const CRATES: [&str; 13] = [
    "strands-core",
    "strands-models",
    "strands-bedrock",
    "strands-session",
    "strands-mcp",
    "strands-a2a",
    "strands-identity",
    "strands-guardrails",
    "strands-multiagent",
    "strands-otel",
    "strands-durable",
    "strands-serve",
    "strands-rs",
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// Returns the public types of a file that implement `Error`, by derive or by hand.
fn errors(text: &str) -> BTreeSet<String> {
    let name = |line: &str| {
        let rest = ["pub struct ", "pub enum "].iter().find_map(|head| line.strip_prefix(head))?;
        Some(rest.split(|letter: char| !letter.is_alphanumeric()).next()?.to_owned())
    };
    let public: BTreeSet<String> = text.lines().filter_map(name).collect();
    let by_hand = text.lines().filter_map(|line| {
        let (head, rest) = line.split_once("Error for ")?;
        head.starts_with("impl").then(|| rest.split([' ', '{']).next().unwrap_or_default().to_owned())
    });
    // Between the derive and the type there are only attributes and messages.
    let derived = text.split("thiserror::Error)]").skip(1).filter_map(|rest| rest.lines().find_map(name));
    by_hand.chain(derived).filter(|error| public.contains(error)).collect()
}

#[test]
fn every_public_error_prints_its_sources() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = 0;
    for path in CRATES.iter().flat_map(|name| sources(&root.join(name).join("src"))) {
        let text = fs::read_to_string(&path).unwrap();
        let printed = text.split("debug_with_sources!(").skip(1).filter_map(|rest| rest.split(')').next());
        let printed: BTreeSet<&str> = printed.flat_map(|names| names.split(',')).map(str::trim).collect();
        for error in errors(&text) {
            found += 1;
            assert!(
                printed.contains(&*error),
                "{}: `{error}` derives `Debug`; use `__debug_with_sources!`",
                path.display()
            );
        }
    }
    assert!(found >= 20, "found only {found} errors");
}

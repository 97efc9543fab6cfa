//! Compile errors of the macros: pinned output for every kind of misuse, and a fixture for every message in the source.
//!
//! These tests belong to this crate because the project that `trybuild` builds has the features of the crate under test:
//! with `strands-rs` as that crate, `cargo test --workspace` would compile all providers a second time. Programs that
//! must compile are in `strands-rs/tests/macro_output`: without them, `trybuild` checks its project and builds no code.
#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

use std::fs;
use std::path::Path;

/// The output includes messages of rustc, from the toolchain in CI. After a change of either, run this test with
/// `TRYBUILD=overwrite` and review the difference.
#[test]
fn misuse_is_rejected_with_one_message() {
    trybuild::TestCases::new().compile_fail("tests/ui/fail/*.rs");
}

#[test]
fn every_message_has_a_fixture() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pinned = pinned_output(&root.join("tests/ui/fail"));
    let sources = ["src/message.rs", "../strands-core/src/tool/macro_support/diagnostics.rs"];
    for source in sources {
        let source = fs::read_to_string(root.join(source)).unwrap();
        let messages = messages(&source);
        assert!(messages.len() > 10, "found only {messages:?}");
        let missing: Vec<_> = messages.into_iter().filter(|message| !appears(message, &pinned)).collect();
        assert!(missing.is_empty(), "no fixture in tests/ui/fail shows {missing:#?}");
    }
}

fn pinned_output(folder: &Path) -> String {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let pinned = files.filter(|path| path.extension().is_some_and(|extension| extension == "stderr"));
    pinned.map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// Returns the messages in a source file: its string literals, without those in comments and those without words.
fn messages(source: &str) -> Vec<String> {
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut messages = Vec::new();
    let mut rest = code.as_str();
    while let Some((_, after)) = rest.split_once('"') {
        let mut literal = String::new();
        let mut chars = after.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => literal.extend(chars.next()),
                '"' => break,
                c => literal.push(c),
            }
        }
        rest = chars.as_str();
        if literal.contains(' ') && literal.chars().filter(|c| c.is_alphabetic()).count() > 5 {
            messages.push(literal);
        }
    }
    messages
}

/// Returns true if a line contains the message, with any values in its placeholders.
fn appears(message: &str, output: &str) -> bool {
    let mut literals = vec![String::new()];
    for (at, part) in message.split('{').enumerate() {
        let part = if at == 0 { part } else { part.split_once('}').map_or(part, |(_, after)| after) };
        literals.push(part.to_owned());
    }
    output.lines().any(|line| {
        let mut rest = line;
        literals.iter().all(|literal| match rest.split_once(literal.as_str()) {
            Some((_, after)) => {
                rest = after;
                true
            }
            None => false,
        })
    })
}

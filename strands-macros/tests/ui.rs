//! Pinned compiler messages for each misuse of the macros; each message in their source has a fixture.
//!
//! These tests belong to this crate because the project that `trybuild` builds has the features of the crate under test:
//! with `strands-rs` as that crate, `cargo test --workspace` would compile all providers a second time.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;

/// The wording of rustc's own part is that of the toolchain in CI; after a change of either, run this with
/// `TRYBUILD=overwrite` and read the difference.
#[test]
fn misuse_is_refused_with_one_message() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/fail/*.rs");
    cases.pass("tests/ui/pass/*.rs");
}

#[test]
fn every_message_has_a_fixture() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let said = pinned_output(&root.join("tests/ui/fail"));
    let sources = ["src/message.rs", "../strands-core/src/tool/macro_support/diagnostics.rs"];
    for source in sources {
        let source = fs::read_to_string(root.join(source)).unwrap();
        let messages = messages(&source);
        assert!(messages.len() > 10, "found only {messages:?}");
        let missing: Vec<_> = messages.into_iter().filter(|message| !appears(message, &said)).collect();
        assert!(missing.is_empty(), "no fixture in tests/ui/fail shows {missing:#?}");
    }
}

fn pinned_output(folder: &Path) -> String {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let pinned = files.filter(|path| path.extension().is_some_and(|extension| extension == "stderr"));
    pinned.map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// The string literals of a source file, without those in comments and without mere punctuation.
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

/// Whether some line holds the message, whatever its placeholders became.
fn appears(message: &str, said: &str) -> bool {
    let mut fixed = vec![String::new()];
    for (at, piece) in message.split('{').enumerate() {
        let piece = if at == 0 { piece } else { piece.split_once('}').map_or(piece, |(_, after)| after) };
        fixed.push(piece.to_owned());
    }
    said.lines().any(|line| {
        let mut rest = line;
        fixed.iter().all(|piece| match rest.split_once(piece.as_str()) {
            Some((_, after)) => {
                rest = after;
                true
            }
            None => false,
        })
    })
}

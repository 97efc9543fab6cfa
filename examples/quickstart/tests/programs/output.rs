//! The programs print the output in their header comments.

use std::io::Write;
use std::process::{Command, Stdio};

/// Returns the first text block in a program's header comment, without the command.
fn documented_output(source: &str) -> String {
    let header = source.lines().map_while(|line| line.strip_prefix("//!")).map(|line| line.trim_start());
    let mut block = header.skip_while(|line| *line != "```text").skip(2).take_while(|line| *line != "```");
    let first = block.next().unwrap_or_default().to_owned();
    block.fold(first, |block, line| block + "\n" + line)
}

macro_rules! prints_documented_output {
    ($($name:ident),+) => {
        $(#[test]
        fn $name() -> anyhow::Result<()> {
            let program = env!(concat!("CARGO_BIN_EXE_", stringify!($name)));
            let output = Command::new(program).env_remove("STRANDS_MODEL").output()?;
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let source = include_str!(concat!("../../src/bin/", stringify!($name), ".rs"));
            assert_eq!(String::from_utf8(output.stdout)?.trim_end(), documented_output(source));
            Ok(())
        })+
    };
}

prints_documented_output!(
    hello,
    tool,
    streaming,
    injected_values,
    cancellation,
    image,
    retrieval,
    dynamic_tools,
    sub_agents,
    graph,
    swarm,
    custom_model,
    custom_store
);

#[cfg(feature = "a2a")]
prints_documented_output!(a2a);

#[test]
fn chat_reads_prompts_from_stdin() -> anyhow::Result<()> {
    let mut chat = Command::new(env!("CARGO_BIN_EXE_chat"))
        .env_remove("STRANDS_MODEL")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    chat.stdin.take().expect("a pipe").write_all(b"Hello!\nRoll 3 dice, please.\n")?;
    let output = chat.wait_with_output()?;
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout)?.trim_end(), documented_output(include_str!("../../src/bin/chat.rs")));
    Ok(())
}

/// `main` prints its error with `Debug`.
#[test]
fn prints_errors_without_secrets() -> anyhow::Result<()> {
    let output = Command::new(env!("CARGO_BIN_EXE_errors")).env("RUST_BACKTRACE", "0").output()?;
    assert_eq!(output.status.code(), Some(1));
    let shown = String::from_utf8(output.stdout)? + &String::from_utf8(output.stderr)?;
    assert_eq!(shown.trim_end(), documented_output(include_str!("../../src/bin/errors.rs")));
    Ok(())
}

#[test]
fn readme_and_book_list_every_program() -> anyhow::Result<()> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin");
    for program in std::fs::read_dir(folder)? {
        let path = program?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        for (page, text) in [
            ("README.md", include_str!("../../README.md")),
            ("docs/src/examples.md", include_str!("../../../../docs/src/examples.md")),
        ] {
            assert!(text.contains(&format!("`{name}`")), "{page} does not name {name}");
        }
        let lines = std::fs::read_to_string(&path)?.lines().count();
        assert!(lines < 120, "{name} has {lines} lines");
    }
    Ok(())
}

#[test]
fn selects_the_model_from_the_environment() -> anyhow::Result<()> {
    let program = env!("CARGO_BIN_EXE_hello");
    let output = Command::new(program).env("STRANDS_MODEL", "acme/model").output()?;
    let error = String::from_utf8(output.stderr)?;
    assert!(!output.status.success() && error.contains("unknown provider `acme`"), "{error}");
    Ok(())
}

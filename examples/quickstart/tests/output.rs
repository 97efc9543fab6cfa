//! The programs print what their header comments say that they print.

use std::process::Command;

/// The lines of the first text block in a program's header comment, without the command in front.
fn promised(source: &str) -> String {
    let header = source.lines().map_while(|line| line.strip_prefix("//!")).map(|line| line.trim_start());
    let mut block = header.skip_while(|line| *line != "```text").skip(2).take_while(|line| *line != "```");
    let first = block.next().unwrap_or_default().to_owned();
    block.fold(first, |block, line| block + "\n" + line)
}

macro_rules! prints_what_it_promises {
    ($($name:ident),+) => {
        $(#[test]
        fn $name() -> anyhow::Result<()> {
            let program = env!(concat!("CARGO_BIN_EXE_", stringify!($name)));
            let output = Command::new(program).env_remove("STRANDS_MODEL").output()?;
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let source = include_str!(concat!("../src/bin/", stringify!($name), ".rs"));
            assert_eq!(String::from_utf8(output.stdout)?.trim_end(), promised(source));
            Ok(())
        })+
    };
}

prints_what_it_promises!(hello, tool, streaming, host_state, cancellation);

#[test]
fn another_model_is_chosen_by_the_environment() -> anyhow::Result<()> {
    let program = env!("CARGO_BIN_EXE_hello");
    let output = Command::new(program).env("STRANDS_MODEL", "nobody/model").output()?;
    let refusal = String::from_utf8(output.stderr)?;
    assert!(!output.status.success() && refusal.contains("names the provider `nobody`"), "{refusal}");
    Ok(())
}

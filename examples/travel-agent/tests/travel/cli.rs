//! The program as users start it.

use std::{
    io::Write,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

/// A folder of its own for each test, removed when the test ends.
struct Home(PathBuf);

impl Home {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("cli-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_travel-agent"));
        // Nothing of the machine that runs the tests decides: neither its settings nor its user.
        command.env_clear().env("HOME", &self.0).env("XDG_DATA_HOME", self.0.join("data"));
        command.args(["--today", "2026-11-22"]).args(args).stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> (String, String) {
        output(self.command(args).output().unwrap())
    }

    fn chat(&self, args: &[&str], lines: &str) -> (String, String) {
        let mut child =
            self.command(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        output(child.wait_with_output().unwrap())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[track_caller]
fn output(output: Output) -> (String, String) {
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    (out, err)
}

#[track_caller]
fn failure(output: Output) -> String {
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_conversation_goes_on_when_the_program_starts_again() {
    let home = Home::new("session");
    let session = ["--session", "trip-to-boston"];
    let ask = |prompt| home.run(&[session.as_slice(), &[prompt]].concat()).0;
    let proposal = ask("Show me flights to Boston next Monday");
    assert!(proposal.contains("Shall I book it?"), "{proposal}");
    let booked = ask("yes");
    assert!(booked.contains("your trip to Boston, MA is booked"), "{booked}");

    let stranger = home.run(&["yes"]).0;
    assert!(!stranger.contains("is booked"), "another conversation knows nothing of it: {stranger}");
    let refused = failure(home.command(&["--session", "../elsewhere", "hello"]).output().unwrap());
    assert!(refused.contains("session id"), "{refused}");
}

#[test]
fn a_trip_booked_by_one_process_is_known_to_the_next() {
    let home = Home::new("books");
    let (out, err) = home.run(&["Book me a trip to New York next Monday"]);
    assert!(out.contains("your trip to New York, NY is booked"), "{out}");
    for line in ["Travelling as Ana Silva", "\u{2713} todays_date() ok, ", "\u{2713} book_trip(destination: New York, "]
    {
        assert!(err.contains(line), "{err}");
    }
    assert!(!err.contains('\x1b') && !out.contains('\x1b'), "no terminal, no escapes");

    let code = out.lines().find_map(|line| line.strip_prefix("  Code    ")).unwrap();
    let (out, _) = home.run(&["what did you book for me?"]);
    assert!(out.contains(code), "{out}");
}

#[test]
fn a_failed_tool_is_marked() {
    let home = Home::new("fails");
    let (out, err) = home.run(&["Book me a trip to Gotham next Monday"]);
    assert!(out.contains("Nothing was booked"), "{out}");
    assert!(err.contains("\u{2717} check_policy(destination: Gotham, "), "{err}");
    assert!(err.contains(" err, "), "{err}");
}

#[test]
fn the_chat_reads_lines_until_they_end() {
    let home = Home::new("chat");
    let (out, err) =
        home.chat(&["--user", "marcus"], "I need to book a trip\nBoston\nnext Monday\n\nquit\nnobody reads this\n");
    assert!(err.contains("Travelling as Marcus Webb, Engineering, from San Francisco, CA"), "{err}");
    assert!(out.contains("Where would you like to travel to, Marcus?"), "{out}");
    assert!(out.contains("your trip to Boston, MA is booked"), "{out}");
    assert!(!out.contains("I book AcmeCorp's business trips"), "{out}");
}

#[test]
fn metrics_are_json() {
    let home = Home::new("metrics");
    let (out, _) = home.run(&["--metrics", "what day is it?"]);
    let (text, json) = out.split_at(out.find('{').unwrap());
    assert_eq!(text, "Today is Sunday, November 22, 2026, Ana.\n");
    let summary: Value = serde_json::from_str(json).unwrap();
    assert_eq!(summary["total_cycles"], 2);
    assert_eq!(summary["tool_usage"]["todays_date"]["execution_stats"]["success_count"], 1);
}

#[test]
fn user_and_database_can_be_chosen() {
    let home = Home::new("chosen");
    let db = home.0.join("elsewhere").join("desk.sqlite3");
    let (out, err) = home.run(&["--db", db.to_str().unwrap(), "--user", "Priya", "hello"]);
    assert!(out.starts_with("Hello Priya."), "{out}");
    assert_eq!(err, "");
    assert!(db.exists());
    // The same by the environment; a login name that is an employee's needs no choice.
    let (out, err) = output(home.command(&["hello"]).env("TRAVEL_DB", &db).env("USER", "mei").output().unwrap());
    assert!(out.starts_with("Hello Mei."), "{out}");
    assert_eq!(err, "");
    let (out, _) = output(home.command(&["hello"]).env("TRAVEL_USER", "jonas").env("USER", "mei").output().unwrap());
    assert!(out.starts_with("Hello Jonas."), "{out}");
}

#[test]
fn mistakes_are_explained() {
    let home = Home::new("mistakes");
    let said = failure(home.command(&["--user", "mallory", "hello"]).output().unwrap());
    assert!(said.contains("error: `mallory` is not an employee: the users are ana, "), "{said}");
    let said = failure(home.command(&["--today", "someday", "hello"]).output().unwrap());
    assert!(said.contains("--today"), "{said}");
    let said = failure(home.command(&["--db", home.0.to_str().unwrap(), "hello"]).output().unwrap());
    assert!(said.contains("cannot open the travel database") && said.contains("--db"), "{said}");
    let said = failure(home.command(&["hello"]).env("STRANDS_MODEL", "nonsense/x").output().unwrap());
    assert!(said.contains("nonsense"), "{said}");
}

//! Roles, approvals and the audit, with the program and across processes.

use std::{
    io::{BufRead, BufReader, Write},
    process::Stdio,
};

use super::home::{Home, failure};

/// A hotel above the nightly limit of the city.
const ABOVE_LIMIT: &str = "Book me a trip to New York next Monday at the Park Row Grand";

/// Returns the id of the approval that a note asks for.
#[track_caller]
fn approval_id(note: &str) -> String {
    let after = note.split("travel-agent approve ").nth(1).unwrap_or_else(|| panic!("{note}"));
    after.chars().take_while(char::is_ascii_hexdigit).collect()
}

/// Has Alice ask for a trip above the limit. Returns the id of the approval.
fn asks(home: &Home) -> String {
    let (out, err) = home.run(&["--user", "alice", "--role", "traveler", "--session", "trip", ABOVE_LIMIT]);
    assert!(!out.contains("is booked"), "{out}");
    assert!(err.contains("the trip is above a cost limit"), "{err}");
    approval_id(&err)
}

#[test]
fn a_manager_approves_a_booking_in_another_process() {
    let home = Home::new("approve");
    let id = asks(&home);
    let manager = ["--user", "marcus", "--role", "manager"];
    let (listed, _) = home.run(&[manager.as_slice(), &["approvals"]].concat());
    assert!(
        listed.contains(&id)
            && listed.contains("book_trip for alice: the trip is above a cost limit")
            && listed.contains(r#""hotel":"NYC-H3""#),
        "{listed}"
    );

    let (out, _) = home.run(&[manager.as_slice(), &["approve", &id]].concat());
    assert!(out.contains("Done, Alice: your trip to New York, NY is booked."), "{out}");
    let (out, _) = home.run(&["--user", "alice", "what did you book for me?"]);
    assert!(out.contains("Park Row Grand"), "{out}");

    let again = failure(home.command(&[manager.as_slice(), &["approve", &id]].concat()).output().unwrap());
    assert!(again.contains("waits for an approval"), "{again}");
}

#[test]
fn only_another_manager_approves() {
    let home = Home::new("approver");
    let id = asks(&home);
    for (who, reason) in [
        (["--user", "priya", "--role", "traveler"], "manager"),
        (["--user", "priya", "--role", "auditor"], "manager"),
        (["--user", "alice", "--role", "manager"], "another"),
    ] {
        let (listed, _) = home.run(&[who.as_slice(), &["approvals"]].concat());
        assert!(listed.starts_with("No booking waits"), "{listed}");
        let refused = failure(home.command(&[who.as_slice(), &["approve", &id]].concat()).output().unwrap());
        assert!(refused.contains(reason), "{refused}");
    }
    let (out, _) = home.run(&["--user", "alice", "what did you book for me?"]);
    assert!(out.contains("You have no bookings, Alice"), "{out}");
    // The request is still open.
    home.run(&["--user", "marcus", "--role", "manager", "approve", &id]);
}

#[test]
fn a_session_name_is_the_users_own() {
    let home = Home::new("names");
    let id = asks(&home);
    let (out, _) = home.run(&["--user", "mei", "--session", "trip", "what did you book for me?"]);
    assert!(out.contains("You have no bookings, Mei"), "{out}");
    for other in ["session_for_user_alice.trip", "trip.alice"] {
        let (out, _) = home.run(&["--user", "mei", "--session", other, "hello"]);
        assert!(out.starts_with("Hello Mei."), "{out}");
    }
    home.run(&["--user", "marcus", "--role", "manager", "approve", &id]);
}

#[test]
fn an_open_request_can_be_withdrawn() {
    let home = Home::new("withdraw");
    let id = asks(&home);
    let alice = ["--user", "alice", "--session", "trip"];
    let waits = failure(home.command(&[alice.as_slice(), &["hello"]].concat()).output().unwrap());
    assert!(waits.contains(&id) && waits.contains("`withdraw` takes the request back"), "{waits}");
    let (_, err) = home.run(&[alice.as_slice(), &["withdraw"]].concat());
    assert_eq!(err, "(withdrawn)\n");
    let (out, _) = home.run(&[alice.as_slice(), &["hello"]].concat());
    assert!(out.contains("Hello Alice."), "{out}");
    let refused = home.command(&["--user", "marcus", "--role", "manager", "approve", &id]).output().unwrap();
    assert!(failure(refused).contains("waits for an approval"));

    // A chat that is not stored goes on as well.
    let (out, err) = home.chat(&["--user", "alice"], &format!("{ABOVE_LIMIT}\nhello\nwithdraw\nhello\nquit\n"));
    assert!(err.contains("(withdrawn)") && out.contains("Hello Alice."), "{out}{err}");
}

#[test]
fn a_chat_continues_after_an_approval_of_another_process() {
    let home = Home::new("chat-approval");
    let mut chat = home
        .command(&["--user", "alice", "--session", "trip"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = chat.stdin.take().unwrap();
    writeln!(input, "{ABOVE_LIMIT}").unwrap();
    let mut notes = BufReader::new(chat.stderr.take().unwrap()).lines().map(Result::unwrap);
    let id = approval_id(&notes.find(|note| note.contains("approve")).unwrap());
    home.run(&["--user", "marcus", "--role", "manager", "approve", &id]);
    writeln!(input, "what did you book for me?").unwrap();
    drop(input);
    let rest: Vec<_> = notes.collect();
    let output = chat.wait_with_output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && out.contains("You have one booking, Alice"), "{out}\n{rest:?}");
}

#[test]
fn a_denied_booking_is_explained_to_the_traveller() {
    let home = Home::new("deny");
    let id = asks(&home);
    let reason = "take the Herald Court";
    let (out, _) = home.run(&["--user", "marcus", "--role", "manager", "deny", &id, "--reason", reason]);
    assert!(out.contains("Nothing was booked") && out.contains(reason), "{out}");
}

#[test]
fn an_auditor_sees_all_bookings_and_books_nothing() {
    let home = Home::new("auditor");
    home.run(&["--user", "alice", "Book me a trip to New York next Monday"]);
    let auditor = |prompt| home.run(&["--user", "olivia", "--role", "auditor", prompt]).0;
    let seen = auditor("show all bookings");
    assert!(seen.contains("Alice Novak, New York, NY"), "{seen}");
    let refused = auditor("Book me a trip to Boston next Monday");
    assert!(refused.contains("your role does not allow you to book trips"), "{refused}");
    let traveler = home.run(&["--user", "mei", "show the bookings of all employees"]).0;
    assert!(traveler.contains("You have no bookings, Mei"), "{traveler}");
}

#[test]
fn each_decision_is_in_the_audit() {
    let home = Home::new("audit");
    let file = home.0.join("audit.jsonl");
    let audited = |args: &[&str]| home.run(&[&["--audit", file.to_str().unwrap()], args].concat());
    let (_, err) = audited(&["--user", "alice", "--session", "trip", ABOVE_LIMIT]);
    audited(&["--user", "marcus", "--role", "manager", "approve", &approval_id(&err)]);
    let text = std::fs::read_to_string(&file).unwrap();
    let records: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_booking: Vec<&str> = records
        .iter()
        .filter(|record| record["tool"] == "book_trip")
        .map(|record| record["decision"].as_str().unwrap())
        .collect();
    assert!(of_booking.contains(&"approval_requested") && of_booking.contains(&"approved"), "{of_booking:?}");
    let approved = records.iter().find(|record| record["decision"] == "approved").unwrap();
    assert_eq!(approved["approver"]["subject"], "marcus");
    assert_eq!(approved["identity"]["subject"], "alice");
    assert!(!text.contains("NYC-H3"), "arguments are left out by default");
}

//! Stops and kills.

use std::{fs, os::unix::fs::PermissionsExt as _};

use nix::sys::signal::Signal;

use super::{
    page::{call, prompt, refresh, sign_in},
    system::{System, request, runs, send, until},
};

#[test]
fn signs_in_books_and_stops_with_all_processes() {
    let data = tempfile::tempdir().unwrap();
    let mut system = System::start(data.path(), &["--serve", "2"]);
    let ids = system.ids();
    assert_eq!(ids.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["auth", "mcp", "serve-1", "serve-2"]);
    let alice = sign_in(&system, "alice");
    let booked = prompt(&system, &alice, "Book me a trip to New York next Monday");
    assert!(booked.contains("is booked"), "{booked}");
    assert_eq!(request("GET", &format!("{}sessions", system.url("page")), "", "").unwrap().status, 401);
    let secret = fs::read_to_string(data.path().join("desk-secret")).unwrap();
    for (name, id) in &ids {
        let command = fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap();
        assert!(!command.contains(&secret), "{name} has the secret on its command line");
    }
    for file in ["desk-secret", "auth/signing-key.der"] {
        let mode = fs::metadata(data.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let status = system.end(Signal::SIGINT);
    assert_eq!(status.code(), Some(0), "{}", system.errors());
    for (name, id) in ids {
        assert!(!runs(id), "{name} still runs");
    }
    assert!(!system.errors().contains(&secret), "the secret is in no output");
}

#[test]
fn killed_processes_come_back_with_sessions_and_tokens() {
    let data = tempfile::tempdir().unwrap();
    let mut system = System::start(data.path(), &[]);
    let alice = sign_in(&system, "alice");
    prompt(&system, &alice, "Book me a trip to New York next Monday");
    let before = system.state.clone();
    for (name, id) in system.ids() {
        send(id, Signal::SIGKILL);
        system.next_state();
        assert_ne!(system.id_of(&name), id, "{name} is a new process");
    }
    for member in ["page", "issuer", "desk"] {
        assert_eq!(system.state[member], before[member], "{member} has the same address");
    }
    let booked = prompt(&system, &alice, "what did you book for me?");
    assert!(booked.contains("one booking"), "{booked}");
    let session = call(&system, &alice, "GET", "sessions/session_for_user_employee-alice", "").unwrap().body;
    assert!(session.contains("Book me a trip to New York next Monday"), "{session}");
    assert_eq!(refresh(&system, &alice).status, 200, "the issuer accepts its older tokens");
    assert_eq!(system.end(Signal::SIGTERM).code(), Some(0));
}

#[test]
fn a_killed_system_leaves_no_processes_and_starts_again() {
    let data = tempfile::tempdir().unwrap();
    let mut system = System::start(data.path(), &[]);
    let alice = sign_in(&system, "alice");
    prompt(&system, &alice, "Book me a trip to New York next Monday");
    let (page, ids) = (system.url("page").to_owned(), system.ids());
    system.end(Signal::SIGKILL);
    for (name, id) in ids {
        until(&format!("{name} ends"), || !runs(id));
    }
    let system = System::start(data.path(), &[]);
    assert_eq!(system.url("page"), page, "bookmarks stay valid");
    let booked = prompt(&system, &alice, "what did you book for me?");
    assert!(booked.contains("one booking"), "the token is valid, and the data is there: {booked}");
}

#[test]
fn a_process_that_does_not_react_is_killed() {
    let data = tempfile::tempdir().unwrap();
    let mut system = System::start(data.path(), &[]);
    let (ids, stopped) = (system.ids(), system.id_of("auth"));
    send(stopped, Signal::SIGSTOP);
    send(system.id(), Signal::SIGTERM);
    // The agent ends first, so the second signal is that of a user who waits for the issuer.
    let agent = system.id_of("serve-1");
    until("the agent ends", || !runs(agent));
    assert_eq!(system.end(Signal::SIGINT).code(), Some(0), "{}", system.errors());
    for (name, id) in ids {
        until(&format!("{name} ends"), || !runs(id));
    }
}

//! The team: a planner with a policy agent and a booking agent, in the program and across processes.

use super::home::{Home, failure};

/// A hotel above the nightly limit of the city.
const ABOVE_LIMIT: &str = "Book me a trip to New York next Monday at the Park Row Grand";

fn called(err: &str, call: &str) -> bool {
    err.lines().any(|line| line.starts_with(&format!("  \u{2713} {call}(")))
}

#[test]
fn a_trip_is_planned_with_the_policies_and_booked_by_another_agent() {
    let home = Home::new("team");
    let (out, err) = home.run(&["--team", "Book me a trip to New York next Monday"]);
    assert!(out.contains("Done, Ana: your trip to New York, NY is booked."), "{out}");
    for call in
        ["policies: get_travel_policies", "bookings: check_policy", "bookings: book_trip", "policies", "bookings"]
    {
        assert!(called(&err, call), "{call}: {err}");
    }
    assert!(!called(&err, "bookings: get_travel_policies") && !called(&err, "book_trip"), "{err}");

    let (out, err) = home.run(&["--team", "What does the policy say about rental cars?"]);
    assert!(out.contains("our policy documents say, Ana") && !called(&err, "bookings"), "{out} {err}");
    let (out, _) = home.run(&["what did you book for me?"]);
    assert!(out.contains("You have one booking, Ana"), "the team books for the user of the planner: {out}");
}

#[test]
fn the_booking_agent_keeps_its_context_in_the_session_of_the_planner() {
    let home = Home::new("team-session");
    let ask = |prompt| home.run(&["--team", "--session", "trip", prompt]).0;
    let proposal = ask("Show me flights to Boston next Monday");
    assert!(proposal.contains("Shall I book it?"), "{proposal}");
    let booked = ask("yes");
    assert!(booked.contains("your trip to Boston, MA is booked"), "{booked}");
}

#[test]
fn a_manager_approves_a_booking_of_the_inner_agent_in_another_process() {
    let home = Home::new("team-approve");
    let (out, err) = home.run(&["--team", "--user", "alice", "--role", "traveler", "--session", "trip", ABOVE_LIMIT]);
    assert!(!out.contains("is booked"), "{out}");
    let id: String =
        err.split("travel-agent approve ").nth(1).unwrap().chars().take_while(char::is_ascii_hexdigit).collect();
    let manager = |args: &[&'static str]| [&["--team", "--user", "marcus", "--role", "manager"], args].concat();
    let (listed, _) = home.run(&manager(&["approvals"]));
    assert!(listed.contains("book_trip for alice") && listed.contains(r#""hotel":"NYC-H3""#), "{listed}");

    let traveler = ["--team", "--user", "priya", "--role", "traveler", "approve", &id];
    let refused = failure(home.command(&traveler).output().unwrap());
    assert!(refused.contains("manager"), "{refused}");
    let (out, _) = home.run(&[manager(&["approve"]).as_slice(), &[id.as_str()]].concat());
    assert!(out.contains("Done, Alice: your trip to New York, NY is booked."), "{out}");
}

#[test]
fn the_role_of_the_user_holds_for_the_tools_of_the_inner_agents() {
    let home = Home::new("team-role");
    let (out, err) =
        home.run(&["--team", "--user", "carol", "--role", "auditor", "Book me a trip to Boston next Monday"]);
    assert!(out.contains("your role does not allow you to book trips"), "{out} {err}");
    assert!(!called(&err, "bookings: book_trip"), "{err}");
}

//! The same conversations with the desk in this process and on the MCP server.

use std::sync::Arc;

use travel_agent::{access::Role, desk::Desk, desk::desk_tools};

use crate::support::*;

#[tokio::test]
async fn conversations_are_the_same_with_both_desks() {
    let mut all = Vec::new();
    for is_remote in [false, true] {
        let store = store();
        let server = DeskServer::start(&store).await;
        let desk = if is_remote { server.desk() } else { Desk::Local(Arc::clone(&store), CLOCK) };
        let agent = travel_agent(desk);
        let mut replies = Vec::new();
        for (name, role, prompt, part) in [
            ("ana", Role::Traveler, "hello", "Hello Ana."),
            ("ana", Role::Traveler, "Book me a trip to Gotham next Monday", "Nothing was booked"),
            ("ana", Role::Traveler, "Book me a trip to New York next Monday", "your trip to New York, NY is booked"),
            ("ana", Role::Traveler, "what did you book for me?", "You have one booking, Ana"),
            ("alice", Role::Traveler, "what did you book for me?", "You have no bookings, Alice"),
            ("alice", Role::Traveler, ABOVE_LIMIT, ""),
            ("alice", Role::Traveler, "show all bookings", "Alice"),
            ("olivia", Role::Auditor, "show all bookings", "Ana Silva, New York, NY"),
            (
                "olivia",
                Role::Auditor,
                "Book me a trip to Boston next Monday",
                "your role does not allow you to book trips",
            ),
            ("marcus", Role::Manager, "Book me a trip to Paris next Monday", "I cannot book this trip"),
        ] {
            let reply = ask(&agent, &user(name, role), prompt).await;
            assert!(reply.contains(part), "remote {is_remote}, {name}: {prompt}: {reply}");
            // Codes of bookings are random.
            let lines = reply.lines().filter(|line| !line.contains("Code:"));
            replies.push(lines.map(str::to_owned).collect::<Vec<_>>());
        }
        let ana = store.traveller("ana").unwrap();
        assert_eq!(store.bookings(&ana, false).unwrap().len(), 1, "remote {is_remote}");
        assert!(store.bookings(&store.traveller("alice").unwrap(), false).unwrap().is_empty());
        all.push(replies);
    }
    assert_eq!(all[0], all[1]);
}

#[tokio::test]
async fn the_tools_have_the_same_specs() {
    let store = store();
    let server = DeskServer::start(&store).await;
    let specs = async |desk: Desk| {
        let agent = travel_agent(desk).call_agent(&user("ana", Role::Traveler)).await.unwrap().build().await.unwrap();
        agent.tools().iter().map(|tool| tool.spec().clone()).collect::<Vec<_>>()
    };
    let remote = specs(server.desk()).await;
    assert_eq!(remote, specs(Desk::Local(store, CLOCK)).await);
    assert!(remote.len() > desk_tools().len());
}

#[tokio::test]
async fn users_of_one_process_stay_apart() {
    let store = store();
    let server = DeskServer::start(&store).await;
    let agent = travel_agent(server.desk());
    let names = ["ana", "alice", "marcus", "priya", "jonas", "mei"];
    let turns = (0..5).flat_map(|_| names).map(|name| {
        let agent = agent.clone();
        tokio::spawn(async move {
            let traveler = user(name, Role::Traveler);
            let booked = ask(&agent, &traveler, "Book me a trip to New York next Monday").await;
            (name, booked, ask(&agent, &traveler, "what did you book for me?").await)
        })
    });
    for turn in turns.collect::<Vec<_>>() {
        let (name, booked, listed) = turn.await.unwrap();
        let first = store.traveller(name).unwrap().name.split(' ').next().unwrap().to_owned();
        for reply in [&booked, &listed] {
            let others = names.iter().filter(|other| **other != name);
            assert!(
                others.into_iter().all(|other| !reply.to_lowercase().contains(&format!(" {other}"))),
                "{name}: {reply}"
            );
        }
        assert!(
            listed.contains(&format!("You have one booking, {first}")) || booked.contains("sold out"),
            "{name}: {listed}"
        );
    }
}

//! Results of runs that a process does not know: they come from the user's own session.

use proptest::prelude::*;
use serde_json::{Value, json};
use strands_identity::Identity;

use crate::support::{Rig, get, post, rig, sse};

async fn events(rig: &Rig, user: &str, run: &str, session: Option<&str>, last: Option<&str>) -> crate::support::Reply {
    let query = session.map(|id| format!("?session_id={id}")).unwrap_or_default();
    let mut request = get(format!("/runs/{run}/events{query}")).user(user);
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    rig.send(request).await
}

fn text<'a>(response: &'a Value, name: &str) -> &'a str {
    response[name].as_str().unwrap()
}

#[tokio::test]
async fn another_process_returns_the_result() {
    let rig = rig();
    rig.prompt("alice", "before").await.ok();
    let response = rig.prompt("alice", "call whoami").await.ok();
    rig.prompt("alice", "after").await.ok();
    let run = text(&response, "run_id");
    let next = rig.restarted();
    let reply = events(&next, "alice", run, None, Some(&format!("{run}:17"))).await;
    assert_eq!(reply.header("content-type"), "text/event-stream");
    let found = sse(reply.text());
    let [result] = found.as_slice() else { panic!("{reply:?}") };
    assert_eq!(result.data["type"], "result");
    let stored = &result.data["response"];
    assert_eq!(stored["message"], response["message"]);
    assert_eq!(stored["usage"], response["usage"]);
    assert_eq!((&stored["stop_reason"], &stored["turns"]), (&json!("end_turn"), &json!(2)));
    // A client that has it gets no more.
    let again = events(&next, "alice", run, None, Some(&result.id)).await;
    assert_eq!((again.status.as_u16(), again.text()), (204, ""));
    // So does one that repeats its prompt.
    let repeated = post("/prompt/stream", json!({"prompt": "call whoami"})).user("alice");
    let repeated = next.send(repeated.header("last-event-id", format!("{run}:17"))).await;
    assert_eq!(sse(repeated.text()), found);
}

#[tokio::test]
async fn the_result_of_a_suspended_run_has_its_interrupts() {
    let rig = rig();
    let response = rig.prompt("alice", "call ask").await.ok();
    let run = text(&response, "run_id");
    let next = rig.restarted();
    let found = sse(events(&next, "alice", run, None, None).await.text());
    let stored = &found[0].data["response"];
    assert_eq!((&stored["stop_reason"], &stored["interrupts"]), (&json!("interrupt"), &response["interrupts"]));
    // Once it is resumed, the client that comes back gets the new result.
    let id = &response["interrupts"][0]["id"];
    let answers = json!({"answers": [{"interrupt_id": id, "response": "yes"}]});
    next.send(post(format!("/runs/{run}/answers"), answers).user("alice")).await.ok();
    let later = rig.restarted();
    let found = sse(events(&later, "alice", run, None, Some(&found[0].id)).await.text());
    assert_eq!(found[0].data["response"]["stop_reason"], "end_turn");
}

#[tokio::test]
async fn a_suspended_run_is_not_at_its_end_once_another_process_resumes_it() {
    let rig = rig();
    let streamed = rig.send(post("/prompt/stream", json!({"prompt": "call ask"})).user("alice")).await;
    let suspended = sse(streamed.text()).pop().unwrap();
    let (run, _) = suspended.id.split_once(':').unwrap();
    assert_eq!(events(&rig, "alice", run, None, Some(&suspended.id)).await.status, 204);
    let id = &suspended.data["response"]["interrupts"][0]["id"];
    let answers = json!({"answers": [{"interrupt_id": id, "response": "yes"}]});
    let other = rig.restarted();
    other.send(post(format!("/runs/{run}/answers"), answers).user("alice")).await.ok();
    // The first process still has the events until the suspension.
    for last in [Some(&*suspended.id), None] {
        let found = sse(events(&rig, "alice", run, None, last).await.text());
        let [result] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(result.data["response"]["stop_reason"], "end_turn");
    }
}

#[tokio::test]
async fn sessions_are_those_of_the_user() {
    let rig = rig();
    let new = post("/prompt", json!({"prompt": "secret", "new_session": true})).user("alice");
    let response = rig.send(new).await.ok();
    let (run, session) = (text(&response, "run_id"), text(&response, "session_id"));
    let next = rig.restarted();
    assert_eq!(events(&next, "alice", run, Some(session), None).await.status, 200);
    for (user, session) in [
        ("alice", None),
        ("bob", None),
        ("bob", Some(session)),
        ("alice", Some("session_for_user_bob")),
        ("alice", Some("nonsense")),
    ] {
        let reply = events(&next, user, run, session, None).await;
        assert_eq!(reply.problem(), (404, "unknown_run".into()), "{user} {session:?}");
    }
    // Ids of other messages are no runs.
    let transcript = rig.service.transcript(&Identity::new("alice"), session).await.unwrap();
    let answer = transcript.messages[1].tracking_id.clone().unwrap();
    assert_eq!(events(&next, "alice", &answer, Some(session), None).await.problem(), (404, "unknown_run".into()));
}

#[tokio::test]
async fn a_run_without_an_end_is_unfinished() {
    let rig = rig();
    let mut turn = rig.service.turn(Identity::new("alice"), (), "call wait").start().await.unwrap();
    let run = turn.run_id().to_owned();
    rig.gate.arrived().await;
    // Another process sees its beginning at most.
    let reply = events(&rig.restarted(), "alice", &run, None, None).await;
    let expected = [(404, "unknown_run".to_owned()), (409, "unfinished".to_owned())];
    assert!(expected.contains(&reply.problem()), "{reply:?}");
    rig.gate.open();
    while turn.next().await.is_some() {}
    assert_eq!(sse(events(&rig.restarted(), "alice", &run, None, None).await.text()).len(), 1);
}

#[tokio::test]
async fn prompts_without_events_are_found_too() {
    let rig = rig();
    let response = rig.prompt("alice", "hello").await.ok();
    let run = text(&response, "run_id");
    assert_eq!(
        sse(events(&rig, "alice", run, None, None).await.text())[0].data["response"]["message"],
        response["message"]
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a user asks for, only the results of the user's own sessions come back.
    #[test]
    fn no_user_gets_the_result_of_another(
        turns in prop::collection::vec((0_usize..3, any::<bool>()), 1..8),
        asks in prop::collection::vec((0_usize..3, any::<prop::sample::Index>(), prop::option::of(any::<prop::sample::Index>())), 1..30),
    ) {
        const USERS: [&str; 3] = ["alice", "alice_", "bob"];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let rig = rig();
            let mut runs = Vec::new();
            for (number, (user, is_new)) in turns.iter().enumerate() {
                let body = json!({"prompt": format!("secret {number}"), "new_session": is_new});
                let response = rig.send(post("/prompt", body).user(USERS[*user])).await.ok();
                runs.push((*user, text(&response, "run_id").to_owned(), text(&response, "session_id").to_owned(), number));
            }
            let next = rig.restarted();
            for (user, run, session) in &asks {
                let (owner, run, own_session, number) = run.get(&runs);
                let session = session.map(|index| index.get(&runs).2.clone());
                let is_there = session.as_ref() == Some(own_session)
                    || (session.is_none() && *own_session == rig.service.session_ids().default_for(&Identity::new(USERS[*user])));
                let reply = events(&next, USERS[*user], run, session.as_deref(), None).await;
                assert_eq!(reply.status == 200, user == owner && is_there, "{reply:?}");
                assert_eq!(reply.text().contains(&format!("secret {number}")), reply.status == 200);
            }
        });
    }
}

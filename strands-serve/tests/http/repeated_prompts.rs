//! Prompts that a client repeats with the id of their run, since it has not seen the response: one run, and one stored prompt.

use serde_json::{Value, json};
use strands_identity::Identity;
use strands_serve::TurnError;

use crate::support::{Outgoing, Rig, get, post, read_until, rig, sse, types};

const RUN: &str = "0b9f6a52-6a52-4b6f-9d0e-6f1f0f6b3a11";

fn prompt(path: &str, text: &str) -> Outgoing {
    post(path, json!({"prompt": text, "new_session": true, "run_id": RUN})).user("alice")
}

/// Returns the only session of alice.
async fn session(rig: &Rig) -> Value {
    let listed = rig.send(get("/sessions").user("alice")).await.ok();
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 1, "{listed}");
    rig.send(get(format!("/sessions/{}", listed["sessions"][0]["id"].as_str().unwrap())).user("alice")).await.ok()
}

#[tokio::test]
async fn a_repeated_prompt_returns_the_first_run() {
    let rig = rig();
    let first = rig.send(prompt("/prompt/stream", "hello")).await;
    assert!(first.header("location").starts_with(&format!("/runs/{RUN}/events?session_id=session_for_user_alice__")));
    let again = rig.send(prompt("/prompt/stream", "hello")).await;
    assert_eq!((again.text(), again.header("location")), (first.text(), first.header("location")));
    // Another process has the result alone.
    let other = rig.restarted();
    let stored = other.send(prompt("/prompt/stream", "hello")).await;
    assert_eq!(stored.header("location"), first.header("location"));
    let stored = sse(stored.text());
    assert_eq!(types(&stored), ["result"]);
    assert_eq!(stored[0].data["response"]["message"]["content"], json!([{"text": "hello"}]));
    let response = other.send(prompt("/prompt", "hello")).await.ok();
    assert_eq!((&response["run_id"], &response["text"]), (&json!(RUN), &json!("hello")));
    assert_eq!(session(&rig).await["messages"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_repeated_prompt_follows_the_run_while_it_runs() {
    let rig = rig();
    let first = rig.open(prompt("/prompt/stream", "call wait")).await;
    rig.gate.arrived().await;
    let second = rig.open(prompt("/prompt/stream", "call wait")).await;
    rig.gate.open();
    let mut texts = Vec::new();
    for response in [first, second] {
        texts.push(read_until(&mut response.into_body(), |text| text.contains("\"result\"")).await);
    }
    assert_eq!(sse(&texts[0]), sse(&texts[1]));
    assert_eq!(session(&rig).await["messages"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn the_run_of_another_user_is_not_returned() {
    let rig = rig();
    rig.send(prompt("/prompt", "secret")).await.ok();
    let again = rig.send(prompt("/prompt", "another text")).await.ok();
    assert_eq!(again["text"], "secret");
    let bob = post("/prompt", json!({"prompt": "mine", "run_id": RUN})).user("bob");
    assert_eq!(rig.send(bob).await.ok()["text"], "mine");
}

#[tokio::test]
async fn the_run_of_another_user_stays_its_own_while_it_runs() {
    let rig = rig();
    let open = rig.open(prompt("/prompt/stream", "call wait")).await;
    rig.gate.arrived().await;
    let bob = post("/prompt/stream", json!({"prompt": "mine", "run_id": RUN})).user("bob");
    assert!(!rig.send(bob).await.text().contains("call wait"));
    let mut again = rig.open(get(format!("/runs/{RUN}/events")).user("alice")).await.into_body();
    assert!(session(&rig).await["running"] == RUN);
    rig.gate.open();
    for body in [&mut open.into_body(), &mut again] {
        read_until(body, |text| text.contains("\"result\"")).await;
    }
}

#[tokio::test]
async fn an_id_is_of_one_session() {
    let rig = rig();
    let elsewhere = || post("/prompt", json!({"prompt": "another", "run_id": RUN})).user("alice");
    let open = rig.open(prompt("/prompt/stream", "call wait")).await;
    rig.gate.arrived().await;
    // As a request that came before the other run was there.
    let raced = rig.service.turn(Identity::new("alice"), (), "another").new_run(RUN).start().await;
    assert!(matches!(raced, Err(TurnError::RepeatedRun)), "{raced:?}");
    assert_eq!(rig.send(elsewhere()).await.problem(), (409, "repeated_run".into()));
    rig.gate.open();
    read_until(&mut open.into_body(), |text| text.contains("\"result\"")).await;
    assert_eq!(rig.send(elsewhere()).await.problem(), (409, "repeated_run".into()));
}

#[tokio::test]
async fn a_run_that_was_cut_off_is_not_started_again() {
    let rig = rig();
    let body = || post("/prompt/stream", json!({"prompt": "call wait", "run_id": RUN})).user("alice");
    let open = rig.open(body()).await;
    rig.gate.arrived().await;
    let repeated = rig.restarted().send(body()).await.problem();
    assert_eq!(repeated, (409, "unfinished".into()));
    rig.gate.open();
    read_until(&mut open.into_body(), |text| text.contains("\"result\"")).await;
    assert_eq!(sse(rig.restarted().send(body()).await.text()).len(), 1);
}

#[tokio::test]
async fn a_prompt_after_cancelled_tools_is_known_by_its_id() {
    let rig = rig();
    let cancelled = rig.service.turn(Identity::new("alice"), (), "call wait").start().await.unwrap();
    rig.gate.arrived().await;
    cancelled.cancel();
    let first_run = cancelled.run_id().to_owned();
    cancelled.response().await.unwrap();
    let body = || post("/prompt", json!({"prompt": "hello", "run_id": RUN})).user("alice");
    let first = rig.send(body()).await.ok();
    assert_eq!(first["run_id"], RUN);
    let stored = session(&rig).await["messages"].clone();
    // The prompt was joined with the results of the cancelled calls.
    assert_eq!(stored.as_array().unwrap().len(), 4, "{stored}");
    assert_eq!(stored[2]["tracking_id"], RUN);
    let again = rig.restarted().send(body()).await.ok();
    assert_eq!((&again["run_id"], &again["text"]), (&first["run_id"], &first["text"]));
    assert_eq!(session(&rig).await["messages"], stored);
    // The cancelled run has its own messages alone.
    let path = format!("/runs/{first_run}/events?session_id={}", first["session_id"].as_str().unwrap());
    assert_eq!(rig.restarted().send(get(path).user("alice")).await.problem(), (409, "unfinished".into()));
    rig.service.turn(Identity::new("alice"), (), "more").after(RUN).await.unwrap();
}

#[tokio::test]
async fn ids_must_be_uuids() {
    for id in ["", "1", "../../x", "0b9f6a52-6a52-4b6f-9d0e-6f1f0f6b3a1"] {
        let request = post("/prompt", json!({"prompt": "hello", "run_id": id})).user("alice");
        assert_eq!(rig().send(request).await.problem(), (400, "bad_request".into()), "{id}");
    }
}

#[tokio::test]
async fn a_session_names_its_running_run() {
    let rig = rig();
    let turn = rig.service.turn(Identity::new("alice"), (), "stall").start().await.unwrap();
    let path = format!("/sessions/{}", turn.session_id());
    // It has stored nothing yet.
    let session = rig.send(get(&*path).user("alice")).await.ok();
    assert_eq!((&session["running"], &session["messages"]), (&json!(turn.run_id()), &json!([])));
    assert_eq!(rig.send(get(&*path).user("bob")).await.problem(), (404, "unknown_session".into()));
    assert_eq!(rig.restarted().send(get(&*path).user("alice")).await.problem(), (404, "unknown_session".into()));
    turn.cancel();
    turn.response().await.unwrap();
    rig.prompt("alice", "hello").await.ok();
    assert_eq!(rig.send(get(&*path).user("alice")).await.ok()["running"], Value::Null);
}

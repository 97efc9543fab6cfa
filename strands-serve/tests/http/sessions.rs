//! `/sessions`: own sessions only, as they are stored.

use serde_json::{Value, json};
use strands_core::Prompt;
use strands_identity::Identity;
use strands_serve::SESSION_TITLE;

use crate::support::{Gate, Rig, agent, get, memory, post, request, rig};

const ALICE: &str = "session_for_user_alice";

fn path(session: &str) -> String {
    format!("/sessions/{session}")
}

/// Prompts in a new session, and returns its id.
async fn new_session(rig: &Rig, user: &str, text: &str) -> String {
    let response = rig.send(post("/prompt", json!({"prompt": text, "new_session": true})).user(user)).await.ok();
    response["session_id"].as_str().unwrap().to_owned()
}

async fn rename(rig: &Rig, session: &str, title: Value) -> Value {
    rig.send(request("PATCH", path(session)).json(json!({"title": title})).user("alice")).await.ok()
}

async fn list(rig: &Rig, user: &str, query: &str) -> Vec<Value> {
    let listed = rig.send(get(format!("/sessions{query}")).user(user)).await.ok();
    listed["sessions"].as_array().unwrap().clone()
}

fn ids(sessions: &[Value]) -> Vec<&str> {
    sessions.iter().map(|session| session["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn lists_own_sessions_newest_first() {
    let rig = rig();
    assert_eq!(list(&rig, "alice", "").await, Vec::<Value>::new());
    let one = new_session(&rig, "alice", "one").await;
    let two = new_session(&rig, "alice", "two").await;
    new_session(&rig, "bob", "other").await;
    new_session(&rig, "alice2", "other").await;
    assert_eq!(ids(&list(&rig, "alice", "").await), [&*two, &*one]);
    // A message makes a session the newest, although the record of the agent does not change.
    rig.send(post("/prompt", json!({"prompt": "more", "session_id": one})).user("alice")).await.ok();
    let listed = list(&rig.restarted(), "alice", "").await;
    assert_eq!(ids(&listed), [&*one, &*two]);
    let first = &listed[0];
    assert_eq!((&first["title"], &first["has_pending_interrupts"]), (&Value::Null, &json!(false)));
    assert!(first["created_at"].as_str().unwrap() < first["updated_at"].as_str().unwrap());
    assert_eq!(ids(&list(&rig, "alice", "?limit=1").await), [&*one]);
    assert_eq!(list(&rig, "alice", "?limit=0").await.len(), 1);
}

#[tokio::test]
async fn titles_are_set_searched_and_removed() {
    let rig = rig();
    let one = new_session(&rig, "alice", "one").await;
    let two = new_session(&rig, "alice", "two").await;
    assert_eq!(rename(&rig, &one, json!(" Trip to Zürich ")).await["title"], "Trip to Zürich");
    rename(&rig, &two, json!("Budget")).await;
    let search = async |text: &str| {
        let listed = list(&rig, "alice", &format!("?q={text}")).await;
        ids(&listed).iter().map(|id| (*id).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(search("z%C3%BCr").await, [one.as_str()]);
    assert_eq!(search("BUDGET").await, [two.as_str()]);
    assert_eq!(search("paris").await, Vec::<String>::new());
    assert_eq!(search("").await.len(), 2);
    // Tools and hooks see it, and turns keep it.
    rig.send(post("/prompt", json!({"prompt": "more", "session_id": one})).user("alice")).await.ok();
    let agent = rig.service.open(&Identity::new("alice"), one.as_str()).await.unwrap();
    assert_eq!(agent.state().get(SESSION_TITLE), Some(json!("Trip to Zürich")));
    assert_eq!(rename(&rig, &one, Value::Null).await["title"], Value::Null);
    assert_eq!(search("z").await, Vec::<String>::new());

    for title in [json!(""), json!("  "), json!("a\nb"), json!("x".repeat(201))] {
        let change = request("PATCH", path(&one)).json(json!({"title": title})).user("alice");
        assert_eq!(rig.send(change).await.problem(), (422, "invalid_title".into()));
    }
    for body in [json!({}), json!({"title": 1}), json!({"name": "x"})] {
        let change = request("PATCH", path(&one)).json(body).user("alice");
        assert_eq!(rig.send(change).await.problem(), (422, "invalid_json".into()));
    }
}

#[tokio::test]
async fn a_title_survives_a_suspended_run() {
    let rig = rig();
    let asked = rig.prompt("alice", "call ask").await.ok();
    rename(&rig, ALICE, json!("Question")).await;
    let session = rig.send(get(path(ALICE)).user("alice")).await.ok();
    assert_eq!((&session["title"], &session["interrupts"]), (&json!("Question"), &asked["interrupts"]));
    assert_eq!(session["has_pending_interrupts"], true);
    let id = asked["interrupts"][0]["id"].as_str().unwrap();
    let alice = Identity::new("alice");
    let response = strands_core::InterruptResponse::new(id, "fine");
    let resumed = rig.service.turn(alice, (), Prompt::none()).resume([response]).await.unwrap();
    assert_eq!(resumed.text(), "asked: \"fine\"");
    assert_eq!(list(&rig, "alice", "?q=question").await.len(), 1);
}

#[tokio::test]
async fn sessions_of_others_and_unknown_ones_are_alike() {
    let rig = rig();
    let bobs = new_session(&rig, "bob", "secret").await;
    let unknown = format!("{ALICE}__{}", "0".repeat(32));
    let change = || json!({"title": "x"});
    let rewind = || json!({"message_id": "x"});
    for session in [&*bobs, "session_for_user_bob", &*unknown, ALICE, "nonsense", "a.b", "%2e%2e", "%20"] {
        for request in [
            get(path(session)),
            request("PATCH", path(session)).json(change()),
            request("DELETE", path(session)),
            post(format!("{}/rewind", path(session)), rewind()),
        ] {
            let reply = rig.send(request.user("alice")).await;
            assert_eq!(reply.problem(), (404, "unknown_session".into()), "{session}");
            assert_eq!(reply.json()["detail"], "no such session");
        }
    }
    rig.send(get(path(&bobs)).user("bob")).await.ok();
}

#[tokio::test]
async fn a_deleted_session_is_gone() {
    let rig = rig();
    let stream = rig.send(post("/prompt/stream", json!({"prompt": "one"})).user("alice")).await;
    let location = stream.header("location").to_owned();
    assert_eq!(rig.send(get(&location).user("alice")).await.status, 200);
    assert_eq!(rig.send(request("DELETE", path(ALICE)).user("alice")).await.status, 204);
    for gone in [get(path(ALICE)), request("DELETE", path(ALICE)), get(&location)] {
        assert_eq!(rig.send(gone.user("alice")).await.status, 404);
    }
    assert_eq!(list(&rig, "alice", "").await, Vec::<Value>::new());
    rig.prompt("alice", "two").await.ok();
    assert_eq!(rig.send(get(path(ALICE)).user("alice")).await.ok()["messages"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_busy_session_is_not_changed() {
    let rig = rig();
    rig.prompt("alice", "one").await.ok();
    let running = {
        let rig = rig.clone();
        tokio::spawn(async move { rig.prompt("alice", "call wait").await })
    };
    rig.gate.arrived().await;
    let busy = [
        request("PATCH", path(ALICE)).json(json!({"title": "x"})),
        request("DELETE", path(ALICE)),
        post(format!("{}/rewind", path(ALICE)), json!({"message_id": "x"})),
    ];
    for change in busy {
        assert_eq!(rig.send(change.user("alice")).await.problem(), (409, "session_busy".into()));
    }
    // It can be read.
    rig.send(get(path(ALICE)).user("alice")).await.ok();
    rig.gate.open();
    running.await.unwrap().ok();
    rename(&rig, ALICE, json!("x")).await;
}

#[tokio::test]
async fn rewinds_to_a_prompt() {
    let rig = rig();
    for text in ["one", "call whoami", "three"] {
        rig.prompt("alice", text).await.ok();
    }
    let messages = async || {
        let session = rig.send(get(path(ALICE)).user("alice")).await.ok();
        session["messages"].as_array().unwrap().clone()
    };
    let before = messages().await;
    assert_eq!(before.len(), 2 + 4 + 2);
    let rewind = async |id: &Value| {
        rig.send(post(format!("{}/rewind", path(ALICE)), json!({"message_id": id})).user("alice")).await
    };
    assert_eq!(rewind(&json!("unknown")).await.problem(), (404, "unknown_message".into()));
    // A response, and results of tools, are no prompts.
    for index in [1, 4] {
        assert_eq!(rewind(&before[index]["tracking_id"]).await.problem(), (422, "invalid_rewind".into()));
    }
    assert_eq!(messages().await, before);
    let removed = rewind(&before[2]["tracking_id"]).await.ok();
    assert_eq!(removed["removed"], json!(before[2..]));
    assert_eq!(messages().await, before[..2]);
    rig.prompt("alice", "other").await.ok();
    assert_eq!(messages().await[2]["content"][0]["text"], "other");
}

#[tokio::test]
async fn rewinding_discards_pending_interrupts() {
    let rig = rig();
    let asked = rig.prompt("alice", "call ask").await.ok();
    let id = asked["run_id"].as_str().unwrap();
    assert_eq!(rig.prompt("alice", "hi").await.problem(), (409, "interrupted".into()));
    rig.send(post(format!("{}/rewind", path(ALICE)), json!({"message_id": id})).user("alice")).await.ok();
    let session = rig.send(get(path(ALICE)).user("alice")).await.ok();
    assert_eq!((&session["messages"], &session["interrupts"]), (&json!([]), &json!([])));
    rig.prompt("alice", "hi").await.ok();
}

#[tokio::test]
async fn reading_builds_no_agent() {
    let gate = Gate::new();
    let store = memory();
    let first = Rig::new(agent(&gate), store.clone(), strands_serve::ServiceLimits::new(), gate.clone());
    first.prompt("alice", "one").await.ok();
    // A template that can't be built.
    let broken = Rig::new(strands_core::Agent::builder(), store, strands_serve::ServiceLimits::new(), gate);
    broken.send(get(path(ALICE)).user("alice")).await.ok();
    assert_eq!(list(&broken, "alice", "").await.len(), 1);
    rename(&broken, ALICE, json!("x")).await;
    assert_eq!(broken.prompt("alice", "hi").await.problem(), (500, "internal".into()));
}

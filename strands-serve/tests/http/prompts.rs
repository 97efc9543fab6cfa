//! `POST /prompt`: bodies, responses and sessions.

use serde_json::{Value, json};
use strands_serve::http::HttpHost;
use tower::ServiceExt as _;

use crate::support::{ByHeaders, Reply, post, request, rig};

#[tokio::test]
async fn responds_with_text_usage_metrics_and_ids() {
    let rig = rig();
    let response = rig.prompt("alice", "Hello to you").await.ok();
    assert_eq!(response["text"], "Hello to you");
    assert_eq!(response["message"]["role"], "assistant");
    assert_eq!(response["stop_reason"], "end_turn");
    assert_eq!(response["usage"]["inputTokens"], 10);
    assert_eq!(response["metrics"]["total_cycles"], 1);
    assert_eq!(response["session_id"], "session_for_user_alice");
    assert_eq!(response["run_id"].as_str().unwrap().len(), 36);
    assert!(response.get("interrupts").is_none());
}

#[tokio::test]
async fn remembers_the_conversation_of_a_user() {
    let rig = rig();
    rig.prompt("alice", "one").await.ok();
    rig.restarted().prompt("alice", "two").await.ok();
    rig.prompt("bob", "other").await.ok();
    let session = rig.send(crate::support::get("/sessions/session_for_user_alice").user("alice")).await.ok();
    let texts: Vec<&Value> =
        session["messages"].as_array().unwrap().iter().map(|message| &message["content"][0]["text"]).collect();
    assert_eq!(texts, ["one", "one", "two", "two"]);
}

#[tokio::test]
async fn accepts_texts_and_content_blocks() {
    let rig = rig();
    for body in [
        json!({"prompt": "hi"}),
        json!({"text": "hi"}),
        json!({"prompt": [{"text": "hi"}]}),
        json!({"prompt": [{"text": "hi"}, {"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}}]}),
        json!({"prompt": "hi", "new_session": true}),
        json!({"prompt": "hi", "session_id": "session_for_user_alice"}),
    ] {
        let response = rig.send(post("/prompt", body.clone()).user("alice")).await.ok();
        assert_eq!(response["text"], "hi", "{body}");
    }
    let session = rig.send(crate::support::get("/sessions/session_for_user_alice").user("alice")).await.ok();
    let has_image = |message: &Value| message["content"][1]["image"]["source"]["bytes"]["data"] == "iVBORw0KGgo=";
    assert!(session["messages"].as_array().unwrap().iter().any(has_image));
}

#[tokio::test]
async fn refuses_invalid_bodies() {
    let rig = rig();
    let code = async |body: Value| rig.send(post("/prompt", body).user("alice")).await.problem();
    for (body, expected) in [
        (json!({}), (422, "invalid_json")),
        (json!({"prompt": 7}), (422, "invalid_json")),
        (json!({"prompt": "hi", "sesion_id": "x"}), (422, "invalid_json")),
        (json!({"prompt": ""}), (422, "empty_prompt")),
        (json!({"prompt": " \n"}), (422, "empty_prompt")),
        (json!({"prompt": []}), (422, "empty_prompt")),
        (json!({"prompt": "hi", "session_id": "a", "new_session": true}), (400, "bad_request")),
        (
            json!({"prompt": [{"toolResult": {"toolUseId": "1", "content": [], "status": "success"}}]}),
            (422, "invalid_prompt"),
        ),
        (json!({"prompt": [{"reasoningContent": {"reasoningText": {"text": "x"}}}]}), (422, "invalid_prompt")),
    ] {
        assert_eq!(code(body.clone()).await, (expected.0, expected.1.to_owned()), "{body}");
    }
    let raw = |body: &'static [u8]| request("POST", "/prompt").user("alice").body(body);
    for (request, expected) in [
        (raw(b"{\"prompt\": \"hi\"}"), (415, "not_json")),
        (raw(b"prompt=hi").header("content-type", "application/x-www-form-urlencoded"), (415, "not_json")),
        (raw(b"{\"prompt\": ").header("content-type", "application/json"), (400, "invalid_json")),
        (raw(b"{\"prompt\": \"\xff\"}").header("content-type", "application/json"), (400, "invalid_json")),
        (raw(b"").header("content-type", "application/json"), (400, "invalid_json")),
    ] {
        assert_eq!(rig.send(request).await.problem(), (expected.0, expected.1.to_owned()));
    }
    let charset = raw(b"{\"prompt\": \"hi\"}").header("content-type", "Application/JSON; charset=utf-8");
    rig.send(charset).await.ok();
}

#[tokio::test]
async fn refuses_bodies_that_are_too_large() {
    let router = HttpHost::new(rig().service, ByHeaders).body_limit(100).into_router();
    let send = async |body: String| {
        let request = post("/prompt", json!({"prompt": body})).user("alice").build();
        Reply::of(router.clone().oneshot(request).await.unwrap()).await
    };
    send("x".repeat(50)).await.ok();
    assert_eq!(send("x".repeat(100)).await.problem(), (413, "too_large".into()));
}

#[tokio::test]
async fn sessions_of_others_do_not_exist() {
    let rig = rig();
    let bobs = rig.prompt("bob", "secret").await.ok()["session_id"].as_str().unwrap().to_owned();
    for session in [&*bobs, "session_for_user_alice__00", "", "../bob", "session_for_user_"] {
        for path in ["/prompt", "/prompt/stream"] {
            let reply = rig.send(post(path, json!({"prompt": "hi", "session_id": session})).user("alice")).await;
            assert_eq!(reply.problem(), (404, "unknown_session".into()), "{session}");
        }
    }
    let other = rig.send(post("/prompt", json!({"prompt": "hi", "new_session": true})).user("alice")).await.ok();
    let other = other["session_id"].as_str().unwrap().to_owned();
    assert!(other.starts_with("session_for_user_alice__"));
    rig.send(post("/prompt", json!({"prompt": "hi", "session_id": other})).user("alice")).await.ok();
}

#[tokio::test]
async fn passes_the_trace_context_to_tools() {
    let rig = rig();
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let prompt = || post("/prompt", json!({"prompt": "call trace", "new_session": true})).user("alice");
    let traced = prompt().header("traceparent", parent).header("tracestate", "a=1");
    assert_eq!(rig.send(traced).await.ok()["text"], format!("{parent} a=1"));
    let invalid = prompt().header("traceparent", "00-x");
    assert!(!rig.send(invalid).await.ok()["text"].as_str().unwrap().contains("00-x"));
}

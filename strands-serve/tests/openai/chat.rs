//! Chat Completions.

use serde_json::{Value, json};

use crate::rig::{MODEL, Rig, user};

fn streaming(text: &str) -> Value {
    json!({"model": MODEL, "messages": [user(text)], "stream": true, "stream_options": {"include_usage": true}})
}

/// Returns the texts of chunks, joined.
fn content(chunks: &[Value]) -> String {
    chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect()
}

#[tokio::test]
async fn completes_the_last_message() {
    let rig = Rig::new();
    let reply = rig.chat(json!([user("Hello to you")])).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let json = reply.json();
    assert_eq!(json["object"], "chat.completion");
    assert_eq!(json["model"], MODEL);
    assert!(json["created"].as_u64().unwrap() > 1_700_000_000);
    assert_eq!(json["id"].as_str().unwrap().len(), "chatcmpl-".len() + 36);
    assert_eq!(json["choices"].as_array().unwrap().len(), 1);
    let choice = &json["choices"][0];
    assert_eq!(choice["message"]["role"], "assistant");
    assert_eq!(choice["message"]["content"], "You said: Hello to you");
    assert_eq!((&choice["finish_reason"], &choice["stop_reason"]), (&json!("stop"), &json!("end_turn")));
    assert_eq!(
        json["usage"],
        json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0}})
    );
    assert!(reply.headers.contains_key("x-request-id"));
}

#[tokio::test]
async fn streams_chunks_and_usage() {
    let rig = Rig::new();
    let reply = rig.post("/v1/chat/completions", "alice", &streaming("Hello to you")).await;
    let mut chunks = reply.events();
    assert_eq!(chunks.pop().unwrap(), "[DONE]");
    let usage = chunks.pop().unwrap();
    assert_eq!((&usage["choices"], &usage["usage"]["total_tokens"]), (&json!([]), &json!(15)));
    assert_eq!(chunks[0]["choices"][0]["delta"], json!({"role": "assistant", "content": ""}));
    assert_eq!(content(&chunks), "You said: Hello to you");
    assert_eq!(chunks.len(), 1 + 5 + 1, "each delta of the model is a chunk");
    assert!(chunks.iter().all(|chunk| {
        chunk["id"] == usage["id"]
            && chunk["object"] == "chat.completion.chunk"
            && chunk.as_object().unwrap().get("usage") == Some(&Value::Null)
    }));
    let last = &chunks.last().unwrap()["choices"][0];
    assert_eq!((&last["delta"], &last["finish_reason"]), (&json!({}), &json!("stop")));

    let without = json!({"model": MODEL, "messages": [user("Hi")], "stream": true});
    let reply = rig.post("/v1/chat/completions", "alice", &without).await;
    assert!(!reply.text.contains("usage"), "{}", reply.text);
}

#[tokio::test]
async fn tools_of_the_agent_run_on_the_server_for_the_identity() {
    let rig = Rig::new();
    for user_name in ["alice", "bob"] {
        let mut request = streaming("who am I?");
        let chunks = rig.post("/v1/chat/completions", user_name, &request).await.events();
        assert!(content(&chunks).contains(user_name), "{chunks:?}");
        assert!(chunks.iter().all(|chunk| chunk["choices"][0]["delta"].get("tool_calls").is_none()));
        request["stream"] = json!(false);
        let json = rig.post("/v1/chat/completions", user_name, &request).await.json();
        assert_eq!(json["choices"][0]["message"]["content"], content(&chunks), "the same, streaming and not");
        assert_eq!(json["usage"]["total_tokens"], 30, "usage of both model calls");
    }
}

#[tokio::test]
async fn a_response_that_was_cut_off_says_so() {
    let choice = Rig::new().chat(json!([user("too long")])).await.json()["choices"][0].clone();
    assert_eq!((&choice["finish_reason"], &choice["stop_reason"]), (&json!("length"), &json!("max_tokens")));
}

#[tokio::test]
async fn errors_of_the_model_have_no_detail() {
    let rig = Rig::new();
    let reply = rig.chat(json!([user("fail")])).await;
    reply.assert_error(502, None, "model_failed");
    assert_eq!(reply.json()["error"]["type"], "server_error");
    assert!(!reply.text.contains("secret"), "{}", reply.text);

    let reply = rig.post("/v1/chat/completions", "alice", &streaming("break")).await;
    assert_eq!(reply.status, 200);
    let events = reply.events();
    assert_eq!(content(&events), "one two ");
    assert_eq!(events[events.len() - 2]["error"]["code"], "model_failed");
    assert_eq!(events[events.len() - 1], "[DONE]");
}

#[tokio::test]
async fn the_agent_is_the_only_model() {
    let rig = Rig::new();
    let get = |path: &str| {
        let request = http::Request::get(path).header("authorization", "Bearer alice");
        rig.send(request.body(axum::body::Body::empty()).unwrap())
    };
    let model = json!({"id": MODEL, "object": "model", "created": 0, "owned_by": "strands"});
    assert_eq!(get("/v1/models").await.json(), json!({"object": "list", "data": [model]}));
    assert_eq!(get(&format!("/v1/models/{MODEL}")).await.json(), model);
    get("/v1/models/gpt-5").await.assert_error(404, Some("model"), "model_not_found");
}

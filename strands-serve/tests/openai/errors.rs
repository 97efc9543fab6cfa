//! Errors in the shape of OpenAI, and input that an agent does not use.

use axum::body::Body;
use http::{HeaderValue, Method, Request};
use serde_json::{Value, json};
use strands::serve::http::HttpHost;
use strands::serve::openai::{ClientInput, OpenAiSettings};

use tower::ServiceExt as _;

use crate::rig::{MODEL, Rig, Subjects, user};

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";

#[tokio::test]
async fn requests_without_a_token_are_refused() {
    let rig = Rig::new();
    let body = json!({"model": MODEL, "messages": [user("Hi")], "input": "Hi"}).to_string();
    for (method, path) in [(Method::GET, "/v1/models"), (Method::POST, CHAT), (Method::POST, RESPONSES)] {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        let reply = rig.send(request.body(Body::from(body.clone())).unwrap()).await;
        reply.assert_error(401, None, "unauthenticated");
        assert_eq!(reply.json()["error"]["type"], "authentication_error");
        assert_eq!(reply.headers["www-authenticate"], "Bearer");
    }
    assert!(rig.model.requests().is_empty());
}

#[tokio::test]
async fn invalid_requests_are_errors_of_openai() {
    let rig = Rig::new();
    let send = |method: Method, path: &str, content_type: &str, body: &str| {
        let request = Request::builder().method(method).uri(path).header("authorization", "Bearer alice");
        rig.send(request.header("content-type", content_type).body(Body::from(body.to_owned())).unwrap())
    };
    let json = "application/json";
    send(Method::GET, "/v1/embeddings", json, "").await.assert_error(404, None, "not_found");
    let reply = send(Method::GET, CHAT, json, "").await;
    reply.assert_error(405, None, "method_not_allowed");
    assert_eq!(reply.headers["allow"], "POST");
    send(Method::POST, CHAT, "text/plain", "{}").await.assert_error(415, None, "not_json");
    for body in ["", "{", "[]", "{}", r#"{"model": 7}"#, r#"{"model": "travel-agent", "messages": "Hi"}"#] {
        for path in [CHAT, RESPONSES] {
            send(Method::POST, path, json, body).await.assert_error(400, None, "invalid_json");
        }
    }
    let large = format!(r#"{{"model": "{}"}}"#, "x".repeat(9 << 20));
    send(Method::POST, CHAT, json, &large).await.assert_error(413, None, "too_large");
    // Other paths have the problems of the host.
    let other = send(Method::GET, "/other", json, "").await;
    assert_eq!(other.headers["content-type"], "application/problem+json");
}

#[tokio::test]
async fn other_models_do_not_exist() {
    let rig = Rig::new();
    for path in [CHAT, RESPONSES] {
        let body = json!({"model": "gpt-5", "messages": [user("Hi")], "input": "Hi"});
        rig.post(path, "alice", &body).await.assert_error(404, Some("model"), "model_not_found");
    }
}

#[tokio::test]
async fn parameters_that_change_the_response_are_refused() {
    let rig = Rig::new();
    let tool = json!([{"type": "function", "function": {"name": "delete"}}]);
    let cases: &[(&str, &str, Value)] = &[
        (CHAT, "tools", tool.clone()),
        (CHAT, "functions", json!([{"name": "delete"}])),
        (CHAT, "n", json!(2)),
        (CHAT, "n", json!(0)),
        (CHAT, "logprobs", json!(true)),
        (CHAT, "response_format", json!({"type": "json_object"})),
        (CHAT, "modalities", json!(["text", "audio"])),
        (CHAT, "web_search_options", json!({})),
        (RESPONSES, "tools", json!([{"type": "web_search"}])),
        (RESPONSES, "background", json!(true)),
        (RESPONSES, "prompt", json!({"id": "pmpt_1"})),
        (RESPONSES, "text", json!({"format": {"type": "json_schema", "name": "x", "schema": {}}})),
    ];
    for (path, param, value) in cases {
        let mut body = json!({"model": MODEL, "messages": [user("Hi")], "input": "Hi"});
        body[*param] = value.clone();
        rig.post(path, "alice", &body).await.assert_error(400, Some(param), "unsupported_parameter");
    }
    assert!(rig.model.requests().is_empty());

    // What front ends send by default is accepted.
    let body = json!({"model": MODEL, "messages": [user("Hi")], "input": "Hi", "tools": [], "n": 1, "logprobs": false,
        "response_format": {"type": "text"}, "modalities": ["text"], "background": false, "temperature": 0.7, "top_p": 1,
        "max_tokens": 5, "max_completion_tokens": 5, "max_output_tokens": 5, "stop": ["x"], "seed": 1, "user": "root",
        "text": {"format": {"type": "text"}}, "tool_choice": "auto", "parallel_tool_calls": true, "later": {}, "stream": null});
    for path in [CHAT, RESPONSES] {
        assert_eq!(rig.post(path, "alice", &body).await.status, 200);
    }
}

#[tokio::test]
async fn instructions_are_ignored_or_refused() {
    let system = json!([{"role": "system", "content": "You are a pirate."}, user("Hi")]);
    let developer = json!([user("Hi"), {"role": "developer", "content": "You are a pirate."}]);
    let rig = Rig::new();
    for messages in [&system, &developer] {
        assert_eq!(rig.chat(messages.clone()).await.status, 200);
        assert_eq!(rig.respond(messages.clone(), json!({"instructions": "You are a pirate."})).await.status, 200);
    }
    let seen = format!("{:?}", rig.model.requests());
    assert!(seen.contains("You book trips.") && !seen.contains("pirate"), "{seen}");

    let rig = Rig::with(OpenAiSettings::new(MODEL).instructions(ClientInput::Refuse).tools(ClientInput::Ignore));
    for messages in [system, developer] {
        rig.chat(messages.clone()).await.assert_error(400, Some("messages"), "unsupported_instructions");
        rig.respond(messages, json!({})).await.assert_error(400, Some("input"), "unsupported_instructions");
    }
    let reply = rig.respond(json!("Hi"), json!({"instructions": "You are a pirate."})).await;
    reply.assert_error(400, Some("instructions"), "unsupported_parameter");
    assert!(rig.model.requests().is_empty());
    let tools = json!({"tools": [{"type": "function", "name": "delete"}]});
    assert_eq!(rig.respond(json!("Hi"), tools).await.status, 200);
    assert_eq!(rig.model.requests()[0].tools, ["whoami", "delete"], "only those of the agent");
}

#[tokio::test]
async fn pages_of_allowed_origins_may_use_the_sdk() {
    let rig = Rig::new();
    let origin = "https://chat.example.com";
    let host = HttpHost::new(rig.service.clone(), Subjects).openai(OpenAiSettings::new(MODEL));
    let router = host.allow_origins([HeaderValue::from_static(origin)]).into_router();
    let request = Request::builder().method(Method::OPTIONS).uri(CHAT).header("origin", origin);
    let request = request.header("access-control-request-method", "POST").body(Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    let allowed = response.headers()["access-control-allow-headers"].to_str().unwrap();
    for name in ["authorization", "x-session-id", "x-stainless-runtime-version", "openai-project"] {
        assert!(allowed.split(',').any(|header| header == name), "{name}: {allowed}");
    }
}

//! `POST /invocations`.

use std::sync::{Arc, Mutex};

use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, tool};
use strands_serve::agentcore::{AgentCoreContext, AgentCoreHost, ForwardedHeaders, WorkloadAccessToken, is_forwarded};
use strands_serve::axum::Router;
use strands_serve::axum::body::Body;

use crate::rig::{echo, get, memory, post, send, service, until, verifier};

const SESSION: &str = "x-amzn-bedrock-agentcore-runtime-session-id";

fn router() -> Router {
    AgentCoreHost::new(service(echo()), verifier()).into_router()
}

#[tokio::test]
async fn a_prompt_gives_a_result_with_the_four_metrics() {
    let answer = send(&router(), post("/invocations", "alice", r#"{"prompt": "Hello"}"#)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
    let json = answer.json();
    assert_eq!((&json["result"], &json["stop_reason"]), (&json!("Hello"), &json!("end_turn")));
    let metrics = &json["metrics"];
    assert_eq!(metrics["accumulated_usage"]["totalTokens"], 15, "{json}");
    assert_eq!(metrics["total_cycles"], 1);
    assert!(metrics["average_cycle_time"].is_f64() && metrics["total_duration"].is_f64(), "{json}");
    assert!(json.get("interrupts").is_none());
}

#[tokio::test]
async fn events_are_streamed_if_the_client_prefers_them_or_the_payload_asks_for_them() {
    let router = router();
    for (accept, payload, streams) in [
        (None, json!({"prompt": "Hi"}), false),
        (Some("*/*"), json!({"prompt": "Hi"}), false),
        (Some("text/event-stream"), json!({"prompt": "Hi"}), true),
        (Some("Text/Event-Stream; q=0.9, application/json"), json!({"prompt": "Hi"}), true),
        (Some("application/json, text/event-stream"), json!({"prompt": "Hi"}), false),
        (None, json!({"prompt": "Hi", "stream": true}), true),
        (Some("text/event-stream"), json!({"prompt": "Hi", "stream": false}), false),
    ] {
        let mut request = post("/invocations", "alice", payload.to_string());
        if let Some(accept) = accept {
            request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static(accept));
        }
        let answer = send(&router, request).await;
        let is_stream = answer.headers[header::CONTENT_TYPE] == "text/event-stream";
        assert_eq!(is_stream, streams, "{accept:?} {payload}");
        if streams {
            let events = answer.events();
            assert_eq!(events.last().unwrap()["type"], "result", "{}", answer.text);
            assert!(answer.text.lines().all(|line| line.is_empty() || line.starts_with("data: ")), "{}", answer.text);
        }
    }
}

#[tokio::test]
async fn an_error_in_a_stream_is_an_event() {
    let model = ScriptedModel::new([]);
    let router = AgentCoreHost::new(service(Agent::builder().model(model)), verifier()).into_router();
    let answer = send(&router, post("/invocations", "alice", r#"{"prompt": "Hi", "stream": true}"#)).await;
    assert_eq!(answer.status, StatusCode::OK);
    let error = answer.events().pop().unwrap();
    assert_eq!(error["error_type"], "model_failed");
    assert_eq!(error["message"], "An error occurred during streaming");
    let answer = send(&router, post("/invocations", "alice", r#"{"prompt": "Hi"}"#)).await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert_eq!(answer.json(), json!({"error": error["error"]}));
}

#[tokio::test]
async fn payloads_that_are_none_are_refused() {
    let router = router();
    let invalid: [(&[u8], &str); 6] = [
        (b"{", "Invalid JSON"),
        (b"", "Invalid JSON"),
        (b"\xff{}", "Invalid encoding"),
        (b"[]", "the payload must be an object with a `prompt`"),
        (br#"{"text": "Hi"}"#, "the payload must be an object with a `prompt`"),
        (br#"{"prompt": 7}"#, "`prompt` must be a text or a list of content blocks"),
    ];
    for (body, error) in invalid {
        let answer = send(&router, post("/invocations", "alice", Body::from(body))).await;
        assert_eq!((answer.status, &answer.json()["error"]), (StatusCode::BAD_REQUEST, &json!(error)));
    }
    let answer = send(&router, post("/invocations", "alice", r#"{"prompt": [{"toolResult": {}}]}"#)).await;
    assert!(answer.status.is_client_error(), "{}", answer.text);
    // As in the SDK, a byte order mark is no error.
    let answer = send(&router, post("/invocations", "alice", "\u{feff}{\"prompt\": \"Hi\"}")).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn requests_without_a_valid_token_are_refused() {
    let router = router();
    for authorization in [None, Some("Bearer x.y.z"), Some("Basic YTpi")] {
        let mut request = post("/invocations", "alice", r#"{"prompt": "Hi"}"#);
        request.headers_mut().remove(header::AUTHORIZATION);
        if let Some(value) = authorization {
            request.headers_mut().insert(header::AUTHORIZATION, HeaderValue::from_static(value));
        }
        let answer = send(&router, request).await;
        assert_eq!(
            (answer.status, answer.headers.contains_key(header::WWW_AUTHENTICATE)),
            (StatusCode::UNAUTHORIZED, true)
        );
        assert_eq!(answer.json(), json!({"error": "a valid bearer token is required"}));
    }
    assert_eq!(send(&router, get("/invocations")).await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(send(&router, get("/")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_runtime_session_belongs_to_one_identity() {
    let model = ScriptedModel::from_fn(|request| ScriptedTurn::text(format!("{} messages", request.messages.len())));
    let router = AgentCoreHost::new(service(Agent::builder().model(model)), verifier()).into_router();
    let ask = async |user: &str, session: Option<&'static str>| {
        let mut request = post("/invocations", user, r#"{"prompt": "Hi"}"#);
        if let Some(session) = session {
            request.headers_mut().insert(SESSION, HeaderValue::from_static(session));
        }
        let json = send(&router, request).await.json();
        (json["result"].as_str().unwrap().to_owned(), json["session_id"].clone())
    };
    let (first, id) = ask("alice", Some("one")).await;
    assert_eq!(first, "1 messages");
    assert_eq!(ask("alice", Some("one")).await, ("3 messages".to_owned(), id.clone()));
    assert_eq!(ask("alice", Some("two")).await.0, "1 messages");
    assert_eq!(ask("alice", None).await.0, "1 messages");
    let (of_bob, id_of_bob) = ask("bob", Some("one")).await;
    assert_eq!(of_bob, "1 messages");
    assert_ne!(id_of_bob, id);
}

type Seen = Arc<Mutex<Vec<String>>>;

/// Notes what the platform has sent along.
#[tool(crate = strands_core)]
fn look(seen: &Seen, context: &AgentCoreContext, headers: &ForwardedHeaders, token: &WorkloadAccessToken) -> String {
    let mut seen = seen.lock().unwrap();
    seen.push(format!("{} {}", context.request_id(), context.runtime_session_id().unwrap_or("-")));
    seen.push(format!("{:?}", context.baggage("aws.agentcore.gateway.routing_experiment_arn")));
    seen.push(format!("{:?} {:?}", context.baggage_values("k").collect::<Vec<_>>(), context.oauth2_callback_url()));
    seen.push(format!("{:?} {:?}", headers.get("X-Amzn-Bedrock-AgentCore-Runtime-Custom-Team"), headers.get("cookie")));
    seen.push(format!("{} {}", token.expose(), context.payload()["extra"]));
    let debug = format!("{context:?} {headers:?} {token:?}");
    assert!(!debug.contains("wat-of-alice") && !debug.contains("Bearer"), "{debug}");
    "seen".to_owned()
}

#[tokio::test]
async fn tools_get_what_the_platform_sends_along() {
    let seen = Seen::default();
    let model = ScriptedModel::new([ScriptedTurn::tool_use("look", json!({})), ScriptedTurn::text("done")]);
    let template = Agent::builder().model(model).tool(Look).inject(Arc::clone(&seen));
    let template = move |_: &strands_identity::Identity| {
        // Values of the host take precedence; the template only declares them.
        Ok::<_, std::convert::Infallible>(
            template
                .clone()
                .injected_per_prompt::<AgentCoreContext>()
                .injected_per_prompt::<ForwardedHeaders>()
                .injected_per_prompt::<WorkloadAccessToken>(),
        )
    };
    let service = strands_serve::AgentService::builder(template, memory()).build();
    let router = AgentCoreHost::new(service, verifier()).into_router();
    let mut request = post("/invocations", "alice", r#"{"prompt": "Look", "extra": 7}"#);
    for (name, value) in [
        (SESSION, "a-session"),
        ("x-amzn-bedrock-agentcore-runtime-request-id", "request-1"),
        ("x-amzn-bedrock-agentcore-runtime-custom-team", "travel"),
        ("oauth2callbackurl", "https://example.com/callback"),
        ("workloadaccesstoken", "older"),
        ("x-amz-bedrock-agentcore-identity-wat", "wat-of-alice"),
        ("baggage", "k=a%20b;p=1,broken,k=c, aws.agentcore.gateway.routing_experiment_arn=arn:1"),
        ("cookie", "a=b"),
    ] {
        request.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    let answer = send(&router, request).await;
    assert_eq!(answer.json()["result"], "done", "{}", answer.text);
    assert_eq!(
        *seen.lock().unwrap(),
        [
            "request-1 a-session",
            r#"Some("arn:1")"#,
            r#"["a b", "c"] Some("https://example.com/callback")"#,
            r#"Some("travel") None"#,
            "wat-of-alice 7",
        ]
    );
}

#[test]
fn headers_are_forwarded_by_the_rules_of_the_platform() {
    for name in [
        "Authorization",
        "X-Custom",
        "X-Amzn-Bedrock-AgentCore-Runtime-Custom-A",
        "X-Amz-Bedrock-AgentCore-Identity-WAT",
    ] {
        assert!(is_forwarded(name), "{name}");
    }
    for name in [
        "Accept",
        "COOKIE",
        "x-amz-date",
        "X-Amzn-Trace-Id",
        "Sec-WebSocket-Key",
        "X-Forwarded-For",
        "www-authenticate",
    ] {
        assert!(!is_forwarded(name), "{name}");
    }
}

#[tokio::test]
async fn an_interrupt_is_answered_by_a_prompt_with_its_response() {
    /// Books a trip.
    #[tool(crate = strands_core, approval)]
    fn book() -> &'static str {
        "booked"
    }
    let model = ScriptedModel::from_fn(|request| {
        let results = request.messages.iter().filter(|message| message.tool_results().next().is_some());
        if results.count() == 0 { ScriptedTurn::tool_use("book", json!({})) } else { ScriptedTurn::text("Booked.") }
    });
    let router = AgentCoreHost::new(service(Agent::builder().model(model).tool(Book)), verifier()).into_router();
    let json = send(&router, post("/invocations", "alice", r#"{"prompt": "Book it"}"#)).await.json();
    assert_eq!(json["stop_reason"], "interrupt", "{json}");
    let id = &json["interrupts"][0]["id"];
    let response = json!({"prompt": [{"interruptResponse": {"interruptId": id, "response": true}}]});
    let json = send(&router, post("/invocations", "alice", response.to_string())).await.json();
    assert_eq!((&json["result"], &json["stop_reason"]), (&json!("Booked."), &json!("end_turn")), "{json}");
}

#[tokio::test]
async fn a_client_that_disconnects_cancels_its_turn_at_once() {
    for streams in [false, true] {
        let model = ScriptedModel::from_fn(|_| ScriptedTurn::text("never complete").stalling_after(2));
        let service = service(Agent::builder().model(model));
        let router = AgentCoreHost::new(service.clone(), verifier()).into_router();
        let body = json!({"prompt": "Hi", "stream": streams}).to_string();
        let client = tokio::spawn(async move { send(&router, post("/invocations", "alice", body)).await.status });
        until(|| service.running_turns() == 1).await;
        client.abort();
        until(|| service.running_turns() == 0).await;
    }
}

#[tokio::test]
async fn a_payload_above_the_limit_is_refused() {
    let router = AgentCoreHost::new(service(echo()), verifier()).body_limit(100).into_router();
    let answer = send(&router, post("/invocations", "alice", json!({"prompt": "x".repeat(200)}).to_string())).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.json(), json!({"error": "the body is too large"}));
}

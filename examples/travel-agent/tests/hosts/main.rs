//! The same conversations on all hosts: HTTP, AgentCore Runtime, Lambda, and the command line. Messages, usage and events are equal.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::{path::PathBuf, process::Command, sync::Arc, time::Duration};

use jiff::civil::date;
use serde_json::{Value, json};
use strands::{
    async_trait,
    identity::{Audit, Identity},
    serve::{
        AgentService,
        agentcore::AgentCoreHost,
        axum::{
            Router,
            body::{Body, to_bytes},
            http::{Request, StatusCode, request::Parts},
        },
        http::{Authenticate, AuthenticationError, HttpHost},
        lambda::LambdaHost,
    },
    session::{SessionStore, object_store::memory::InMemory},
};
use tower::ServiceExt as _;
use travel_agent::{
    access::{Role, User},
    agent::TravelAgent,
    clock::Clock,
    offline::offline_model,
    store::Store,
};

const TODAY: &str = "2026-11-22";

/// Conversations: the prompts, with a part of each response. `None` for a turn that waits for an approval.
const CONVERSATIONS: [&[(&str, Option<&str>)]; 3] = [
    &[
        ("Book me a trip to New York next Monday", Some("your trip to New York, NY is booked")),
        ("what did you book for me?", Some("You have one booking, Ana")),
    ],
    &[
        ("Show me flights to Boston next Monday", Some("Shall I book it?")),
        ("yes", Some("your trip to Boston, MA is booked")),
    ],
    &[("Book me a trip to New York next Monday at the Park Row Grand", None)],
];

/// Each request has this identity.
struct Ana(Identity);

#[async_trait]
impl Authenticate for Ana {
    async fn authenticate(&self, _: &Parts) -> Result<Identity, AuthenticationError> {
        Ok(self.0.clone())
    }
}

/// Returns a service with a database and sessions of its own, and the identity of its user.
fn service() -> (AgentService, Ana) {
    let store = Arc::new(Store::in_memory().unwrap());
    let user = User::employee(&store, "ana", Role::Traveler).unwrap();
    let clock = Clock::Fixed(date(2026, 11, 22));
    let agent = TravelAgent::new(offline_model(), store, clock, Audit::default()).unwrap();
    let sessions = SessionStore::objects(Arc::new(InMemory::new()), "").unwrap();
    (agent.service(sessions).build(), Ana(user.identity))
}

/// Returns the events in the data of server-sent events.
fn events(body: &str) -> Vec<Value> {
    body.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

async fn post(router: Router, path: &str, prompt: &str) -> Vec<Value> {
    let request = Request::post(path)
        .header("content-type", "application/json")
        .header("accept", "text/event-stream")
        .body(Body::from(json!({"prompt": prompt}).to_string()))
        .unwrap();
    let response = router.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    events(std::str::from_utf8(&body).unwrap())
}

async fn on_http(prompts: &[&str]) -> Vec<Value> {
    let (service, ana) = service();
    let router = HttpHost::new(service, ana).into_router();
    let mut all = Vec::new();
    for prompt in prompts {
        all.extend(post(router.clone(), "/prompt/stream", prompt).await);
    }
    all
}

async fn on_agentcore(prompts: &[&str]) -> Vec<Value> {
    let (service, ana) = service();
    let router = AgentCoreHost::new(service, ana).into_router();
    let mut all = Vec::new();
    for prompt in prompts {
        all.extend(post(router.clone(), "/invocations", prompt).await);
    }
    all
}

async fn on_lambda(prompts: &[&str]) -> Vec<Value> {
    let (service, ana) = service();
    let host = LambdaHost::from(HttpHost::new(service, ana));
    let mut all = Vec::new();
    for prompt in prompts {
        let event = json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": "/prompt/stream",
            "rawQueryString": "",
            "headers": {"content-type": "application/json"},
            "requestContext": {
                "accountId": "anonymous",
                "apiId": "url",
                "domainName": "url.lambda-url.us-east-1.on.aws",
                "domainPrefix": "url",
                "http": {
                    "method": "POST",
                    "path": "/prompt/stream",
                    "protocol": "HTTP/1.1",
                    "sourceIp": "203.0.113.7",
                    "userAgent": "curl",
                },
                "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
                "routeKey": "$default",
                "stage": "$default",
                "time": "22/Nov/2026:12:00:00 +0000",
                "timeEpoch": 1_795_348_800_000_u64,
            },
            "body": json!({"prompt": prompt}).to_string(),
            "isBase64Encoded": false,
        });
        let response = host.invoke_streaming(event, Duration::from_secs(30)).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        all.extend(events(std::str::from_utf8(&body).unwrap()));
    }
    all
}

fn on_the_command_line(prompts: &[&str], folder: &str) -> Vec<Value> {
    let home = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("hosts-{folder}-{}", std::process::id()));
    let mut all = Vec::new();
    for prompt in prompts {
        let output = Command::new(env!("CARGO_BIN_EXE_travel-agent"))
            .env_clear()
            .env("HOME", &home)
            .env("XDG_DATA_HOME", &home)
            .args(["--today", TODAY, "--user", "ana", "--session", "trip", "--events", prompt])
            .output()
            .unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{lines}{}", String::from_utf8_lossy(&output.stderr));
        all.extend(lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
    }
    std::fs::remove_dir_all(home).unwrap();
    all
}

/// Removes what differs between two runs of one program: ids and times.
fn without_ids_and_times(value: &mut Value) {
    const IDS: [&str; 8] = [
        "event_loop_cycle_id",
        "fingerprint",
        "id",
        "interrupt_id",
        "invocation_id",
        "parent_id",
        "session_id",
        "tracking_id",
    ];
    const TIMES: [&str; 12] = [
        "average_cycle_time",
        "average_time",
        "duration",
        "duration_ms",
        "end_time",
        "latencyMs",
        "latency_ms",
        "requested_at",
        "start_time",
        "timeToFirstByteMs",
        "total_duration",
        "total_time",
    ];
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !IDS.contains(&name.as_str()) && !TIMES.contains(&name.as_str()));
            fields.values_mut().for_each(without_ids_and_times);
            // The last call of a tool, and the order of traces, are those of the ends of concurrent calls.
            fields.shift_remove("tool_info");
            if let Some(Value::Array(children)) = fields.get_mut("children") {
                children.sort_by_key(|child| child["raw_name"].to_string());
            }
        }
        Value::Array(values) => values.iter_mut().for_each(without_ids_and_times),
        _ => {}
    }
}

/// Replaces the random code of a booking.
fn without_booking_codes(events: &[Value]) -> Vec<Value> {
    const NAME: &str = r#""confirmation_code":""#;
    let json = Value::from(events).to_string();
    let Some((_, rest)) = json.split_once(NAME) else { return events.to_vec() };
    let (code, _) = rest.split_once('"').unwrap();
    serde_json::from_str(&json.replace(code, "CODE")).unwrap()
}

/// Removes what differs between two runs, and sorts the events of concurrent tool calls by their calls.
fn comparable(events: &mut Vec<Value>) {
    *events = without_booking_codes(events);
    events.iter_mut().for_each(without_ids_and_times);
    let is_of_call = |event: &Value| event["type"] == "tool_start" || event["type"] == "tool_end";
    for calls in events.chunk_by_mut(|one, other| is_of_call(one) && is_of_call(other)) {
        calls.sort_by_key(|event| (event["tool_use"]["toolUseId"].to_string(), event["type"] == "tool_end"));
    }
}

/// Returns the text or the stop reason of each result.
fn results(events: &[Value]) -> Vec<String> {
    let results = events.iter().filter(|event| event["type"] == "result").map(|event| &event["response"]);
    let text = |response: &Value| match response["stop_reason"].as_str() {
        Some("interrupt") => "interrupt".to_owned(),
        _ => response["message"]["content"].to_string(),
    };
    results.map(text).collect()
}

#[tokio::test]
async fn conversations_are_equal_on_all_hosts() {
    for (number, conversation) in CONVERSATIONS.iter().enumerate() {
        let prompts: Vec<&str> = conversation.iter().map(|(prompt, _)| *prompt).collect();
        let mut expected = on_http(&prompts).await;
        let replies = results(&expected);
        assert_eq!(replies.len(), conversation.len(), "{expected:#?}");
        for (reply, (_, part)) in replies.iter().zip(*conversation) {
            assert!(part.map_or(reply == "interrupt", |part| reply.contains(part)), "{reply}");
        }
        assert!(expected.iter().any(|event| event["type"] == "tool_end"), "tools run");
        comparable(&mut expected);
        for (host, mut events) in [
            ("AgentCore Runtime", on_agentcore(&prompts).await),
            ("Lambda", on_lambda(&prompts).await),
            ("command line", on_the_command_line(&prompts, &number.to_string())),
        ] {
            comparable(&mut events);
            for (at, (event, expected)) in events.iter().zip(&expected).enumerate() {
                assert_eq!(event, expected, "event {at} of conversation {number} on {host}");
            }
            assert_eq!(events.len(), expected.len(), "conversation {number} on {host}");
        }
    }
}

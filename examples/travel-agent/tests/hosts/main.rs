//! The same conversations on all hosts: HTTP, AgentCore Runtime, Lambda, and the command line. Messages, usage and
//! events are equal, with the travel desk in the process and on its MCP server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::{path::PathBuf, sync::Arc, time::Duration};

use jiff::civil::date;
use serde_json::{Value, json};
use strands::{
    CancellationToken, async_trait,
    identity::{Audit, Identity},
    serve::{
        AgentService, Server,
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
use tokio::process::Command;
use tower::ServiceExt as _;
use travel_agent::{
    access::{Role, trusted},
    agent::TravelAgent,
    clock::Clock,
    desk::{Desk, DeskSecret, RemoteDesk},
    mcp_server,
    offline::offline_model,
    services::Services,
    store::Store,
};

const TODAY: &str = "2026-11-22";
const CLOCK: Clock = Clock::Fixed(date(2026, 11, 22));
const SECRET: &str = "the secret of the travel desk in tests";

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

/// A travel desk with a database of its own: in the process of the agent, or on an MCP server, which ends when it is dropped.
struct TravelDesk {
    desk: Desk,
    url: Option<String>,
    server: Option<tokio::task::JoinHandle<()>>,
}

impl TravelDesk {
    async fn new(is_remote: bool) -> Self {
        let store = Arc::new(Store::in_memory().unwrap());
        if !is_remote {
            return Self { desk: Desk::Local(store, CLOCK), url: None, server: None };
        }
        let secret = DeskSecret::Value(SECRET.into());
        let (hosts, database) = (["127.0.0.1".to_owned()], (store, CLOCK, Services::local().unwrap()));
        let token = CancellationToken::new();
        let router = mcp_server::router(database, (secret.clone(), Audit::default()), &hosts, token).unwrap();
        let server = Server::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", server.local_addr());
        let served = server.serve_with(router, async |_| {}, std::future::pending());
        let server = Some(tokio::spawn(async move {
            let _ = served.await;
        }));
        Self { desk: Desk::Remote(Arc::new(RemoteDesk::new(&url, secret).unwrap())), url: Some(url), server }
    }

    /// Returns a service with sessions of its own, and the identity of its user.
    fn service(&self) -> (AgentService, Ana) {
        let services = (CLOCK, Services::local().unwrap());
        let agent = TravelAgent::new(offline_model(), self.desk.clone(), services, Audit::default()).unwrap();
        let sessions = SessionStore::objects(Arc::new(InMemory::new()), "").unwrap();
        (agent.service(sessions).build(), Ana(trusted("ana", Role::Traveler)))
    }
}

impl Drop for TravelDesk {
    fn drop(&mut self) {
        self.server.iter().for_each(tokio::task::JoinHandle::abort);
    }
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

async fn on_http(desk: &TravelDesk, prompts: &[&str]) -> Vec<Value> {
    let (service, ana) = desk.service();
    let router = HttpHost::new(service, ana).into_router();
    let mut all = Vec::new();
    for prompt in prompts {
        all.extend(post(router.clone(), "/prompt/stream", prompt).await);
    }
    all
}

async fn on_agentcore(desk: &TravelDesk, prompts: &[&str]) -> Vec<Value> {
    let (service, ana) = desk.service();
    let router = AgentCoreHost::new(service, ana).into_router();
    let mut all = Vec::new();
    for prompt in prompts {
        all.extend(post(router.clone(), "/invocations", prompt).await);
    }
    all
}

async fn on_lambda(desk: &TravelDesk, prompts: &[&str]) -> Vec<Value> {
    let (service, ana) = desk.service();
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

async fn on_the_command_line(desk: &TravelDesk, prompts: &[&str], folder: &str) -> Vec<Value> {
    let home = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("hosts-{folder}-{}", std::process::id()));
    let mut all = Vec::new();
    for prompt in prompts {
        let output = Command::new(env!("CARGO_BIN_EXE_travel-agent"))
            .env_clear()
            .env("HOME", &home)
            .env("XDG_DATA_HOME", &home)
            .env("TRAVEL_DESK_SECRET", SECRET)
            .env("TRAVEL_DESK_URL", desk.url.as_deref().unwrap_or_default())
            .args(["--today", TODAY, "--user", "ana", "--session", "trip", "--events", prompt])
            .output()
            .await
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
async fn conversations_are_equal_on_all_hosts_with_both_desks() {
    for (number, conversation) in CONVERSATIONS.iter().enumerate() {
        let prompts: Vec<&str> = conversation.iter().map(|(prompt, _)| *prompt).collect();
        let mut expected: Option<Vec<Value>> = None;
        for (desk, is_remote) in [("the desk in the process", false), ("the desk on an MCP server", true)] {
            // Each host has a desk without bookings.
            let new = async || TravelDesk::new(is_remote).await;
            let folder = format!("{number}-{is_remote}");
            for (host, mut events) in [
                ("HTTP", on_http(&new().await, &prompts).await),
                ("AgentCore Runtime", on_agentcore(&new().await, &prompts).await),
                ("Lambda", on_lambda(&new().await, &prompts).await),
                ("the command line", on_the_command_line(&new().await, &prompts, &folder).await),
            ] {
                let replies = results(&events);
                assert_eq!(replies.len(), conversation.len(), "{events:#?}");
                for (reply, (_, part)) in replies.iter().zip(*conversation) {
                    assert!(part.map_or(reply == "interrupt", |part| reply.contains(part)), "{reply}");
                }
                assert!(events.iter().any(|event| event["type"] == "tool_end"), "tools run");
                comparable(&mut events);
                let expected = expected.get_or_insert_with(|| events.clone());
                for (at, (event, expected)) in events.iter().zip(&*expected).enumerate() {
                    assert_eq!(event, expected, "event {at} of conversation {number} on {host} with {desk}");
                }
                assert_eq!(events.len(), expected.len(), "conversation {number} on {host} with {desk}");
            }
        }
    }
}

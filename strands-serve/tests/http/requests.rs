//! All routes: identities, problems, request ids, CORS and compression.

use std::sync::atomic::{AtomicBool, Ordering};

use http::HeaderValue;
use serde_json::json;
use strands_core::AgentBuilder;
use strands_identity::Identity;
use strands_serve::http::HttpHost;
use strands_serve::{AgentService, ServiceLimits};
use tower::ServiceExt as _;

use crate::support::{ByHeaders, Gate, Reply, Rig, agent, get, memory, post, request, rig};

#[tokio::test]
async fn requests_without_an_identity_are_refused() {
    let rig = rig();
    for (method, path) in [
        ("POST", "/prompt"),
        ("POST", "/prompt/stream"),
        ("GET", "/runs/1/events"),
        ("DELETE", "/runs/1"),
        ("POST", "/runs/1/answers"),
        ("GET", "/approvals"),
        ("GET", "/sessions"),
        ("GET", "/sessions/1"),
        ("PATCH", "/sessions/1"),
        ("DELETE", "/sessions/1"),
        ("POST", "/sessions/1/rewind"),
    ] {
        let reply = rig.send(request(method, path)).await;
        assert_eq!(reply.problem(), (401, "unauthenticated".into()), "{method} {path}");
        assert_eq!(reply.header("www-authenticate"), "Bearer");
    }
    for path in ["/healthz", "/readyz", "/openapi.json"] {
        assert_eq!(rig.send(get(path)).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let rig = rig();
    for path in ["/", "/prompt/", "/prompts", "/sessions/a/b", "//prompt", "/runs/a/event", "/v2/prompt"] {
        assert_eq!(rig.send(get(path).user("alice")).await.problem(), (404, "not_found".into()), "{path}");
    }
    for (method, path, allow) in [
        ("GET", "/prompt", "POST"),
        ("PUT", "/sessions/a", "GET,HEAD,PATCH,DELETE"),
        ("POST", "/runs/a", "DELETE"),
        ("POST", "/healthz", "GET,HEAD"),
        ("TRACE", "/sessions", "GET,HEAD"),
    ] {
        let reply = rig.send(request(method, path).user("alice")).await;
        assert_eq!(reply.problem(), (405, "method_not_allowed".into()), "{method} {path}");
        let sorted = |methods: &str| {
            let mut methods: Vec<String> = methods.split(',').map(|method| method.trim().to_owned()).collect();
            methods.sort();
            methods
        };
        assert_eq!(sorted(reply.header("allow")), sorted(allow), "{method} {path}");
    }
    let invalid = rig.send(get("/sessions/%ff").user("alice")).await;
    assert_eq!(invalid.problem(), (400, "bad_request".into()));
    let invalid = rig.send(get("/sessions?limit=many").user("alice")).await;
    assert_eq!(invalid.problem(), (400, "bad_request".into()));
}

#[tokio::test]
async fn failures_have_a_status_and_no_detail() {
    let rig = rig();
    assert_eq!(rig.prompt("alice", "fail").await.problem(), (502, "model_failed".into()));
    // A panic of a tool is an error for the model.
    assert!(rig.prompt("alice", "call panics").await.ok()["text"].as_str().unwrap().contains("panic"));
    // A panic of a component ends the turn, and frees its session.
    assert_eq!(rig.prompt("alice", "panic").await.problem(), (500, "internal".into()));
    assert_eq!(rig.prompt("alice", "again").await.ok()["text"], "again");
    assert_eq!(rig.service.running_turns(), 0);
}

#[tokio::test]
async fn failing_and_panicking_templates_are_hidden() {
    let gate = Gate::new();
    let (builder, panics) = (agent(&gate), AtomicBool::new(false));
    let template = move |user: &Identity| -> Result<AgentBuilder, String> {
        match user.subject.as_str() {
            "eve" => Err("internals of the template".to_owned()),
            "mallory" if !panics.swap(true, Ordering::SeqCst) => panic!("internals of the template"),
            _ => Ok(builder.clone()),
        }
    };
    let rig = Rig::new(template, memory(), ServiceLimits::new().turns(1).turns_per_user(1), gate);
    for _ in 0..3 {
        assert_eq!(rig.prompt("eve", "hi").await.problem(), (500, "internal".into()));
    }
    assert_eq!(rig.prompt("mallory", "hi").await.problem(), (500, "internal".into()));
    // All permits are back.
    assert_eq!(rig.prompt("mallory", "hi").await.ok()["text"], "hi");
    assert_eq!(rig.prompt("alice", "hi").await.ok()["text"], "hi");
}

#[tokio::test]
async fn request_ids_are_returned() {
    let rig = rig();
    let id = |reply: &Reply| reply.header("x-request-id").to_owned();
    let given = rig.send(get("/healthz").header("x-request-id", "abc-1")).await;
    assert_eq!(id(&given), "abc-1");
    let made = rig.send(get("/nothing")).await;
    assert_eq!(id(&made).len(), 36);
    for invalid in ["a b", "x".repeat(200).as_str(), "", "<script>"] {
        let reply = rig.send(get("/healthz").header("x-request-id", invalid)).await;
        assert_eq!(id(&reply).len(), 36, "{invalid}");
    }
}

#[tokio::test]
async fn other_origins_are_allowed_by_configuration() {
    let preflight = || {
        request("OPTIONS", "/prompt")
            .header("origin", "https://chat.example.com")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type,last-event-id")
    };
    let rig = rig();
    let refused = rig.send(preflight()).await;
    assert!(refused.headers.get("access-control-allow-origin").is_none(), "{refused:?}");

    let host = HttpHost::new(rig.service.clone(), ByHeaders);
    let router = host.allow_origins([HeaderValue::from_static("https://chat.example.com")]).into_router();
    let send =
        async |call: crate::support::Outgoing| Reply::of(router.clone().oneshot(call.build()).await.unwrap()).await;
    let allowed = send(preflight()).await;
    assert_eq!(allowed.status, 200);
    assert_eq!(allowed.header("access-control-allow-origin"), "https://chat.example.com");
    assert!(allowed.header("access-control-allow-headers").contains("last-event-id"));
    let actual = post("/prompt", json!({"prompt": "hi"})).user("alice").header("origin", "https://chat.example.com");
    let actual = send(actual).await;
    assert_eq!(actual.header("access-control-allow-origin"), "https://chat.example.com");
    assert!(actual.header("access-control-expose-headers").contains("x-request-id"));
    let other = send(preflight().header("origin", "https://evil.example.com")).await;
    assert_ne!(other.header("access-control-allow-origin"), "https://evil.example.com");

    let origins = ["https://chat.example.com", "*"].map(HeaderValue::from_static);
    let open = HttpHost::new(rig.service.clone(), ByHeaders).allow_origins(origins).into_router();
    let any = Reply::of(open.oneshot(preflight().build()).await.unwrap()).await;
    assert_eq!(any.header("access-control-allow-origin"), "*");
}

#[tokio::test]
async fn json_is_compressed_and_streams_are_not() {
    let rig = rig();
    let text = "word ".repeat(500);
    let prompt = |path: &str| post(path, json!({"prompt": text})).user("alice").header("accept-encoding", "gzip");
    let json = rig.send(prompt("/prompt")).await;
    assert_eq!(json.header("content-encoding"), "gzip");
    let stream = rig.send(prompt("/prompt/stream")).await;
    assert_eq!(stream.header("content-encoding"), "");
    assert_eq!(stream.header("content-type"), "text/event-stream");
    assert_eq!(stream.header("cache-control"), "no-cache");
    assert!(stream.text().starts_with("id: "));
}

#[tokio::test]
async fn identities_of_two_issuers_are_two_users() {
    let gate = Gate::new();
    let ids = strands_identity::SessionIds::per_issuer();
    let service = AgentService::builder(agent(&gate), memory()).session_ids(ids).build();
    let rig = Rig::of(service, gate);
    let prompt = async |issuer: &str| {
        let prompt = post("/prompt", json!({"prompt": "hi"})).user("alice").header("x-issuer", issuer);
        rig.send(prompt).await.ok()["session_id"].as_str().unwrap().to_owned()
    };
    let (one, two) = (prompt("https://a.example").await, prompt("https://b.example").await);
    assert_ne!(one, two);
    let read = get(format!("/sessions/{one}")).user("alice").header("x-issuer", "https://b.example");
    assert_eq!(rig.send(read).await.problem(), (404, "unknown_session".into()));
}

//! The time of an invocation, and its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use strands_core::Agent;
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_serve::AgentService;
use strands_serve::http::HttpHost;
use strands_serve::lambda::LambdaHost;
use strands_session::SessionStore;
use strands_session::object_store::memory::InMemory;
use strands_session::object_store::throttle::{ThrottleConfig, ThrottledStore};

use crate::lambda::event;
use crate::rig::{PATIENCE, bearer, echo, service, verifier};

fn host(service: &AgentService) -> LambdaHost {
    LambdaHost::from(HttpHost::new(service.clone(), verifier()))
}

fn stalling() -> AgentService {
    let model = ScriptedModel::from_fn(|_| ScriptedTurn::text("The first words are there").stalling_after(3));
    service(Agent::builder().model(model))
}

#[tokio::test]
async fn a_turn_is_stopped_before_the_end_of_its_invocation() {
    let service = stalling();
    let host = host(&service).save_margin(Duration::from_millis(300));
    let start = Instant::now();
    let response = host.invoke(event("http_api", &bearer("alice")), Duration::from_millis(900)).await.unwrap();
    let elapsed = start.elapsed();
    assert!(elapsed > Duration::from_millis(500) && elapsed < Duration::from_millis(900), "{elapsed:?}");
    assert_eq!(response["statusCode"], 200, "{response}");
    assert!(response["body"].as_str().unwrap().contains("limit_duration"), "{response}");
    assert_eq!(service.running_turns(), 0);
}

#[tokio::test]
async fn the_margin_is_at_most_half_of_the_time() {
    let host = host(&service(echo())).save_margin(Duration::from_secs(10));
    let response = host.invoke(event("http_api", &bearer("alice")), Duration::from_secs(3)).await.unwrap();
    assert!(response["body"].as_str().unwrap().contains("end_turn"), "{response}");
}

#[tokio::test]
async fn a_slow_session_is_saved_within_the_margin() {
    let wait = ThrottleConfig { wait_put_per_call: Duration::from_millis(60), ..ThrottleConfig::default() };
    let store = SessionStore::objects(Arc::new(ThrottledStore::new(InMemory::new(), wait)), "").unwrap();
    let model = ScriptedModel::from_fn(|_| ScriptedTurn::text("The first words are there").stalling_after(3));
    let service = AgentService::builder(Agent::builder().model(model), store).build();
    let host = host(&service).save_margin(Duration::from_millis(800));
    host.invoke(event("http_api", &bearer("alice")), Duration::from_millis(1700)).await.unwrap();
    let id = service.session_ids().default_for(&strands_identity::Identity::new("alice"));
    let echo = Agent::builder().model(ScriptedModel::responding("x"));
    let manager = strands_session::StoreSessionManager::new(id, service.store().clone()).unwrap();
    let agent = echo.session_manager(manager).build().await.unwrap();
    let texts: Vec<_> = agent.messages().iter().map(|message| message.text()).collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[1].starts_with("The first"), "{texts:?}");
}

#[tokio::test]
async fn the_end_of_an_invocation_awaits_the_callback() {
    let flushes = Arc::new(AtomicUsize::new(0));
    let flushed = Arc::clone(&flushes);
    let host = host(&service(echo())).on_invocation_end(move || {
        let flushed = Arc::clone(&flushed);
        async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            flushed.fetch_add(1, Ordering::SeqCst);
        }
    });
    host.invoke(event("direct", &bearer("alice")), PATIENCE).await.unwrap();
    assert_eq!(flushes.load(Ordering::SeqCst), 1);
    let mut request = event("function_url", &bearer("alice"));
    request["rawPath"] = "/prompt/stream".into();
    let response = host.invoke_streaming(request, PATIENCE).await.unwrap();
    let mut chunks = response.into_body().into_data_stream();
    let mut text = String::new();
    while let Some(chunk) = chunks.next().await {
        text.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
    }
    assert!(text.contains("\"result\""), "{text}");
    assert_eq!(flushes.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_callback_without_an_end_is_dropped_before_the_deadline() {
    let host = host(&service(echo())).on_invocation_end(std::future::pending::<()>);
    let start = Instant::now();
    let response = host.invoke(event("direct", &bearer("alice")), Duration::from_millis(600)).await.unwrap();
    assert_eq!(response["statusCode"], 200);
    assert!(start.elapsed() < Duration::from_millis(600), "{:?}", start.elapsed());
}

#[tokio::test]
async fn chunks_arrive_before_the_end_and_a_lost_stream_ends_with_the_next_invocation() {
    let service = stalling();
    let host = host(&service);
    let mut request = event("function_url", &bearer("alice"));
    request["rawPath"] = "/prompt/stream".into();
    let response = host.invoke_streaming(request, PATIENCE).await.unwrap();
    let mut chunks = response.into_body().into_data_stream();
    let mut text = String::new();
    while !text.contains("first") {
        text.push_str(std::str::from_utf8(&chunks.next().await.unwrap().unwrap()).unwrap());
    }
    assert_eq!(service.running_turns(), 1);
    drop(chunks);
    // The session is not busy.
    let response = host.invoke(event("function_url", &bearer("alice")), Duration::from_millis(400)).await.unwrap();
    assert_eq!(response["statusCode"], 200, "{response}");
    assert_eq!(service.running_turns(), 0);
}

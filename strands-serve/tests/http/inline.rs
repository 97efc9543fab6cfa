//! Turns that are polled by the reader of their connection go on when it does not poll: a connection that is full does not poll the body
//! of its response.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use futures_util::{StreamExt as _, stream};
use serde_json::json;
use strands_core::Agent;
use strands_core::metrics::{ModelMetrics, Usage};
use strands_core::models::{Model, ModelError, ModelRequest, ModelStream, StopReason, StreamEvent};
use strands_serve::{Disconnect, ServiceLimits};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::support::{Gate, Outgoing, Reply, Rig, get, limited, memory, post, read_until, request, rig, sse, types};

/// Time after which a task has taken over from a reader that does not poll.
const TAKEN_OVER: Duration = Duration::from_millis(600);

fn stream(text: &str) -> Outgoing {
    post("/prompt/stream", json!({"prompt": text})).user("alice")
}

/// Starts a turn, and reads its events up to a text. Returns the path of its run.
async fn begun(rig: &Rig, prompt: &str, text: &str) -> (Body, String) {
    begun_with(rig, stream(prompt), text).await
}

async fn begun_with(rig: &Rig, request: Outgoing, text: &str) -> (Body, String) {
    let response = rig.open(request).await;
    let location = response.headers()["location"].to_str().unwrap();
    let path = location.split_once("/events").unwrap().0.to_owned();
    let mut body = response.into_body();
    read_until(&mut body, |read| read.contains(text)).await;
    (body, path)
}

/// Waits until no turn is running, and returns the time since.
async fn ended_after(rig: &Rig, start: Instant) -> Duration {
    while rig.service.running_turns() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    start.elapsed()
}

async fn events_of(rig: &Rig, path: &str) -> Vec<crate::support::Sse> {
    sse(rig.send(get(format!("{path}/events")).user("alice")).await.text())
}

#[tokio::test(start_paused = true)]
async fn a_turn_whose_connection_is_full_is_cancelled_at_once() {
    let rig = rig();
    let (body, path) = begun(&rig, "stall", "text_delta").await;
    let start = Instant::now();
    assert_eq!(rig.send(request("DELETE", path.clone()).user("alice")).await.status, 204);
    let time = ended_after(&rig, start).await;
    assert!(time < Duration::from_millis(50), "{time:?}");
    assert_eq!(events_of(&rig, &path).await.last().unwrap().data["response"]["stop_reason"], "cancelled");
    drop(body);
}

#[tokio::test(start_paused = true)]
async fn the_time_limit_holds_while_the_connection_is_full() {
    let limit = Duration::from_secs(5);
    let rig = limited(ServiceLimits::new().turn_time(limit));
    let start = Instant::now();
    let (body, path) = begun(&rig, "stall", "text_delta").await;
    let time = ended_after(&rig, start).await;
    assert!((limit..limit + TAKEN_OVER).contains(&time), "{time:?}");
    assert_eq!(events_of(&rig, &path).await.last().unwrap().data["response"]["stop_reason"], "limit_duration");
    drop(body);
}

#[tokio::test(start_paused = true)]
async fn a_turn_goes_on_although_its_reader_never_polls() {
    let rig = rig();
    let response = rig.open(stream("call wait")).await;
    tokio::time::timeout(TAKEN_OVER, rig.gate.arrived()).await.expect("the turn calls its tool");
    rig.gate.open();
    let time = ended_after(&rig, Instant::now()).await;
    assert!(time < Duration::from_millis(50), "{time:?}");
    // It reads everything afterwards.
    let events = sse(Reply::of(response).await.text());
    assert_eq!((types(&events).first(), types(&events).last()), (Some(&"start"), Some(&"result")));
}

#[tokio::test(start_paused = true)]
async fn a_turn_goes_on_after_its_reader_has_stopped() {
    let rig = rig();
    // The gate is opened after the last poll of the body.
    let (body, _) = begun(&rig, "call wait", "tool_start").await;
    rig.gate.open();
    let time = ended_after(&rig, Instant::now()).await;
    assert!(time < TAKEN_OVER, "{time:?}");
    let events = sse(Reply::of(http::Response::new(body)).await.text());
    assert_eq!(types(&events).last(), Some(&"result"));
}

#[tokio::test(start_paused = true)]
async fn another_reader_does_not_depend_on_the_first_one() {
    let rig = rig();
    let (body, path) = begun(&rig, "call wait", "tool_start").await;
    let response = rig.open(get(format!("{path}/events")).user("alice")).await;
    rig.gate.open();
    let start = Instant::now();
    let events = sse(Reply::of(response).await.text());
    assert_eq!(types(&events).last(), Some(&"result"));
    assert!(start.elapsed() < Duration::from_millis(50), "{:?}", start.elapsed());
    drop(body);
}

#[tokio::test(start_paused = true)]
async fn a_turn_goes_on_at_once_after_its_reader_is_gone() {
    let rig = limited(ServiceLimits::new().disconnect(Disconnect::Finish));
    let (body, _) = begun(&rig, "call wait", "tool_start").await;
    drop(body);
    rig.gate.open();
    let time = ended_after(&rig, Instant::now()).await;
    assert!(time < Duration::from_millis(50), "{time:?}");
}

#[tokio::test]
async fn a_shutdown_cancels_turns_whose_connections_are_full() {
    let rig = rig();
    let (body, _) = begun(&rig, "stall", "text_delta").await;
    let drained = rig.service.shutdown(Duration::ZERO).await;
    assert_eq!((drained.cancelled, drained.aborted), (1, 0));
    drop(body);
}

#[test]
fn the_end_of_a_runtime_ends_its_turns() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (rig, first) = (rig(), runtime());
    let (body, _) = first.block_on(begun(&rig, "stall", "text_delta"));
    drop(first);
    assert_eq!(rig.service.running_turns(), 0);
    drop(body);
    // The service goes on in another one, and takes over there, too.
    runtime().block_on(async {
        let (body, _) = begun(&rig, "call wait", "tool_start").await;
        rig.gate.open();
        tokio::time::timeout(Duration::from_secs(20), ended_after(&rig, Instant::now())).await.expect("it ends");
        drop(body);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn handovers_on_several_threads_lose_no_turn() {
    let rig = limited(ServiceLimits::new().turns(300).turns_per_user(300).disconnect(Disconnect::Finish));
    let turns = (0..200).map(|number: u32| {
        let rig = rig.clone();
        tokio::spawn(async move {
            let prompt = json!({"prompt": "word ".repeat(200), "new_session": true});
            let response = rig.open(post("/prompt/stream", prompt).user("alice")).await;
            let location = response.headers()["location"].to_str().unwrap().to_owned();
            let first = tokio::spawn(Reply::of(response));
            match number % 4 {
                0 => drop(rig.send(get(location).user("alice")).await),
                1 => first.abort(),
                2 => drop(rig.send(request("DELETE", location.split_once("/events").unwrap().0).user("alice")).await),
                _ => {}
            }
            if let Ok(reply) = first.await {
                assert_eq!(types(&sse(reply.text())).last(), Some(&"result"), "{number}");
            }
        })
    });
    let all = futures_util::future::join_all(turns.collect::<Vec<_>>());
    for turn in tokio::time::timeout(Duration::from_secs(60), all).await.expect("no reader waits forever") {
        turn.unwrap();
    }
    tokio::time::timeout(Duration::from_secs(10), ended_after(&rig, Instant::now())).await.expect("all turns end");
}

/// A model that responds with the prompt when it is notified, and notes that it does.
#[derive(Clone, Default)]
struct Noting {
    notified: Arc<Notify>,
    notes: Arc<Mutex<Vec<(&'static str, String)>>>,
}

impl Noting {
    fn note(&self, who: &'static str, prompt: String) {
        self.notes.lock().unwrap().push((who, prompt));
    }
}

#[async_trait]
impl Model for Noting {
    fn model_id(&self) -> &str {
        "noting"
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        let prompt = request.messages.last().unwrap().text();
        let model = self.clone();
        let text = stream::once(async move {
            model.notified.notified().await;
            model.note("model", prompt.clone());
            StreamEvent::text(0, prompt)
        });
        let end = [
            StreamEvent::block_stop(0),
            StreamEvent::stop(StopReason::EndTurn),
            StreamEvent::metadata(Usage::new(10, 5), ModelMetrics::new(1)),
        ];
        Ok(Box::pin(stream::iter([StreamEvent::start()]).chain(text).chain(stream::iter(end)).map(Ok)))
    }
}

#[tokio::test]
async fn a_delta_passes_to_its_connection_before_other_turns_run() {
    let model = Noting::default();
    let rig = Rig::new(Agent::builder().model(model.clone()), memory(), ServiceLimits::new(), Gate::new());
    let mut readers = Vec::new();
    for number in 0..10 {
        let prompt = format!("prompt-{number}");
        let body = json!({"prompt": prompt, "new_session": true});
        let (mut body, _) = begun_with(&rig, post("/prompt/stream", body).user("alice"), "cycle_start").await;
        let model = model.clone();
        readers.push(tokio::spawn(async move {
            read_until(&mut body, |text| text.contains("text_delta")).await;
            model.note("reader", prompt);
            // The rest may have come along.
            Reply::of(http::Response::new(body)).await;
        }));
    }
    // All readers wait.
    while rig.service.running_turns() > 0 {
        tokio::task::yield_now().await;
        model.notified.notify_waiters();
    }
    for reader in readers {
        reader.await.unwrap();
    }
    let notes = model.notes.lock().unwrap();
    assert_eq!(notes.len(), 20);
    for pair in notes.chunks(2) {
        assert_eq!((pair[0].0, pair[1].0), ("model", "reader"), "{notes:?}");
        assert_eq!(pair[0].1, pair[1].1);
    }
}

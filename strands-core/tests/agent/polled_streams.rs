//! Streamed responses, whose reader is polled by the listener's end rather than by the driver: stops, drops, panics and wake-ups
//! while a response streams.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{FutureExt, Stream, StreamExt, stream};
use serde_json::json;
use strands_core::models::{Model, ModelError, ModelRequest, ModelStream, StopReason, StreamEvent};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentEvent, Limits, ToolError, ToolOutput};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::{FnTool, Log, agent, assert_whole, listen, template, tool};

fn stalling(deltas: usize) -> ScriptedModel {
    ScriptedModel::new([ScriptedTurn::text("one two three").stalling_after(deltas), ScriptedTurn::text("later")])
}

#[tokio::test(start_paused = true)]
async fn a_stalled_stream_ends_at_once_when_it_is_stopped() {
    for deltas in 0..4 {
        for is_cancelled in [true, false] {
            let model = stalling(deltas);
            let mut agent = agent(&model, []).await;
            let token = CancellationToken::new();
            let began = Instant::now();
            let mut invocation = agent.prompt("go").cancel_with(token.clone());
            if !is_cancelled {
                invocation = invocation.limits(Limits::new().duration(Duration::from_millis(70)));
            }
            let cancels = async {
                tokio::time::sleep(Duration::from_millis(70)).await;
                if is_cancelled {
                    token.cancel();
                }
            };
            let ((events, response), ()) = tokio::join!(listen(invocation.stream()), cancels);
            assert!(began.elapsed() < Duration::from_millis(100), "{:?}", began.elapsed());
            let expected = if is_cancelled { StopReason::Cancelled } else { StopReason::LimitDuration };
            assert_eq!(response.unwrap().stop_reason, expected);
            let streamed = events.iter().filter(|event| matches!(event, AgentEvent::TextDelta { .. })).count();
            assert_eq!(streamed, deltas.saturating_sub(1));
            assert_whole(&mut agent).await;
            agent.prompt("again").await.unwrap();
            assert_whole(&mut agent).await;
        }
    }
}

type Script = Arc<dyn Fn() -> ModelStream + Send + Sync>;

/// A model with a stream of its own.
struct Streams(Script);

#[async_trait]
impl Model for Streams {
    fn model_id(&self) -> &str {
        "streams"
    }

    async fn stream(&self, _: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        Ok((self.0)())
    }
}

async fn of(script: impl Fn() -> ModelStream + Send + Sync + 'static) -> Agent {
    Agent::builder().model(Streams(Arc::new(script))).build().await.unwrap()
}

fn whole() -> [StreamEvent; 5] {
    [
        StreamEvent::start(),
        StreamEvent::text(0, "one "),
        StreamEvent::text(0, "two "),
        StreamEvent::block_stop(0),
        StreamEvent::stop(StopReason::EndTurn),
    ]
}

/// Events with a pending poll before each of them, and a guard.
struct Slow(std::array::IntoIter<StreamEvent, 5>, bool, #[expect(dead_code)] DropGuard);

impl Stream for Slow {
    type Item = Result<StreamEvent, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.1 = !self.1;
        if self.1 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.0.next().map(Ok))
    }
}

#[tokio::test]
async fn dropping_the_stream_after_any_poll_drops_the_response_and_leaves_a_valid_history() {
    let mut polls = 0;
    loop {
        let dropped = CancellationToken::new();
        let (guarded, calls) = (dropped.clone(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&calls);
        let mut agent = of(move || {
            counted.fetch_add(1, Ordering::SeqCst);
            Box::pin(Slow(whole().into_iter(), false, guarded.clone().drop_guard()))
        })
        .await;
        agent.prompt("zero").await.unwrap();
        let before = calls.load(Ordering::SeqCst);
        let mut events = agent.prompt("go").stream();
        let mut context = Context::from_waker(Waker::noop());
        let mut has_ended = false;
        for _ in 0..polls {
            has_ended |= matches!(events.poll_next_unpin(&mut context), Poll::Ready(None));
        }
        drop(events);
        assert!(dropped.is_cancelled() || calls.load(Ordering::SeqCst) == before);
        assert_whole(&mut agent).await;
        assert_eq!(agent.messages().len() % 2, 0, "a prompt has its response, or is withdrawn");
        agent.prompt("next").await.unwrap();
        assert_whole(&mut agent).await;
        if has_ended {
            break;
        }
        polls += 1;
    }
    assert!(polls > 12, "{polls}");
}

#[derive(Default)]
struct Counts(AtomicUsize);

impl Wake for Counts {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn wakes_the_task_that_polled_last() {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel::<StreamEvent>();
    let receiver = Mutex::new(Some(receiver));
    let mut agent = of(move || {
        let mut receiver = receiver.lock().unwrap().take().unwrap();
        Box::pin(stream::poll_fn(move |cx| receiver.poll_recv(cx).map(|event| event.map(Ok))))
    })
    .await;
    let token = CancellationToken::new();
    let mut events = agent.prompt("go").cancel_with(token.clone()).stream();
    let wakers: [Arc<Counts>; 3] = Default::default();
    let woken = || wakers.each_ref().map(|waker| waker.0.swap(0, Ordering::SeqCst));
    let mut poll = |at: usize| {
        let waker = Waker::from(Arc::clone(&wakers[at]));
        events.poll_next_unpin(&mut Context::from_waker(&waker))
    };
    while poll(0).is_ready() {}
    assert!(poll(1).is_pending());
    woken();
    sender.send(StreamEvent::text(0, "one")).unwrap();
    assert_eq!(woken(), [0, 1, 0]);
    assert!(matches!(poll(2), Poll::Ready(Some(Ok(AgentEvent::TextDelta { .. })))));
    assert!(poll(2).is_pending() && poll(0).is_pending());
    woken();
    token.cancel();
    assert_eq!(woken(), [1, 0, 0]);
    let mut stopped = None;
    while let Poll::Ready(Some(event)) = poll(1) {
        stopped = Some(event.unwrap());
    }
    assert!(
        matches!(&stopped, Some(AgentEvent::Result { response }) if response.stop_reason == StopReason::Cancelled),
        "{stopped:?}"
    );
}

#[tokio::test]
async fn a_panic_of_a_model_leaves_a_valid_history() {
    for after in 0..4 {
        let is_first = AtomicUsize::new(0);
        let mut agent = of(move || {
            let panics = is_first.fetch_add(1, Ordering::SeqCst) == 0;
            Box::pin(stream::iter(whole().into_iter().enumerate()).map(move |(at, event)| {
                assert!(!panics || at != after, "the model panics");
                Ok(event)
            }))
        })
        .await;
        let mut events = agent.prompt("go").stream();
        let listened = AssertUnwindSafe(async { while events.next().await.is_some() {} }).catch_unwind().await;
        assert!(listened.is_err());
        drop(events);
        assert_whole(&mut agent).await;
        assert!(agent.messages().is_empty());
        assert_eq!(agent.prompt("again").await.unwrap().text(), "one two ");
        assert_whole(&mut agent).await;
    }
}

/// A tool that streams a nested agent, and forwards its events.
fn asks(log: &Log) -> FnTool {
    let log = log.clone();
    tool("ask", move |ctx, _| {
        let log = log.clone();
        async move {
            let mut nested = agent(&stalling(3), []).await;
            let mut events = nested.prompt("go").stream();
            while let Some(event) = events.next().await {
                let event = event.map_err(ToolError::from_source)?;
                if let AgentEvent::Result { response } = &event {
                    log.add(format!("{:?}", response.stop_reason));
                }
                ctx.forward("nested", event).await;
            }
            Ok(ToolOutput::text("asked"))
        }
    })
}

#[tokio::test(start_paused = true)]
async fn limits_of_an_invocation_stop_the_stream_of_a_nested_agent() {
    let log = Log::default();
    let model = ScriptedModel::from_fn(|_| ScriptedTurn::tool_use("ask", json!({})));
    let mut agent = template(&model, [asks(&log)]).build().await.unwrap();
    let began = Instant::now();
    let limits = Limits::new().duration(Duration::from_secs(3));
    let (events, response) = listen(agent.prompt("go").limits(limits).stream()).await;
    assert_eq!(response.unwrap().stop_reason, StopReason::LimitDuration);
    assert_eq!(began.elapsed(), Duration::from_secs(3));
    let nested = events.iter().filter(|event| matches!(event, AgentEvent::Node { .. })).count();
    assert_eq!(nested, 4, "start, cycle and two words: {events:#?}");
    assert_whole(&mut agent).await;
}

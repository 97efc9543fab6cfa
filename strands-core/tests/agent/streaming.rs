//! The events of an invocation: their order, their JSON, and backpressure.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures_core::FusedStream;
use futures_util::{StreamExt, stream};
use serde_json::json;
use strands_core::message::Role;
use strands_core::metrics::{ModelMetrics, Usage};
use strands_core::models::{
    Model, ModelError, ModelRequest, ModelStream, ReasoningDelta, StopReason, StreamEvent, ToolUseStart,
};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentEvent, RetryPolicy};

use crate::support::{agent, kinds, listen, naming};

#[tokio::test]
async fn events_arrive_in_order() {
    let turn = ScriptedTurn::events([
        StreamEvent::start(),
        StreamEvent::reasoning(0, ReasoningDelta::Text("hm".into())),
        StreamEvent::reasoning(0, ReasoningDelta::Signature("sig".into())),
        StreamEvent::block_stop(0),
        StreamEvent::text(1, "Let me "),
        StreamEvent::text(1, "look."),
        StreamEvent::block_stop(1),
        StreamEvent::tool_use(2, ToolUseStart::new("call-1", "one")),
        StreamEvent::tool_input(2, "{\"a\""),
        StreamEvent::tool_input(2, ": 1}"),
        StreamEvent::block_stop(2),
        StreamEvent::stop(StopReason::ToolUse),
        StreamEvent::metadata(Usage::new(10, 5), ModelMetrics::new(1)),
    ]);
    let model = ScriptedModel::new([turn, ScriptedTurn::text("done")]);
    let mut agent = agent(&model, [naming("one")]).await;
    let (events, ended) = listen(agent.prompt("go").stream()).await;
    ended.unwrap();
    assert_eq!(
        kinds(&events),
        [
            "start",
            "cycle_start",
            "reasoning_delta",
            "text_delta",
            "text_delta",
            "tool_use_start",
            "tool_use_delta",
            "tool_use_delta",
            "message",
            "message",
            "tool_start",
            "tool_end",
            "message",
            "cycle_start",
            "text_delta",
            "message",
        ]
    );
    let cycles = events.iter().filter_map(|event| match event {
        AgentEvent::CycleStart { cycle } => Some(*cycle),
        _ => None,
    });
    assert_eq!(cycles.collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test]
async fn the_result_event_has_its_json() {
    let model = ScriptedModel::responding("hi");
    let mut agent = agent(&model, []).await;
    let mut last = None;
    let mut stream = agent.prompt("go").stream();
    while let Some(event) = stream.next().await {
        last = Some(event.unwrap());
    }
    let json = serde_json::to_value(last.unwrap()).unwrap();
    assert_eq!(json["type"], "result");
    let keys: Vec<_> = json["response"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["message", "stop_reason", "usage", "turns", "metrics"]);
    assert_eq!(json["response"]["stop_reason"], "end_turn");
    assert_eq!(json["response"]["usage"], json!({"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}));
}

#[tokio::test]
async fn the_stream_ends_after_the_result_or_an_error() {
    let model = ScriptedModel::new([ScriptedTurn::text("hi")]);
    let mut agent = agent(&model, []).await;
    for good in [true, false] {
        let mut stream = agent.prompt("go").stream();
        let mut last = None;
        while let Some(event) = stream.next().await {
            last = Some(event);
        }
        assert!(stream.is_terminated());
        assert!(stream.next().await.is_none());
        match last.unwrap() {
            Ok(AgentEvent::Result { .. }) => assert!(good),
            Ok(event) => panic!("{event:?}"),
            Err(_) => assert!(!good),
        }
    }
}

/// A model that yields words for as long as it is polled, and counts them.
struct Babbling(Arc<AtomicUsize>);

#[async_trait]
impl Model for Babbling {
    fn model_id(&self) -> &str {
        "babbling"
    }

    async fn stream(&self, _: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        let produced = Arc::clone(&self.0);
        Ok(Box::pin(stream::iter(0..1_000).map(move |_| {
            produced.fetch_add(1, Ordering::SeqCst);
            Ok(StreamEvent::text(0, "word "))
        })))
    }
}

#[tokio::test]
async fn streaming_has_backpressure() {
    let produced = Arc::new(AtomicUsize::new(0));
    let builder = Agent::builder().model(Babbling(Arc::clone(&produced))).retry(RetryPolicy::never());
    let mut agent = builder.build().await.unwrap();
    let mut stream = agent.prompt("go").stream();
    assert_eq!(produced.load(Ordering::SeqCst), 0);
    let mut received = 0;
    while received < 50 {
        if matches!(stream.next().await.unwrap().unwrap(), AgentEvent::TextDelta { .. }) {
            received += 1;
            tokio::task::yield_now().await;
            assert_eq!(produced.load(Ordering::SeqCst), received);
        }
    }
}

#[tokio::test]
async fn streamed_and_awaited_runs_have_the_same_result() {
    let script = || ScriptedModel::new([ScriptedTurn::tool_use("one", json!({})), ScriptedTurn::text("all done")]);
    let (mut awaiting, mut streaming) =
        (agent(&script(), [naming("one")]).await, agent(&script(), [naming("one")]).await);
    let awaited = awaiting.prompt("go").await.unwrap();
    let (events, streamed) = listen(streaming.prompt("go").stream()).await;
    let streamed = streamed.unwrap();
    assert_eq!((awaited.text(), awaited.usage, awaited.turns), (streamed.text(), streamed.usage, streamed.turns));
    // The message events match the history.
    let announced = events.iter().filter_map(|event| match event {
        AgentEvent::Message { message } => Some(Arc::clone(message)),
        _ => None,
    });
    assert_eq!(announced.collect::<Vec<_>>(), streaming.messages());
    assert_eq!(awaiting.messages().len(), streaming.messages().len());
}

#[tokio::test]
async fn a_guardrail_replacement_is_streamed_and_persisted() {
    let turn = ScriptedTurn::events([
        StreamEvent::start(),
        StreamEvent::text(0, "a secret"),
        StreamEvent::RedactContent {
            redact_user_content_message: Some("[user]".into()),
            redact_assistant_content_message: Some("[assistant]".into()),
        },
        StreamEvent::stop(StopReason::GuardrailIntervened),
    ]);
    let model = ScriptedModel::new([turn]);
    let mut agent = agent(&model, []).await;
    let (events, ended) = listen(agent.prompt("what is the secret?").stream()).await;
    assert_eq!(ended.unwrap().stop_reason, StopReason::GuardrailIntervened);
    assert_eq!(kinds(&events), ["start", "cycle_start", "text_delta", "redacted", "message", "message"]);
    let texts: Vec<_> = agent.messages().iter().map(|message| (message.role, message.text())).collect();
    assert_eq!(texts, [(Role::User, "[user]".into()), (Role::Assistant, "[assistant]".into())]);
}

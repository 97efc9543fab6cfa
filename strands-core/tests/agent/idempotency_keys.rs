//! Idempotency keys of tool calls: the same for each attempt of a call, and different for other calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::stream;
use serde_json::json;
use strands_core::message::Message;
use strands_core::models::StopReason;
use strands_core::testing::{InMemorySessionManager, RecordedJournal, ScriptedModel, ScriptedTurn, ToolContextBuilder};
use strands_core::{
    Agent, AgentEvent, AgentResponse, AgentTool, Prompt, PromptRequest, PromptStream, Promptable, Tool,
    ToolAnnotations, ToolError, ToolOutput, ToolPolicy, tools,
};

use crate::support::{FnTool, Log, template, tool};

/// A model that calls the tool `one`, and then responds.
fn calls_one() -> ScriptedModel {
    ScriptedModel::from_fn(|request| match request.messages.last().unwrap().tool_results().next() {
        None => ScriptedTurn::tool_use("one", json!({})),
        Some(_) => ScriptedTurn::text("done"),
    })
}

/// A tool that logs the keys of its calls. It interrupts the first call if `asks`.
fn logging(keys: &Log, asks: bool) -> FnTool {
    let keys = keys.clone();
    tool("one", move |ctx, _| {
        keys.add(ctx.idempotency_key());
        async move {
            if asks {
                ctx.interrupt("sure", "?")?;
            }
            Ok(ToolOutput::text("one"))
        }
    })
}

#[tokio::test]
async fn differs_by_call_and_by_run() {
    let keys = Log::default();
    let model = calls_one();
    for _ in 0..2 {
        let mut agent = template(&model, [logging(&keys, false)]).build().await.unwrap();
        agent.prompt("go").await.unwrap();
        agent.prompt("again").await.unwrap();
        agent.call_tool("one", json!({})).await.unwrap();
    }
    let mut keys = keys.lines();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 6);
}

#[tokio::test(start_paused = true)]
async fn is_the_same_in_retries_of_the_tool() {
    let (keys, left) = (Log::default(), Arc::new(AtomicU32::new(2)));
    let log = keys.clone();
    let fails = tool("one", move |ctx, _| {
        log.add(ctx.idempotency_key());
        let fails = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        async move { if fails { Err(ToolError::retryable("no")) } else { Ok(ToolOutput::text("one")) } }
    });
    let fails =
        fails.policy(ToolPolicy::new().with_retries(2)).annotations(ToolAnnotations::new().with_idempotent(true));
    template(&calls_one(), [fails]).build().await.unwrap().prompt("go").await.unwrap();
    let mut keys = keys.lines();
    assert_eq!(keys.len(), 3);
    keys.dedup();
    assert_eq!(keys.len(), 1);
}

#[tokio::test]
async fn is_the_same_for_another_process_that_resumes_the_invocation() {
    let (keys, sessions) = (Log::default(), InMemorySessionManager::new("s"));
    let template = template(&calls_one(), [logging(&keys, true)]).session_manager(sessions);
    let response = template.clone().build().await.unwrap().prompt("go").await.unwrap();
    let responses: Vec<_> = response.interrupts.iter().map(|interrupt| interrupt.respond(true)).collect();
    template.build().await.unwrap().prompt(Prompt::none()).resume(responses).await.unwrap();
    let keys = keys.lines();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
}

#[tokio::test]
async fn is_the_same_in_a_replay_that_makes_the_call_again() {
    let keys = Log::default();
    let template = template(&calls_one(), [logging(&keys, false)]);
    let journal = RecordedJournal::new().crash_before_recording(1);
    template.clone().build().await.unwrap().prompt("go").journal(&journal).await.unwrap_err();
    template.build().await.unwrap().prompt("go").journal(&journal.replay()).await.unwrap();
    let keys = keys.lines();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
}

#[test]
fn is_safe_in_a_header() {
    let ctx = ToolContextBuilder::new("one").call_id("a b\r\nX: é").build();
    assert!(ctx.idempotency_key().ends_with(".a%20b%0D%0AX%3A%20%C3%A9"), "{}", ctx.idempotency_key());
    assert_eq!(ctx.idempotency_header(), ("Idempotency-Key", ctx.idempotency_key()));
}

/// A promptable elsewhere, which logs the keys of its requests.
struct Elsewhere(Log);

impl Promptable for Elsewhere {
    fn name(&self) -> &str {
        "one"
    }

    fn is_idempotent(&self) -> bool {
        true
    }

    fn stream(&self, request: PromptRequest) -> PromptStream {
        self.0.add(format!("{} {}", request.idempotency_key.unwrap_or_default(), request.is_durable));
        let response = AgentResponse::new(Message::assistant("one"), StopReason::EndTurn);
        let events = [AgentEvent::start("id", "one", "one"), AgentEvent::Result { response: Box::new(response) }];
        Box::pin(stream::iter(events.map(Ok)))
    }
}

#[tokio::test]
async fn is_that_of_the_request_of_an_agent_as_a_tool() {
    let keys = Log::default();
    let model = ScriptedModel::from_fn(|request| match request.messages.last().unwrap().tool_results().next() {
        None => ScriptedTurn::tool_use("one", json!({"input": "go"})),
        Some(_) => ScriptedTurn::text("done"),
    });
    let template =
        || Agent::builder().model(model.clone()).tools(tools![AgentTool::new(Arc::new(Elsewhere(keys.clone())))]);
    assert_eq!(AgentTool::new(Box::new(Elsewhere(keys.clone()))).spec().annotations.idempotent, Some(true));
    template().build().await.unwrap().prompt("go").await.unwrap();
    let last = keys.lines().pop().unwrap();
    assert!(last.ends_with(" false") && last.len() > 36, "{last}");

    let whole = RecordedJournal::new();
    template().build().await.unwrap().prompt("go").journal(&whole).await.unwrap();
    let call = whole.names().iter().position(|name| name.starts_with("tools/")).unwrap();
    keys.clear();
    let journal = RecordedJournal::new().crash_before_recording(call);
    assert!(template().build().await.unwrap().prompt("go").journal(&journal).await.is_err());
    template().build().await.unwrap().prompt("go").journal(&journal.replay()).await.unwrap();
    let lines = keys.lines();
    assert!(lines.len() == 2 && lines[0] == lines[1] && lines[0].ends_with(" true"), "{lines:?}");
}

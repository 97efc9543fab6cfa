//! Interrupts that are discarded, with those of agents elsewhere that are tools.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::stream;
use serde_json::json;
use strands_core::hook::{BeforeInvocation, Hook, HookResult};
use strands_core::message::Message;
use strands_core::models::StopReason;
use strands_core::testing::InMemorySessionManager;
use strands_core::tool::ConfiguredTool;
use strands_core::{
    Agent, AgentBuilder, AgentError, AgentEvent, AgentResponse, AgentTool, BoxFuture, Continuation, Interrupt, Prompt,
    PromptRequest, PromptStream, Promptable, SharedAgent, StreamExt,
};

use crate::agent_tools::calling_once;
use crate::support::Log;

/// An agent elsewhere that waits for an approval.
#[derive(Clone, Default)]
struct Elsewhere {
    log: Log,
    is_down: Arc<AtomicBool>,
}

impl Promptable for Elsewhere {
    fn name(&self) -> &str {
        "elsewhere"
    }

    fn stream(&self, _: PromptRequest) -> PromptStream {
        let mut response = AgentResponse::new(Message::assistant(""), StopReason::Interrupt);
        response.interrupts = vec![Interrupt::new("pay", "approval", json!(9_000))];
        response.continuation = Some(Continuation::new(json!({"task": 17})));
        let start = AgentEvent::start("1", "elsewhere", "elsewhere");
        Box::pin(stream::iter([Ok(start), Ok(AgentEvent::Result { response: Box::new(response) })]))
    }

    fn discard(&self, request: PromptRequest) -> BoxFuture<'static, Result<(), AgentError>> {
        let Self { log, is_down } = self.clone();
        Box::pin(async move {
            if is_down.load(Ordering::SeqCst) {
                return Err(AgentError::Busy { name: "elsewhere".to_owned() });
            }
            log.add(request.continuation.unwrap().value().to_string());
            Ok(())
        })
    }
}

fn planner(elsewhere: &Elsewhere) -> AgentBuilder {
    let tool = ConfiguredTool::new(Box::new(AgentTool::new(Arc::new(elsewhere.clone()))));
    Agent::builder().name("planner").model(calling_once(vec![("elsewhere", json!({"input": "pay"}))])).tool(tool)
}

#[tokio::test]
async fn discarding_interrupts_reaches_agents_elsewhere() {
    let elsewhere = Elsewhere::default();
    let mut agent = planner(&elsewhere).build().await.unwrap();
    assert_eq!(agent.prompt("go").await.unwrap().stop_reason, StopReason::Interrupt);
    elsewhere.is_down.store(true, Ordering::SeqCst);
    let failed = agent.discard_interrupts().await.unwrap_err();
    assert!(matches!(&failed, AgentError::Promptable { name, .. } if name == "elsewhere"), "{failed:?}");
    assert!(agent.interrupts().is_empty());
    elsewhere.is_down.store(false, Ordering::SeqCst);
    for _ in 0..2 {
        agent.discard_interrupts().await.unwrap();
        assert_eq!(elsewhere.log.lines(), [r#"{"task":17}"#]);
    }
}

#[tokio::test]
async fn discarding_interrupts_reaches_agents_within_agents() {
    let elsewhere = Elsewhere::default();
    let call = || calling_once(vec![("planner", json!({"input": "go"}))]);
    let shared = SharedAgent::new(planner(&elsewhere).build().await.unwrap());
    for tool in [planner(&elsewhere).as_tool(), shared.as_tool()] {
        let mut outer = Agent::builder().model(call()).tool(tool).build().await.unwrap();
        assert_eq!(outer.prompt("go").await.unwrap().interrupts.len(), 1);
        outer.discard_interrupts().await.unwrap();
    }
    assert_eq!(elsewhere.log.lines(), [r#"{"task":17}"#; 2]);
    shared.stream("again".into()).count().await;
    let discarded = shared.discard(PromptRequest::default()).await;
    assert!(discarded.is_ok() && elsewhere.log.lines().len() == 3, "{discarded:?}");
}

#[tokio::test]
async fn another_worker_may_go_on_with_the_interrupts() {
    let (elsewhere, sessions) = (Elsewhere::default(), InMemorySessionManager::new("s"));
    let build = || planner(&elsewhere).session_manager(sessions.clone()).build();
    build().await.unwrap().prompt("go").await.unwrap();
    let (mut one, mut other) = (build().await.unwrap(), build().await.unwrap());
    one.discard_interrupts().await.unwrap();
    assert_eq!(elsewhere.log.lines().len(), 1);
    let conflict = other.discard_interrupts().await.unwrap_err();
    assert!(matches!(conflict, AgentError::Session(_)), "{conflict:?}");
    let _ = other.discard_interrupts().await;
    assert_eq!(elsewhere.log.lines().len(), 1, "those are of the other worker");
}

/// A hook that denies invocations with responses.
struct Denies;

#[strands_core::async_trait]
impl Hook for Denies {
    async fn before_invocation(&self, event: &mut BeforeInvocation<'_>) -> HookResult {
        event.deny = (!event.responses.is_empty()).then(|| "not today".to_owned());
        Ok(())
    }
}

#[tokio::test]
async fn calls_that_ended_without_a_response_are_discarded_as_well() {
    let elsewhere = Elsewhere::default();
    let mut agent = planner(&elsewhere).hook(Denies).build().await.unwrap();
    let asked = agent.prompt("go").await.unwrap();
    let denied = agent.prompt(Prompt::none()).resume([asked.interrupts[0].respond(true)]).await.unwrap();
    assert_eq!((denied.text().as_str(), agent.interrupts().len()), ("not today", 0));
    agent.discard_interrupts().await.unwrap();
    assert_eq!(elsewhere.log.lines().len(), 1);

    agent.prompt("again").await.unwrap();
    agent.rewind(0).await.unwrap();
    agent.discard_interrupts().await.unwrap();
    assert_eq!(elsewhere.log.lines().len(), 2);
}

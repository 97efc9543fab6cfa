//! Prompts of shared agents and of templates in cases of failure.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use strands_core::hook::{BeforeModelCall, Hook, HookResult};
use strands_core::testing::ScriptedModel;
use strands_core::{Agent, AgentError, AgentEvent, CancellationToken, PromptRequest, Promptable, SharedAgent};

use crate::fakes::*;
use crate::support::{agent, poll_once, template};

#[tokio::test(start_paused = true)]
async fn a_prompt_of_a_template_can_be_cancelled_while_the_agent_is_built() {
    let template = Agent::builder().model(ScriptedModel::responding("hi")).tool_provider(Hangs);
    let token = CancellationToken::new();
    let mut events = template.stream(PromptRequest::new("go").cancel_with(token.clone()));
    assert!(poll_once(&mut events.next()).await.is_pending());
    token.cancel();
    let ended = tokio::time::timeout(Duration::from_millis(50), events.next()).await;
    assert!(ended.is_ok(), "the stream does not end");
}

struct Panics(AtomicU32);

#[async_trait]
impl Hook for Panics {
    async fn before_model_call(&self, _: &mut BeforeModelCall<'_>) -> HookResult {
        assert!(self.0.fetch_add(1, Ordering::SeqCst) > 0, "a hook panics");
        Ok(())
    }
}

#[tokio::test]
async fn a_shared_agent_stays_usable_after_a_panic() {
    let model = ScriptedModel::responding("hi");
    let shared = SharedAgent::new(template(&model, []).hook(Panics(AtomicU32::new(0))).build().await.unwrap());
    let events = shared.stream("go".into());
    assert!(tokio::spawn(async move { events.count().await }).await.is_err());
    let mut events = shared.stream("again".into());
    let mut ended = None;
    while let Some(event) = events.next().await {
        ended = Some(event.unwrap());
    }
    assert!(matches!(ended, Some(AgentEvent::Result { .. })));
    let agent = shared.try_into_agent().unwrap();
    assert_eq!(agent.messages().len(), 2);
}

#[tokio::test]
async fn a_clone_of_a_taken_shared_agent_does_not_stay_busy() {
    let agent = agent(&ScriptedModel::responding("hi"), []).await;
    let shared = SharedAgent::new(agent);
    let other = shared.clone();
    // Either it can't be taken while there are clones, or the clones return an error.
    if shared.try_into_agent().is_ok() {
        let last = other.stream("go".into()).collect::<Vec<_>>().await.pop().unwrap();
        assert!(!matches!(last, Err(AgentError::Busy { .. })), "no other prompt is running");
    }
}

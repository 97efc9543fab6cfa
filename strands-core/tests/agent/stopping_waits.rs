//! Cancellation of waits: an invocation ends within 50 ms of its cancellation or deadline, with a valid history,
//! while it waits for a session, a hook or a conversation manager.

use std::error::Error as StdError;
use std::future::pending;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use strands_core::conversation::{Conversation, ConversationManager, Reduction};
use strands_core::models::StopReason;
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentBuilder, AgentError, AgentResponse, Limits};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::drops::Hangs;
use crate::support::{naming, template};
use crate::valid_history::flaw;

const MOST: Duration = Duration::from_millis(50);
const AFTER: Duration = Duration::from_secs(1);

/// Prompts, stops after a second, and checks the time until the end.
async fn stopped(agent: &mut Agent, by_time: bool) -> Result<AgentResponse, AgentError> {
    let (token, began) = (CancellationToken::new(), Instant::now());
    let ended = if by_time {
        agent.prompt("go").limits(Limits::new().duration(AFTER)).await
    } else {
        let cancel = async {
            tokio::time::sleep(AFTER).await;
            token.cancel();
        };
        tokio::join!(agent.prompt("go").cancel_with(token.clone()).into_future(), cancel).0
    };
    let took = began.elapsed();
    assert!(took <= AFTER + MOST, "it took {took:?}");
    assert_eq!(flaw(agent.messages(), false), None, "{:#?}", agent.messages());
    ended
}

fn expected(by_time: bool) -> StopReason {
    if by_time { StopReason::LimitDuration } else { StopReason::Cancelled }
}

fn script() -> ScriptedModel {
    ScriptedModel::new([
        ScriptedTurn::tool_use("one", json!({})),
        ScriptedTurn::text("done"),
        ScriptedTurn::text("more"),
    ])
}

fn builder() -> AgentBuilder {
    template(&script(), [naming("one")])
}

#[tokio::test(start_paused = true)]
async fn a_hanging_hook_is_dropped_after_the_grace_period() {
    let events = [
        "before_invocation",
        "select_tools",
        "after_invocation",
        "message_added",
        "before_model_call",
        "after_model_call",
        "before_tools",
        "after_tools",
        "before_tool_call",
        "authorize_tool_call",
        "after_tool_call",
    ];
    for (event, by_time) in events.into_iter().flat_map(|event| [(event, false), (event, true)]) {
        let mut agent = builder().hook(Hangs::at(event, 1)).build().await.unwrap();
        let response = stopped(&mut agent, by_time).await.unwrap();
        // The invocation itself was complete before its last hook hung.
        if event != "after_invocation" {
            assert_eq!(response.stop_reason, expected(by_time), "{event}");
        }
    }
}

struct Tidies(&'static str);

#[async_trait]
impl ConversationManager for Tidies {
    fn name(&self) -> &'static str {
        "Tidies"
    }
    async fn apply(&self, _: &mut Conversation<'_>) -> Result<(), Box<dyn StdError + Send + Sync>> {
        if self.0 == "apply" { pending().await } else { Ok(()) }
    }
    async fn prepare(&self, _: &mut Conversation<'_>) -> Result<Reduction, Box<dyn StdError + Send + Sync>> {
        if self.0 == "prepare" { pending().await } else { Ok(Reduction::NotNeeded) }
    }
    async fn reduce(&self, _: &mut Conversation<'_>) -> Result<Reduction, Box<dyn StdError + Send + Sync>> {
        pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_hanging_conversation_manager_is_dropped_after_the_grace_period() {
    let overflow = || strands_core::models::ModelError::ContextOverflow { details: Box::default() };
    for (at, by_time) in ["apply", "prepare", "reduce"].into_iter().flat_map(|at| [(at, false), (at, true)]) {
        let turns =
            if at == "reduce" { vec![ScriptedTurn::error(overflow())] } else { vec![ScriptedTurn::text("done")] };
        let model = ScriptedModel::new(turns);
        let mut agent = template(&model, []).conversation_manager(Tidies(at)).build().await.unwrap();
        let response = stopped(&mut agent, by_time).await.unwrap();
        assert_eq!(response.stop_reason, if at == "apply" { StopReason::EndTurn } else { expected(by_time) });
    }
}

#[tokio::test(start_paused = true)]
async fn a_hanging_session_loses_no_messages() {
    for by_time in [false, true] {
        let sessions = InMemorySessionManager::new("s");
        let mut agent = builder().session_manager(sessions.clone()).build().await.unwrap();
        sessions.set_latency(Some(Duration::from_secs(30)));
        let response = stopped(&mut agent, by_time).await.unwrap();
        assert_eq!(response.stop_reason, expected(by_time));
        assert!(agent.has_unsaved_changes().unwrap());

        sessions.set_latency(None);
        agent.save().await.unwrap();
        assert!(!agent.has_unsaved_changes().unwrap());
        assert_eq!(sessions.messages("default"), agent.messages());
    }
}

#[tokio::test(start_paused = true)]
async fn a_hanging_session_at_resume_keeps_the_interrupt() {
    let sessions = InMemorySessionManager::new("s");
    let asks = ScriptedModel::new([ScriptedTurn::tool_use("one", json!({})), ScriptedTurn::text("done")]);
    let consent = strands_core::ToolPolicy::new().with_approval(true);
    let mut agent =
        template(&asks, [naming("one").policy(consent)]).session_manager(sessions.clone()).build().await.unwrap();
    let reply = agent.prompt("go").await.unwrap().interrupts[0].respond(true);
    sessions.set_latency(Some(Duration::from_secs(30)));
    let (token, began) = (CancellationToken::new(), Instant::now());
    let resuming = agent.prompt(strands_core::Prompt::none()).resume([reply.clone()]).cancel_with(token.clone());
    let cancel = async {
        tokio::time::sleep(AFTER).await;
        token.cancel();
    };
    let response = tokio::join!(resuming.into_future(), cancel).0.unwrap();
    assert!(began.elapsed() <= AFTER + MOST);
    assert_eq!(response.stop_reason, StopReason::Cancelled);
    sessions.set_latency(None);
    let response = agent.prompt(strands_core::Prompt::none()).resume([reply]).await.unwrap();
    assert_eq!(response.text(), "done");
}

#[tokio::test(start_paused = true)]
async fn a_fast_session_is_complete_after_a_cancellation() {
    let sessions = InMemorySessionManager::new("s");
    let model = ScriptedModel::new([ScriptedTurn::text("so far so good").stalling_after(3)]);
    let mut agent = template(&model, []).session_manager(sessions.clone()).build().await.unwrap();
    sessions.set_latency(Some(Duration::from_millis(2)));
    let response = stopped(&mut agent, false).await.unwrap();
    assert_eq!(response.text(), "so far ");
    assert!(!agent.has_unsaved_changes().unwrap());
    assert_eq!(sessions.messages("default"), agent.messages());
}

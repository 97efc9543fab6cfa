//! Workers that share a session: a prompt and its response are persisted together, or not at all.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use strands_core::hook::{AfterInvocation, BeforeInvocation, Hook, HookResult};
use strands_core::message::Message;
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentError};

use crate::support::{Log, naming, poll_once, template};
use crate::valid_history::flaw;

fn texts(sessions: &InMemorySessionManager) -> Vec<String> {
    sessions.messages("default").iter().map(|message| message.text()).collect()
}

async fn worker(sessions: &InMemorySessionManager, text: &str, retries: u32) -> Agent {
    let builder = template(&ScriptedModel::responding(text), []).session_manager(sessions.clone());
    builder.conflict_retries(retries).build().await.unwrap()
}

#[tokio::test]
async fn a_prompt_is_persisted_together_with_its_response() {
    let sessions = InMemorySessionManager::new("s");
    worker(&sessions, "hello", 0).await.prompt("hi").await.unwrap();
    let (mut one, mut other) = (worker(&sessions, "1", 0).await, worker(&sessions, "2", 0).await);
    sessions.set_latency(Some(Duration::from_millis(1)));
    let (mut first, mut second) = (one.prompt("one").into_future(), other.prompt("two").into_future());
    let mut ended = Vec::new();
    for _ in 0..200 {
        for (name, worker) in [("first", &mut first), ("second", &mut second)] {
            if !ended.iter().any(|(known, _)| *known == name)
                && let std::task::Poll::Ready(done) = poll_once(worker).await
            {
                ended.push((name, done.is_ok()));
            }
            let texts = texts(&sessions);
            assert_eq!(texts.len() % 2, 0, "{texts:?}");
        }
        tokio::time::sleep(Duration::from_micros(100)).await;
    }
    let won = ended.iter().filter(|(_, won)| *won).count();
    assert_eq!((ended.len(), won, texts(&sessions).len()), (2, 1, 4));
}

#[tokio::test]
async fn a_prompt_restarted_after_a_conflict_is_persisted_once() {
    let sessions = InMemorySessionManager::new("s");
    let (mut one, mut other) = (worker(&sessions, "1", 2).await, worker(&sessions, "2", 2).await);
    one.prompt("one").await.unwrap();
    other.prompt("two").await.unwrap();
    one.prompt("three").await.unwrap();
    assert_eq!(texts(&sessions), ["one", "1", "two", "2", "three", "1"]);
    assert_eq!(flaw(one.messages(), false), None);
}

#[tokio::test]
async fn an_invocation_that_has_persisted_messages_does_not_restart() {
    let sessions = InMemorySessionManager::new("s");
    let model = ScriptedModel::new([ScriptedTurn::tool_use("one", json!({})), ScriptedTurn::text("done")]);
    let builder = template(&model, [naming("one")]).session_manager(sessions.clone()).conflict_retries(5);
    let mut agent = builder.hook(Meddles { sessions: sessions.clone(), left: 1.into() }).build().await.unwrap();
    let error = agent.prompt("go").await.unwrap_err();
    assert!(matches!(&error, AgentError::Session(error) if error.is_conflict()), "{error:?}");
    assert_eq!(texts(&sessions).iter().filter(|text| *text == "go").count(), 1);
}

/// Another worker writes to the session after the tools have run.
struct Meddles {
    sessions: InMemorySessionManager,
    left: AtomicUsize,
}

#[async_trait]
impl Hook for Meddles {
    async fn after_tools(&self, _: &mut strands_core::hook::AfterTools<'_>) -> HookResult {
        if self.left.swap(0, Ordering::Relaxed) > 0 {
            let _ = self.sessions.clone().with_messages("default", [Message::user("me"), Message::assistant("too")]);
        }
        Ok(())
    }
}

/// Counts the starts and ends of invocations, and adds a text to the prompt.
struct Pairs(Log);

#[async_trait]
impl Hook for Pairs {
    async fn before_invocation(&self, event: &mut BeforeInvocation<'_>) -> HookResult {
        self.0.add("before");
        event.prompt.push(Message::user("please"));
        Ok(())
    }

    async fn after_invocation(&self, _: &mut AfterInvocation<'_>) -> HookResult {
        self.0.add("after");
        Ok(())
    }
}

#[tokio::test]
async fn hooks_run_once_for_a_restarted_invocation() {
    let (sessions, log) = (InMemorySessionManager::new("s"), Log::default());
    let builder = template(&ScriptedModel::responding("2"), []).session_manager(sessions.clone());
    let mut other = builder.conflict_retries(1).hook(Pairs(log.clone())).build().await.unwrap();
    worker(&sessions, "1", 0).await.prompt("one").await.unwrap();
    other.prompt("two").await.unwrap();
    assert_eq!(log.lines(), ["before", "after"]);
    assert_eq!(texts(&sessions), ["one", "1", "two\nplease", "2"]);
}

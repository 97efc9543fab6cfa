//! Context overflow: the conversation is reduced and sent again, until it fits or can't be reduced further.

use std::error::Error as StdError;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use strands_core::conversation::{
    Conversation, ConversationManager, NullConversationManager, Reduction, SlidingWindowConversationManager,
};
use strands_core::message::Message;
use strands_core::models::{ErrorDetails, ModelError, StopReason};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{AgentError, AgentEvent, Limits, ToolOutput};

use crate::support::{agent, assert_whole, kinds, listen, template, tool};
use crate::valid_history::flaw;

fn overflow() -> ScriptedTurn {
    ScriptedTurn::error(ModelError::ContextOverflow { details: ErrorDetails::new().boxed() })
}

/// A model with a context window of this many characters.
fn taking(limit: usize) -> ScriptedModel {
    ScriptedModel::from_fn(move |request| {
        let size = serde_json::to_string(request.messages).unwrap().len();
        if size > limit { overflow() } else { ScriptedTurn::text("it fits") }
    })
}

fn conversation(turns: usize) -> Vec<Message> {
    (0..turns)
        .flat_map(|n| [Message::user(format!("question {n}")), Message::assistant(format!("answer {n}"))])
        .collect()
}

#[tokio::test]
async fn a_context_overflow_truncates_and_retries() {
    let model = taking(1_000);
    let builder = template(&model, []).messages(conversation(30));
    let mut agent = builder.build().await.unwrap();
    let (events, ended) = listen(agent.prompt("the newest").stream()).await;
    assert_eq!(ended.unwrap().text(), "it fits");
    assert!(kinds(&events).contains(&"context_reduced".to_owned()));
    assert_whole(&mut agent).await;
    let at = agent.messages().len() - 2;
    assert_eq!(agent.messages()[at].text(), "the newest");
    for request in model.requests() {
        assert_eq!(flaw(&request.messages, false), None);
    }
}

#[tokio::test]
async fn a_context_overflow_during_a_turn_truncates_tool_results() {
    let long = tool("one", |_, _| async { Ok(ToolOutput::text("x".repeat(100_000))) });
    let model = ScriptedModel::new([
        ScriptedTurn::tool_use("one", json!({})),
        overflow(),
        ScriptedTurn::text("short enough now"),
    ]);
    let mut agent = agent(&model, [long]).await;
    let (events, ended) = listen(agent.prompt("go").stream()).await;
    ended.unwrap();
    let AgentEvent::ContextReduced { what } =
        events.iter().find(|each| matches!(each, AgentEvent::ContextReduced { .. })).unwrap()
    else {
        panic!()
    };
    assert_eq!(what, "removed 99600 characters from the largest tool result");
    assert_whole(&mut agent).await;
    assert!(serde_json::to_string(agent.messages()).unwrap().len() < 5_000);
}

#[tokio::test]
async fn an_overflow_that_cannot_be_truncated_is_an_error_that_changes_nothing() {
    let model = ScriptedModel::from_fn(|_| overflow());
    let mut history = conversation(10);
    history.extend([
        Message::user("look"),
        Message::new(
            strands_core::message::Role::Assistant,
            [strands_core::message::ToolUse::new("a", "one", json!({}))],
        ),
    ]);
    let result = strands_core::message::ToolResult::new(
        "a",
        strands_core::message::ToolResultStatus::Success,
        ["y".repeat(9_000)],
    );
    history.push(Message::new(
        strands_core::message::Role::User,
        [strands_core::message::ContentBlock::ToolResult(result)],
    ));
    history.push(Message::assistant("seen"));
    let mut agent = template(&model, []).messages(history).build().await.unwrap();
    let before = agent.messages().to_vec();
    let error = agent.prompt("much too long").await.unwrap_err();
    let AgentError::ContextOverflow { tried, source: ModelError::ContextOverflow { .. } } = &error else {
        panic!("{error:?}")
    };
    assert!(tried.contains("removed 8600 characters"), "{tried}");
    assert!(tried.contains("removed the"), "{tried}");
    assert!(tried.contains("none of the"), "{tried}");
    // Neither the prompt nor the reduction persists: a smaller prompt continues with the whole conversation.
    assert_eq!(agent.messages(), before);
}

#[tokio::test(start_paused = true)]
async fn a_failure_after_a_truncation_restores_the_conversation() {
    let model = ScriptedModel::new([
        overflow(),
        ScriptedTurn::error(ModelError::InvalidRequest { details: ErrorDetails::new().boxed() }),
        ScriptedTurn::text("ok"),
    ]);
    let mut agent = template(&model, []).messages(conversation(4)).build().await.unwrap();
    agent.prompt("go").await.unwrap_err();
    assert_eq!(agent.messages().len(), 8);
    assert_whole(&mut agent).await;
    agent.prompt("go").await.unwrap();
    assert_eq!(agent.messages().len(), 10);
}

#[tokio::test]
async fn an_error_reports_a_manager_that_cannot_truncate() {
    let model = ScriptedModel::from_fn(|_| overflow());
    let builder = template(&model, []).conversation_manager(NullConversationManager::new());
    let error = builder.build().await.unwrap().prompt("go").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the conversation does not fit the model's context window; tried: the agent's conversation manager \
         never reduces a conversation"
    );
    assert_eq!(model.requests().len(), 1);
}

/// A custom conversation manager.
enum Faulty {
    ShortensNothing,
    LeavesAHole,
    Fails,
    Stalls,
}

#[async_trait]
impl ConversationManager for Faulty {
    fn name(&self) -> &'static str {
        "Faulty"
    }

    async fn apply(&self, _: &mut Conversation<'_>) -> Result<(), Box<dyn StdError + Send + Sync>> {
        Ok(())
    }

    async fn reduce(&self, conversation: &mut Conversation<'_>) -> Result<Reduction, Box<dyn StdError + Send + Sync>> {
        match self {
            Self::ShortensNothing => {}
            Self::LeavesAHole => {
                conversation.remove(0..2);
                conversation.remove(1..2);
            }
            Self::Fails => return Err("no summary today".into()),
            Self::Stalls => std::future::pending().await,
        }
        Ok(Reduction::Reduced("did something".into()))
    }
}

#[tokio::test]
async fn false_reports_of_truncation_do_not_loop_forever() {
    let model = ScriptedModel::from_fn(|_| overflow());
    let mut agent = template(&model, []).conversation_manager(Faulty::ShortensNothing).build().await.unwrap();
    let error = agent.prompt("go").await.unwrap_err();
    assert!(error.to_string().ends_with("did something, which made it no smaller"), "{error}");
    assert_eq!(model.requests().len(), 1);
}

#[tokio::test]
async fn rejects_a_truncation_that_separates_calls_from_results() {
    let model = ScriptedModel::new([overflow(), ScriptedTurn::text("ok")]);
    let builder = template(&model, []).messages(conversation(4)).conversation_manager(Faulty::LeavesAHole);
    let mut agent = builder.build().await.unwrap();
    agent.prompt("go").await.unwrap();
    for request in model.requests() {
        assert_eq!(flaw(&request.messages, false), None);
    }
    assert_whole(&mut agent).await;
}

#[tokio::test(start_paused = true)]
async fn a_failing_manager_is_reported_and_a_stalled_one_is_cancelled() {
    let model = ScriptedModel::from_fn(|_| overflow());
    let mut agent = template(&model, []).conversation_manager(Faulty::Fails).build().await.unwrap();
    let error = agent.prompt("go").await.unwrap_err();
    assert!(matches!(error, AgentError::Conversation { manager: "Faulty", .. }), "{error:?}");
    assert!(agent.messages().is_empty());

    let mut agent = template(&model, []).conversation_manager(Faulty::Stalls).build().await.unwrap();
    let limits = Limits::new().duration(Duration::from_secs(1));
    let response = agent.prompt("go").limits(limits).await.unwrap();
    assert_eq!(response.stop_reason, StopReason::LimitDuration);
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn hundreds_of_long_results_are_truncated_until_they_fit() {
    let long = tool("one", |_, _| async { Ok(ToolOutput::text("z".repeat(2_000))) });
    let model = ScriptedModel::from_fn(|request| {
        let size = serde_json::to_string(request.messages).unwrap().len();
        match request.messages.len() {
            _ if size > 60_000 => overflow(),
            messages if messages < 100 => ScriptedTurn::tool_use("one", json!({})),
            _ => ScriptedTurn::text("enough"),
        }
    });
    let builder = template(&model, [long]).conversation_manager(SlidingWindowConversationManager::new(1_000));
    let mut agent = builder.build().await.unwrap();
    assert_eq!(agent.prompt("go").await.unwrap().text(), "enough");
    assert_whole(&mut agent).await;
}

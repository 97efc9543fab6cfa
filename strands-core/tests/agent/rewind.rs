//! Rewind to an earlier prompt, in memory and in the session.

use serde_json::json;
use strands_core::conversation::{SlidingWindowConversationManager, SummarizingConversationManager};
use strands_core::message::Message;
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentError, ToolPolicy};

use crate::support::{naming, template};
use crate::valid_history::flaw;

fn texts(agent: &Agent) -> Vec<String> {
    agent.messages().iter().map(|message| message.text()).collect()
}

fn echo() -> ScriptedModel {
    ScriptedModel::from_fn(|request| match request.messages.last().unwrap().text().as_str() {
        "tool" => ScriptedTurn::tool_use("one", json!({})),
        "ask" => ScriptedTurn::tool_use("consent", json!({})),
        text => ScriptedTurn::text(format!("re {text}")),
    })
}

fn builder(sessions: &InMemorySessionManager) -> strands_core::AgentBuilder {
    let consent = naming("consent").policy(ToolPolicy::new().with_approval(true));
    template(&echo(), [naming("one"), consent]).session_manager(sessions.clone())
}

#[tokio::test]
async fn rewound_messages_stay_removed() {
    let sessions = InMemorySessionManager::new("s");
    let mut agent = builder(&sessions).build().await.unwrap();
    for prompt in ["a", "tool", "c"] {
        agent.prompt(prompt).await.unwrap();
    }
    assert_eq!(agent.messages().len(), 8);
    let dropped = agent.rewind(2).await.unwrap();
    assert_eq!((dropped.len(), dropped[0].text().as_str()), (6, "tool"));
    assert_eq!(texts(&agent), ["a", "re a"]);
    assert_eq!(sessions.messages("default"), agent.messages());
    agent.prompt("b").await.unwrap();
    let next = builder(&sessions).build().await.unwrap();
    assert_eq!(texts(&next), ["a", "re a", "b", "re b"]);
    agent.rewind(0).await.unwrap();
    assert_eq!(builder(&sessions).build().await.unwrap().messages(), []);
    agent.prompt("anew").await.unwrap();
    assert_eq!(texts(&builder(&sessions).build().await.unwrap()), ["anew", "re anew"]);
}

#[tokio::test]
async fn only_prompts_can_be_edited() {
    let sessions = InMemorySessionManager::new("s");
    let mut agent = builder(&sessions).build().await.unwrap();
    agent.prompt("tool").await.unwrap();
    for index in [1, 2, 3, 4, usize::MAX] {
        let before = texts(&agent);
        let error = agent.rewind(index).await.unwrap_err();
        assert!(matches!(error, AgentError::Rewind { .. }), "{index}: {error:?}");
        assert_eq!(texts(&agent), before);
    }
}

#[tokio::test]
async fn a_worker_with_another_view_gets_a_conflict() {
    let sessions = InMemorySessionManager::new("s");
    let mut one = builder(&sessions).build().await.unwrap();
    one.prompt("a").await.unwrap();
    one.prompt("b").await.unwrap();
    let mut other = builder(&sessions).build().await.unwrap();
    let conflict = |ended: Result<(), AgentError>| {
        assert!(matches!(&ended, Err(AgentError::Session(error)) if error.is_conflict()), "{ended:?}");
    };
    one.prompt("c").await.unwrap();
    // The worker does not know the newest turn.
    conflict(other.rewind(2).await.map(drop));
    assert_eq!(other.messages().len(), 4);
    assert_eq!(sessions.messages("default").len(), 6);
    let mut other = builder(&sessions).build().await.unwrap();
    one.rewind(2).await.unwrap();
    conflict(other.prompt("d").await.map(drop));
    // Nor if the number of messages is the same again.
    let mut other = builder(&sessions).build().await.unwrap();
    other.prompt("x").await.unwrap();
    one = builder(&sessions).build().await.unwrap();
    other.rewind(2).await.unwrap();
    other.prompt("y").await.unwrap();
    conflict(one.prompt("z").await.map(drop));
    assert_eq!(texts(&builder(&sessions).build().await.unwrap()), ["a", "re a", "y", "re y"]);
}

#[tokio::test]
async fn rewind_removes_the_interrupts_of_removed_calls() {
    let sessions = InMemorySessionManager::new("s");
    let mut agent = builder(&sessions).build().await.unwrap();
    agent.prompt("a").await.unwrap();
    let interrupts = agent.prompt("ask").await.unwrap().interrupts;
    agent.rewind(2).await.unwrap();
    assert_eq!(agent.interrupts(), []);
    let mut next = builder(&sessions).build().await.unwrap();
    assert_eq!((next.interrupts(), next.repairs()), (vec![], [].as_slice()));
    let late = next.prompt(strands_core::Prompt::none()).resume([interrupts[0].respond(true)]).await;
    assert!(matches!(late, Err(AgentError::UnknownInterrupt { .. })));
    next.prompt("b").await.unwrap();
    assert_eq!(flaw(next.messages(), false), None);
}

#[tokio::test]
async fn rewind_updates_the_state_of_conversation_managers() {
    let sessions = InMemorySessionManager::new("s");
    let windowed = || builder(&sessions).conversation_manager(SlidingWindowConversationManager::new(4));
    let mut agent = windowed().build().await.unwrap();
    for prompt in ["a", "b", "c", "d"] {
        agent.prompt(prompt).await.unwrap();
    }
    assert_eq!(texts(&agent), ["c", "re c", "d", "re d"]);
    agent.rewind(2).await.unwrap();
    assert_eq!(sessions.messages("default").len(), 6);
    agent.prompt("e").await.unwrap();
    assert_eq!(texts(&agent), ["c", "re c", "e", "re e"]);
    assert_eq!(windowed().build().await.unwrap().messages(), agent.messages());

    let summary = Message::user("summary").pinned();
    let mut agent = template(&echo(), []).messages([summary, Message::assistant("ok")]).build().await.unwrap();
    agent.prompt("f").await.unwrap();
    agent.rewind(2).await.unwrap();
    assert_eq!(texts(&agent), ["summary", "ok"]);
}

#[tokio::test]
async fn a_summary_is_not_rewound() {
    let overflow = || strands_core::models::ModelError::ContextOverflow { details: Box::default() };
    let mut turns: Vec<ScriptedTurn> = (0..8).map(|_| ScriptedTurn::text("ok")).collect();
    turns.extend([ScriptedTurn::error(overflow()), ScriptedTurn::text("all of before"), ScriptedTurn::text("ok")]);
    let manager = SummarizingConversationManager::default().preserve_recent(2);
    let model = ScriptedModel::new(turns);
    let mut agent = template(&model, []).conversation_manager(manager).build().await.unwrap();
    for number in 0..9 {
        agent.prompt(number.to_string()).await.unwrap();
    }
    assert_eq!(texts(&agent)[0], "all of before");
    let error = agent.rewind(0).await.unwrap_err();
    assert!(error.to_string().contains("summary"), "{error}");
    let last = agent.messages().len() - 2;
    agent.rewind(last).await.unwrap();
    assert_eq!(texts(&agent)[0], "all of before");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_rewind_is_completed_before_the_next_write() {
    for polls in 1..8 {
        let sessions = InMemorySessionManager::new("s");
        let mut agent = builder(&sessions).build().await.unwrap();
        agent.prompt("a").await.unwrap();
        agent.prompt("b").await.unwrap();
        sessions.set_latency(Some(std::time::Duration::from_millis(1)));
        let dropped = crate::properties::polled(agent.rewind(2), polls).await.is_none();
        sessions.set_latency(None);
        assert_eq!(agent.has_unsaved_changes().unwrap(), dropped);
        agent.prompt("c").await.unwrap();
        assert_eq!(texts(&agent), ["a", "re a", "c", "re c"]);
        assert_eq!(sessions.messages("default"), agent.messages());
    }
}

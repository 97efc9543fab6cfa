//! Broken streams and failed turns: no empty response, no repeated text, and no leftovers in the history.

use std::sync::Arc;

use serde_json::json;
use strands_core::message::{Message, Role};
use strands_core::models::{ErrorDetails, ModelError, StopReason, StreamEvent};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{AgentError, AgentEvent, Prompt, RetryPolicy};

use crate::support::{agent, assert_whole, kinds, listen, naming, template};
use crate::valid_history::flaw;

fn cut() -> ModelError {
    ModelError::transport("connection reset")
}

fn refused() -> ModelError {
    ModelError::InvalidRequest { details: ErrorDetails::new().boxed() }
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_a_stop_event_is_an_error() {
    for events in 0..4 {
        let silent_end = move || {
            let all_events = [StreamEvent::start(), StreamEvent::text(0, "half"), StreamEvent::block_stop(0)];
            ScriptedTurn::events(all_events.into_iter().take(events))
        };
        let model = ScriptedModel::from_fn(move |_| silent_end());
        let mut agent = template(&model, []).retry(RetryPolicy::never()).build().await.unwrap();
        let error = agent.prompt("go").await.unwrap_err();
        let AgentError::Model { attempts: 1, source: ModelError::Transport { .. } } = &error else {
            panic!("{error:?}")
        };
        assert!(agent.messages().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn retries_a_stream_cut_before_its_first_delta() {
    let model = ScriptedModel::new([ScriptedTurn::text("never").breaking_after(1, cut()), ScriptedTurn::text("hello")]);
    let mut agent = agent(&model, []).await;
    let (events, ended) = listen(agent.prompt("go").stream()).await;
    assert_eq!(ended.unwrap().text(), "hello");
    assert_eq!(kinds(&events), ["start", "cycle_start", "retry", "text_delta", "message", "message"]);
    assert!(matches!(events[2], AgentEvent::Retry { attempt: 1, discards_output: false, .. }));
}

#[tokio::test(start_paused = true)]
async fn a_stream_cut_after_its_first_delta_retracts_the_streamed_text() {
    let model = ScriptedModel::new([
        ScriptedTurn::text("half an ").breaking_after(2, cut()),
        ScriptedTurn::text("whole answer"),
    ]);
    let mut agent = agent(&model, []).await;
    let (events, ended) = listen(agent.prompt("go").stream()).await;
    assert_eq!(ended.unwrap().text(), "whole answer");
    let mut streamed = String::new();
    for event in &events {
        match event {
            AgentEvent::TextDelta { text } => streamed.push_str(text),
            AgentEvent::Retry { discards_output: true, .. } => streamed.clear(),
            AgentEvent::Retry { .. } => panic!("the retry does not retract the streamed text"),
            _ => {}
        }
    }
    assert_eq!(streamed, "whole answer");
    assert_eq!(agent.messages()[1].text(), "whole answer");
}

#[tokio::test(start_paused = true)]
async fn does_not_run_a_truncated_tool_call() {
    let model = ScriptedModel::new([
        ScriptedTurn::tool_use("one", json!({"a": 1})).breaking_after(3, cut()),
        ScriptedTurn::text("no tools then"),
    ]);
    let mut agent = agent(&model, [naming("one")]).await;
    let (events, _) = listen(agent.prompt("go").stream()).await;
    assert!(!kinds(&events).contains(&"tool_start".to_owned()));
    assert!(events.iter().any(|event| matches!(event, AgentEvent::Retry { discards_output: true, .. })));
    assert_eq!(agent.messages().len(), 2);
}

#[tokio::test]
async fn a_failed_turn_leaves_the_history_unchanged() {
    let model = ScriptedModel::new([
        ScriptedTurn::text("first"),
        ScriptedTurn::error(refused()),
        ScriptedTurn::text("half").breaking_after(2, refused()),
        ScriptedTurn::text("second"),
    ]);
    let mut agent = agent(&model, []).await;
    agent.prompt("one").await.unwrap();
    for _ in 0..2 {
        agent.prompt("failing").await.unwrap_err();
        assert_eq!(agent.messages().len(), 2);
    }
    agent.prompt("two").await.unwrap();
    let texts: Vec<_> = model.requests()[3].messages.iter().map(|message| message.text()).collect();
    assert_eq!(texts, ["one", "first", "two"]);
}

#[tokio::test]
async fn a_turn_that_fails_after_its_tools_keeps_their_results() {
    let model = ScriptedModel::new([
        ScriptedTurn::tool_use("one", json!({})),
        ScriptedTurn::error(refused()),
        ScriptedTurn::error(refused()),
        ScriptedTurn::text("ok"),
    ]);
    let mut agent = agent(&model, [naming("one")]).await;
    agent.prompt("go").await.unwrap_err();
    assert_eq!(agent.messages().len(), 3);
    assert_whole(&mut agent).await;
    // A second failure removes its prompt from the message into which it was merged.
    agent.prompt("again").await.unwrap_err();
    assert_eq!(agent.messages()[2].text(), "");
    agent.prompt("once more").await.unwrap();
    assert_eq!((agent.messages().len(), agent.messages()[2].text().as_str()), (4, "once more"));
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn prompts_of_all_forms_become_valid_requests() {
    let odd: Vec<(&str, Vec<Message>)> = vec![
        ("two of the user", vec![Message::user("a"), Message::user("b")]),
        ("an answer first", vec![Message::assistant("x"), Message::user("a")]),
        ("a begun answer", vec![Message::user("a"), Message::assistant("It is")]),
        ("nothing in it", vec![Message::new(Role::User, [""; 0]), Message::user("a")]),
    ];
    for (what, prompt) in odd {
        let model = ScriptedModel::responding("sunny");
        let mut agent = agent(&model, []).await;
        for _ in 0..2 {
            agent.prompt(prompt.clone()).await.unwrap();
            assert_eq!(flaw(agent.messages(), false), None, "{what}: {:#?}", agent.messages());
        }
    }
}

#[tokio::test]
async fn continuing_without_a_prompt_appends_to_the_last_response() {
    let model = ScriptedModel::new([
        ScriptedTurn::text("It is").with_stop_reason(StopReason::MaxTokens),
        ScriptedTurn::text("sunny."),
    ]);
    let mut agent = agent(&model, []).await;
    agent.prompt("weather?").await.unwrap();
    agent.prompt(Prompt::none()).await.unwrap();
    assert_whole(&mut agent).await;
    assert_eq!(agent.messages()[1].text(), "It is\nsunny.");
}

#[tokio::test]
async fn rejects_an_empty_prompt_on_an_empty_history() {
    let model = ScriptedModel::responding("hi");
    let mut agent = agent(&model, []).await;
    for prompt in [Prompt::none(), Prompt::from(Vec::<Message>::new()), Prompt::from(Message::assistant("hello"))] {
        let error = agent.prompt(prompt).await.unwrap_err();
        assert!(matches!(error, AgentError::EmptyConversation), "{error:?}");
    }
    assert_eq!(model.requests().len(), 0);
}

#[tokio::test]
async fn pending_tool_calls_run_before_the_model_call() {
    let call = |id: &str| {
        let uses = [strands_core::message::ToolUse::new(id, "one", json!({}))];
        Message::new(Role::Assistant, uses)
    };
    // Pending calls in the history that the agent was built with.
    let model = ScriptedModel::responding("done");
    let builder = template(&model, [naming("one")]).messages([Message::user("go"), call("a")]);
    let mut agent = builder.build().await.unwrap();
    agent.prompt(Prompt::none()).await.unwrap();
    assert_whole(&mut agent).await;
    assert_eq!(model.requests()[0].messages.len(), 3);

    // Pending calls in the prompt: a failure of the model keeps the calls with their results.
    let model = ScriptedModel::from_fn(|_| ScriptedTurn::error(refused()));
    let mut agent = self::agent(&model, [naming("one")]).await;
    agent.prompt(vec![Message::user("go"), call("b")]).await.unwrap_err();
    assert_whole(&mut agent).await;
    assert_eq!(agent.messages().len(), 3);
}

#[tokio::test]
async fn messages_in_the_history_are_immutable_for_readers() {
    let model = ScriptedModel::new([ScriptedTurn::text("one"), ScriptedTurn::text("two")]);
    let mut agent = agent(&model, []).await;
    agent.prompt("a").await.unwrap();
    let kept: Vec<Arc<Message>> = agent.messages().to_vec();
    agent.prompt("b").await.unwrap();
    // The same messages, not copies: the prefix of the requests does not change between turns.
    assert!(kept.iter().zip(agent.messages()).all(|(old, new)| Arc::ptr_eq(old, new)));
    assert!(model.requests()[1].messages.iter().zip(&kept).all(|(sent, old)| Arc::ptr_eq(sent, old)));
}

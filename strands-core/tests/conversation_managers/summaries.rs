//! Summaries after a context overflow.

use strands_core::AgentError;
use strands_core::conversation::{SummarizingConversationManager, SummaryError};
use strands_core::models::{ErrorDetails, ModelError, StopReason};
use strands_core::testing::{ScriptedModel, ScriptedTurn};

use crate::store::Store;
use crate::support::{Planned, Step, ToolResponse, say, texts};
use crate::valid_history::flaw;

fn overflow() -> ScriptedTurn {
    ScriptedTurn::error(ModelError::ContextOverflow { details: ErrorDetails::new().boxed() })
}

fn long(text: &str) -> String {
    format!("{text} {}", "and so on ".repeat(20))
}

#[tokio::test]
async fn summarizes_the_oldest_messages_and_replaces_the_summary_by_the_next() {
    let writer = ScriptedModel::new(["FIRST", "SECOND"].map(ScriptedTurn::text));
    let manager = SummarizingConversationManager::new()
        .summary_ratio(0.5)
        .preserve_recent(2)
        .system_prompt("Be brief.")
        .model(writer.clone());
    let (model, store) = (Planned::with_window(100_000), Store::default());
    let build = || model.agent().conversation_manager(manager.clone()).session_manager(store.clone()).build();
    let mut agent = build().await.unwrap();
    for n in 0..3 {
        model.set_plan([say(&format!("a{n}"))]);
        agent.prompt(long(&format!("q{n}"))).await.unwrap();
    }
    model.set_plan([Step::Overflow, say("a3")]);
    agent.prompt("q3").await.unwrap();
    assert_eq!(texts(agent.messages())[..2], ["FIRST", "a1"]);
    let state = store.record().conversation_manager_state;
    assert_eq!(state["removed_message_count"], 3);
    assert_eq!(state["summary_message"]["content"][0]["text"], "FIRST");
    assert_eq!(state["summary_message"]["role"], "user");
    assert_eq!(build().await.unwrap().messages(), agent.messages());

    model.set_plan([Step::Overflow, say("a4")]);
    agent.prompt("q4").await.unwrap();
    assert_eq!(flaw(agent.messages(), false), None);
    let texts = texts(agent.messages());
    assert_eq!(texts[0], "SECOND");
    assert!(!texts.contains(&"FIRST".to_owned()));
    let requests = writer.requests();
    assert!(requests[0].messages[0].text().starts_with("<conversation>\nUser: q0"));
    assert!(requests[1].messages[0].text().starts_with("<summary_of_what_was_before>\nFIRST\n"), "{:?}", requests[1]);
    assert!(requests.iter().all(|request| request.tools.is_empty() && request.messages.len() == 1));
    assert_eq!(build().await.unwrap().messages(), agent.messages());
    // The session has all messages.
    assert_eq!(store.messages().len(), 10);
}

#[tokio::test]
async fn a_failed_summary_is_an_error_and_changes_nothing() {
    let failures = [
        (ScriptedTurn::text("  "), "empty or incomplete, with stop reason `end_turn`"),
        (ScriptedTurn::text("no").with_stop_reason(StopReason::ContentFiltered), "stop reason `content_filtered`"),
        (
            ScriptedTurn::text("no").with_stop_reason(StopReason::GuardrailIntervened),
            "stop reason `guardrail_intervened`",
        ),
        (ScriptedTurn::text("They want").with_stop_reason(StopReason::MaxTokens), "stop reason `max_tokens`"),
        (ScriptedTurn::text("They want").with_stop_reason("pause_turn".into()), "stop reason `pause_turn`"),
        (ScriptedTurn::text("").with_stop_reason(StopReason::MaxTokens), "stop reason `max_tokens`"),
        (ScriptedTurn::tool_use("look", serde_json::json!({})), "stop reason `tool_use`"),
        (ScriptedTurn::error(ModelError::InvalidRequest { details: Box::default() }), "messages failed"),
        (ScriptedTurn::text("half a summary").breaking_after(2, ModelError::transport("cut")), "messages failed"),
    ];
    // A response truncated by the context window is an overflow, so the summary is tried once more.
    let cut = || ScriptedTurn::text("They want").with_stop_reason("model_context_window_exceeded".into());
    let failures = failures.map(|(failure, expected)| (vec![failure], expected));
    for (failure, expected) in failures.into_iter().chain([(vec![cut(), cut()], "messages failed")]) {
        let manager = SummarizingConversationManager::new().preserve_recent(2).model(ScriptedModel::new(failure));
        let (model, store) = (Planned::with_window(100_000), Store::default());
        let builder = model.agent().retry(strands_core::RetryPolicy::never());
        let mut agent = builder.conversation_manager(manager).session_manager(store.clone()).build().await.unwrap();
        for n in 0..4 {
            model.set_plan([say("yes")]);
            agent.prompt(long(&n.to_string())).await.unwrap();
        }
        let (before, state) = (agent.messages().to_vec(), store.record());
        model.set_plan([Step::Overflow]);
        let AgentError::Conversation { manager: "SummarizingConversationManager", source } =
            agent.prompt("more").await.unwrap_err()
        else {
            panic!("not the manager's error")
        };
        assert!(source.downcast_ref::<SummaryError>().unwrap().to_string().contains(expected), "{source}");
        assert_eq!(agent.messages(), before);
        assert_eq!(store.record(), state);
        model.set_plan([say("well")]);
        agent.prompt("less").await.unwrap();
        assert_eq!(agent.messages().len(), 10);
    }
}

#[tokio::test(start_paused = true)]
async fn retries_a_summary_by_the_agents_policy() {
    let throttled = || ScriptedTurn::error(ModelError::Throttled { retry_after: None, details: Box::default() });
    let writer = ScriptedModel::new([throttled(), throttled(), ScriptedTurn::text("at last")]);
    let manager = SummarizingConversationManager::new().preserve_recent(2).model(writer);
    let model = Planned::with_window(100_000);
    let mut agent = model.agent().conversation_manager(manager).build().await.unwrap();
    model.set_plan([say("yes")]);
    agent.prompt(long("one")).await.unwrap();
    model.set_plan([Step::Overflow, say("fine")]);
    agent.prompt("two").await.unwrap();
    assert_eq!(texts(agent.messages())[0], "at last");
}

#[tokio::test]
async fn truncates_results_if_the_summary_request_overflows() {
    let writer = ScriptedModel::new([overflow(), ScriptedTurn::text("short")]);
    let manager =
        SummarizingConversationManager::new().preserve_recent(1).truncate_results(false).model(writer.clone());
    let model = Planned::with_window(100_000);
    let mut agent = model.agent().conversation_manager(manager).build().await.unwrap();
    model.set_plan([Step::Call(2, ToolResponse::Text(5_000)), say("seen"), say("x")]);
    agent.prompt("look").await.unwrap();
    model.set_plan([Step::Overflow, say("fine")]);
    agent.prompt("and?").await.unwrap();
    let requests: Vec<_> = writer.requests().iter().map(|request| request.messages[0].text().len()).collect();
    assert!(requests.len() == 2 && requests[0] > 10_000 && requests[1] < 3_000, "{requests:?}");
    assert_eq!(flaw(agent.messages(), false), None);
}

#[tokio::test]
async fn truncates_a_dominant_result_instead_of_summarizing() {
    let model = Planned::with_window(100_000);
    let mut agent = model.agent().conversation_manager(SummarizingConversationManager::new()).build().await.unwrap();
    model.set_plan([Step::Call(1, ToolResponse::Json(50_000)), Step::Overflow, say("seen")]);
    agent.prompt("look").await.unwrap();
    assert!(model.summarized().is_empty());
    assert!(serde_json::to_string(agent.messages()).unwrap().len() < 3_000);
}

#[tokio::test]
async fn returns_an_error_if_nothing_can_be_summarized() {
    let model = Planned::with_window(100_000);
    let mut agent = model.agent().conversation_manager(SummarizingConversationManager::new()).build().await.unwrap();
    model.set_plan([Step::Overflow]);
    let error = agent.prompt("much").await.unwrap_err();
    assert!(
        matches!(&error, AgentError::ContextOverflow { tried, .. } if tried.contains("messages summarized")),
        "{error}"
    );
}

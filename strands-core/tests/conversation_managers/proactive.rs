//! Proactive reduction, by the usage of the newest response and an estimate of later messages.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use strands_core::conversation::{
    Conversation, ConversationManager, Reduction, SlidingWindowConversationManager, SummarizingConversationManager,
};
use strands_core::message::Message;
use strands_core::metrics::Usage;
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentEvent, StreamExt};

use crate::support::{Planned, Step, ToolResponse, say, texts};
use crate::valid_history::flaw;

async fn events(agent: &mut Agent, prompt: &str) -> Vec<AgentEvent> {
    agent.prompt(prompt).stream().map(Result::unwrap).collect().await
}

fn reductions(events: Vec<AgentEvent>) -> Vec<String> {
    let what = |event| match event {
        AgentEvent::ContextReduced { what } => Some(what),
        _ => None,
    };
    events.into_iter().filter_map(what).collect()
}

#[tokio::test]
async fn never_exceeds_the_context_window() {
    let model = Planned::with_window(2_000);
    let manager = SlidingWindowConversationManager::new(1_000).proactive(0.7);
    let mut agent = model.agent().conversation_manager(manager).build().await.unwrap();
    let mut reduced = 0;
    for n in 0..200 {
        model.set_plan([say(&format!("answer {n} {}", "so it is ".repeat(20)))]);
        reduced += reductions(events(&mut agent, &format!("question {n}")).await).len();
        assert_eq!(flaw(agent.messages(), false), None);
    }
    // No call failed, and not every call followed a reduction, so prompt caches stay valid in between.
    assert_eq!(model.requests().len(), 200);
    assert!((2..40).contains(&reduced), "{reduced}");
}

#[tokio::test]
async fn truncates_a_large_result_before_the_next_call() {
    let model = Planned::with_window(2_000);
    let manager = SlidingWindowConversationManager::default().proactive(0.7);
    let mut agent = model.agent().conversation_manager(manager).build().await.unwrap();
    model.set_plan([Step::Call(1, ToolResponse::Text(7_000)), say("seen")]);
    let events = events(&mut agent, "look").await;
    assert_eq!(reductions(events), ["removed 6600 characters from the largest tool result"]);
    assert_eq!(model.requests().len(), 2);
}

#[tokio::test]
async fn reduces_only_after_an_overflow_by_default() {
    let model = Planned::with_window(2_000);
    let mut agent = model.agent().build().await.unwrap();
    model.set_plan([Step::Call(1, ToolResponse::Text(7_000)), say("seen")]);
    assert!(reductions(events(&mut agent, "look").await).is_empty());
    assert_eq!(model.requests().len(), 2);
}

#[tokio::test]
async fn trims_during_an_invocation_with_many_tool_calls() {
    let model = Planned::with_window(100_000);
    let manager = SlidingWindowConversationManager::new(6).per_turn(2);
    let mut agent = model.agent().conversation_manager(manager).build().await.unwrap();
    model.set_plan((0..30).map(|_| Step::Call(1, ToolResponse::Text(9))).chain([say("done")]));
    agent.prompt("look around").await.unwrap();
    let longest = model.requests().iter().map(|request| request.messages.len()).max().unwrap();
    assert!((7..12).contains(&longest), "{longest}");
    assert!(model.requests().iter().all(|request| request.messages[0].text() == "look around"));
}

#[tokio::test]
async fn summarizes_before_an_overflow_and_counts_the_usage() {
    let model = Planned::with_window(2_000);
    let manager = SummarizingConversationManager::new().preserve_recent(4).proactive(0.6);
    let mut agent = model.agent().conversation_manager(manager).build().await.unwrap();
    for n in 0..60 {
        model.set_plan([say(&format!("answer {n} {}", "so it is ".repeat(20)))]);
        agent.prompt(format!("question {n}")).await.unwrap();
        assert_eq!(flaw(agent.messages(), false), None);
    }
    let summaries = model.summarized();
    assert!((2..30).contains(&summaries.len()), "{}", summaries.len());
    assert!(summaries[1].contains("<summary_of_what_was_before>\nsummary of"), "{}", summaries[1]);
    let texts = texts(agent.messages());
    assert_eq!(texts.iter().filter(|text| text.starts_with("summary of")).count(), 1);
    let written = 10 * model.requests().len() + 5 * summaries.len();
    assert_eq!(agent.metrics().accumulated_usage().output_tokens, written as u64);
}

#[tokio::test]
async fn a_failed_summary_emits_an_event_and_changes_nothing() {
    let writer = ScriptedModel::new([]);
    let model = Planned::with_window(2_000);
    let manager = SummarizingConversationManager::new().model(writer.clone()).preserve_recent(2).proactive(0.2);
    let mut agent = model.agent().conversation_manager(manager).build().await.unwrap();
    for n in 0..3 {
        model.set_plan([say(&"so it is ".repeat(100))]);
        agent.prompt(format!("question {n}")).await.unwrap();
    }
    let before = agent.messages().to_vec();
    model.set_plan([say("fine")]);
    let events = events(&mut agent, "and now?").await;
    let error = events.iter().find_map(|event| match event {
        AgentEvent::ContextReductionFailed { error } => Some(error.as_str()),
        _ => None,
    });
    let error = error.unwrap();
    assert!(error.contains("the summary of") && error.contains("the script has no more turns"), "{error}");
    assert_eq!(agent.messages()[..before.len()], before);
    assert_eq!(agent.messages().last().unwrap().text(), "fine");
}

/// A manager that records the projected tokens.
struct Projecting(Arc<Mutex<Vec<u64>>>, Arc<AtomicU64>);

#[async_trait]
impl ConversationManager for Projecting {
    fn name(&self) -> &'static str {
        "Projecting"
    }

    async fn apply(&self, _: &mut Conversation<'_>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Ok(())
    }

    async fn prepare(
        &self,
        conversation: &mut Conversation<'_>,
    ) -> Result<Reduction, Box<dyn std::error::Error + Send + Sync>> {
        let remove = self.1.load(Ordering::Relaxed) as usize;
        conversation.remove(0..remove);
        self.0.lock().unwrap().push(conversation.projected_tokens());
        Ok(Reduction::NotNeeded)
    }

    async fn reduce(&self, _: &mut Conversation<'_>) -> Result<Reduction, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Reduction::NotNeeded)
    }
}

#[tokio::test]
async fn projects_reported_usage_and_estimates_the_rest() {
    let cached = Usage::new(100, 20).with_cache(Some(3_000), Some(400)).with_total(3_520);
    let model = ScriptedModel::new([
        ScriptedTurn::text("one").with_usage(cached),
        ScriptedTurn::text("two").with_usage(Usage::new(70, 7)),
        ScriptedTurn::text("three"),
    ]);
    let (projected, remove) = (Arc::default(), Arc::new(AtomicU64::new(0)));
    let manager = Projecting(Arc::clone(&projected), Arc::clone(&remove));
    let builder = Agent::builder().model(model).system_prompt("12345678").conversation_manager(manager);
    let mut agent = builder.build().await.unwrap();
    agent.prompt(Message::user("1234")).await.unwrap();
    agent.prompt(Message::user("12345678")).await.unwrap();
    remove.store(2, Ordering::Relaxed);
    agent.prompt(Message::user("123456789abc")).await.unwrap();
    // At first, everything is estimated. Then 3,500 input and 20 output tokens are reported, and 2 are new. Then the
    // beginning is removed, so the usage is out of date: 2 for the system prompt, 2 + 1 + 3 for the remaining messages.
    assert_eq!(*projected.lock().unwrap(), [3, 3_522, 8]);
}

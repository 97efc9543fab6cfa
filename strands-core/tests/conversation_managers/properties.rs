//! Random conversations with random managers: an agent that is rebuilt from its session for every turn has the same state as
//! one that keeps running, and every request is valid input.

use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value;
use strands_core::conversation::{SlidingWindowConversationManager, SummarizingConversationManager};
use strands_core::message::{ContentBlock, Message};
use strands_core::{Agent, AgentBuilder};

use crate::store::Store;
use crate::support::{Planned, Step, ToolResponse};
use crate::valid_history::flaw;

#[derive(Clone, Debug)]
struct Turn {
    prompt: String,
    pinned: bool,
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
struct Manager {
    summarizing: bool,
    window: usize,
    ratio: f64,
    keep_results: bool,
    pin_first: u64,
    per_turn: Option<u64>,
    proactive: Option<f64>,
}

impl Manager {
    fn join(&self, builder: AgentBuilder) -> AgentBuilder {
        if self.summarizing {
            let mut manager = SummarizingConversationManager::new()
                .summary_ratio(self.ratio)
                .preserve_recent(self.window)
                .pin_first(self.pin_first);
            if self.keep_results {
                manager = manager.truncate_results(false);
            }
            if let Some(share) = self.proactive {
                manager = manager.proactive(share);
            }
            return builder.conversation_manager(manager);
        }
        let mut manager = SlidingWindowConversationManager::new(self.window).pin_first(self.pin_first);
        if self.keep_results {
            manager = manager.truncate_results(false);
        }
        if let Some(every) = self.per_turn {
            manager = manager.per_turn(every);
        }
        if let Some(share) = self.proactive {
            manager = manager.proactive(share);
        }
        builder.conversation_manager(manager)
    }
}

fn tool_outputs() -> impl Strategy<Value = ToolResponse> {
    prop_oneof![
        4 => (1_usize..200).prop_map(ToolResponse::Text),
        2 => (1_000_usize..9_000).prop_map(ToolResponse::Text),
        1 => (1_usize..3_000).prop_map(ToolResponse::Json),
        1 => Just(ToolResponse::Image),
        1 => (1_usize..60).prop_map(ToolResponse::Parts),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1_usize..4, tool_outputs()).prop_map(|(times, output)| Step::Call(times, output)),
        1 => Just(Step::Overflow),
        1 => "[a-z ]{1,400}".prop_map(Step::Say),
    ];
    let end = prop_oneof![
        8 => "[a-z ]{1,80}".prop_map(Step::Say),
        1 => Just(Step::Fail),
    ];
    (prop::collection::vec(step, 0..4), end).prop_map(|(mut steps, end)| {
        steps.push(end);
        steps
    })
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = ("[a-z ]{1,120}", prop::bool::weighted(0.15), steps());
    prop::collection::vec(turn.prop_map(|(prompt, pinned, steps)| Turn { prompt, pinned, steps }), 1..10)
}

fn managers() -> impl Strategy<Value = Manager> {
    let options = (any::<bool>(), 0_usize..12, 0.1..0.8, prop::bool::weighted(0.2), 0_u64..4);
    let times = (prop::option::of(1_u64..4), prop::option::of(0.1..0.9));
    (options, times).prop_map(|((summarizing, window, ratio, keep_results, pin_first), (per_turn, proactive))| {
        Manager { summarizing, window, ratio, keep_results, pin_first, per_turn, proactive }
    })
}

/// Messages without random ids and timings.
fn normalized(messages: &[Arc<Message>]) -> Vec<Value> {
    let mut ids: HashMap<String, String> = HashMap::new();
    let mut known = |id: &mut String| {
        let next = ids.len().to_string();
        *id = ids.entry(id.clone()).or_insert(next).clone();
    };
    let normalize = |message: &Arc<Message>| {
        let mut message = Message::clone(message);
        message.tracking_id = None;
        if let Some(metadata) = &mut message.metadata {
            metadata.metrics = None;
        }
        for block in &mut message.content {
            match block {
                ContentBlock::ToolUse(call) => known(&mut call.tool_use_id),
                ContentBlock::ToolResult(result) => known(&mut result.tool_use_id),
                _ => {}
            }
        }
        serde_json::to_value(message).unwrap()
    };
    messages.iter().map(normalize).collect()
}

async fn say(agent: &mut Agent, model: &Planned, turn: &Turn) -> bool {
    model.set_plan(turn.steps.clone());
    let prompt = Message::user(turn.prompt.as_str());
    agent.prompt(if turn.pinned { prompt.pinned() } else { prompt }).await.is_ok()
}

/// True if no tool result in the session is truncated.
fn is_untruncated(messages: &[Message]) -> bool {
    !serde_json::to_string(messages).unwrap().contains("[truncated:")
}

async fn same_everywhere(manager: &Manager, turns: &[Turn]) -> Result<(), TestCaseError> {
    let (running, rebuilt) = (Planned::with_window(3_000), Planned::with_window(3_000));
    let (running_store, rebuilt_store) = (Store::default(), Store::default());
    let build = |model: &Planned, store: &Store| manager.join(model.agent()).session_manager(store.clone()).build();
    let mut agent = build(&running, &running_store).await.unwrap();
    let mut pinned: Vec<&str> = Vec::new();
    for turn in turns {
        let succeeded = say(&mut agent, &running, turn).await;
        prop_assert_eq!(flaw(agent.messages(), false), None);
        if succeeded && turn.pinned {
            pinned.push(&turn.prompt);
        }
        for prompt in &pinned {
            let stays = agent.messages().iter().any(|message| message.text().contains(*prompt));
            prop_assert!(stays, "the pinned {prompt:?} was removed");
        }

        let copy = build(&running, &running_store).await.unwrap();
        prop_assert_eq!(copy.messages(), agent.messages());

        let mut again = build(&rebuilt, &rebuilt_store).await.unwrap();
        prop_assert_eq!(say(&mut again, &rebuilt, turn).await, succeeded);
        prop_assert_eq!(normalized(again.messages()), normalized(agent.messages()));
    }
    for request in running.requests() {
        prop_assert_eq!(flaw(&request.messages, false), None);
    }
    let first = running_store.messages().into_iter().take(manager.pin_first as usize);
    for message in first {
        prop_assert!(agent.messages().iter().any(|retained| retained.tracking_id == message.tracking_id));
    }
    prop_assert!(is_untruncated(&running_store.messages()) && is_untruncated(&rebuilt_store.messages()));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_rebuilt_agent_has_the_same_state(manager in managers(), turns in turns()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(same_everywhere(&manager, &turns))?;
    }
}

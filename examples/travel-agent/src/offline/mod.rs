//! The rules that let the offline model play travel agent: no language model, no network, the same answer every time.
//!
//! They know this agent's tools and plan with what the tools answer: a refusal is the policy's, a price the store's.

mod dates;
mod planner;
mod replies;
mod request;
mod words;

use strands::{
    message::Role,
    models::{
        OfflineModel,
        offline::{OfflineStep, OfflineToolResult, OfflineTurn},
    },
};

use planner::{Answer, Situation, Step};

/// The offline model with the rules of this travel agent.
pub fn offline_model() -> OfflineModel {
    OfflineModel::builder().model_id("offline/travel-agent").planner(|turn| Some(step(turn))).build()
}

fn step(turn: &OfflineTurn<'_>) -> OfflineStep {
    let texts = open_texts(turn);
    let errors: Vec<String> = turn.results().iter().map(OfflineToolResult::text).collect();
    let answers = turn.results().iter().zip(&errors).map(|(result, error)| Answer {
        tool: result.tool(),
        result: result.json().filter(|_| !result.is_error()).ok_or(error.as_str()),
    });
    let situation = Situation { texts: &texts, name: first_name(turn.system_prompt()), answers: answers.collect() };
    match planner::next(&situation) {
        Step::Say(text) => OfflineStep::say(text),
        Step::Call(text, calls) => OfflineStep::calls(calls).after_saying(text),
    }
}

/// What the user said since the last request that we answered: our questions keep a request open.
fn open_texts(turn: &OfflineTurn<'_>) -> Vec<String> {
    let mut texts = Vec::new();
    for message in turn.messages().iter().rev() {
        let text = message.text();
        // Words that go with tool calls are no answer yet.
        let answers = message.role == Role::Assistant && message.tool_uses().next().is_none();
        if message.role == Role::User && !text.trim().is_empty() {
            texts.push(text);
        } else if answers && !texts.is_empty() && !text.trim_end().ends_with('?') {
            break;
        }
    }
    texts.reverse();
    texts
}

/// The first name in the line of the system prompt that says who travels.
fn first_name(system_prompt: &str) -> &str {
    let line = system_prompt.lines().find_map(|line| line.strip_prefix(crate::agent::TRAVELLER));
    line.and_then(|line| line.split_whitespace().next()).unwrap_or("traveller")
}

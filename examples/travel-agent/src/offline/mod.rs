//! Rules of the offline model for this travel agent: deterministic, without a language model or a network.
//!
//! They call the agent's tools and plan with the tool results, so that prices and policy violations come from the store.

mod dates;
mod planner;
mod questions;
mod replies;
mod request;
mod team;
mod words;

use std::time::Duration;

use strands::{
    message::Role,
    models::{
        OfflineModel,
        offline::{OfflineStep, OfflineToolResult, OfflineTurn},
    },
};

use crate::tools::OWN_TOOLS;
use planner::{Situation, Step, ToolResult};

/// Returns the offline model with the rules of this travel agent.
pub fn offline_model() -> OfflineModel {
    paced_model(Duration::ZERO)
}

/// Returns the offline model with a delay before each word, so that a person sees the streaming.
pub fn paced_model(pace: Duration) -> OfflineModel {
    OfflineModel::builder().model_id("offline/travel-agent").planner(next_step).pace(pace).build()
}

/// Returns the next step, or `None` for the generic rules if the user names another tool, such as one of an MCP server.
fn next_step(turn: &OfflineTurn<'_>) -> Option<OfflineStep> {
    let is_own = |name: &str| OWN_TOOLS.contains(&name) || team::is_agent(name);
    let is_named = |name: &str| !is_own(name) && turn.user_text().contains(name);
    let names_another_tool = turn.tools().any(|tool| is_named(&tool.name));
    (!names_another_tool).then(|| step(turn))
}

fn step(turn: &OfflineTurn<'_>) -> OfflineStep {
    let texts = open_texts(turn);
    let said: Vec<String> = turn.results().iter().map(OfflineToolResult::text).collect();
    let results = turn.results().iter().zip(&said).map(|(result, text)| ToolResult {
        tool: result.tool(),
        result: result.json().filter(|_| !result.is_error()).ok_or(text.as_str()),
        text: if result.is_error() { Err(text) } else { Ok(text) },
    });
    let situation = Situation {
        texts: &texts,
        name: first_name(turn.system_prompt()),
        tools: turn.tools().map(|tool| tool.name.as_str()).collect(),
        results: results.collect(),
    };
    let next = if team::is_planner(&situation) { team::next(&situation) } else { planner::next(&situation) };
    match next {
        Step::Say(text) => OfflineStep::respond(text),
        Step::Call(text, calls) => OfflineStep::calls(calls).with_text(text),
    }
}

/// Returns the user's texts of the current request. A reply that ends with a question does not end the request; a request
/// without a reply was cancelled or withdrawn.
fn open_texts(turn: &OfflineTurn<'_>) -> Vec<String> {
    let mut texts = Vec::new();
    let mut follows_question = false;
    for message in turn.messages().iter().rev() {
        let text = message.text();
        if message.role == Role::User {
            if !text.trim().is_empty() {
                texts.push(text);
                follows_question = false;
            }
            continue;
        }
        // Text with tool calls is not the reply yet.
        let is_reply = message.tool_uses().next().is_none();
        follows_question |= is_reply && text.trim_end().ends_with('?');
        if !texts.is_empty() && !follows_question {
            break;
        }
    }
    texts.reverse();
    texts
}

/// Returns the traveller's first name from the system prompt.
fn first_name(system_prompt: &str) -> &str {
    let line = system_prompt.lines().find_map(|line| line.strip_prefix(crate::agent::TRAVELLER));
    line.and_then(|line| line.split([' ', ',', '.']).next()).unwrap_or("traveller")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use strands::identity::Audit;

    use crate::{
        access::{Role, trusted},
        agent::TravelAgent,
        clock::Clock,
        desk::Desk,
        services::Services,
        store::Store,
    };

    use super::*;

    #[tokio::test]
    async fn knows_all_tools_of_the_agent() {
        let store = Arc::new(Store::in_memory().unwrap());
        let desk = Desk::Local(store, Clock::System);
        let services = (Clock::System, Services::local().unwrap());
        let agent = TravelAgent::new(offline_model(), desk, services, Audit::default()).unwrap();
        let builder = agent.call_agent(&trusted("ana", Role::Traveler)).await.unwrap();
        let agent = builder.build().await.unwrap();
        let names: Vec<_> = agent.tools().iter().map(|tool| tool.spec().name.clone()).collect();
        assert_eq!(names, OWN_TOOLS);
    }
}

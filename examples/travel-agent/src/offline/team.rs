//! Rules of the planner of a team: which agent gets the request.

use serde_json::json;

use super::{
    planner::{Situation, Step},
    replies,
    request::{Intent, Request},
};
use crate::team::{BOOKINGS, POLICIES};

/// Returns true if the tools are the agents of a team.
pub(super) fn is_planner(situation: &Situation<'_>) -> bool {
    [POLICIES, BOOKINGS].iter().all(|agent| situation.may_call(agent))
}

/// Returns true for the name of an agent of the team.
pub(super) fn is_agent(name: &str) -> bool {
    [POLICIES, BOOKINGS].contains(&name)
}

/// Returns the next step: a trip is planned with the policies first, and the last agent has the reply.
pub(super) fn next(situation: &Situation<'_>) -> Step {
    let request = Request::read(situation.texts);
    let text = situation.texts.last().map(String::as_str).unwrap_or_default();
    let reply = |agent| {
        situation.last_text(agent).map(|said| match said {
            Ok(text) => Step::Say(text.to_owned()),
            Err(reason) => Step::Say(replies::failure(situation.name, reason)),
        })
    };
    let ask = |saying, agent, input: &str| Step::Call(saying, vec![(agent, json!({ "input": input }))]);
    match request.intent {
        Intent::Other => Step::Say(replies::introduction(situation.name)),
        Intent::Policy | Intent::Search => {
            reply(POLICIES).unwrap_or_else(|| ask("Let me ask our policy agent.", POLICIES, text))
        }
        // A reply to a question of the booking agent goes on with the same trip.
        Intent::Book | Intent::Propose if situation.texts.len() == 1 && situation.last_text(POLICIES).is_none() => {
            ask("Let me ask our policy agent first.", POLICIES, "Which policies hold for flights, hotels and cars?")
        }
        _ => reply(BOOKINGS).unwrap_or_else(|| ask("Now our booking agent.", BOOKINGS, text)),
    }
}

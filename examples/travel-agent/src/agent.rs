//! Builder of the travel agent: model, prompt, tools and injected values. The command line and other front ends call it.

use std::sync::Arc;

use strands::{
    Agent, AgentBuilder,
    identity::{Audit, CedarError},
    models::Model,
    tools,
};

use crate::{
    access::{User, access},
    clock::Clock,
    store::Store,
    tools::{
        AllBookings, BookTrip, CancelBooking, CheckPolicy, GetCars, GetHotels, GetTravelPolicies, MyBookings,
        SearchFlights, TodaysDate,
    },
};

/// Start of the system prompt's line with the traveller.
pub(crate) const TRAVELLER: &str = "Traveller: ";

/// The agent's id in a session.
const AGENT_ID: &str = "travel_agent";

/// Returns a builder for the travel agent of one user. The caller can add settings, such as a session.
///
/// The caller authenticates the user: by the login here, by a verified token in a server. The model gets the name from the
/// system prompt; the tools borrow the injected [`Traveller`](crate::trip::Traveller), and the policies read the injected
/// [`Identity`](strands::identity::Identity), neither of which the conversation can change.
///
/// # Errors
///
/// Returns [`CedarError`] if the policies are invalid.
pub fn travel_agent(
    model: impl Model + 'static,
    user: User,
    store: Arc<Store>,
    clock: Clock,
    audit: Audit,
) -> Result<AgentBuilder, CedarError> {
    let User { traveller, identity } = user;
    let access = access(Arc::clone(&store), clock, audit)?;
    let rules = include_str!("prompt.md").trim_end();
    let prompt =
        format!("{rules}\n\n{TRAVELLER}{}, {}, based in {}.", traveller.name, traveller.department, traveller.home);
    let builder = Agent::builder()
        .agent_id(AGENT_ID)
        .model(model)
        .system_prompt(prompt)
        .tools(tools![
            TodaysDate,
            GetTravelPolicies,
            SearchFlights,
            GetHotels,
            GetCars,
            CheckPolicy,
            BookTrip,
            MyBookings,
            AllBookings,
            CancelBooking,
        ])
        .plugin(access)
        .inject(traveller)
        .inject(identity)
        .inject(store)
        .inject(clock);
    Ok(builder)
}

//! Builder of the travel agent: model, prompt, tools and injected values. The command line and other front ends call it.

use std::sync::Arc;

use strands::{Agent, AgentBuilder, models::Model, tools};

use crate::{
    clock::Clock,
    store::Store,
    tools::{
        AllBookings, BookTrip, CancelBooking, CheckPolicy, GetCars, GetHotels, GetTravelPolicies, MyBookings,
        SearchFlights, TodaysDate,
    },
    trip::Traveller,
};

/// Start of the system prompt's line with the traveller.
pub(crate) const TRAVELLER: &str = "Traveller: ";

/// The agent's id in a session.
const AGENT_ID: &str = "travel_agent";

/// Returns a builder for the travel agent of one traveller. The caller can add settings, such as a session.
///
/// The caller authenticates the traveller: by the login here, by a verified token in a server. The model gets the name from
/// the system prompt; the tools borrow the injected [`Traveller`], which the conversation can't change.
pub fn travel_agent(
    model: impl Model + 'static,
    traveller: Traveller,
    store: Arc<Store>,
    clock: Clock,
) -> AgentBuilder {
    let rules = include_str!("prompt.md").trim_end();
    let prompt =
        format!("{rules}\n\n{TRAVELLER}{}, {}, based in {}.", traveller.name, traveller.department, traveller.home);
    Agent::builder()
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
        .inject(traveller)
        .inject(store)
        .inject(clock)
}

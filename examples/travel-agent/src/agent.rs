//! The composition: model, prompt, tools and the host values they borrow. Every host of the travel agent calls this.

use std::sync::Arc;

use strands::{Agent, AgentBuilder, models::Model, tools};

use crate::{
    clock::Clock,
    store::Store,
    tools::{
        BookTrip, CancelBooking, CheckPolicy, GetCars, GetHotels, GetTravelPolicies, MyBookings, SearchFlights,
        TodaysDate,
    },
    trip::Traveller,
};

/// What the line of the system prompt begins with that names the traveller.
pub(crate) const TRAVELLER: &str = "Traveller: ";

/// The id under which a session keeps the agent.
const AGENT_ID: &str = "travel_agent";

/// The travel agent for one traveller, ready to be built. A host adds what is its own, such as a session.
///
/// Who the traveller is, the host has established before: from the login here, from a verified token elsewhere. The
/// model reads the name to address them; the tools borrow the [`Traveller`] itself, whatever the conversation says.
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
            CancelBooking,
        ])
        .inject(traveller)
        .inject(store)
        .inject(clock)
}

//! The composition: model, prompt, tools and the host values they borrow. Every host of the travel agent calls this.

use std::sync::Arc;

use strands::{Agent, BuildError, model::Model, tools};

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

/// The travel agent for one traveller.
///
/// Who the traveller is, the host has established before: from the login here, from a verified token elsewhere. The
/// model reads the name to address them; the tools borrow the [`Traveller`] itself, whatever the conversation says.
///
/// # Errors
///
/// [`BuildError`] if a tool lacks a host value, which would be a mistake in this function.
pub async fn build_agent(
    model: impl Model + 'static,
    traveller: Traveller,
    store: Arc<Store>,
    clock: Clock,
) -> Result<Agent, BuildError> {
    let rules = include_str!("prompt.md").trim_end();
    let prompt =
        format!("{rules}\n\n{TRAVELLER}{}, {}, based in {}.", traveller.name, traveller.department, traveller.home);
    Agent::builder()
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
        .build()
        .await
}

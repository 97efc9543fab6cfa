//! Travel desk: offers, policies and bookings, in this process or on an MCP server. Its tools are the same in both.

#[cfg(feature = "mcp")]
mod remote;
#[cfg(feature = "mcp")]
mod secret;

use std::sync::Arc;

use serde::Deserialize as _;
use serde_json::Value;
use strands::{AgentBuilder, Tool, identity::Identity, tools};

#[cfg(feature = "mcp")]
pub(crate) use self::remote::AUDIENCE;
#[cfg(feature = "mcp")]
pub use self::{remote::RemoteDesk, secret::DeskSecret};
use crate::{
    clock::Clock,
    error::TravelError,
    store::Store,
    tools::{
        AllBookings, BookTrip, CancelBooking, CheckPolicy, GetCars, GetHotels, GetTravelPolicies, MyBookings,
        SearchFlights, SearchPolicies,
    },
    trip::{Traveller, TripOrder},
};

/// The travel desk of an agent.
#[derive(Clone, Debug)]
pub enum Desk {
    /// The database, in this process.
    Local(Arc<Store>, Clock),
    /// The MCP server `travel-mcp`.
    #[cfg(feature = "mcp")]
    Remote(Arc<RemoteDesk>),
}

/// Returns the tools of the desk.
pub fn desk_tools() -> Vec<Arc<dyn Tool>> {
    let tools: Vec<Arc<dyn Tool>> = tools![
        GetTravelPolicies,
        SearchPolicies,
        SearchFlights,
        GetHotels,
        GetCars,
        CheckPolicy,
        BookTrip,
        MyBookings,
        AllBookings,
        CancelBooking,
    ];
    #[cfg(feature = "weather")]
    let tools = tools.into_iter().chain(tools![crate::tools::Weather]).collect();
    tools
}

impl Desk {
    /// Adds those tools for a user that `has` accepts by name, with the values that they need.
    ///
    /// # Errors
    ///
    /// Returns [`TravelError::Desk`] if the client of the MCP server can't be made.
    pub fn equip(
        &self,
        builder: AgentBuilder,
        user: &Identity,
        has: impl Fn(&str) -> bool,
    ) -> Result<AgentBuilder, TravelError> {
        #[cfg(not(feature = "mcp"))]
        let _ = user;
        let chosen = |tool: &Arc<dyn Tool>| has(&tool.spec().name);
        match self {
            Self::Local(store, _) => {
                Ok(builder.tools(desk_tools().into_iter().filter(chosen)).inject(Arc::clone(store)))
            }
            #[cfg(feature = "mcp")]
            Self::Remote(desk) => Ok(builder.tools(desk.tools(user)?.into_iter().filter(chosen))),
        }
    }

    /// Returns the employee of an identity. Its name, or else its subject, is the user name. An employee whom a server does not know
    /// now has no home city.
    ///
    /// # Errors
    ///
    /// Returns [`TravelError::UnknownUser`] if there is none.
    pub async fn traveller(&self, user: &Identity) -> Result<Traveller, TravelError> {
        match self {
            Self::Local(store, _) => {
                let user = user.clone();
                Arc::clone(store).run(move |store| store.employee(&user)).await
            }
            #[cfg(feature = "mcp")]
            Self::Remote(desk) => desk.traveller(user).await,
        }
    }

    /// Returns true if the costs of a trip, the arguments of `book_trip`, need a manager's approval.
    ///
    /// # Errors
    ///
    /// Returns [`TravelError`] if the costs can't be found out.
    pub async fn above_cost_limit(&self, user: &Identity, order: &Value) -> Result<bool, TravelError> {
        #[cfg(not(feature = "mcp"))]
        let _ = user;
        match self {
            Self::Local(store, clock) => {
                // The tool refuses what is no order.
                let Ok(order) = TripOrder::deserialize(order) else { return Ok(false) };
                let today = clock.today();
                Arc::clone(store).run(move |store| needs_approval(store, &order, today)).await
            }
            #[cfg(feature = "mcp")]
            Self::Remote(desk) => desk.above_cost_limit(user, order).await,
        }
    }
}

/// Returns true if the costs of a trip need a manager's approval. For an order that makes no sense, `book_trip` has the better error.
pub(crate) fn needs_approval(store: &Store, order: &TripOrder, today: jiff::civil::Date) -> Result<bool, TravelError> {
    match store.check(&order.draft(), today) {
        Ok(verdict) => Ok(verdict.needs_approval),
        Err(error) if error.is_of_the_database() => Err(error),
        Err(_) => Ok(false),
    }
}

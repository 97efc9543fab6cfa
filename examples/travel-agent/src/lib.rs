//! The corporate travel agent: an agent with real policies, offers and bookings over an embedded database.
//!
//! [`agent::travel_agent`] composes it from a model, the traveller and the store. The command line is one host of
//! it; an HTTP service or a function in the cloud calls the same code.

#![allow(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "not published: its own hosts make and match what is in it"
)]

pub mod agent;
pub mod clock;
pub mod error;
pub mod offline;
pub mod policy;
pub mod store;
pub mod tools;
pub mod trip;

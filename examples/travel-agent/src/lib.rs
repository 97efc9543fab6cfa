//! Corporate travel agent: an agent with policies, offers and bookings in an embedded database.
//!
//! [`agent::travel_agent`] builds it from a model, the traveller and the store. The command line is one front end; an HTTP
//! service or a cloud function would call the same code.

#![allow(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "not published: only this package uses these types"
)]

pub mod access;
pub mod agent;
pub mod clock;
pub mod error;
pub mod offline;
pub mod policy;
pub mod store;
pub mod tools;
pub mod trip;

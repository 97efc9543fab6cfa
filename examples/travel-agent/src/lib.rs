//! Corporate travel agent: an agent with policies, offers and bookings in an embedded database.
//!
//! [`agent::TravelAgent`] builds it from a model, the store and the audit, for each user. The command line, the HTTP server and the
//! functions call the same service.

#![allow(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "not published: only this package uses these types"
)]

pub mod access;
pub mod agent;
#[cfg(feature = "auth")]
pub mod auth;
pub mod clock;
pub mod error;
pub mod offline;
pub mod policy;
#[cfg(feature = "auth")]
mod private_file;
pub mod store;
pub mod tools;
pub mod trip;

//! Corporate travel agent: an agent with policies, offers and bookings in an embedded database, or on an MCP server.
//!
//! [`agent::TravelAgent`] makes the agent of each user, and [`desk::Desk`] is where its tools run. [`cli`] has the programs: the chat in
//! the terminal, the other hosts, and the MCP server.

#![allow(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "not published: only this package uses these types"
)]

pub mod access;
pub mod agent;
#[cfg(feature = "auth")]
pub mod auth;
pub mod cli;
pub mod clock;
pub mod desk;
pub mod error;
pub mod knowledge;
pub mod location;
#[cfg(feature = "mcp")]
pub mod mcp_server;
pub mod offline;
pub mod policy;
pub mod services;
pub mod store;
#[cfg(feature = "system")]
pub mod system;
mod team;
pub mod tools;
pub mod trip;
#[cfg(feature = "weather")]
pub mod weather;
#[cfg(feature = "weather")]
pub mod web;

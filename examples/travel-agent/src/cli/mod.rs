//! Command-line front end of the agent.

mod approvals;
mod args;
mod chat;
mod conversation;
#[cfg(feature = "serve")]
mod hosts;
mod identity;
#[cfg(feature = "mcp")]
mod mcp;
mod session;
mod telemetry;
mod terminal;
mod turn;

pub(crate) use args::{Args, Command};
pub(crate) use chat::chat;
pub(crate) use conversation::Conversation;
#[cfg(feature = "serve")]
pub(crate) use hosts::HostCommand;
pub(crate) use telemetry::Telemetry;
pub(crate) use terminal::Terminal;
pub(crate) use turn::{Outcome, Output, turn, with_causes};

//! Command-line front end of the agent.

mod approvals;
mod args;
mod chat;
mod identity;
#[cfg(feature = "mcp")]
mod mcp;
mod session;
mod terminal;
mod turn;

pub(crate) use args::Args;
pub(crate) use chat::chat;
pub(crate) use terminal::Terminal;
pub(crate) use turn::{Outcome, reply, turn, with_causes};

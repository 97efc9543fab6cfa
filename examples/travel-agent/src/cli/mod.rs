//! Command-line front end of the agent.

mod args;
mod chat;
#[cfg(feature = "mcp")]
mod mcp;
mod session;
mod terminal;
mod turn;

pub(crate) use args::Args;
pub(crate) use chat::chat;
pub(crate) use terminal::Terminal;
pub(crate) use turn::{Outcome, turn, with_causes};

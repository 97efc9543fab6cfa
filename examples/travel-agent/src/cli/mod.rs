//! Command-line front end of the agent.

mod approvals;
mod args;
mod chat;
mod conversation;
mod identity;
#[cfg(feature = "mcp")]
mod mcp;
mod session;
mod terminal;
mod turn;

pub(crate) use args::Args;
pub(crate) use chat::chat;
pub(crate) use conversation::Conversation;
pub(crate) use terminal::Terminal;
pub(crate) use turn::{Outcome, Output, turn, with_causes};

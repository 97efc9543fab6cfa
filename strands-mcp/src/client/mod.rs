//! Client: connections to MCP servers, and their tools for agents.

mod stdio;
mod token;

pub use token::{Challenge, TokenSource};

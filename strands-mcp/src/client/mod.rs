//! Client: connections to MCP servers, and their tools for agents.

mod content;
mod description;
mod filter;
mod token;
mod tool_spec;

pub use filter::{ToolFilter, ToolPatternError};
pub use token::{Challenge, TokenSource};

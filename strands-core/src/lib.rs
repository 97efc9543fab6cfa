//! The heart of strands-rs: the vocabulary of a conversation, tools, the [`Agent`] and its event loop. No network, no
//! disk. Programs use it through the `strands-rs` crate, which re-exports it; adapters (models, sessions) build on it.

// Lets the macros' output, which names `::strands`, compile inside this crate's own tests.
#[cfg(test)]
extern crate self as strands;

pub mod interrupt;
pub mod message;
pub mod metrics;
pub mod model;
mod state;
pub mod tool;

pub use interrupt::{Interrupt, InterruptResponse};
pub use state::AgentState;
pub use tool::{
    FromContext, HostKey, IntoToolOutput, Tool, ToolAnnotations, ToolContext, ToolError,
    ToolOutput, ToolPolicy, ToolSet, ToolSetError, ToolSpec, Toolset,
};

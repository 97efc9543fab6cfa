//! For the tests of programs that have agents, and of crates that extend this one: scripted models, contexts to call a tool
//! with, sessions in memory, and the contracts of the traits as test suites.

#[cfg(feature = "contract")]
pub mod contract;
mod memory_sessions;
mod scripted_model;
mod tool_context;

pub use memory_sessions::InMemorySessionManager;
pub use scripted_model::{RecordedRequest, ScriptedModel, ScriptedTurn};
pub use tool_context::ToolContextBuilder;

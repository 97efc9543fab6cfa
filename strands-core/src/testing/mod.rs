//! Test utilities for programs with agents and for crates that extend this one: scripted models, tool contexts, in-memory
//! sessions, a journal that ends attempts, and test suites for the contracts of the traits.

#[cfg(feature = "contract")]
pub mod contract;
mod memory_sessions;
mod recorded_journal;
mod scripted_model;
mod tool_context;

pub use memory_sessions::InMemorySessionManager;
pub use recorded_journal::RecordedJournal;
pub use scripted_model::{RecordedRequest, ScriptedModel, ScriptedTurn};
pub use tool_context::ToolContextBuilder;

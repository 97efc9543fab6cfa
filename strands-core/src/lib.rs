//! Core of strands-rs: messages, tools, the [`Agent`] and its event loop. No network, no
//! disk. Programs use it through the `strands-rs` crate, which re-exports it; adapters (models, sessions) build on it.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod agent;
pub mod conversation;
mod depth;
mod diagnostics;
mod error_chain;
mod event;
mod event_loop;
mod history;
pub mod hook;
mod injected;
pub mod interrupt;
mod journal;
pub mod lenient_json;
mod limits;
pub mod message;
pub mod metrics;
pub mod models;
mod nesting;
mod outcome;
mod prompt;
mod promptable;
mod run;
pub mod schema;
mod schema_validation;
mod scope;
pub mod session;
mod state;
mod stop_reason;
pub mod testing;
pub mod tool;
mod tool_runner;
mod tool_spec;
mod usage;
mod working_set;

pub use agent::{
    Agent, AgentBuilder, AgentStream, Invocation, Plugin, SharedAgent, Snapshot, SnapshotData, SnapshotError,
    StructuredOutput,
};
pub use error_chain::ErrorChain;
pub use event::{AgentEvent, AgentResponse};
pub use history::Repair;
pub use injected::InjectedKey;
pub use interrupt::{Interrupt, InterruptResponse};
pub use journal::{Journal, JournalError, JournalStep};
pub use limits::Limits;
pub use models::RetryPolicy;
pub use outcome::{AgentError, BuildError};
pub use prompt::Prompt;
pub use promptable::{PromptRequest, PromptStream, Promptable};
pub use schema_validation::{JsonSchemaError, JsonSchemaErrorKind};
pub use state::AgentState;
pub use tool::{
    FromContext, IntoToolOutput, Tool, ToolAnnotations, ToolContext, ToolError, ToolOutput, ToolPolicy, ToolProvider,
    ToolSet, ToolSetError, ToolSpec, Toolset,
};
pub use tool_runner::{ToolCall, ToolCallOutcome, ToolRunner};

#[doc(inline)]
pub use strands_macros::{tool, toolset};

// What the public API is made of, so that a program needs no second dependency whose version must match.
pub use async_trait::async_trait;
pub use futures_core::future::BoxFuture;
pub use futures_util::{Stream, StreamExt};
pub use schemars::{self, JsonSchema};
pub use serde::{self, Deserialize, Serialize};
pub use serde_json;
pub use tokio_util::sync::CancellationToken;

/// What the macros' output calls. The name carries the patch version: a `strands-macros` of another release does not
/// find it.
#[doc(hidden)]
pub mod __private0 {
    pub use crate::tool::macro_support::*;
}

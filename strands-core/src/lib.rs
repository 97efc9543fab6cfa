//! Core of strands-rs: messages, tools, the [`Agent`] and its event loop, without network or disk access.
//!
//! Programs use it through the `strands-rs` crate, which re-exports it. Adapters for models and sessions build on it.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod agent;
mod agent_tool;
mod continuation;
pub mod conversation;
mod depth;
mod diagnostics;
mod error_chain;
mod event;
mod event_loop;
pub mod guardrails;
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
pub mod multiagent;
mod nesting;
mod outcome;
mod output_type;
mod prompt;
mod prompt_scope;
mod promptable;
mod reservation;
mod run;
pub mod schema;
mod schema_validation;
mod scope;
pub mod session;
mod state;
mod stop_reason;
pub mod strict_json;
pub mod testing;
mod timers;
pub mod tool;
mod tool_runner;
mod tool_spec;
mod trace_context;
mod usage;
mod wake_filter;
mod working_set;

pub use agent::{
    Agent, AgentBuilder, AgentStream, Invocation, Plugin, SharedAgent, Snapshot, SnapshotData, SnapshotError,
};
pub use agent_tool::AgentTool;
pub use continuation::Continuation;
pub use error_chain::ErrorChain;
pub use event::{AgentEvent, AgentResponse};
pub use history::Repair;
pub use injected::InjectedKey;
pub use interrupt::{Interrupt, InterruptResponse, InterruptedCall};
pub use journal::{Journal, JournalError, JournalStep};
pub use limits::Limits;
pub use models::RetryPolicy;
pub use outcome::{AgentError, BuildError};
pub use output_type::StructuredOutput;
pub use prompt::{Prompt, PromptContent, PromptError};
pub use prompt_scope::PromptScope;
pub use promptable::{PromptRequest, PromptResponse, PromptStream, Promptable};
pub use reservation::Reservation;
pub use schema_validation::{JsonSchemaError, JsonSchemaErrorKind};
pub use state::AgentState;
pub use tool::{
    FromContext, IntoTool, IntoToolOutput, Tool, ToolAnnotations, ToolContext, ToolError, ToolFailure, ToolLimiter,
    ToolOutput, ToolPolicy, ToolProvider, ToolSet, ToolSetError, ToolSpec, Toolset,
};
pub use tool_runner::{ToolCall, ToolCallOutcome, ToolRunner};
pub use trace_context::{TraceContext, TraceContextError};

#[doc(inline)]
pub use strands_macros::{tool, toolset};

// Crates and items that public signatures name, so that a program needs no second dependency whose version must match.
// `.ci/external_types.py` fails when one is missing.
#[doc(no_inline)]
pub use {
    async_trait::async_trait,
    bytes,
    futures_core::{future::BoxFuture, stream::FusedStream},
    futures_util::{Stream, StreamExt},
    indexmap,
    schemars::{self, JsonSchema},
    serde::{self, Deserialize, Serialize},
    serde_json,
    tokio_util::sync::CancellationToken,
    uuid,
};

/// Private API for the other crates of this workspace.
#[doc(hidden)]
pub use wake_filter::WakeFilter as __WakeFilter;

/// Private API for the code that macros generate. The name contains the patch version, so that a `strands-macros` of another
/// release fails to compile.
#[doc(hidden)]
pub mod __private0 {
    pub use crate::tool::macro_support::*;
}

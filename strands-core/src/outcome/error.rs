//! Errors of building an agent, and of its invocations.

use std::error::Error as StdError;

use crate::error_chain::ErrorChain;
use crate::journal::JournalError;
use crate::models::{ModelError, StopReason};
use crate::nesting::MAX_DEPTH;
use crate::session::SessionError;
use crate::tool::{ListingError, ToolSetError};

/// An error of building an agent.
///
/// `Display` says what failed, and why. `Debug` prints the same with all sources, which `main` shows when it returns one.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// There is nobody to talk to.
    #[error("the agent has no model: add `.model(..)` to the builder")]
    MissingModel,
    /// A tool borrows a value that the program does not lend.
    #[error(
        "tool `{tool}` needs a `{ty}`: add `.inject(..)` to the builder, or `.injected_per_prompt::<{ty}>()` and inject it \
         with each prompt; if the model should supply it, take it by value"
    )]
    MissingInjectedValue {
        /// The tool.
        tool: String,
        /// The type of the value.
        ty: &'static str,
    },
    /// The tools can't be given to one agent.
    #[error(transparent)]
    Tools(#[from] ToolSetError),
    /// A tool provider could not list its tools.
    #[error("the tool provider `{provider}` could not list its tools: {}", ErrorChain::within(&**source))]
    ToolProvider {
        /// Name of the provider.
        provider: String,
        /// Reason.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// Two plugins have one name.
    #[error("two plugins are named `{name}`: add it once, or rename one")]
    DuplicatePlugin {
        /// The name.
        name: String,
    },
    /// The session can't be read.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// JSON that was given to the builder nests too deep to be stored.
    #[error("{what} nests deeper than 100 levels of arrays and objects; make it flatter")]
    NestedTooDeep {
        /// The message or value.
        what: String,
    },
    /// The agent is built outside of a Tokio runtime, or on one whose timers are off. Timeouts and retries need them.
    #[error("the Tokio runtime has no timers: call `enable_time()` or `enable_all()` on its builder")]
    NoTimers,
}

/// An error that ends an invocation. The history stays valid: the next prompt can use it.
///
/// `Display` says what failed, and why: of a model call, the provider's own message, cut at 300 bytes and without what it
/// quotes of the conversation and without keys. `Debug` prints the same with all sources, which `main` shows when it returns one.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// The model call failed, and retrying did not help or was no use.
    #[error("the model call failed after {attempts} attempt{}: {}", plural(*attempts), source.with_message())]
    Model {
        /// Number of attempts.
        attempts: u32,
        /// The last failure.
        #[source]
        source: ModelError,
    },
    /// The conversation does not fit the model's context window and could not be shortened any further.
    #[error("the conversation does not fit the model's context window; what was tried: {tried}{}", source.message_clause())]
    ContextOverflow {
        /// Attempts of the conversation manager to reduce the conversation.
        tried: String,
        /// The provider's error.
        #[source]
        source: ModelError,
    },
    /// The conversation manager failed.
    #[error("the conversation manager `{manager}` failed: {}", ErrorChain::within(&**source))]
    Conversation {
        /// The manager.
        manager: &'static str,
        /// Reason.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A hook failed.
    #[error("a hook failed in `{event}`: {}", ErrorChain::within(&**source))]
    Hook {
        /// The event that it was called for.
        event: &'static str,
        /// Reason.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The session could not be written. The conversation goes on in memory and the next invocation writes what is
    /// missing; after a conflict with another worker, build the agent again.
    #[error("the session could not be written: {0}")]
    Session(#[from] SessionError),
    /// A durable engine's journal failed. Let the engine decide what to do: on most, the attempt ends here and is
    /// replayed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A journal was lent to an agent with a session: a replay would open a session that holds the first attempt.
    #[error("an agent with a session manager can't use a journal: keep a snapshot in the engine's state instead")]
    JournalWithSession,
    /// The invocation was made by a tool or a hook of an agent that was called by a tool or a hook of an agent, and so on,
    /// on one stack: what a tool spawns as a task of its own does not count.
    #[error(
        "agents are nested {depth} levels deep, and {limit} are allowed: a tool that calls an agent may call itself"
    )]
    NestedTooDeep {
        /// Nesting depth of the refused invocation, one-based.
        depth: usize,
        /// Maximum nesting depth.
        limit: usize,
    },
    /// JSON in a prompt, or in an answer to an interrupt, nests too deep to be stored.
    #[error("{what} nests deeper than 100 levels of arrays and objects; make it flatter")]
    JsonTooDeep {
        /// The message or the answer.
        what: String,
    },
    /// The conversation can't be rewound to this message.
    #[error("can't rewind to message {index}: {reason}")]
    Rewind {
        /// The zero-based index in [`Agent::messages`](crate::Agent::messages).
        index: usize,
        /// Reason.
        reason: &'static str,
    },
    /// A tool borrows a value that was to be injected with the prompt.
    #[error("tool `{tool}` needs a `{ty}` with each prompt: add `.inject(..)` to the invocation")]
    MissingInjectedValue {
        /// The tool.
        tool: String,
        /// The type of the value.
        ty: &'static str,
    },
    /// The tools of this invocation can't be given to one agent.
    #[error(transparent)]
    Tools(#[from] ToolSetError),
    /// The agent waits for a human's answer.
    #[error(
        "the agent waits for an answer to {}: call `.resume(..)` on the invocation, or drop the question with \
         `agent.discard_interrupts().await`", interrupts.join(", ")
    )]
    Interrupted {
        /// The ids of the questions.
        interrupts: Vec<String>,
    },
    /// An answer to a question that nobody asked.
    #[error("no interrupt `{id}` waits for an answer")]
    UnknownInterrupt {
        /// The id in the answer.
        id: String,
    },
    /// The model did not give the structured output it was asked for.
    #[error("the model did not give a valid `{output}` in {attempts} attempts: {reason}")]
    InvalidOutput {
        /// The name of the type.
        output: String,
        /// Number of attempts.
        attempts: u32,
        /// Mistake of the last attempt.
        reason: String,
    },
    /// The invocation ended before there was a structured output.
    #[error("the invocation ended with `{stop_reason}` before there was an output")]
    NoOutput {
        /// Reason why it ended.
        stop_reason: StopReason,
    },
    /// The tool that the structured output is asked for with has the name of one of the agent's tools, or the stored schema
    /// of the output is not supported.
    #[error("the output type can't be asked for: {reason}")]
    OutputType {
        /// Reason.
        reason: String,
    },
    /// A shared agent works on another prompt.
    #[error("`{name}` works on another prompt: wait for its end, or build an agent for each prompt")]
    Busy {
        /// Name of the agent.
        name: String,
    },
    /// The agent for this prompt could not be built.
    #[error("the agent could not be built: {0}")]
    Build(#[from] BuildError),
    /// Something that was prompted failed for a reason of its own, such as a remote agent.
    #[error("`{name}` failed: {}", ErrorChain::within(&**source))]
    Promptable {
        /// Name of what was prompted.
        name: String,
        /// Reason.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// There is nothing to send to the model.
    #[error("there is nothing to send: the prompt and the history are empty; prompt with a text")]
    EmptyConversation,
    /// The prompt is empty, no interrupt is pending, and the conversation ends with a response: another model call would
    /// have nothing to respond to.
    #[error(
        "there is nothing to respond to: the prompt is empty, no interrupt is pending, and the conversation ends with a \
         response; prompt with a text"
    )]
    NothingToAnswer,
}

impl AgentError {
    /// The error of an invocation at a depth that is not allowed.
    pub(crate) fn nested_too_deep(depth: usize) -> Self {
        Self::NestedTooDeep { depth, limit: MAX_DEPTH }
    }

    /// The failure of a hook that was called for `event`.
    pub(crate) fn in_hook(event: &'static str) -> impl FnOnce(Box<dyn StdError + Send + Sync>) -> Self {
        move |source| Self::Hook { event, source }
    }
}

impl From<ListingError> for BuildError {
    fn from(error: ListingError) -> Self {
        match error {
            ListingError::Provider { provider, source } => Self::ToolProvider { provider, source },
            ListingError::Tools(error) => Self::Tools(error),
        }
    }
}

crate::error_chain::debug_with_sources!(BuildError, AgentError);

/// Returns the ending of a noun.
fn plural(number: u32) -> &'static str {
    if number == 1 { "" } else { "s" }
}

//! Errors of building an agent, and of its invocations.

use std::error::Error as StdError;

use crate::continuation::Continuation;
use crate::error_chain::ErrorChain;
use crate::interrupt::Interrupt;
use crate::journal::JournalError;
use crate::models::{ModelError, StopReason};
use crate::nesting::MAX_DEPTH;
use crate::session::SessionError;
use crate::tool::{ListingError, ToolSetError};

/// An error of building an agent.
///
/// `Display` prints the failure and its cause. `Debug` adds all sources, and is what `main` prints when it returns an error.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The builder has no model.
    #[error("the agent has no model: add `.model(..)` to the builder")]
    MissingModel,
    /// A tool requires a value that was not injected.
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
    /// The tools conflict.
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
    /// Two plugins have the same name.
    #[error("two plugins are named `{name}`: add the plugin once, or rename one")]
    DuplicatePlugin {
        /// The name.
        name: String,
    },
    /// The session could not be read.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// JSON passed to the builder nests too deep to be stored.
    #[error("{what} nests deeper than 100 levels of arrays and objects; make it flatter")]
    NestedTooDeep {
        /// The message or value.
        what: String,
    },
    /// The agent was built, or the graph, swarm or remote agent prompted, outside of a Tokio runtime, or on one without timers, which
    /// timeouts and retries need.
    #[error("the Tokio runtime has no timers: call `enable_time()` or `enable_all()` on its builder")]
    NoTimers,
}

/// An error that ends an invocation. The history stays valid for the next prompt.
///
/// `Display` prints the failure and its cause. For a model call that is the provider's message, truncated to 300 bytes,
/// without quotes of the conversation and without keys. `Debug` adds all sources, and is what `main` prints when it returns
/// an error.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// The model call failed, after retries if the error is retryable.
    #[error("the model call failed after {attempts} attempt{}: {}", plural(*attempts), source.with_message())]
    Model {
        /// Number of attempts.
        attempts: u32,
        /// The last failure.
        #[source]
        source: ModelError,
    },
    /// The conversation does not fit the model's context window, and could not be reduced further.
    #[error("the conversation does not fit the model's context window; tried: {tried}{}", source.message_clause())]
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
    /// The session could not be opened, read or written. The conversation of an agent stays in memory, and its next invocation writes the
    /// missing parts. After a conflict with another worker, build the agent again, or run the graph again.
    #[error("the session failed: {0}")]
    Session(#[from] SessionError),
    /// The journal of a durable engine failed. Return the error to the engine; most engines end the attempt here and
    /// replay it.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A journal was passed to an agent with a session. A replay would open a session with the messages of the first attempt.
    #[error("an agent with a session manager can't use a journal: keep a snapshot in the engine's state instead")]
    JournalWithSession,
    /// Agents that call each other through tools or hooks are nested too deep on one stack. An agent in a task spawned by a
    /// tool does not count.
    #[error(
        "agents are nested {depth} levels deep, and {limit} are allowed: check for a tool that calls its own agent"
    )]
    NestedTooDeep {
        /// One-based nesting depth of the rejected invocation.
        depth: usize,
        /// Maximum nesting depth.
        limit: usize,
    },
    /// JSON in a prompt, or in a response to an interrupt, nests too deep to be stored.
    #[error("{what} nests deeper than 100 levels of arrays and objects; make it flatter")]
    JsonTooDeep {
        /// The message or the response.
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
    /// A tool, a node of a graph or a member of a swarm requires a value that was not injected with the prompt.
    #[error("`{tool}` needs a `{ty}` with each prompt: add `.inject(..)` to the invocation")]
    MissingInjectedValue {
        /// The tool, the node or the member.
        tool: String,
        /// The type of the value.
        ty: &'static str,
    },
    /// The tools of this invocation conflict.
    #[error(transparent)]
    Tools(#[from] ToolSetError),
    /// The agent, or the run of a graph or swarm, is suspended with interrupts that have no response.
    #[error(
        "waiting for responses to {}: call `.resume(..)` on the invocation, or discard the interrupts with \
         `discard_interrupts()` of the agent, or `discard_run()` of the graph or swarm", interrupts.join(", ")
    )]
    Interrupted {
        /// Ids of the interrupts.
        interrupts: Vec<String>,
    },
    /// A response to an interrupt that is not pending.
    #[error("no pending interrupt `{id}`")]
    UnknownInterrupt {
        /// The interrupt id of the response.
        id: String,
    },
    /// The invocation failed, and left the agent suspended. Nothing is lost: it can be resumed again. Returned by an invocation
    /// that owns its agent, by the streams of a [`Promptable`](crate::Promptable), and by direct tool calls.
    #[error("{source}; the agent is still suspended, and can be resumed again")]
    Suspended {
        /// The failure.
        source: Box<AgentError>,
        /// The pending interrupts. For a direct tool call, empty if they are still those of before.
        interrupts: Vec<Interrupt>,
        /// The state with which it continues. `None` if it is in a session, or in a [`SharedAgent`](crate::SharedAgent).
        continuation: Option<Continuation>,
    },
    /// A tool that keeps its context was called directly, and not by the model of an agent: such calls have no conversation to which
    /// the context belongs, and may come from several callers.
    #[error(
        "tool `{tool}` keeps its context, and can't be called directly: give it to an agent, or offer it without kept context"
    )]
    KeptContext {
        /// The tool.
        tool: String,
    },
    /// The model did not return the requested structured output.
    #[error("the model did not return a valid `{output}` in {attempts} attempts: {reason}")]
    InvalidOutput {
        /// The name of the type.
        output: String,
        /// Number of attempts.
        attempts: u32,
        /// Validation error of the last attempt.
        reason: String,
    },
    /// The invocation ended before there was a structured output.
    #[error("the invocation ended with `{stop_reason}` before there was an output")]
    NoOutput {
        /// Reason for the end.
        stop_reason: StopReason,
    },
    /// The structured output has the name of one of the agent's tools, or its stored schema is not supported.
    #[error("the output type can't be requested: {reason}")]
    OutputType {
        /// Reason.
        reason: String,
    },
    /// A shared agent is processing another prompt.
    #[error("`{name}` is processing another prompt: wait for its end, or build an agent for each prompt")]
    Busy {
        /// Name of the agent.
        name: String,
    },
    /// The agent for this prompt could not be built.
    #[error("the agent could not be built: {0}")]
    Build(#[from] BuildError),
    /// A [`Promptable`](crate::Promptable) failed, such as a remote agent.
    #[error("`{name}` failed: {}", ErrorChain::within(&**source))]
    Promptable {
        /// Name of the promptable.
        name: String,
        /// Reason.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A [`Promptable`](crate::Promptable) ended without a response, which is a defect in it.
    #[error("`{name}` ended without a response")]
    NoResponse {
        /// Name of the promptable.
        name: String,
    },
    /// The prompt and the history are both empty.
    #[error("nothing to send: the prompt and the history are empty; prompt with a text")]
    EmptyConversation,
    /// The prompt is empty, no interrupt is pending, and the conversation ends with a response, so that a model call would
    /// have nothing to respond to. Of a graph or swarm: there is no run that goes on with an empty prompt.
    #[error("nothing to respond to: the prompt is empty, and no interrupt or run is pending; prompt with a text")]
    NothingToRespondTo,
}

impl AgentError {
    /// Creates the error of an invocation that is nested too deep.
    pub(crate) fn nested_too_deep(depth: usize) -> Self {
        Self::NestedTooDeep { depth, limit: MAX_DEPTH }
    }

    /// Returns the failure itself: that of an agent which it left [suspended](Self::Suspended), or this error.
    pub fn failure(&self) -> &Self {
        match self {
            Self::Suspended { source, .. } => source.failure(),
            error => error,
        }
    }

    /// Wraps the error of a hook that was called for `event`.
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

/// Returns the plural ending of a noun.
fn plural(number: u32) -> &'static str {
    if number == 1 { "" } else { "s" }
}

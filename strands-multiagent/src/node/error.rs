//! [`NodeError`], the failure of a node.

use std::error::Error as StdError;
use std::time::Duration;

use strands_core::models::StopReason;
use strands_core::{AgentError, ErrorChain, Interrupt};

/// Maximum length of a failure in events and results, in bytes.
const MAX_TEXT: usize = 1024;

/// Failure of a node of a graph, or of a member of a swarm.
///
/// A function that is a node may return any error that converts to this one: a `Box<dyn Error + Send + Sync>` as well as a text.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The agent, or what else takes prompts, failed.
    #[error(transparent)]
    Agent(Box<AgentError>),
    /// The function returned an error.
    #[error(transparent)]
    Function(Box<dyn StdError + Send + Sync>),
    /// The function panicked.
    #[error("panicked: {message}")]
    Panicked {
        /// Message of the panic, at most 1 KiB.
        message: String,
    },
    /// The node took longer than its timeout.
    #[error("timed out after {after:?}")]
    Timeout {
        /// The timeout.
        after: Duration,
    },
    /// The agent was stopped by limits of its own, or did not respond for another reason. A function gets this error of
    /// [`NodeContext::prompt`](super::NodeContext::prompt) if the run was stopped.
    #[error("it ended with `{reason}`")]
    Stopped {
        /// Stop reason of the agent.
        reason: StopReason,
    },
    /// A hook denied the node.
    #[error("denied: {reason}")]
    Denied {
        /// Reason of the hook.
        reason: String,
    },
    /// The agent's structured output is missing, or is not of the type that the node reads; or the output of a function nests too deep.
    #[error("no valid `{output}`: {reason}")]
    InvalidOutput {
        /// Name of the type.
        output: &'static str,
        /// Reason.
        reason: String,
    },
    /// The process ended while the node was running, and the node may run only once.
    #[error("its process ended while it was running, and it may run only once; check what it has done")]
    OutcomeUnknown,
    /// The list of a node that runs for each item is too long.
    #[error("its list has {count} items, and {max} are allowed")]
    TooManyItems {
        /// Number of items.
        count: usize,
        /// Maximum number of items.
        max: usize,
    },
    /// A function raises interrupts, and runs again with the responses. See [`NodeContext::interrupt`](super::NodeContext::interrupt).
    #[error("it waits for responses to interrupts")]
    Interrupted(Vec<Interrupt>),
}

strands_core::__debug_with_sources!(NodeError);

impl NodeError {
    /// Creates the error of a function from a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self::Function(text.into().into())
    }

    /// Returns the failure with its sources, at most 1 KiB, for events and results.
    pub(crate) fn text(&self) -> String {
        let mut text = ErrorChain::new(self).to_string();
        text.truncate(text.floor_char_boundary(MAX_TEXT));
        text
    }

    /// Returns the stop reason of an agent that was cut off, also if a function has wrapped the error.
    pub(crate) fn stop_reason(&self) -> Option<&StopReason> {
        let mut error: Option<&(dyn StdError + 'static)> = match self {
            Self::Stopped { reason } => return Some(reason),
            Self::Function(source) => Some(&**source),
            _ => None,
        };
        while let Some(source) = error {
            if let Some(Self::Stopped { reason }) = source.downcast_ref() {
                return Some(reason);
            }
            error = source.source();
        }
        None
    }

    /// Returns true if another attempt may succeed.
    pub(crate) fn is_repeatable(&self) -> bool {
        match self {
            Self::Agent(error) => !matches!(
                **error,
                AgentError::NestedTooDeep { .. }
                    | AgentError::UnknownInterrupt { .. }
                    | AgentError::MissingInjectedValue { .. }
                    | AgentError::Build(_)
            ),
            Self::Function(_)
            | Self::Panicked { .. }
            | Self::Timeout { .. }
            | Self::Stopped { .. }
            | Self::InvalidOutput { .. } => true,
            Self::Denied { .. } | Self::OutcomeUnknown | Self::TooManyItems { .. } | Self::Interrupted(_) => false,
        }
    }
}

impl From<AgentError> for NodeError {
    fn from(error: AgentError) -> Self {
        Self::Agent(Box::new(error))
    }
}

impl From<Box<dyn StdError + Send + Sync>> for NodeError {
    fn from(error: Box<dyn StdError + Send + Sync>) -> Self {
        match error.downcast::<Self>() {
            Ok(error) => *error,
            Err(error) => Self::Function(error),
        }
    }
}

impl From<String> for NodeError {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for NodeError {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<std::convert::Infallible> for NodeError {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

//! Failure of a turn, in a form that an engine may keep: without content of the conversation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strands_core::AgentError;

/// Kind of a [`TurnFailure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureKind {
    /// The request is invalid.
    InvalidRequest,
    /// The model call failed, after retries if the error is retryable.
    Model,
    /// The conversation does not fit the model's context window.
    ContextOverflow,
    /// The model returned no structured output.
    NoOutput,
    /// The turn or one of its steps was cancelled.
    Cancelled,
    /// A step took longer than the engine allows.
    Timeout,
    /// A record is too large for the engine.
    TooLarge,
    /// A hook, a conversation manager or another part of the agent failed.
    Agent,
    /// The agent of the turn is configured in a way that an engine can't run.
    Configuration,
}

impl FailureKind {
    /// Returns the HTTP status code of the kind, which engines report.
    pub fn status_code(self) -> u16 {
        match self {
            Self::InvalidRequest => 400,
            Self::Cancelled => 409,
            Self::TooLarge | Self::ContextOverflow => 413,
            Self::Model | Self::NoOutput => 502,
            Self::Timeout => 504,
            Self::Agent | Self::Configuration => 500,
        }
    }
}

/// Failure of a turn. It is terminal: the same records would lead to the same failure again, so that an engine must not
/// repeat the turn.
///
/// Its text has nothing of the conversation, since engines show it to operators. The worker logs the [`AgentError`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct TurnFailure {
    /// The kind.
    pub kind: FailureKind,
    /// Description, without content of the conversation.
    pub message: String,
}

strands_core::__debug_with_sources!(TurnFailure);

impl TurnFailure {
    pub(crate) fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Returns the failure for the error of an invocation whose effects are recorded. Errors of the journal are up to the
    /// engine.
    pub(crate) fn of(error: &AgentError) -> Self {
        use FailureKind as Kind;
        let (kind, message) = match error {
            AgentError::Model { attempts, source } => {
                let kind = serde_json::to_value(source.kind()).unwrap_or_default();
                let kind = kind.as_str().unwrap_or("unknown");
                return Self::new(Kind::Model, format!("the model call failed after {attempts} attempts: {kind}"));
            }
            AgentError::Hook { event, .. } => {
                return Self::new(Kind::Agent, format!("a hook failed in `{event}`"));
            }
            AgentError::ContextOverflow { .. } => {
                (Kind::ContextOverflow, "the conversation does not fit the model's context window")
            }
            AgentError::InvalidOutput { .. } | AgentError::NoOutput { .. } => {
                (Kind::NoOutput, "the model did not return the requested structured output")
            }
            AgentError::JournalWithSession => {
                (Kind::Configuration, "the agent has a session manager: remove it, since the engine stores the session")
            }
            AgentError::JsonTooDeep { .. } => {
                (Kind::InvalidRequest, "JSON of the request nests deeper than 100 levels; make it flatter")
            }
            AgentError::Interrupted { .. } => (
                Kind::InvalidRequest,
                "the conversation waits for responses to its interrupts: send them instead of a prompt",
            ),
            AgentError::EmptyConversation | AgentError::NothingToRespondTo => {
                (Kind::InvalidRequest, "nothing to respond to: send a prompt")
            }
            AgentError::UnknownInterrupt { .. } => (Kind::InvalidRequest, "a response is to no pending interrupt"),
            AgentError::MissingInjectedValue { .. } => {
                (Kind::Configuration, "a tool needs a value with each prompt: inject it into the builder")
            }
            AgentError::Conversation { .. } => (Kind::Agent, "the conversation manager failed"),
            _ => (Kind::Agent, "the agent failed; the log of the worker has the error"),
        };
        Self::new(kind, message)
    }
}

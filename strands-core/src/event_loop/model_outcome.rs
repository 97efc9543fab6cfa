//! Outcomes of a model call and of its attempts.

use std::time::Duration;

use crate::message::{Message, Role};
use crate::metrics::Usage;
use crate::models::{ModelCapabilities, ModelError, StopReason, Turn};
use crate::nesting::Spent;
use crate::outcome::AgentError;
use crate::state::StateChanges;

/// Outcome of a model call.
pub(super) enum ModelOutcome {
    Completed(Box<Turn>),
    /// The invocation was stopped; this is the partial response.
    Stopped {
        reason: StopReason,
        partial: Box<PartialResponse>,
    },
}

/// A response that was cut off.
pub(super) struct PartialResponse {
    pub(super) message: Message,
    pub(super) usage: Usage,
    pub(super) redact_user: Option<String>,
}

impl PartialResponse {
    pub(super) fn empty() -> Self {
        Self { message: Message::new(Role::Assistant, [""; 0]), usage: Usage::default(), redact_user: None }
    }
}

impl ModelOutcome {
    pub(super) fn stopped(reason: StopReason) -> Self {
        Self::Stopped { reason, partial: Box::new(PartialResponse::empty()) }
    }
}

/// Outcome of one attempt.
pub(super) enum AttemptOutcome {
    /// A hook denied the call and supplied the response.
    Denied(Box<Turn>),
    Completed(Box<Turn>),
    Stopped {
        reason: StopReason,
        partial: Box<PartialResponse>,
    },
    Failed {
        error: ModelError,
        streamed: bool,
        usage: Usage,
    },
}

/// An attempt, with the decision about the next one.
pub(super) struct Attempt {
    pub(super) outcome: AttemptOutcome,
    /// True if a hook asked for a retry.
    pub(super) retry: bool,
    /// Delay before the next attempt, if the failure is retryable.
    pub(super) delay: Option<Duration>,
    /// Capabilities of the model after a failure, if structured output was requested.
    pub(super) capabilities: Option<ModelCapabilities>,
    /// Failure of a hook. The usage of the attempt still counts.
    pub(super) hook_failure: Option<Box<AgentError>>,
    /// Usage of the agents that hooks called.
    pub(super) nested: Option<Box<Spent>>,
    /// Changes of hooks to the agent's state. Set only if a journal records the attempt.
    pub(super) state: Option<Box<StateChanges>>,
}

impl Attempt {
    pub(super) fn new(outcome: AttemptOutcome) -> Self {
        Self { outcome, retry: false, delay: None, capabilities: None, hook_failure: None, nested: None, state: None }
    }
}

impl AttemptOutcome {
    /// Returns the usage, and the latency in milliseconds of a complete response.
    pub(super) fn cost(&self) -> (Usage, u64) {
        match self {
            Self::Denied(_) => (Usage::default(), 0),
            Self::Completed(turn) => (turn.usage, turn.metrics.latency_ms),
            Self::Stopped { partial, .. } => (partial.usage, 0),
            Self::Failed { usage, .. } => (*usage, 0),
        }
    }
}

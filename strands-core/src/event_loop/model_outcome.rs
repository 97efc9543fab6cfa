//! The outcomes of a model call, and of each of its attempts.

use std::time::Duration;

use crate::message::{Message, Role};
use crate::metrics::Usage;
use crate::models::{ModelCapabilities, ModelError, StopReason, Turn};
use crate::nesting::Spent;
use crate::outcome::AgentError;

/// The outcome of a model call.
pub(super) enum ModelOutcome {
    Answered(Turn),
    /// The invocation was stopped; this much had been said.
    Stopped {
        reason: StopReason,
        partial: PartialResponse,
    },
}

/// A response that was cut short.
pub(super) struct PartialResponse {
    pub(super) message: Message,
    pub(super) usage: Usage,
    pub(super) redact_user: Option<String>,
}

impl PartialResponse {
    pub(super) fn nothing() -> Self {
        Self { message: Message::new(Role::Assistant, [""; 0]), usage: Usage::default(), redact_user: None }
    }
}

impl ModelOutcome {
    pub(super) fn stopped(reason: StopReason) -> Self {
        Self::Stopped { reason, partial: PartialResponse::nothing() }
    }
}

/// The outcome of one attempt.
pub(super) enum Attempt {
    /// A hook has answered in the model's place.
    Denied(Turn),
    Answered(Turn),
    Stopped {
        reason: StopReason,
        partial: PartialResponse,
    },
    Failed {
        error: ModelError,
        streamed: bool,
        usage: Usage,
    },
}

/// An attempt, and what was decided about it.
pub(super) struct Attempted {
    pub(super) attempt: Attempt,
    /// True if a hook wants another one.
    pub(super) retry: bool,
    /// Delay before the next one, after a failure that is worth it.
    pub(super) delay: Option<Duration>,
    /// Capabilities of the model after a failure, if structured output was asked for.
    pub(super) able: Option<ModelCapabilities>,
    /// A hook has failed: what the attempt has cost still counts.
    pub(super) hook_failure: Option<Box<AgentError>>,
    /// Cost of the agents that hooks have called.
    pub(super) nested: Option<Box<Spent>>,
    /// True if a journal has recorded it earlier.
    pub(super) is_replay: bool,
}

impl Attempted {
    pub(super) fn new(attempt: Attempt) -> Self {
        Self { attempt, retry: false, delay: None, able: None, hook_failure: None, nested: None, is_replay: false }
    }
}

impl Attempt {
    /// The tokens, and the milliseconds if they count.
    pub(super) fn cost(&self) -> (Usage, u64) {
        match self {
            Self::Denied(_) => (Usage::default(), 0),
            Self::Answered(turn) => (turn.usage, turn.metrics.latency_ms),
            Self::Stopped { partial, .. } => (partial.usage, 0),
            Self::Failed { usage, .. } => (*usage, 0),
        }
    }
}

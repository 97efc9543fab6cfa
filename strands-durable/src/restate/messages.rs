//! JSON of the handlers beside that of a turn.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strands_core::message::Message;
use strands_core::metrics::Usage;
use strands_core::{Interrupt, InterruptResponse, Limits};

use crate::TurnResponse;

/// Input of `answer`: [`Answers`](crate::Answers), and what an `ObjectAgent` adds to them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AnswerInput {
    pub(super) responses: Vec<InterruptResponse>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(super) metadata: Map<String, Value>,
    /// Limits of turns and tokens from here on, beside those of the turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) limits: Option<Limits>,
}

/// A response as the signal of its interrupt, for the turn that waits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct AnswerSignal {
    pub(super) response: Value,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(super) metadata: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) limits: Option<Limits>,
}

/// Output of the handlers `answer` and `cancel`: the turn that they concern. Input of `cancel` and `watch`: the turn that is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RunReference {
    /// Id of its run. `None` if no turn was running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
}

impl RunReference {
    /// Creates a reference to a run.
    pub fn new(run_id: impl Into<String>) -> Self {
        Self { run_id: Some(run_id.into()) }
    }
}

/// Output of the handler `watch`: a turn that has ended or failed, or one that waits for responses to its interrupts.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WatchedTurn {
    /// The turn has ended.
    Ended(Box<TurnResponse>),
    /// The turn has failed.
    Failed(FailedTurn),
    /// The turn waits.
    Waiting(WaitingTurn),
    /// The turn is queued behind another one of the session, which has waited for responses to its interrupts for a second.
    Blocked,
    /// The turn was not running a second ago: it was queued behind another one, or had just been sent. Watch it again.
    Queued,
}

/// A turn that waits for responses to its interrupts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct WaitingTurn {
    /// One-based number of the wait. It grows when responses are refused as well.
    pub number: u32,
    /// The interrupts.
    pub interrupts: Vec<Interrupt>,
    /// Reason for which the last responses to them were refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Token usage of the turn so far.
    pub usage: Usage,
    /// Number of model calls so far.
    pub turns: u32,
    /// Model calls and tokens that turns elsewhere may have used besides, whose usage is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub unsettled: Option<Limits>,
}

/// A turn that has failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct FailedTurn {
    /// HTTP status of the failure.
    pub status: u16,
    /// Description, without content of the conversation.
    pub message: String,
    /// Token usage of the turn.
    #[serde(default)]
    pub usage: Usage,
    /// Number of model calls of the turn.
    #[serde(default)]
    pub turns: u32,
    /// Model calls and tokens that turns elsewhere may have used besides, whose usage is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub unsettled: Option<Limits>,
}

/// Output of the handler `granted`: the limits of the running turn by its request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct GrantedLimits {
    /// The limits. `None` if the turn has none, or is not running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub limits: Option<Limits>,
}

/// Output of the handler `history`: the conversation at the end of the last turn, and the state of a running one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct SessionHistory {
    /// The messages.
    #[serde(default)]
    pub messages: Vec<Arc<Message>>,
    /// Id of the run of the running turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// Interrupts that the running turn waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interrupts: Vec<Interrupt>,
    /// Reason for which the last responses to them were refused, such as those of a user who may not approve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// The running turn, in the state of the object.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct RunningState {
    pub(super) run_id: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) interrupts: Vec<Interrupt>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refused: Option<String>,
    /// Limits of its request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) limits: Option<Limits>,
}

/// Usage of the last turn that has failed, in the state of the object. The engine keeps its status and its message.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct FailedState {
    pub(super) run_id: String,
    pub(super) usage: Usage,
    pub(super) turns: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) unsettled: Option<Limits>,
}

impl RunningState {
    /// State of a turn that does not wait.
    pub(super) fn new(run_id: &str, limits: Option<Limits>) -> Self {
        Self { run_id: run_id.to_owned(), limits, ..Self::default() }
    }
}

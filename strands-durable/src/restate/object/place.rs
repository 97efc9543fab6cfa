//! The continuation of a request: the object, and the turn that waits in it.

use serde::{Deserialize, Serialize};
use strands_core::metrics::Usage;
use strands_core::{Continuation, Limits};

/// Place where a conversation is.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    pub(super) service: String,
    pub(super) key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) waiting: Option<Waiting>,
}

/// A turn that waits for responses to interrupts.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Waiting {
    pub(super) run_id: String,
    /// Number of the wait.
    pub(super) number: u32,
    /// Ids of the interrupts. Their reasons would nest too deep here.
    pub(super) interrupts: Vec<String>,
    /// Ids of those that have a response.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) responded: Vec<String>,
    /// Usage that was charged so far.
    pub(super) usage: Usage,
    pub(super) turns: u32,
    /// Model calls and tokens that were charged so far for turns elsewhere whose usage is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) unsettled: Option<Limits>,
    /// Limits that the turn has left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) left: Option<Limits>,
}

impl Place {
    /// Reads the continuation of a service. `None` if it is another one.
    pub(super) fn of(continuation: &Continuation, service: &str) -> Option<Self> {
        let place = Self::deserialize(continuation.value()).ok()?;
        (place.service == service).then_some(place)
    }

    /// Returns the continuation.
    pub(super) fn continuation(&self) -> Option<Continuation> {
        serde_json::to_value(self).ok().map(Continuation::new)
    }
}

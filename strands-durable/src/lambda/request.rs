//! Event of an execution, and its result, as JSON.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strands_core::{PromptContent, Snapshot};

use super::failure::Failure;
use crate::{Answers, FailureKind, TurnFailure, TurnResponse};

/// Maximum size of the response of a function, minus a margin for its envelope.
const MAX_RESULT: usize = 6 * 1024 * 1024 - 1024;

/// Event of an execution: a prompt, or responses to the interrupts in a snapshot.
///
/// ```
/// use strands::durable::lambda::ExecutionRequest;
///
/// let request: ExecutionRequest = strands::serde_json::from_str(r#"{"prompt": "Book me a flight to NYC next Monday."}"#)?;
/// assert!(request.snapshot.is_none());
/// # Ok::<(), strands::serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ExecutionRequest {
    /// The prompt. Absent to resume the snapshot with responses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<PromptContent>,
    /// Responses to the pending interrupts of the snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<Answers>,
    /// Id of the session. Default: the ARN of the execution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Values for the [`AgentTemplate`](crate::AgentTemplate), such as the tenant.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// Snapshot of the conversation so far, from the [`ExecutionResult`] before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Snapshot>,
}

impl ExecutionRequest {
    /// Creates a request with a prompt.
    pub fn new(prompt: impl Into<PromptContent>) -> Self {
        Self { prompt: Some(prompt.into()), ..Self::default() }
    }

    /// Creates a request with responses to the pending interrupts of a snapshot.
    pub fn resuming(snapshot: Snapshot, answers: Answers) -> Self {
        Self { answers: Some(answers), snapshot: Some(snapshot), ..Self::default() }
    }
}

/// Result of an execution: the response or the failure of the turn, and the conversation.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExecutionResult {
    /// The response. Its stop reason is `interrupt` if the agent still waits for responses.
    #[serde(flatten)]
    pub response: Option<TurnResponse>,
    /// The failure of the turn, in place of a response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<TurnFailure>,
    /// Snapshot of the conversation, with which the next execution continues.
    pub snapshot: Snapshot,
}

impl ExecutionResult {
    /// Creates a result that the function can return.
    pub(super) fn new(outcome: Result<TurnResponse, TurnFailure>, snapshot: Snapshot) -> Result<Self, Failure> {
        let (response, failure) = match outcome {
            Ok(response) => (Some(response), None),
            Err(failure) => (None, Some(failure)),
        };
        let result = Self { response, failure, snapshot };
        // The envelope has it as a string.
        let size =
            serde_json::to_string(&result).and_then(|json| serde_json::to_string(&json)).map_or(0, |json| json.len());
        if size > MAX_RESULT {
            let text = format!(
                "the result has {size} bytes, and {MAX_RESULT} are allowed; trim the conversation with a conversation \
                 manager"
            );
            return Err(TurnFailure::new(FailureKind::TooLarge, text).into());
        }
        Ok(result)
    }
}

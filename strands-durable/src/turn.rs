//! Request of a turn, and its response, as JSON.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strands_core::message::Message;
use strands_core::metrics::Usage;
use strands_core::models::OutputSchema;
use strands_core::{AgentResponse, Interrupt, Limits, PromptContent, PromptError};

use crate::{FailureKind, TurnFailure};

/// Request of a turn.
///
/// ```
/// use strands::durable::TurnRequest;
///
/// let request: TurnRequest = strands::serde_json::from_str(r#"{"prompt": "Book me a flight to NYC next Monday."}"#)?;
/// assert_eq!(request.metadata.len(), 0);
/// # Ok::<(), strands::serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TurnRequest {
    /// The prompt.
    pub prompt: PromptContent,
    /// Values for the [`AgentTemplate`](crate::AgentTemplate), such as the tenant.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// Limits beside those of the agent: the lower of each holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub limits: Option<Limits>,
    /// Structured output to return.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<TurnOutput>,
    /// Position in a distributed trace that the turn continues, as a W3C `traceparent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Number of durable turns around this one, each of which waits for the next. `ObjectAgent` sets it, and refuses to nest more than 10
    /// levels. Default: 0.
    #[serde(default, skip_serializing_if = "is_outermost")]
    pub depth: u32,
    /// Objects whose turns are around this one, as `service/key`. `ObjectAgent` sets them, and refuses to call one of them, since the call
    /// would be queued behind the turn that waits for it. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub around: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature of `skip_serializing_if`")]
fn is_outermost(depth: &u32) -> bool {
    *depth == 0
}

impl TurnRequest {
    /// Creates a request with a prompt.
    pub fn new(prompt: impl Into<PromptContent>) -> Self {
        Self {
            prompt: prompt.into(),
            metadata: Map::new(),
            limits: None,
            output: None,
            traceparent: None,
            depth: 0,
            around: Vec::new(),
        }
    }
}

/// Structured output that a turn has to return.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TurnOutput {
    /// Name: at most 64 letters, digits, `_` and `-`.
    pub name: String,
    /// Description for the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// JSON Schema of an object.
    pub schema: Value,
}

impl From<OutputSchema> for TurnOutput {
    fn from(output: OutputSchema) -> Self {
        let OutputSchema { name, description, schema, .. } = output;
        Self { name, description, schema }
    }
}

impl From<TurnOutput> for OutputSchema {
    fn from(output: TurnOutput) -> Self {
        let mut schema = Self::new(output.name, output.schema);
        schema.description = output.description;
        schema
    }
}

impl From<PromptError> for TurnFailure {
    fn from(error: PromptError) -> Self {
        Self::new(FailureKind::InvalidRequest, error.to_string())
    }
}

/// Response of a turn.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct TurnResponse {
    /// Text of the response.
    pub text: String,
    /// Last message of the model.
    pub message: Arc<Message>,
    /// Reason for the end of the turn.
    pub stop_reason: String,
    /// Token usage of the turn.
    pub usage: Usage,
    /// Number of model calls of the turn.
    #[serde(default)]
    pub turns: u32,
    /// Model calls and tokens that turns elsewhere may have used besides, whose usage is not known, such as those that were cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub unsettled: Option<Limits>,
    /// Structured output, if one was requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// Totals of the metrics, with the keys of Strands' summary: `total_cycles`, `total_duration`, `tool_usage` and so on.
    pub metrics: Value,
    /// Pending interrupts, if the stop reason is `interrupt`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interrupts: Vec<Interrupt>,
    /// Id of the session.
    pub session_id: String,
    /// Id of the run.
    pub run_id: String,
}

impl TurnResponse {
    pub(crate) fn new(response: &AgentResponse, session_id: &str, run_id: &str) -> Self {
        Self {
            text: response.text(),
            message: Arc::clone(&response.message),
            stop_reason: response.stop_reason.to_string(),
            usage: response.usage,
            turns: response.turns,
            unsettled: None,
            output: response.output.clone(),
            metrics: totals(response),
            interrupts: response.interrupts.clone(),
            session_id: session_id.to_owned(),
            run_id: run_id.to_owned(),
        }
    }
}

/// Returns the metrics without those of each cycle, which grow with the turn.
fn totals(response: &AgentResponse) -> Value {
    let mut metrics = response.metrics.summary().to_json();
    if let Some(metrics) = metrics.as_object_mut() {
        metrics.retain(|key, _| !matches!(&**key, "traces" | "agent_invocations"));
    }
    metrics
}

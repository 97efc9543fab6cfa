//! Traces: cycles, model calls and tool calls with their durations.

use std::sync::Arc;
use std::time::{Duration, SystemTime, TryFromFloatSecsError, UNIX_EPOCH};

use schemars::JsonSchema;
use serde::Deserialize;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};
use tokio::time::Instant;
use uuid::Uuid;

use super::schema_as;
use crate::message::{Message, ToolUse, random_uuid};

/// A step of an agent with its child steps: a cycle with its model calls and tool calls.
///
/// Names are formatted when they are read, to keep recording cheap.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "TraceJson")]
pub struct Trace {
    id: Uuid,
    parent: Option<Uuid>,
    step: Step,
    /// Time since the Unix epoch, in whole microseconds: the precision of a JSON number of seconds.
    start: Duration,
    took: Option<Duration>,
    began: Instant,
    children: Vec<Trace>,
}

#[derive(Clone, Debug)]
enum Step {
    Cycle(u64),
    ModelCall(Arc<Message>),
    ToolCall(Arc<ToolUse>),
    /// A step of a trace that was read from JSON.
    Deserialized(Box<DeserializedStep>),
}

#[derive(Clone, Debug)]
struct DeserializedStep {
    name: String,
    raw_name: Option<String>,
    message: Option<Arc<Message>>,
}

/// Number of child steps to reserve space for: most cycles have a model call and a tool call.
const CHILDREN: usize = 2;

impl Trace {
    pub(super) fn cycle(number: u64) -> Self {
        Self {
            id: random_uuid(),
            parent: None,
            step: Step::Cycle(number),
            start: whole_micros(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()),
            took: None,
            began: Instant::now(),
            children: Vec::new(),
        }
    }

    pub(super) fn add_model_call(&mut self, response: Arc<Message>, took: Duration) {
        self.add(Step::ModelCall(response), took);
    }

    pub(super) fn add_tool_call(&mut self, call: Arc<ToolUse>, took: Duration) {
        self.add(Step::ToolCall(call), took);
    }

    /// Adds a step that has just ended.
    fn add(&mut self, step: Step, took: Duration) {
        let began = Instant::now().checked_sub(took).unwrap_or(self.began);
        if self.children.is_empty() {
            self.children.reserve_exact(CHILDREN);
        }
        self.children.push(Self {
            id: random_uuid(),
            parent: Some(self.id),
            step,
            start: self.start.saturating_add(whole_micros(began.saturating_duration_since(self.began))),
            took: Some(took),
            began,
            children: Vec::new(),
        });
    }

    pub(super) fn end(&mut self) {
        self.took = Some(self.began.elapsed());
    }

    /// Returns the id of the step.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Returns the name of the step: `Cycle 1`, `stream_messages`, `Tool: get_weather`.
    pub fn name(&self) -> String {
        match &self.step {
            Step::Cycle(number) => format!("Cycle {number}"),
            Step::ModelCall(_) => "stream_messages".to_owned(),
            Step::ToolCall(call) => format!("Tool: {}", call.name),
            Step::Deserialized(step) => step.name.clone(),
        }
    }

    /// Returns the name of a tool call's step with the call's id.
    pub fn raw_name(&self) -> Option<String> {
        match &self.step {
            Step::ToolCall(call) => Some(format!("{} - {}", call.name, call.tool_use_id)),
            Step::Deserialized(step) => step.raw_name.clone(),
            Step::Cycle(_) | Step::ModelCall(_) => None,
        }
    }

    /// Returns the start, as the time since the Unix epoch.
    pub fn start(&self) -> Duration {
        self.start
    }

    /// Returns the duration; `None` while the step is in progress.
    pub fn duration(&self) -> Option<Duration> {
        self.took
    }

    /// Returns the child steps.
    pub fn children(&self) -> &[Trace] {
        &self.children
    }

    /// Returns the message of a model call's step.
    pub fn message(&self) -> Option<&Arc<Message>> {
        match &self.step {
            Step::ModelCall(response) => Some(response),
            Step::Deserialized(step) => step.message.as_ref(),
            Step::Cycle(_) | Step::ToolCall(_) => None,
        }
    }
}

/// Uses the keys of Strands, with times in seconds, as `TraceJson` does.
impl Serialize for Trace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let end = self.took.map(|took| self.start.saturating_add(took));
        let mut trace = serializer.serialize_map(None)?;
        trace.serialize_entry("id", &self.id)?;
        trace.serialize_entry("name", &self.name())?;
        trace.serialize_entry("raw_name", &self.raw_name())?;
        trace.serialize_entry("parent_id", &self.parent)?;
        trace.serialize_entry("start_time", &self.start.as_secs_f64())?;
        trace.serialize_entry("end_time", &end.map(|end| end.as_secs_f64()))?;
        trace.serialize_entry("duration", &self.took.map(|took| took.as_secs_f64()))?;
        trace.serialize_entry("children", &self.children)?;
        trace.serialize_entry("metadata", &Map::new())?;
        trace.serialize_entry("message", &self.message())?;
        trace.end()
    }
}

/// A step of an agent with its child steps: a cycle with its model calls and tool calls.
#[derive(Deserialize, JsonSchema)]
struct TraceJson {
    /// Id of the step.
    #[schemars(with = "String", extend("format" = "uuid"))]
    id: Uuid,
    /// Name of the step: `Cycle 1`, `stream_messages`, `Tool: get_weather`.
    name: String,
    /// Name of a tool call's step with the call's id.
    raw_name: Option<String>,
    /// Id of the parent step.
    #[schemars(with = "Option<String>", extend("format" = "uuid"))]
    parent_id: Option<Uuid>,
    /// Start of the step, in seconds since the Unix epoch.
    start_time: f64,
    /// End of the step, in seconds since the Unix epoch; null while it is in progress.
    #[serde(rename = "end_time")]
    _end_time: Option<f64>,
    /// Duration of the step, in seconds; null while it is in progress.
    duration: Option<f64>,
    /// Child steps.
    children: Vec<Trace>,
    /// Always empty.
    #[serde(rename = "metadata")]
    _metadata: Map<String, Value>,
    /// Message of a model call's step.
    message: Option<Arc<Message>>,
}

schema_as!(Trace, "Trace", TraceJson);

impl TryFrom<TraceJson> for Trace {
    type Error = TryFromFloatSecsError;

    fn try_from(json: TraceJson) -> Result<Self, Self::Error> {
        let TraceJson { id, name, raw_name, parent_id, start_time, duration, children, message, .. } = json;
        // Rounds to the nearest microsecond, since a float of seconds is not exact.
        let start = Duration::try_from_secs_f64(start_time)?.saturating_add(Duration::from_nanos(500));
        Ok(Self {
            id,
            parent: parent_id,
            step: Step::Deserialized(Box::new(DeserializedStep { name, raw_name, message })),
            start: whole_micros(start),
            took: duration.map(Duration::try_from_secs_f64).transpose()?,
            began: Instant::now(),
            children,
        })
    }
}

fn whole_micros(time: Duration) -> Duration {
    Duration::new(time.as_secs(), time.subsec_micros() * 1_000)
}

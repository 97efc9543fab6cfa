//! What an agent did, step by step, and for how long.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::ser::{Serialize, SerializeMap, Serializer};
use tokio::time::Instant;
use uuid::Uuid;

use crate::message::{Message, ToolUse, random_uuid};

/// A step of an agent's work, with the steps inside it.
///
/// Steps are recorded in the middle of the work, so they are kept as they come; names are written when they are read.
#[derive(Clone, Debug)]
pub struct Trace {
    id: Uuid,
    parent: Option<Uuid>,
    step: Step,
    /// Since 1970.
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
}

impl Trace {
    pub(super) fn cycle(number: u64) -> Self {
        Self {
            id: random_uuid(),
            parent: None,
            step: Step::Cycle(number),
            start: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            took: None,
            began: Instant::now(),
            children: Vec::new(),
        }
    }

    pub(super) fn add_model_call(&mut self, answer: Arc<Message>, took: Duration) {
        self.add(Step::ModelCall(answer), took);
    }

    pub(super) fn add_tool_call(&mut self, call: Arc<ToolUse>, took: Duration) {
        self.add(Step::ToolCall(call), took);
    }

    /// A step that has just ended.
    fn add(&mut self, step: Step, took: Duration) {
        let began = Instant::now().checked_sub(took).unwrap_or(self.began);
        self.children.push(Self {
            id: random_uuid(),
            parent: Some(self.id),
            step,
            start: self.start + began.saturating_duration_since(self.began),
            took: Some(took),
            began,
            children: Vec::new(),
        });
    }

    pub(super) fn end(&mut self) {
        self.took = Some(self.began.elapsed());
    }

    /// Names the step.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// What was done: `Cycle 1`, `stream_messages`, `Tool: get_weather`.
    pub fn name(&self) -> String {
        match &self.step {
            Step::Cycle(number) => format!("Cycle {number}"),
            Step::ModelCall(_) => "stream_messages".to_owned(),
            Step::ToolCall(call) => format!("Tool: {}", call.name),
        }
    }

    /// The same with what tells it apart: a tool call's id.
    pub fn raw_name(&self) -> Option<String> {
        match &self.step {
            Step::ToolCall(call) => Some(format!("{} - {}", call.name, call.tool_use_id)),
            Step::Cycle(_) | Step::ModelCall(_) => None,
        }
    }

    /// When it began, counted from 1970.
    pub fn start(&self) -> Duration {
        self.start
    }

    /// How long it took; `None` while it goes on.
    pub fn duration(&self) -> Option<Duration> {
        self.took
    }

    /// The steps inside it.
    pub fn children(&self) -> &[Trace] {
        &self.children
    }

    /// The message that came of it.
    pub fn message(&self) -> Option<&Arc<Message>> {
        match &self.step {
            Step::ModelCall(answer) => Some(answer),
            Step::Cycle(_) | Step::ToolCall(_) => None,
        }
    }
}

/// The keys are those of Strands; times are seconds.
impl Serialize for Trace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let end = self.took.map(|took| self.start + took);
        let mut trace = serializer.serialize_map(None)?;
        trace.serialize_entry("id", &self.id)?;
        trace.serialize_entry("name", &self.name())?;
        trace.serialize_entry("raw_name", &self.raw_name())?;
        trace.serialize_entry("parent_id", &self.parent)?;
        trace.serialize_entry("start_time", &self.start.as_secs_f64())?;
        trace.serialize_entry("end_time", &end.map(|end| end.as_secs_f64()))?;
        trace.serialize_entry("duration", &self.took.map(|took| took.as_secs_f64()))?;
        trace.serialize_entry("children", &self.children)?;
        trace.serialize_entry("metadata", &serde_json::Map::new())?;
        trace.serialize_entry("message", &self.message())?;
        trace.end()
    }
}

//! What an agent did, step by step, and for how long.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::message::{Message, random_uuid};

/// A step of an agent's work, with the steps inside it. Times are seconds since 1970.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Trace {
    /// A UUID.
    pub id: String,
    /// What was done: `Cycle 1`, `stream_messages`, `Tool: get_weather`.
    pub name: String,
    /// The same with what tells it apart, such as a tool call's id.
    pub raw_name: Option<String>,
    /// The step that this is part of.
    pub parent_id: Option<String>,
    /// When it began.
    pub start_time: f64,
    /// When it ended.
    pub end_time: Option<f64>,
    /// How long it took, in seconds.
    pub duration: Option<f64>,
    /// The steps inside it.
    pub children: Vec<Trace>,
    /// What else is known.
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// The message that came of it.
    pub message: Option<Arc<Message>>,
    #[serde(skip)]
    began: Instant,
}

impl Trace {
    pub(super) fn begin(name: String, raw_name: Option<String>, parent: Option<&Self>) -> Self {
        Self {
            id: random_uuid(),
            name,
            raw_name,
            parent_id: parent.map(|parent| parent.id.clone()),
            start_time: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
            end_time: None,
            duration: None,
            children: Vec::new(),
            metadata: serde_json::Map::new(),
            message: None,
            began: Instant::now(),
        }
    }

    pub(super) fn end(&mut self) {
        self.end_after(self.began.elapsed().as_secs_f64());
    }

    pub(super) fn end_after(&mut self, seconds: f64) {
        self.duration = Some(seconds);
        self.end_time = Some(self.start_time + seconds);
    }
}

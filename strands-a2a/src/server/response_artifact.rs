//! The artifact with the agent's response: its updates while the response streams.
//!
//! Chunks of text are appended. Text that is void, such as that of a cycle before the last one, is replaced by the next chunk
//! (`append: false`), and the last update (`lastChunk: true`) replaces all of it by the message of the response. Text that a guardrail
//! has voided is replaced at once: there may be no next chunk, and the task is stored with what the artifact has.

use std::sync::Arc;

use a2a::{Artifact, Part, PartContent, StreamResponse, Task};
use serde_json::Value;
use strands_core::{AgentEvent, AgentResponse};
use uuid::Uuid;

use super::live_task::LiveTask;
use crate::parts;

/// Name of the artifact, as in Strands.
const NAME: &str = "agent_response";

pub(super) struct ResponseArtifact {
    live: Arc<LiveTask>,
    id: String,
    /// True if the next chunk is appended, and false if it replaces what was sent.
    appends: bool,
    /// True if there is an artifact.
    exists: bool,
    bytes: usize,
}

impl ResponseArtifact {
    /// Continues the artifact of a task that was suspended, or starts one.
    pub(super) fn new(live: Arc<LiveTask>, task: &Task) -> Self {
        let known = task.artifacts.iter().flatten().find(|artifact| artifact.name.as_deref() == Some(NAME));
        let id = known.map_or_else(|| Uuid::new_v4().to_string(), |artifact| artifact.artifact_id.clone());
        Self { live, id, appends: false, exists: known.is_some(), bytes: 0 }
    }

    /// Returns the number of bytes of text so far.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the update that an event of the agent makes.
    pub(super) fn update(&mut self, event: AgentEvent) -> Option<StreamResponse> {
        match event {
            AgentEvent::TextDelta { text } if !text.is_empty() => {
                self.bytes = self.bytes.saturating_add(text.len());
                let append = std::mem::replace(&mut self.appends, true);
                self.exists = true;
                Some(self.event(vec![Part::text(text)], append, false))
            }
            AgentEvent::CycleStart { .. } | AgentEvent::Retry { discards_output: true, .. } => {
                self.appends = false;
                None
            }
            AgentEvent::Redacted { assistant: Some(replacement), .. } if self.exists => {
                self.bytes = self.bytes.saturating_add(replacement.len());
                self.appends = false;
                Some(self.event(vec![Part::text(replacement)], false, false))
            }
            _ => None,
        }
    }

    /// Returns the last update, which is the whole response. Most clients store each chunk as a part, and join the parts of a text
    /// with line breaks.
    pub(super) fn finish(&mut self, response: &AgentResponse) -> Option<StreamResponse> {
        let mut parts = parts::parts_of(&response.message.content);
        parts.extend(response.output.clone().map(Part::data));
        if parts.is_empty() && !self.exists {
            return None;
        }
        if parts.is_empty() {
            // An update has at least one part.
            parts.push(Part::text(""));
        }
        Some(self.event(parts, false, true))
    }

    fn event(&self, parts: Vec<Part>, append: bool, last_chunk: bool) -> StreamResponse {
        let artifact = Artifact {
            artifact_id: self.id.clone(),
            name: Some(NAME.to_owned()),
            description: None,
            parts,
            metadata: None,
            extensions: None,
        };
        self.live.artifact_event(artifact, append, last_chunk)
    }
}

/// Returns the size of a part, about.
pub(super) fn size_of(parts: &[Part]) -> usize {
    let size = |part: &Part| match &part.content {
        PartContent::Text(text) | PartContent::Url(text) => text.len(),
        PartContent::Raw(bytes) => bytes.len(),
        PartContent::Data(data) => size_of_json(data),
    };
    parts.iter().map(size).sum()
}

fn size_of_json(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size_of_json).sum::<usize>() + items.len(),
        Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + size_of_json(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
    }
}

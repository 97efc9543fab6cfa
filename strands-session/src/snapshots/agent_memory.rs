//! Agent memory in a snapshot: numbered messages and the agent's record, as the [`Session`](strands_core::session::Session)
//! trait exchanges them.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{SecondsFormat, Utc};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};
use strands_core::message::Message;
use strands_core::session::{AgentRecord, MessageRange, SessionError};
use strands_core::{Snapshot, lenient_json};

use crate::documents::corrupt;
use crate::storage::failed;

const SCOPE: &str = "agent";
const VERSION: &str = "1.0";
const MODEL_STATE: &str = "model_state";
/// Fields of a conversation manager's state: the number of removed messages, the older messages that remain, the summary
/// of removed messages, and the number of the message after the summary.
const REMOVED_MESSAGES: &str = "removed_message_count";
const KEPT_MESSAGES: &str = "kept_messages";
const SUMMARY: &str = "summary_message";
const SUMMARY_BEFORE: &str = "summary_before";

/// Upper limit of removed messages, so that numbers do not overflow.
const MAX_REMOVED: u64 = u64::MAX / 2;
const EXPECTED: &str = "a snapshot of an agent, version 1.0";

/// An agent's messages and record. The summary of a conversation manager is in its state, and joins the messages only in
/// the written snapshot: an agent restores it from the state.
#[derive(Clone, Debug)]
pub(super) struct AgentMemory {
    /// The snapshot without its messages.
    snapshot: Snapshot,
    /// The messages by their numbers in the whole conversation, in ascending order.
    messages: Vec<(u64, Arc<Message>)>,
    next: u64,
}

impl AgentMemory {
    /// Creates the memory of a new agent.
    pub(super) fn new(location: &str) -> Result<Self, SessionError> {
        let empty = json!({"scope": SCOPE, "schema_version": VERSION, "created_at": "", "data": {}});
        let snapshot = serde_json::from_value(empty).map_err(|error| failed("write", location, error))?;
        Ok(Self { snapshot, messages: Vec::new(), next: 0 })
    }

    /// Parses the memory in a document.
    pub(super) fn parse(location: &str, bytes: &[u8]) -> Result<Self, SessionError> {
        let mut snapshot = snapshot(location, bytes)?;
        let state = snapshot.data.conversation_manager_state.as_ref();
        let summary = state.and_then(summary_in);
        let mut messages = snapshot.data.messages.take().unwrap_or_default();
        messages.retain(|message| summary.as_ref().is_none_or(|summary| !is_same(message, summary)));
        let mut memory = Self { snapshot, messages: Vec::new(), next: 0 };
        memory.number(&memory.range(), messages);
        Ok(memory)
    }

    /// Returns the agent's record.
    pub(super) fn record(&self, agent_id: &str) -> AgentRecord {
        let data = &self.snapshot.data;
        let mut record = AgentRecord::new(agent_id);
        record.state = data.state.clone().unwrap_or_default();
        record.conversation_manager_state = data.conversation_manager_state.clone().unwrap_or_default();
        record.internal_state.interrupt_state = data.interrupt_state.clone().unwrap_or_default();
        record.internal_state.run = data.run.clone();
        if let Some(Value::Object(state)) = data.unknown.get(MODEL_STATE) {
            record.internal_state.model_state = state.clone();
        }
        record
    }

    /// Returns the messages in a range. A reader of the default range does not know the conversation manager's state: its
    /// positions count from the first remaining message, and a summary is a message like any other.
    pub(super) fn read(&mut self, location: &str, wanted: &MessageRange) -> Result<Vec<Arc<Message>>, SessionError> {
        let known = self.range();
        if *wanted != known && *wanted == MessageRange::default() {
            let all = self.with_summary();
            self.number(wanted, all);
        } else if *wanted != known {
            let missing = |number: &u64| self.messages.binary_search_by_key(number, |(number, _)| *number).is_err();
            if wanted.from < known.from || wanted.earlier.iter().any(missing) {
                return Err(SessionError::NotFound { what: "a message of the conversation", key: location.to_owned() });
            }
        }
        let is_wanted = |number: u64| number >= wanted.from || wanted.earlier.contains(&number);
        let read = self.messages.iter().filter(|(number, _)| is_wanted(*number));
        Ok(read.map(|(_, message)| Arc::clone(message)).collect())
    }

    /// Adds the next message.
    pub(super) fn push(&mut self, message: &Arc<Message>) {
        self.messages.push((self.next, Arc::clone(message)));
        self.next += 1;
    }

    /// Removes all messages after the first `keep`.
    pub(super) fn truncate(&mut self, keep: u64) {
        self.messages.retain(|(number, _)| *number < keep);
        self.next = self.next.min(keep);
    }

    /// Replaces the newest message. Returns false if there is none.
    pub(super) fn replace_last(&mut self, message: &Arc<Message>) -> bool {
        let Some((_, newest)) = self.messages.last_mut() else { return false };
        *newest = Arc::clone(message);
        true
    }

    /// Sets the agent's record, and drops the messages that the conversation manager has removed. Returns false if nothing
    /// has changed.
    ///
    /// # Errors
    ///
    /// Returns [`SessionError::Corrupt`] if the number of removed messages is too high.
    pub(super) fn update(&mut self, location: &str, record: &AgentRecord) -> Result<bool, SessionError> {
        validate(location, &record.conversation_manager_state)?;
        let before = self.record(&record.agent_id);
        let data = &mut self.snapshot.data;
        let is_new = data.state.is_none();
        data.state = Some(record.state.clone());
        // Strands rejects an empty conversation manager state and an empty interrupt state.
        let present = |fields: &Map<String, Value>| (!fields.is_empty()).then(|| fields.clone());
        data.conversation_manager_state = present(&record.conversation_manager_state);
        data.interrupt_state = present(&record.internal_state.interrupt_state);
        data.run = record.internal_state.run.clone();
        let model_state = Value::Object(record.internal_state.model_state.clone());
        if data.unknown.get(MODEL_STATE) != Some(&model_state) {
            data.unknown.insert(MODEL_STATE, model_state);
        }
        let range = self.range();
        let messages = self.messages.len();
        self.messages.retain(|(number, _)| *number >= range.from || range.earlier.contains(number));
        Ok(is_new || messages != self.messages.len() || before != self.record(&record.agent_id))
    }

    /// Returns the snapshot with its messages.
    pub(super) fn snapshot(&self) -> Snapshot {
        let mut snapshot = self.snapshot.clone();
        snapshot.data.messages = Some(self.with_summary());
        snapshot
    }

    /// Serializes the snapshot as JSON, with the current time.
    pub(super) fn write(&mut self, location: &str) -> Result<Bytes, SessionError> {
        self.snapshot.created_at = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
        self.snapshot.data.messages = Some(self.with_summary());
        let json = serde_json::to_vec(&self.snapshot);
        self.snapshot.data.messages = None;
        json.map(Bytes::from).map_err(|error| failed("write", location, error))
    }

    fn with_summary(&self) -> Vec<Arc<Message>> {
        let mut messages: Vec<Arc<Message>> = self.messages.iter().map(|(_, message)| Arc::clone(message)).collect();
        let state = self.snapshot.data.conversation_manager_state.as_ref();
        let Some((state, summary)) = state.and_then(|state| Some((state, summary_in(state)?))) else { return messages };
        if !messages.iter().any(|message| is_same(message, &summary)) {
            let before = state.get(SUMMARY_BEFORE).and_then(Value::as_u64).unwrap_or(0);
            let at = self.messages.partition_point(|(number, _)| *number < before);
            messages.insert(at, Arc::new(summary));
        }
        messages
    }

    /// Returns the range of the remaining messages, from the conversation manager's state.
    fn range(&self) -> MessageRange {
        let state = self.snapshot.data.conversation_manager_state.as_ref();
        let from = state.map_or(0, removed);
        let also = state.and_then(|state| state.get(KEPT_MESSAGES)?.as_array()).into_iter().flatten();
        MessageRange::new(from, also.filter_map(Value::as_u64).filter(|number| *number < from).collect())
    }

    /// Numbers messages like an agent that reads this range.
    fn number(&mut self, range: &MessageRange, messages: Vec<Arc<Message>>) {
        self.messages = range.earlier.iter().copied().chain(range.from..).zip(messages).collect();
        self.next = self.messages.last().map_or(range.from, |(number, _)| (number + 1).max(range.from));
    }
}

/// Parses and validates the snapshot in a document.
pub(super) fn snapshot(location: &str, bytes: &[u8]) -> Result<Snapshot, SessionError> {
    let snapshot: Snapshot = lenient_json::from_slice(bytes).map_err(|error| corrupt(location, EXPECTED, error))?;
    if let Some(state) = &snapshot.data.conversation_manager_state {
        validate(location, state)?;
    }
    if snapshot.scope == SCOPE && snapshot.schema_version == VERSION {
        return Ok(snapshot);
    }
    let shown = |text: &str| text.chars().take(40).flat_map(char::escape_debug).collect::<String>();
    let found =
        format!("its scope is `{}` and its version {}", shown(&snapshot.scope), shown(&snapshot.schema_version));
    Err(corrupt(location, EXPECTED, found))
}

/// Summarizes a document for an error, without its content.
pub(super) fn summary(bytes: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Outline {
        created_at: String,
        data: Data,
    }
    #[derive(Deserialize)]
    struct Data {
        #[serde(default)]
        messages: Vec<IgnoredAny>,
    }
    match lenient_json::from_slice::<Outline>(bytes) {
        Ok(outline) if outline.created_at.len() <= 40 && !outline.created_at.contains(char::is_control) => {
            format!("that of {} with {} messages", outline.created_at, outline.data.messages.len())
        }
        Ok(outline) => format!("one with {} messages", outline.data.messages.len()),
        Err(_) => format!("{} bytes that are not a snapshot", bytes.len()),
    }
}

fn validate(location: &str, state: &Map<String, Value>) -> Result<(), SessionError> {
    match removed(state) {
        removed if removed > MAX_REMOVED => {
            Err(corrupt(location, EXPECTED, format!("invalid number of removed messages {removed}")))
        }
        _ => Ok(()),
    }
}

fn removed(state: &Map<String, Value>) -> u64 {
    state.get(REMOVED_MESSAGES).and_then(Value::as_u64).unwrap_or(0)
}

fn summary_in(state: &Map<String, Value>) -> Option<Message> {
    Message::deserialize(state.get(SUMMARY)?).ok()
}

fn is_same(message: &Message, summary: &Message) -> bool {
    match &summary.tracking_id {
        Some(_) => message.tracking_id == summary.tracking_id,
        None => message == summary,
    }
}

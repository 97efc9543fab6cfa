//! The document of an agent's record, and the storage's own marker in it.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value};
use strands_core::session::{AgentRecord, SessionError};

use super::{CREATED_AT, Truncation, UPDATED_AT, corrupt, now, now_exactly, read, to_value, write};

const INTERNAL_STATE: &str = "_internal_state";
/// The marker of a truncation, in the internal state. Agents never see it.
const TRUNCATED: &str = "truncated_messages";
/// The marker of a truncation that is about to be committed.
const PROPOSED: &str = "proposed_truncation";
/// The run in flight. Absent from a record, it has ended.
const RUN: &str = "run";
const REMOVED_MESSAGES: &str = "removed_message_count";
/// More messages than any conversation has: positions behind it would run out.
const MAX_REMOVED: u64 = u64::MAX / 2;
const EXPECTED: &str = "an agent's document";

/// The marker in a document that is written. A truncation that was only proposed is dropped, so that it can't be committed
/// any more.
pub(crate) enum Marker {
    /// As it is stored.
    Unchanged,
    /// As it is stored, and beside it a truncation that is about to be committed. It has no effect.
    Proposed(Truncation),
    /// This one.
    Set(Truncation),
}

/// Content of an agent's document beside the messages. When it was written is no part of it, nor is the marker.
pub(crate) fn agent_record(key: &str, bytes: &[u8]) -> Result<AgentRecord, SessionError> {
    let mut fields = agent_fields(key, bytes)?;
    fields.shift_remove(CREATED_AT);
    fields.shift_remove(UPDATED_AT);
    if let Some(Value::Object(internal)) = fields.get_mut(INTERNAL_STATE) {
        internal.shift_remove(TRUNCATED);
        internal.shift_remove(PROPOSED);
    }
    let record = serde_json::from_value(Value::Object(fields)).map_err(|error| corrupt(key, EXPECTED, error))?;
    validate(key, &record)?;
    Ok(record)
}

/// The marker in an agent's document.
pub(crate) fn truncation(key: &str, bytes: &[u8]) -> Result<Option<Truncation>, SessionError> {
    #[derive(Deserialize)]
    struct Document {
        #[serde(default, rename = "_internal_state")]
        internal: Internal,
    }
    #[derive(Default, Deserialize)]
    struct Internal {
        #[serde(default)]
        truncated_messages: Option<Truncation>,
    }
    read::<Document>(key, EXPECTED, bytes).map(|document| document.internal.truncated_messages)
}

/// True if a truncation is about to be committed.
pub(crate) fn is_truncation_proposed(key: &str, bytes: &[u8]) -> Result<bool, SessionError> {
    let fields = agent_fields(key, bytes)?;
    Ok(fields.get(INTERNAL_STATE).is_some_and(|internal| internal.get(PROPOSED).is_some()))
}

fn agent_fields(key: &str, bytes: &[u8]) -> Result<Map<String, Value>, SessionError> {
    read(key, EXPECTED, bytes)
}

fn validate(key: &str, record: &AgentRecord) -> Result<(), SessionError> {
    match record.conversation_manager_state.get(REMOVED_MESSAGES).and_then(Value::as_u64) {
        Some(removed) if removed > MAX_REMOVED => {
            Err(corrupt(key, EXPECTED, format!("{removed} messages can't have been removed")))
        }
        _ => Ok(()),
    }
}

/// An agent's document as it is, but written now.
pub(crate) fn touched(key: &str, stored: &[u8], marker: Marker) -> Result<Bytes, SessionError> {
    let mut fields = agent_fields(key, stored)?;
    set_marker(&mut fields, marker);
    fields.insert(UPDATED_AT.to_owned(), Value::String(now_exactly()));
    write(key, &fields)
}

fn set_marker(fields: &mut Map<String, Value>, marker: Marker) {
    drop_proposed(fields);
    let (name, truncation) = match marker {
        Marker::Unchanged => return,
        Marker::Proposed(truncation) => (PROPOSED, truncation),
        Marker::Set(truncation) => (TRUNCATED, truncation),
    };
    let internal = fields.entry(INTERNAL_STATE).or_insert_with(|| Map::new().into());
    if let (Value::Object(internal), Ok(truncation)) = (internal, serde_json::to_value(truncation)) {
        internal.insert(name.to_owned(), truncation);
    }
}

fn drop_proposed(fields: &mut Map<String, Value>) {
    if let Some(Value::Object(internal)) = fields.get_mut(INTERNAL_STATE) {
        internal.shift_remove(PROPOSED);
    }
}

/// The record of an agent that nobody has told anything of yet: that of Strands where an agent is given nothing.
pub(crate) fn new_record(agent_id: &str) -> AgentRecord {
    let mut record = AgentRecord::new(agent_id);
    record.conversation_manager_state = object([
        ("__name__", "SlidingWindowConversationManager".into()),
        ("removed_message_count", 0.into()),
        ("model_call_count", 0.into()),
    ]);
    record
}

/// The agent's document with this record in it, and whether that changes anything but the time. Stored fields that the
/// record does not name are kept.
pub(crate) fn merged_record(
    key: &str,
    stored: Option<&[u8]>,
    record: &AgentRecord,
    marker: Marker,
) -> Result<(Bytes, bool), SessionError> {
    validate(key, record)?;
    let mut stored = stored.map(|bytes| agent_fields(key, bytes)).transpose()?;
    if let Some(stored) = &mut stored {
        drop_proposed(stored);
    }
    let Value::Object(new) = to_value(key, record)? else {
        return Err(corrupt(key, "an object", "a record that is no JSON object"));
    };
    let mut merged = stored.clone().unwrap_or_default();
    let created_at = merged.shift_remove(CREATED_AT).unwrap_or_else(|| Value::String(now()));
    let updated_at = merged.shift_remove(UPDATED_AT);
    for (name, mut value) in new {
        if name == INTERNAL_STATE
            && let Value::Object(internal) = &mut value
        {
            internal.shift_remove(TRUNCATED);
            complete(internal, merged.get(&name).and_then(Value::as_object));
        }
        merged.insert(name, value);
    }
    set_marker(&mut merged, marker);
    merged.insert(CREATED_AT.to_owned(), created_at);
    let mut changes = true;
    if let (Some(stored), Some(updated_at)) = (stored, updated_at) {
        merged.insert(UPDATED_AT.to_owned(), updated_at);
        changes = stored != merged;
    }
    merged.insert(UPDATED_AT.to_owned(), Value::String(now_exactly()));
    Ok((write(key, &merged)?, changes))
}

/// Adds to what the loop remembers what is stored beside it, and what Strands can't read a session without.
fn complete(internal: &mut Map<String, Value>, stored: Option<&Map<String, Value>>) {
    for (name, value) in stored.into_iter().flatten() {
        if !internal.contains_key(name) && name != RUN {
            internal.insert(name.clone(), value.clone());
        }
    }
    if let Some(Value::Object(interrupts)) = internal.get_mut("interrupt_state")
        && interrupts.is_empty()
    {
        *interrupts =
            object([("interrupts", Map::new().into()), ("context", Map::new().into()), ("activated", false.into())]);
    }
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

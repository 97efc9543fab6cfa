//! Document of an agent's record, with the markers of truncations in its internal state.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value};
use strands_core::session::{AgentRecord, SessionError};

use super::{CREATED_AT, Truncation, UPDATED_AT, corrupt, now, now_exactly, read, to_value, write};

const INTERNAL_STATE: &str = "_internal_state";
/// The field of the truncation marker in the internal state. Agents never see it.
const TRUNCATED: &str = "truncated_messages";
/// The field of a proposed truncation.
const PROPOSED: &str = "proposed_truncation";
/// The field of the run in flight. If a record has none, the run has ended.
const RUN: &str = "run";
const REMOVED_MESSAGES: &str = "removed_message_count";
/// Upper limit of removed messages, so that positions do not overflow.
const MAX_REMOVED: u64 = u64::MAX / 2;
const EXPECTED: &str = "an agent's document";

/// The truncation marker to write. A truncation that was only proposed is dropped, so that it can't be committed any more.
pub(crate) enum Marker {
    /// The stored marker.
    Unchanged,
    /// The stored marker, and a proposed truncation, which has no effect yet.
    Proposed(Truncation),
    /// A new marker.
    Set(Truncation),
}

/// Parses an agent's record, without the times and the truncation marker.
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

/// Returns the truncation marker in an agent's document.
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

/// Returns true if a truncation is proposed.
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
            Err(corrupt(key, EXPECTED, format!("invalid number of removed messages {removed}")))
        }
        _ => Ok(()),
    }
}

/// Returns an agent's document with the same record, a new time and this marker.
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

/// Returns the record of a new agent, equal to the default record of Strands.
pub(crate) fn new_record(agent_id: &str) -> AgentRecord {
    let mut record = AgentRecord::new(agent_id);
    record.conversation_manager_state = object([
        ("__name__", "SlidingWindowConversationManager".into()),
        ("removed_message_count", 0.into()),
        ("model_call_count", 0.into()),
    ]);
    record
}

/// Merges a record into an agent's document. Returns the document, and true if anything but the time has changed. Stored
/// fields that the record does not have are preserved.
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
        return Err(corrupt(key, "an object", "the record is not a JSON object"));
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

/// Adds stored fields to the internal state, and fields without which Strands can't read a session.
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

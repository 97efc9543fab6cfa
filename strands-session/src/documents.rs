//! The JSON documents of a session, as Strands writes them: two spaces of indent, UTF-8, times in UTC with microseconds.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{SecondsFormat, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strands_core::message::{Message, Role};
use strands_core::session::{AgentRecord, SessionError};

const CREATED_AT: &str = "created_at";
const UPDATED_AT: &str = "updated_at";
const INTERNAL_STATE: &str = "_internal_state";

#[derive(Serialize)]
struct SessionDocument<'a> {
    session_id: &'a str,
    session_type: &'static str,
    created_at: String,
    updated_at: String,
}

#[derive(Serialize)]
struct NewMessage<'a> {
    message: &'a Message,
    message_id: u64,
    redact_message: Option<&'a Message>,
    created_at: String,
    updated_at: String,
}

#[derive(Deserialize)]
struct StoredMessage {
    message: Message,
    #[serde(default)]
    redact_message: Option<Message>,
}

/// A session's document.
pub(crate) fn new_session(key: &str, session_id: &str) -> Result<Bytes, SessionError> {
    let now = now();
    write(key, &SessionDocument { session_id, session_type: "AGENT", created_at: now.clone(), updated_at: now })
}

/// A message's document, written for the first time.
pub(crate) fn new_message(key: &str, number: u64, message: &Message) -> Result<Bytes, SessionError> {
    let now = now();
    let document =
        NewMessage { message, message_id: number, redact_message: None, created_at: now.clone(), updated_at: now };
    write(key, &document)
}

/// A message's document with another message in it. What else it holds is kept; where it was redacted, the new message
/// is what readers get.
pub(crate) fn replaced_message(key: &str, stored: &[u8], message: &Message) -> Result<Bytes, SessionError> {
    let mut fields: Map<String, Value> = read(key, "a message's document", stored)?;
    let message = to_value(key, message)?;
    if fields.get("redact_message").is_some_and(|redacted| !redacted.is_null()) {
        fields.insert("redact_message".to_owned(), message.clone());
    }
    fields.insert("message".to_owned(), message);
    fields.insert(UPDATED_AT.to_owned(), Value::String(now_exactly()));
    write(key, &fields)
}

/// The message in a document, as it may be shown: redacted, where it was.
pub(crate) fn message(key: &str, bytes: &[u8]) -> Result<Arc<Message>, SessionError> {
    let stored: StoredMessage = read(key, "a message's document", bytes)?;
    Ok(Arc::new(stored.redact_message.unwrap_or(stored.message)))
}

/// What an agent's document keeps beside the messages. When it was written is no part of it.
pub(crate) fn agent_record(key: &str, bytes: &[u8]) -> Result<AgentRecord, SessionError> {
    let mut fields = agent_fields(key, bytes)?;
    fields.shift_remove(CREATED_AT);
    fields.shift_remove(UPDATED_AT);
    serde_json::from_value(Value::Object(fields)).map_err(|error| corrupt(key, "an agent's document", error))
}

/// The fields of an agent's document.
pub(crate) fn agent_fields(key: &str, bytes: &[u8]) -> Result<Map<String, Value>, SessionError> {
    read(key, "an agent's document", bytes)
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

/// The agent's document with this record in it; `None` when that changes nothing. Stored fields that the record does
/// not name are kept.
pub(crate) fn merged_record(
    key: &str,
    stored: Option<&Map<String, Value>>,
    record: &AgentRecord,
) -> Result<Option<Map<String, Value>>, SessionError> {
    let Value::Object(new) = to_value(key, record)? else {
        return Err(corrupt(key, "an object", "a record that is no JSON object"));
    };
    let mut merged = stored.cloned().unwrap_or_default();
    let created_at = merged.shift_remove(CREATED_AT).unwrap_or_else(|| Value::String(now()));
    let updated_at = merged.shift_remove(UPDATED_AT);
    for (name, mut value) in new {
        if name == INTERNAL_STATE
            && let Value::Object(internal) = &mut value
        {
            complete(internal, merged.get(&name).and_then(Value::as_object));
        }
        merged.insert(name, value);
    }
    merged.insert(CREATED_AT.to_owned(), created_at);
    if let (Some(stored), Some(updated_at)) = (stored, updated_at) {
        merged.insert(UPDATED_AT.to_owned(), updated_at);
        if *stored == merged {
            return Ok(None);
        }
    }
    merged.insert(UPDATED_AT.to_owned(), Value::String(now_exactly()));
    Ok(Some(merged))
}

/// Adds to what the loop remembers what is stored beside it, and what Strands can't read a session without.
fn complete(internal: &mut Map<String, Value>, stored: Option<&Map<String, Value>>) {
    for (name, value) in stored.into_iter().flatten() {
        if !internal.contains_key(name) {
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

/// What is in a document, in a few words, for an error about it: never its content.
pub(crate) fn summary(bytes: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Outline {
        #[serde(default)]
        message: Option<Speaker>,
        #[serde(default)]
        updated_at: Option<String>,
    }
    #[derive(Deserialize)]
    struct Speaker {
        role: Role,
    }
    let Ok(outline) = serde_json::from_slice::<Outline>(bytes) else {
        return format!("{} bytes that are no document", bytes.len());
    };
    let what = match outline.message {
        Some(Speaker { role: Role::User }) => "a user message",
        Some(Speaker { role: Role::Assistant }) => "an assistant message",
        None => "a version",
    };
    match outline.updated_at {
        Some(time) if time.len() <= 40 && !time.contains(char::is_control) => format!("{what} of {time}"),
        _ => what.to_owned(),
    }
}

/// Writes a document's JSON.
pub(crate) fn write(key: &str, document: &impl Serialize) -> Result<Bytes, SessionError> {
    serde_json::to_vec_pretty(document).map(Bytes::from).map_err(|error| SessionError::Storage {
        action: "write",
        key: key.to_owned(),
        source: error.into(),
    })
}

fn read<T: DeserializeOwned>(key: &str, expected: &'static str, bytes: &[u8]) -> Result<T, SessionError> {
    serde_json::from_slice(bytes).map_err(|error| corrupt(key, expected, error))
}

fn to_value(key: &str, document: &impl Serialize) -> Result<Value, SessionError> {
    serde_json::to_value(document).map_err(|error| SessionError::Storage {
        action: "write",
        key: key.to_owned(),
        source: error.into(),
    })
}

pub(crate) fn corrupt(
    key: &str,
    expected: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> SessionError {
    SessionError::Corrupt { key: key.to_owned(), expected, source: source.into() }
}

/// The same to the nanosecond, for documents that several workers may write over: two that change one thing to the same
/// in one microsecond would write the same bytes, and each would take the other's document for its own.
fn now_exactly() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Nanos, false)
}

/// ISO 8601 as Python's `datetime.isoformat` writes it.
fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Micros, false)
}

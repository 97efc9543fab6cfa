//! JSON documents of a session in the format of Strands: two spaces of indentation, UTF-8, times in UTC with microseconds.

mod message;
mod record;
mod truncation;

use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::error::Category;
use strands_core::lenient_json;
use strands_core::message::Role;
use strands_core::session::SessionError;

pub(crate) use message::{
    Batch, Previous, batch, message, message_and_batch, new_message, replaced_follower, replaced_message,
    settled_batch, truncate_followers, updated_at,
};
pub(crate) use record::{Marker, agent_record, is_truncation_proposed, merged_record, new_record, touched, truncation};
pub(crate) use truncation::Truncation;

const CREATED_AT: &str = "created_at";
const UPDATED_AT: &str = "updated_at";

#[derive(Serialize)]
struct SessionDocument<'a> {
    session_id: &'a str,
    session_type: &'static str,
    created_at: String,
    updated_at: String,
}

/// Creates a session's document.
pub(crate) fn new_session(key: &str, session_id: &str) -> Result<Bytes, SessionError> {
    let now = now();
    write(key, &SessionDocument { session_id, session_type: "AGENT", created_at: now.clone(), updated_at: now })
}

/// Summarizes a document for an error, without its content.
pub(crate) fn summary(bytes: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Outline {
        #[serde(default)]
        message: Option<Header>,
        #[serde(default)]
        updated_at: Option<String>,
    }
    #[derive(Deserialize)]
    struct Header {
        role: Role,
    }
    let Ok(outline) = lenient_json::from_slice::<Outline>(bytes) else {
        return format!("{} bytes that are not a document", bytes.len());
    };
    let what = match outline.message {
        Some(Header { role: Role::User }) => "a user message",
        Some(Header { role: Role::Assistant }) => "an assistant message",
        None => "a version",
    };
    match outline.updated_at {
        Some(time) if time.len() <= 40 && !time.contains(char::is_control) => format!("{what} of {time}"),
        _ => what.to_owned(),
    }
}

/// The times of a document, RFC 3339 in UTC with microseconds.
pub(crate) struct Times {
    pub(crate) created_at: Option<String>,
    pub(crate) updated_at: Option<String>,
}

/// Reads the times of a document. A text that is not a time is left out.
pub(crate) fn times(key: &str, bytes: &[u8]) -> Result<Times, SessionError> {
    #[derive(Deserialize)]
    struct Outline {
        #[serde(default)]
        created_at: Value,
        #[serde(default)]
        updated_at: Value,
    }
    let time = |value: &Value| {
        let time = DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
        Some(time.with_timezone(&Utc).to_rfc3339_opts(SecondsFormat::Micros, true))
    };
    let outline: Outline = read(key, "a document with times", bytes)?;
    Ok(Times { created_at: time(&outline.created_at), updated_at: time(&outline.updated_at) })
}

/// Serializes a document as JSON.
pub(crate) fn write(key: &str, document: &impl Serialize) -> Result<Bytes, SessionError> {
    serde_json::to_vec_pretty(document).map(Bytes::from).map_err(|error| SessionError::Storage {
        action: "write",
        key: key.to_owned(),
        source: error.into(),
    })
}

/// Parses a document.
pub(crate) fn read<T: DeserializeOwned>(key: &str, expected: &'static str, bytes: &[u8]) -> Result<T, SessionError> {
    lenient_json::from_slice(bytes).map_err(|error| corrupt(key, expected, error))
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
    let source = source.into();
    let source = match source.downcast_ref::<serde_json::Error>() {
        Some(error) => without_content(error).into(),
        None => source,
    };
    SessionError::Corrupt { key: key.to_owned(), expected, source }
}

/// Describes a JSON error without serde's message, which may quote the document.
fn without_content(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        Category::Io => "a read error",
        Category::Syntax => "invalid JSON",
        Category::Data => "a value of another type, or a missing field",
        Category::Eof => "unexpected end of the JSON",
    };
    match error.line() {
        // The error is about a parsed value, which has no lines.
        0 => what.to_owned(),
        line => format!("{what} at line {line}, column {}", error.column()),
    }
}

/// Returns the time with nanoseconds, for documents that several workers update: with microseconds, two workers that make
/// the same change at the same time would write the same bytes, and each would take the other's document for its own.
fn now_exactly() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Nanos, false)
}

/// Returns the time in ISO 8601, in the format of Python's `datetime.isoformat`. A process never returns a time twice.
fn now() -> String {
    static LATEST: AtomicI64 = AtomicI64::new(0);
    let micros = Utc::now().timestamp_micros();
    let after = |latest: i64| micros.max(latest.saturating_add(1));
    let latest = LATEST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |latest| Some(after(latest)));
    let time = DateTime::from_timestamp_micros(latest.map_or(micros, after)).unwrap_or_else(Utc::now);
    time.to_rfc3339_opts(SecondsFormat::Micros, false)
}

//! Documents of messages. A document that commits a batch contains the rest of the batch, in fields that Strands ignores.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strands_core::message::Message;
use strands_core::session::SessionError;

use super::{Truncation, UPDATED_AT, now, now_exactly, read, to_value, write};

const FOLLOWED_BY: &str = "followed_by";
const REPLACES_PREVIOUS: &str = "replaces_previous";
const REPLACED_PREVIOUS: &str = "replaced_previous";
const PREVIOUS: &str = "previous";
const EXPECTED: &str = "a message's document";

#[derive(Serialize)]
struct NewMessage<'a> {
    message: &'a Message,
    message_id: u64,
    redact_message: Option<&'a Message>,
    created_at: &'a Value,
    updated_at: &'a Value,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    followed_by: &'a [Arc<Message>],
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces_previous: Option<&'a Message>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<&'a Previous>,
    #[serde(skip_serializing_if = "Option::is_none")]
    continues: Option<u64>,
    follows_truncation: Option<u64>,
}

/// The batch fields of a message's document.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Batch {
    /// The start time of the batch, the same in all its documents and different in each attempt.
    #[serde(default)]
    pub(crate) created_at: Value,
    /// The time of the document's last write: the same as `created_at`, unless the message was replaced.
    #[serde(default)]
    pub(crate) updated_at: Value,
    /// The messages after the one that commits the batch.
    #[serde(default)]
    pub(crate) followed_by: Vec<Arc<Message>>,
    /// The replacement of the message before the one that commits the batch, until it is written.
    #[serde(default)]
    pub(crate) replaces_previous: Option<Arc<Message>>,
    /// The replaced message's document before the batch. If it has changed, another worker wrote first, and the batch is
    /// void.
    #[serde(default)]
    pub(crate) previous: Option<Previous>,
    /// True once the message before the one that commits the batch is replaced.
    #[serde(default)]
    pub(crate) replaced_previous: bool,
    /// In the documents of the messages after it, the number of the message that commits the batch.
    #[serde(default)]
    pub(crate) continues: Option<u64>,
    /// The lowest number of the next message after the newest truncation that the writer knew, 0 if it knew of none.
    /// Absent in documents that Strands wrote.
    #[serde(default)]
    pub(crate) follows_truncation: Option<u64>,
}

/// A version of a message's document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Previous {
    pub(crate) message_id: u64,
    pub(crate) updated_at: Value,
}

#[derive(Deserialize)]
struct StoredMessage {
    message: Message,
    #[serde(default)]
    redact_message: Option<Message>,
}

impl Batch {
    /// Creates a batch that starts now, with these messages after the first.
    pub(crate) fn new(followed_by: &[Arc<Message>], truncation: Option<&Truncation>) -> Self {
        Self {
            created_at: Value::String(now()),
            followed_by: followed_by.to_vec(),
            follows_truncation: Some(truncation.map_or(0, Truncation::before)),
            ..Self::default()
        }
    }
}

/// Creates a message's document.
pub(crate) fn new_message(key: &str, number: u64, message: &Message, batch: &Batch) -> Result<Bytes, SessionError> {
    let document = NewMessage {
        message,
        message_id: number,
        redact_message: None,
        created_at: &batch.created_at,
        updated_at: &batch.created_at,
        followed_by: &batch.followed_by,
        replaces_previous: batch.replaces_previous.as_deref(),
        previous: batch.previous.as_ref(),
        continues: batch.continues,
        follows_truncation: batch.follows_truncation,
    };
    write(key, &document)
}

/// Replaces the message in a document and keeps all other fields. If the old message was redacted, the new one replaces
/// the redacted version, too.
pub(crate) fn replaced_message(key: &str, stored: &[u8], message: &Message) -> Result<Bytes, SessionError> {
    let mut fields: Map<String, Value> = read(key, EXPECTED, stored)?;
    let message = to_value(key, message)?;
    if fields.get("redact_message").is_some_and(|redacted| !redacted.is_null()) {
        fields.insert("redact_message".to_owned(), message.clone());
    }
    fields.insert("message".to_owned(), message);
    fields.insert(UPDATED_AT.to_owned(), Value::String(now_exactly()));
    write(key, &fields)
}

/// Replaces one of the messages after the first in a document that commits a batch.
pub(crate) fn replaced_follower(
    key: &str,
    stored: &[u8],
    index: usize,
    message: &Message,
) -> Result<Option<Bytes>, SessionError> {
    let mut fields: Map<String, Value> = read(key, EXPECTED, stored)?;
    let followers = fields.get_mut(FOLLOWED_BY).and_then(Value::as_array_mut);
    let Some(follower) = followers.and_then(|followers| followers.get_mut(index)) else { return Ok(None) };
    *follower = to_value(key, message)?;
    fields.insert(UPDATED_AT.to_owned(), Value::String(now_exactly()));
    write(key, &fields).map(Some)
}

/// Truncates the messages after the first in a document that commits a batch to `keep`. Returns `None` if it has no more.
pub(crate) fn truncate_followers(key: &str, stored: &[u8], keep: usize) -> Result<Option<Bytes>, SessionError> {
    let mut fields: Map<String, Value> = read(key, EXPECTED, stored)?;
    let Some(followers) = fields.get_mut(FOLLOWED_BY).and_then(Value::as_array_mut) else { return Ok(None) };
    if followers.len() <= keep {
        return Ok(None);
    }
    followers.truncate(keep);
    if keep == 0 {
        fields.shift_remove(FOLLOWED_BY);
    }
    write(key, &fields).map(Some)
}

/// Removes the replacement of the previous message from a document that commits a batch, once it is done. Returns `None`
/// if there is no replacement.
pub(crate) fn settled_batch(key: &str, stored: &[u8]) -> Result<Option<Bytes>, SessionError> {
    let mut fields: Map<String, Value> = read(key, EXPECTED, stored)?;
    if fields.shift_remove(REPLACES_PREVIOUS).is_none() {
        return Ok(None);
    }
    fields.shift_remove(PREVIOUS);
    fields.insert(REPLACED_PREVIOUS.to_owned(), Value::Bool(true));
    write(key, &fields).map(Some)
}

/// Returns the message in a document, or its redacted version.
pub(crate) fn message(key: &str, bytes: &[u8]) -> Result<Arc<Message>, SessionError> {
    let stored: StoredMessage = read(key, EXPECTED, bytes)?;
    Ok(Arc::new(stored.redact_message.unwrap_or(stored.message)))
}

/// Returns the time of a document's last write.
pub(crate) fn updated_at(key: &str, bytes: &[u8]) -> Result<Value, SessionError> {
    #[derive(Deserialize)]
    struct Times {
        #[serde(default)]
        updated_at: Value,
    }
    read::<Times>(key, EXPECTED, bytes).map(|times| times.updated_at)
}

/// Returns the batch fields of a message's document.
pub(crate) fn batch(key: &str, bytes: &[u8]) -> Result<Batch, SessionError> {
    read(key, EXPECTED, bytes)
}

/// Returns the message and the batch fields of a document.
pub(crate) fn message_and_batch(key: &str, bytes: &[u8]) -> Result<(Arc<Message>, Batch), SessionError> {
    Ok((message(key, bytes)?, batch(key, bytes)?))
}

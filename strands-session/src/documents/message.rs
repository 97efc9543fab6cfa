//! The documents of messages. One that commits a batch carries the rest of it, in fields that Strands ignores.

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

/// The part of a document that is about its batch.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Batch {
    /// The time at which the batch was begun: that of all its documents, and of no other attempt at writing one here.
    #[serde(default)]
    pub(crate) created_at: Value,
    /// The time at which the document was written: the same, unless its message was replaced.
    #[serde(default)]
    pub(crate) updated_at: Value,
    /// The messages after the one that commits the batch.
    #[serde(default)]
    pub(crate) followed_by: Vec<Arc<Message>>,
    /// A new version of the message before the one that commits the batch, until it is written there.
    #[serde(default)]
    pub(crate) replaces_previous: Option<Arc<Message>>,
    /// The document of that message as it was. If it is another one by now, another worker was faster, and the batch is
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
    /// Strands leaves it out.
    #[serde(default)]
    pub(crate) follows_truncation: Option<u64>,
}

/// One version of the document of a message.
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
    /// A batch that is begun now, with these messages after the first.
    pub(crate) fn new(followed_by: &[Arc<Message>], truncation: Option<&Truncation>) -> Self {
        Self {
            created_at: Value::String(now()),
            followed_by: followed_by.to_vec(),
            follows_truncation: Some(truncation.map_or(0, Truncation::before)),
            ..Self::default()
        }
    }
}

/// A message's document, written for the first time.
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

/// A message's document with another message in it. What else it holds is kept; where it was redacted, the new message
/// is what readers get.
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

/// The document that commits a batch, with another message in place of one of those after the first.
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

/// The document that commits a batch, with so many of the messages after the first; `None` if it has no more.
pub(crate) fn cut_followers(key: &str, stored: &[u8], keep: usize) -> Result<Option<Bytes>, SessionError> {
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

/// The document that commits a batch, once the message before it is replaced: the batch no longer depends on that.
pub(crate) fn settled_batch(key: &str, stored: &[u8]) -> Result<Option<Bytes>, SessionError> {
    let mut fields: Map<String, Value> = read(key, EXPECTED, stored)?;
    if fields.shift_remove(REPLACES_PREVIOUS).is_none() {
        return Ok(None);
    }
    fields.shift_remove(PREVIOUS);
    fields.insert(REPLACED_PREVIOUS.to_owned(), Value::Bool(true));
    write(key, &fields).map(Some)
}

/// The message in a document, as it may be shown: redacted, where it was.
pub(crate) fn message(key: &str, bytes: &[u8]) -> Result<Arc<Message>, SessionError> {
    let stored: StoredMessage = read(key, EXPECTED, bytes)?;
    Ok(Arc::new(stored.redact_message.unwrap_or(stored.message)))
}

/// The time at which a document was written.
pub(crate) fn updated_at(key: &str, bytes: &[u8]) -> Result<Value, SessionError> {
    #[derive(Deserialize)]
    struct Times {
        #[serde(default)]
        updated_at: Value,
    }
    read::<Times>(key, EXPECTED, bytes).map(|times| times.updated_at)
}

/// The part of a document that is about its batch.
pub(crate) fn batch(key: &str, bytes: &[u8]) -> Result<Batch, SessionError> {
    read(key, EXPECTED, bytes)
}

/// The message in a document, and what it tells of a batch.
pub(crate) fn message_and_batch(key: &str, bytes: &[u8]) -> Result<(Arc<Message>, Batch), SessionError> {
    Ok((message(key, bytes)?, batch(key, bytes)?))
}

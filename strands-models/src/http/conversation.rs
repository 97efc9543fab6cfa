//! Conversation at the end of a request's body. Each message is serialized once: a request that continues an earlier one begins
//! with its bytes.

use std::sync::Arc;

use serde::Serialize;
use strands_core::message::Message;
use strands_core::models::{MessageSerializer, ModelError, SerializedMessages};

use super::fields::unwritable;

/// Conversation, and its messages that were serialized before.
pub(crate) struct Conversation<'a> {
    pub(crate) messages: &'a [Arc<Message>],
    pub(crate) serialized: Option<&'a SerializedMessages>,
    pub(crate) serializer: MessageSerializer,
}

impl Conversation<'_> {
    /// Appends the conversation to the other fields of a body, as a list that begins with `first`. `write` writes the list of
    /// items for one message.
    ///
    /// # Errors
    ///
    /// Returns [`ModelError::InvalidRequest`] for content that JSON can't hold.
    pub(crate) fn append(
        &self,
        body: &mut Vec<u8>,
        field: &str,
        first: Option<&impl Serialize>,
        write: impl Fn(&mut Vec<u8>, &Message) -> serde_json::Result<()>,
    ) -> Result<(), ModelError> {
        // Reopens the object.
        body.pop();
        body.extend_from_slice(if body.ends_with(b"{") { b"\"" } else { b",\"" });
        body.extend_from_slice(field.as_bytes());
        body.extend_from_slice(b"\":[");
        let begins = body.len();
        if let Some(first) = first {
            serde_json::to_writer(&mut *body, first).map_err(unwritable)?;
        }
        let write = |bytes: &mut Vec<u8>, message: &Message| {
            let from = bytes.len();
            write(bytes, message)?;
            // Removes the brackets of the list, and adds a comma before its items, if it has any.
            bytes.pop();
            if bytes.len() == from + 1 {
                bytes.truncate(from);
            } else if let Some(bracket) = bytes.get_mut(from) {
                *bracket = b',';
            }
            Ok(())
        };
        let unkept = SerializedMessages::default();
        let written = self.serialized.unwrap_or(&unkept).read(self.serializer, self.messages, write, |messages| {
            let comma = usize::from(body.len() == begins);
            body.reserve_exact(messages.len() + 2);
            body.extend_from_slice(messages.get(comma..).unwrap_or_default());
        });
        written.map_err(unwritable)?;
        body.extend_from_slice(b"]}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn appended(first: Option<&Value>, texts: &[&str]) -> Value {
        let messages: Vec<_> = texts.iter().map(|text| Arc::new(Message::user(*text))).collect();
        let conversation = Conversation { messages: &messages, serialized: None, serializer: MessageSerializer::new() };
        let mut body = br#"{"model":"m"}"#.to_vec();
        let write = |bytes: &mut Vec<u8>, message: &Message| {
            // An empty message has no item, others one for each word.
            serde_json::to_writer(bytes, &message.text().split_whitespace().collect::<Vec<_>>())
        };
        conversation.append(&mut body, "messages", first, write).unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    #[test]
    fn appends_all_items_of_each_message() {
        let first = json!("system");
        assert_eq!(
            appended(Some(&first), &["a b", "", "c"]),
            json!({"model": "m", "messages": ["system", "a", "b", "c"]})
        );
        assert_eq!(appended(None, &["", "a"]), json!({"model": "m", "messages": ["a"]}));
        assert_eq!(appended(None, &[]), json!({"model": "m", "messages": []}));
    }

    #[test]
    fn appends_to_an_empty_body() {
        let mut body = b"{}".to_vec();
        let conversation = Conversation { messages: &[], serialized: None, serializer: MessageSerializer::new() };
        conversation.append(&mut body, "messages", Some(&1), |_, _| Ok(())).unwrap();
        assert_eq!(body, br#"{"messages":[1]}"#);
    }
}

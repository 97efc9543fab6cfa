//! Cache of serialized messages. A conversation mostly grows at its end, so each message is serialized to a provider's JSON
//! once, and not again for each request.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::message::Message;

/// Maximum size of the cache, in bytes. Caching a longer conversation would double the memory that it takes.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Cache of one conversation's messages in a provider's JSON.
///
/// An agent has one and passes it to each [`ModelRequest`]. Programs that call models themselves may do the same, or leave
/// it out.
///
/// The cache holds at most 4 MiB and follows the conversation: messages that have been replaced are serialized again.
/// Messages are compared by the address of their [`Arc`]; a shared message is immutable.
///
/// [`ModelRequest`]: super::ModelRequest
#[derive(Default)]
pub struct SerializedMessages {
    prefix: Mutex<SerializedPrefix>,
}

/// Identity of a serializer: one model with its settings, of which the JSON of a message depends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageSerializer(u64);

impl MessageSerializer {
    /// Creates an identity that differs from all others.
    #[expect(clippy::new_without_default, reason = "each one is unique")]
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// The messages at the beginning of a conversation, serialized.
#[derive(Default)]
struct SerializedPrefix {
    serializer: Option<MessageSerializer>,
    bytes: Vec<u8>,
    /// The messages, each with the end of its bytes. A weak reference keeps the address from being reused, and makes
    /// `Arc::make_mut` move a message that changes to another address.
    messages: Vec<(Weak<Message>, usize)>,
}

impl SerializedMessages {
    /// Calls `read` with the concatenated bytes of `messages` and returns its result.
    ///
    /// `write` appends the bytes of one message. It is called only for messages that `serializer` has not serialized
    /// before, so the bytes must depend on nothing but the message and the serializer.
    ///
    /// # Errors
    ///
    /// Returns the error of `write`.
    pub fn read<T, E>(
        &self,
        serializer: MessageSerializer,
        messages: &[Arc<Message>],
        mut write: impl FnMut(&mut Vec<u8>, &Message) -> Result<(), E>,
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, E> {
        let mut prefix = self.prefix.lock().unwrap_or_else(PoisonError::into_inner);
        prefix.retain(serializer, messages);
        let known = prefix.messages.len();
        for message in messages.iter().skip(known) {
            let length = prefix.bytes.len();
            if let Err(error) = write(&mut prefix.bytes, message) {
                prefix.bytes.truncate(length);
                return Err(error);
            }
            let end = prefix.bytes.len();
            prefix.messages.push((Arc::downgrade(message), end));
        }
        let read = read(&prefix.bytes);
        if prefix.bytes.len() > MAX_BYTES {
            *prefix = SerializedPrefix::default();
        }
        Ok(read)
    }
}

impl SerializedPrefix {
    /// Drops everything that is no longer a prefix of `messages`.
    fn retain(&mut self, serializer: MessageSerializer, messages: &[Arc<Message>]) {
        if self.serializer != Some(serializer) {
            *self = Self { serializer: Some(serializer), ..Self::default() };
        }
        let is_same = |entry: &(Weak<Message>, usize), message: &Arc<Message>| entry.0.as_ptr() == Arc::as_ptr(message);
        // A conversation manager removes the oldest messages first.
        let removed = messages.first().and_then(|first| self.messages.iter().position(|entry| is_same(entry, first)));
        let removed = removed.unwrap_or(self.messages.len());
        let removed_bytes = self.end(removed);
        self.bytes.drain(..removed_bytes);
        self.messages.drain(..removed);
        for (_, end) in &mut self.messages {
            *end -= removed_bytes;
        }
        let same = self.messages.iter().zip(messages).take_while(|(entry, message)| is_same(entry, message)).count();
        self.bytes.truncate(self.end(same));
        self.messages.truncate(same);
    }

    /// Returns the length of the first `messages` messages, in bytes.
    fn end(&self, messages: usize) -> usize {
        messages.checked_sub(1).and_then(|last| self.messages.get(last)).map_or(0, |(_, end)| *end)
    }
}

impl std::fmt::Debug for SerializedMessages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SerializedMessages").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    fn read(
        serialized: &SerializedMessages,
        serializer: MessageSerializer,
        messages: &[Arc<Message>],
    ) -> (String, usize) {
        let times = Cell::new(0);
        let write = |bytes: &mut Vec<u8>, message: &Message| {
            times.set(times.get() + 1);
            bytes.extend_from_slice(format!("[{}]", message.text()).as_bytes());
            Ok::<_, Infallible>(())
        };
        let text = serialized.read(serializer, messages, write, |bytes| String::from_utf8(bytes.to_vec()).unwrap());
        (text.unwrap(), times.get())
    }

    fn message(text: &str) -> Arc<Message> {
        Arc::new(Message::user(text))
    }

    #[test]
    fn serializes_a_message_once_for_each_serializer() {
        let (serialized, one, other) =
            (SerializedMessages::default(), MessageSerializer::new(), MessageSerializer::new());
        let mut messages = vec![message("a"), message("b")];
        assert_eq!(read(&serialized, one, &messages), ("[a][b]".to_owned(), 2));
        messages.push(message("c"));
        assert_eq!(read(&serialized, one, &messages), ("[a][b][c]".to_owned(), 1));
        assert_eq!(read(&serialized, one, &messages[1..]), ("[b][c]".to_owned(), 0), "the oldest message was removed");
        assert_eq!(read(&serialized, other, &messages).1, 3);
    }

    #[test]
    fn serializes_a_changed_message_again() {
        let (serialized, serializer) = (SerializedMessages::default(), MessageSerializer::new());
        let mut messages = vec![message("a"), message("b")];
        read(&serialized, serializer, &messages);
        *Arc::make_mut(&mut messages[0]) = Message::user("changed");
        assert_eq!(read(&serialized, serializer, &messages).0, "[changed][b]");
    }

    #[test]
    fn drops_the_bytes_of_a_message_that_fails() {
        let (serialized, serializer) = (SerializedMessages::default(), MessageSerializer::new());
        let messages = [message("a"), message("b")];
        let refuse = |bytes: &mut Vec<u8>, message: &Message| {
            bytes.extend_from_slice(b"half");
            if message.text() == "b" { Err("no") } else { Ok(()) }
        };
        assert_eq!(serialized.read(serializer, &messages, refuse, |_| ()), Err("no"));
        assert_eq!(read(&serialized, serializer, &messages), ("half[b]".to_owned(), 1));
    }

    #[test]
    fn does_not_cache_more_than_the_maximum() {
        let (serialized, serializer) = (SerializedMessages::default(), MessageSerializer::new());
        let messages = [message(&"x".repeat(MAX_BYTES))];
        assert_eq!(read(&serialized, serializer, &messages).1, 1);
        assert_eq!(read(&serialized, serializer, &messages).1, 1);
    }

    #[derive(Clone, Debug)]
    enum Change {
        Push(u8),
        DropOldest(usize),
        DropNewest(usize),
        Replace(usize, u8),
        Edit(usize, u8),
        Insert(usize, u8),
    }

    fn change() -> impl Strategy<Value = Change> {
        let index = 0_usize..8;
        prop_oneof![
            3 => any::<u8>().prop_map(Change::Push),
            1 => index.clone().prop_map(Change::DropOldest),
            1 => index.clone().prop_map(Change::DropNewest),
            1 => (index.clone(), any::<u8>()).prop_map(|(at, new)| Change::Replace(at, new)),
            1 => (index.clone(), any::<u8>()).prop_map(|(at, new)| Change::Edit(at, new)),
            1 => (index, any::<u8>()).prop_map(|(at, new)| Change::Insert(at, new)),
        ]
    }

    proptest! {
        #[test]
        fn cached_bytes_equal_a_fresh_serialization(
            changes in prop::collection::vec((change(), any::<bool>()), 0..40),
        ) {
            let (serialized, serializer) = (SerializedMessages::default(), MessageSerializer::new());
            let mut messages: Vec<Arc<Message>> = Vec::new();
            for (change, reads) in changes {
                let length = messages.len();
                match change {
                    Change::Push(new) => messages.push(message(&new.to_string())),
                    Change::DropOldest(most) => drop(messages.drain(..most.min(length))),
                    Change::DropNewest(most) => messages.truncate(length.saturating_sub(most)),
                    Change::Replace(at, new) if at < length => messages[at] = message(&new.to_string()),
                    Change::Edit(at, new) if at < length => {
                        *Arc::make_mut(&mut messages[at]) = Message::user(new.to_string());
                    }
                    Change::Insert(at, new) => messages.insert(at.min(length), message(&new.to_string())),
                    _ => {}
                }
                if reads {
                    let fresh: String = messages.iter().map(|message| format!("[{}]", message.text())).collect();
                    prop_assert_eq!(read(&serialized, serializer, &messages).0, fresh);
                }
            }
        }
    }
}

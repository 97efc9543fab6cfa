//! Cache of serialized messages. A conversation mostly grows at its end, so each message is serialized to a provider's JSON
//! once, and not again for each request.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::message::Message;

/// Maximum size of the cache, in bytes. Caching more of a long conversation would double the memory that it takes.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Cache of one conversation's messages in a provider's JSON.
///
/// An agent has one and passes it to each [`ModelRequest`]. Programs that call models themselves may do the same, or leave
/// it out.
///
/// The cache holds the first 4 MiB at most and follows the conversation: messages that have been replaced are serialized
/// again.
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

/// Serialized messages of a request, each with a note of the serializer.
#[derive(Clone, Copy, Debug)]
pub struct NotedMessages<'a> {
    bytes: &'a [u8],
    entries: &'a [Entry],
}

impl<'a> NotedMessages<'a> {
    /// Returns the notes of the messages, in order.
    pub fn notes(self) -> impl DoubleEndedIterator<Item = u8> + ExactSizeIterator + 'a {
        self.entries.iter().map(|entry| entry.note)
    }

    /// Returns the concatenated bytes of a range of the messages.
    pub fn bytes(self, messages: std::ops::Range<usize>) -> &'a [u8] {
        let (from, to) = (end_of(self.entries, messages.start), end_of(self.entries, messages.end));
        self.bytes.get(from..to).unwrap_or_default()
    }
}

/// The messages at the beginning of a conversation, serialized.
#[derive(Default)]
struct SerializedPrefix {
    serializer: Option<MessageSerializer>,
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

/// One serialized message.
#[derive(Debug)]
struct Entry {
    /// A weak reference keeps the address from being reused, and makes `Arc::make_mut` move a message that changes to
    /// another address.
    message: Weak<Message>,
    /// End of the message's bytes.
    end: usize,
    note: u8,
}

/// Returns the length of the first `messages` entries, in bytes.
fn end_of(entries: &[Entry], messages: usize) -> usize {
    messages.checked_sub(1).and_then(|last| entries.get(last)).map_or(0, |entry| entry.end)
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
        let write = |bytes: &mut Vec<u8>, message: &Message| write(bytes, message).map(|()| 0);
        self.read_noted(serializer, messages, write, |messages| read(messages.bytes))
    }

    /// Calls `read` with the bytes and notes of `messages` and returns its result.
    ///
    /// As [`read`](Self::read), for requests that don't send the bytes of all messages unchanged. `write` returns a note,
    /// which is cached with the bytes: facts about the message that a request needs without reading the message again.
    ///
    /// # Errors
    ///
    /// Returns the error of `write`.
    pub fn read_noted<T, E>(
        &self,
        serializer: MessageSerializer,
        messages: &[Arc<Message>],
        mut write: impl FnMut(&mut Vec<u8>, &Message) -> Result<u8, E>,
        read: impl FnOnce(NotedMessages<'_>) -> T,
    ) -> Result<T, E> {
        let mut prefix = self.prefix.lock().unwrap_or_else(PoisonError::into_inner);
        prefix.retain(serializer, messages);
        let known = prefix.entries.len();
        prefix.entries.reserve(messages.len() - known);
        for message in messages.iter().skip(known) {
            let length = prefix.bytes.len();
            match write(&mut prefix.bytes, message) {
                Ok(note) => {
                    let end = prefix.bytes.len();
                    prefix.entries.push(Entry { message: Arc::downgrade(message), end, note });
                }
                Err(error) => {
                    prefix.bytes.truncate(length);
                    return Err(error);
                }
            }
        }
        let read = read(NotedMessages { bytes: &prefix.bytes, entries: &prefix.entries });
        prefix.limit();
        Ok(read)
    }
}

impl SerializedPrefix {
    /// Drops everything that is no longer a prefix of `messages`.
    fn retain(&mut self, serializer: MessageSerializer, messages: &[Arc<Message>]) {
        if self.serializer != Some(serializer) {
            *self = Self { serializer: Some(serializer), ..Self::default() };
        }
        let is_same = |entry: &Entry, message: &Arc<Message>| entry.message.as_ptr() == Arc::as_ptr(message);
        // A conversation manager removes the oldest messages first.
        let removed = messages.first().and_then(|first| self.entries.iter().position(|entry| is_same(entry, first)));
        let removed = removed.unwrap_or(self.entries.len());
        if removed > 0 {
            let removed_bytes = end_of(&self.entries, removed);
            self.bytes.drain(..removed_bytes);
            self.entries.drain(..removed);
            for entry in &mut self.entries {
                entry.end -= removed_bytes;
            }
        }
        let same = self.entries.iter().zip(messages).take_while(|(entry, message)| is_same(entry, message)).count();
        self.truncate(same);
    }

    /// Drops the newest messages that exceed the maximum size.
    fn limit(&mut self) {
        if self.bytes.len() > MAX_BYTES {
            self.truncate(self.entries.partition_point(|entry| entry.end <= MAX_BYTES));
            self.bytes.shrink_to_fit();
        }
    }

    fn truncate(&mut self, messages: usize) {
        self.bytes.truncate(end_of(&self.entries, messages));
        self.entries.truncate(messages);
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

    #[test]
    fn caches_the_beginning_of_a_conversation_that_exceeds_the_maximum() {
        let (serialized, serializer) = (SerializedMessages::default(), MessageSerializer::new());
        let messages = ["a", "b", &"x".repeat(MAX_BYTES), "c"].map(message);
        assert_eq!(read(&serialized, serializer, &messages).1, 4);
        let (text, times) = read(&serialized, serializer, &messages);
        assert!(text.starts_with("[a][b][x") && text.ends_with("x][c]"));
        assert_eq!(times, 2, "the long message and the one after it");
        let prefix = serialized.prefix.lock().unwrap();
        assert!(prefix.bytes.capacity() <= MAX_BYTES, "the memory of the rest is released");
    }

    #[test]
    fn returns_notes_and_bytes_of_a_part() {
        let (serialized, serializer) = (SerializedMessages::default(), MessageSerializer::new());
        let messages = ["a", "", "ccc"].map(message);
        let write = |bytes: &mut Vec<u8>, message: &Message| {
            let text = message.text();
            bytes.extend_from_slice(text.as_bytes());
            u8::try_from(text.len())
        };
        for _ in 0..2 {
            let parts = serialized.read_noted(serializer, &messages, write, |noted| {
                let parts = [0..3, 0..0, 1..3, 0..1].map(|part| String::from_utf8(noted.bytes(part).to_vec()).unwrap());
                (parts, noted.notes().collect::<Vec<_>>())
            });
            let expected = (["accc", "", "ccc", "a"].map(str::to_owned), vec![1, 0, 3]);
            assert_eq!(parts.unwrap(), expected);
        }
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

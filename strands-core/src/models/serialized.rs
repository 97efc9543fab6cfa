//! What a provider wrote of a conversation, kept for the next request. A conversation only grows, mostly, so each message
//! is turned into a provider's JSON once and not once for every request that it is part of.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::message::Message;

/// What is longer is not kept: it would hold twice the memory of a conversation that already holds much.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// What providers have written of one conversation. An agent has one and lends it to each [`ModelRequest`]; a program
/// that asks models itself may do the same, or leave it out.
///
/// It holds 4 MiB at most, and follows the conversation: what is no longer part of it is written anew. Messages are told
/// apart by identity, and one that is shared can't change.
///
/// [`ModelRequest`]: super::ModelRequest
#[derive(Default)]
pub struct SerializedMessages {
    kept: Mutex<Kept>,
}

/// Who writes: a model with its settings, since the same message reads differently from another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageSerializer(u64);

impl MessageSerializer {
    /// A serializer unlike all others.
    #[expect(clippy::new_without_default, reason = "each is another one")]
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

#[derive(Default)]
struct Kept {
    serializer: Option<MessageSerializer>,
    bytes: Vec<u8>,
    /// The messages, each with the place where its bytes end. Holding them weakly keeps their addresses from being used
    /// again, and makes whoever changes one put it elsewhere.
    messages: Vec<(Weak<Message>, usize)>,
}

impl SerializedMessages {
    /// The bytes of `messages`, one after another, handed to `read`. `write` adds those of one message to what it is
    /// given; it is called only for messages that `serializer` has not written before. What it writes may depend on nothing
    /// but the message and the serializer.
    ///
    /// # Errors
    ///
    /// That of `write`.
    pub fn read<T, E>(
        &self,
        serializer: MessageSerializer,
        messages: &[Arc<Message>],
        mut write: impl FnMut(&mut Vec<u8>, &Message) -> Result<(), E>,
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, E> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.keep(serializer, messages);
        let known = kept.messages.len();
        for message in messages.iter().skip(known) {
            let length = kept.bytes.len();
            if let Err(error) = write(&mut kept.bytes, message) {
                kept.bytes.truncate(length);
                return Err(error);
            }
            let end = kept.bytes.len();
            kept.messages.push((Arc::downgrade(message), end));
        }
        let read = read(&kept.bytes);
        if kept.bytes.len() > MOST_BYTES {
            *kept = Kept::default();
        }
        Ok(read)
    }
}

impl Kept {
    /// Keeps what is still the beginning of `messages`.
    fn keep(&mut self, serializer: MessageSerializer, messages: &[Arc<Message>]) {
        if self.serializer != Some(serializer) {
            *self = Self { serializer: Some(serializer), ..Self::default() };
        }
        let is_kept = |kept: &(Weak<Message>, usize), message: &Arc<Message>| kept.0.as_ptr() == Arc::as_ptr(message);
        // The oldest messages of a long conversation go first.
        let gone = messages.first().and_then(|first| self.messages.iter().position(|kept| is_kept(kept, first)));
        let gone = gone.unwrap_or(self.messages.len());
        let gone_bytes = self.end(gone);
        self.bytes.drain(..gone_bytes);
        self.messages.drain(..gone);
        for (_, end) in &mut self.messages {
            *end -= gone_bytes;
        }
        let same = self.messages.iter().zip(messages).take_while(|(kept, message)| is_kept(kept, message)).count();
        self.bytes.truncate(self.end(same));
        self.messages.truncate(same);
    }

    /// Where the bytes of the first so many messages end.
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

    fn read(written: &SerializedMessages, serializer: MessageSerializer, messages: &[Arc<Message>]) -> (String, usize) {
        let times = Cell::new(0);
        let write = |bytes: &mut Vec<u8>, message: &Message| {
            times.set(times.get() + 1);
            bytes.extend_from_slice(format!("[{}]", message.text()).as_bytes());
            Ok::<_, Infallible>(())
        };
        let text = written.read(serializer, messages, write, |bytes| String::from_utf8(bytes.to_vec()).unwrap());
        (text.unwrap(), times.get())
    }

    fn message(text: &str) -> Arc<Message> {
        Arc::new(Message::user(text))
    }

    #[test]
    fn a_message_is_written_once_for_each_writer() {
        let (written, one, other) = (SerializedMessages::default(), MessageSerializer::new(), MessageSerializer::new());
        let mut messages = vec![message("a"), message("b")];
        assert_eq!(read(&written, one, &messages), ("[a][b]".to_owned(), 2));
        messages.push(message("c"));
        assert_eq!(read(&written, one, &messages), ("[a][b][c]".to_owned(), 1));
        assert_eq!(read(&written, one, &messages[1..]), ("[b][c]".to_owned(), 0), "the oldest may go");
        assert_eq!(read(&written, other, &messages).1, 3);
    }

    #[test]
    fn a_message_that_changes_is_another_one() {
        let (written, serializer) = (SerializedMessages::default(), MessageSerializer::new());
        let mut messages = vec![message("a"), message("b")];
        read(&written, serializer, &messages);
        *Arc::make_mut(&mut messages[0]) = Message::user("changed");
        assert_eq!(read(&written, serializer, &messages).0, "[changed][b]");
    }

    #[test]
    fn what_can_not_be_written_is_not_kept() {
        let (written, serializer) = (SerializedMessages::default(), MessageSerializer::new());
        let messages = [message("a"), message("b")];
        let refuse = |bytes: &mut Vec<u8>, message: &Message| {
            bytes.extend_from_slice(b"half");
            if message.text() == "b" { Err("no") } else { Ok(()) }
        };
        assert_eq!(written.read(serializer, &messages, refuse, |_| ()), Err("no"));
        assert_eq!(read(&written, serializer, &messages), ("half[b]".to_owned(), 1));
    }

    #[test]
    fn much_is_not_kept() {
        let (written, serializer) = (SerializedMessages::default(), MessageSerializer::new());
        let messages = [message(&"x".repeat(MOST_BYTES))];
        assert_eq!(read(&written, serializer, &messages).1, 1);
        assert_eq!(read(&written, serializer, &messages).1, 1);
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
        let place = 0_usize..8;
        prop_oneof![
            3 => any::<u8>().prop_map(Change::Push),
            1 => place.clone().prop_map(Change::DropOldest),
            1 => place.clone().prop_map(Change::DropNewest),
            1 => (place.clone(), any::<u8>()).prop_map(|(at, new)| Change::Replace(at, new)),
            1 => (place.clone(), any::<u8>()).prop_map(|(at, new)| Change::Edit(at, new)),
            1 => (place, any::<u8>()).prop_map(|(at, new)| Change::Insert(at, new)),
        ]
    }

    proptest! {
        #[test]
        fn whatever_happens_to_a_conversation_its_bytes_are_those_written_anew(
            changes in prop::collection::vec((change(), any::<bool>()), 0..40),
        ) {
            let (written, serializer) = (SerializedMessages::default(), MessageSerializer::new());
            let mut messages: Vec<Arc<Message>> = Vec::new();
            for (change, asked) in changes {
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
                if asked {
                    let anew: String = messages.iter().map(|message| format!("[{}]", message.text())).collect();
                    prop_assert_eq!(read(&written, serializer, &messages).0, anew);
                }
            }
        }
    }
}

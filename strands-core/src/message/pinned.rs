//! The flag of messages that stay, however long the conversation becomes.

use serde_json::Value;

use super::{Message, MessageMetadata};

/// Strands' name of the flag in a message's `metadata.custom`.
const PINNED: &str = "pinned";

impl Message {
    /// The same message, which no conversation manager removes, cuts or summarizes. A session keeps the flag.
    ///
    /// The call of a tool and its result are pinned together, whichever of the two has the flag.
    ///
    /// ```
    /// use strands::message::Message;
    ///
    /// let allergy = Message::user("I am allergic to peanuts.").pinned();
    /// assert!(allergy.is_pinned());
    /// ```
    #[must_use]
    pub fn pinned(mut self) -> Self {
        self.pin();
        self
    }

    /// True for a message with the flag that [`pinned`](Self::pinned) sets.
    pub fn is_pinned(&self) -> bool {
        let flag = self.metadata.as_ref().and_then(|known| known.custom.get(PINNED));
        flag.and_then(Value::as_bool).unwrap_or(false)
    }

    pub(crate) fn pin(&mut self) {
        let metadata = self.metadata.get_or_insert_with(MessageMetadata::default);
        metadata.custom.insert(PINNED.to_owned(), Value::Bool(true));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_flag_is_that_of_strands() {
        let message: Message =
            serde_json::from_value(json!({"role": "user", "content": [], "metadata": {"custom": {"pinned": true}}}))
                .unwrap();
        assert!(message.is_pinned());
        assert_eq!(Message::user("a").pinned().metadata.unwrap().custom["pinned"], json!(true));
    }
}

//! Pinned messages, which conversation managers do not remove.

use serde_json::Value;

use super::{Message, MessageMetadata};

/// Name of the flag in a message's `metadata.custom`, as in Python Strands.
const PINNED: &str = "pinned";

impl Message {
    /// Pins the message: no conversation manager removes, truncates or summarizes it. Sessions store the flag.
    ///
    /// A tool call and its result are pinned together, if either has the flag.
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

    /// Returns true if the message is [`pinned`](Self::pinned).
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
    fn stores_the_flag_of_python_strands() {
        let message: Message =
            serde_json::from_value(json!({"role": "user", "content": [], "metadata": {"custom": {"pinned": true}}}))
                .unwrap();
        assert!(message.is_pinned());
        assert_eq!(Message::user("a").pinned().metadata.unwrap().custom["pinned"], json!(true));
    }
}

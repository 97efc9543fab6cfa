//! Position of a message in the whole conversation, including messages that were removed from the history.

/// Position of a message in the whole conversation, as stored by a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Position {
    /// A new message without a number.
    #[default]
    New,
    /// Zero-based numbers of the first and the last message that were merged into this one, and the number of its blocks
    /// that come from messages before the last.
    Numbered { first: u64, last: u64, before_last: usize },
    /// Not part of the whole conversation: it stands for removed or lost messages.
    Synthetic,
    /// A note between two messages of one role whose intermediate messages were removed.
    Gap,
}

impl Position {
    pub(crate) fn numbered(number: u64) -> Self {
        Self::Numbered { first: number, last: number, before_last: 0 }
    }

    /// Returns the position of a message with this number of blocks, after the next message was merged into it.
    pub(crate) fn joined(self, blocks: usize, next: Self) -> Self {
        match (self, next) {
            (Self::Numbered { first, .. }, Self::Numbered { last, before_last, .. }) => {
                Self::Numbered { first, last, before_last: blocks + before_last }
            }
            (_, Self::Numbered { .. }) => next,
            _ => self,
        }
    }

    /// Returns false if messages between this one and the next were removed.
    pub(crate) fn is_followed_by(self, next: Self) -> bool {
        match (self, next) {
            (Self::Numbered { last, .. }, Self::Numbered { first, .. }) => last.checked_add(1) == Some(first),
            (Self::New, _) | (_, Self::New) => true,
            _ => false,
        }
    }

    /// Returns the zero-based numbers of the first and the last message that were merged into this one.
    pub(crate) fn numbers(self) -> Option<(u64, u64)> {
        match self {
            Self::Numbered { first, last, .. } => Some((first, last)),
            Self::New | Self::Synthetic | Self::Gap => None,
        }
    }

    /// Returns the zero-based number of the message.
    pub(crate) fn number(self) -> Option<u64> {
        Some(self.numbers()?.0)
    }
}

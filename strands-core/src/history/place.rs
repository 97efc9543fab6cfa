//! The place of a message in the whole conversation: bookkeeping beside the messages, which are the model's and the
//! user's.

/// The place of a message in the whole conversation, which a session keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    /// Not known yet.
    #[default]
    New,
    /// Zero-based index: the first and the last of those that it was joined from, and how many of its blocks
    /// are those of the ones before the last.
    Numbered { first: u64, last: u64, before_last: usize },
    /// Nobody said it: it stands for what was shortened or lost.
    Nowhere,
    /// Nobody said it: it keeps those apart between whom something went.
    Gap,
}

impl Place {
    pub(crate) fn numbered(number: u64) -> Self {
        Self::Numbered { first: number, last: number, before_last: 0 }
    }

    /// The place of a message of so many blocks with the one after it joined to it.
    pub(crate) fn joined(self, blocks: usize, next: Self) -> Self {
        match (self, next) {
            (Self::Numbered { first, .. }, Self::Numbered { last, before_last, .. }) => {
                Self::Numbered { first, last, before_last: blocks + before_last }
            }
            (_, Self::Numbered { .. }) => next,
            _ => self,
        }
    }

    /// False when something went between a message and the one after it.
    pub(crate) fn is_followed_by(self, next: Self) -> bool {
        match (self, next) {
            (Self::Numbered { last, .. }, Self::Numbered { first, .. }) => last.checked_add(1) == Some(first),
            (Self::New, _) | (_, Self::New) => true,
            _ => false,
        }
    }

    /// Returns the zero-based positions of the first and the last of the messages that it was joined from.
    pub(crate) fn numbers(self) -> Option<(u64, u64)> {
        match self {
            Self::Numbered { first, last, .. } => Some((first, last)),
            Self::New | Self::Nowhere | Self::Gap => None,
        }
    }

    /// Returns the zero-based position of the message.
    pub(crate) fn number(self) -> Option<u64> {
        Some(self.numbers()?.0)
    }
}

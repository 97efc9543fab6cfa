//! Removals of messages from a history since the session has its range.

/// Removals since the session has the range of the history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Removals {
    /// None, or unknown ones from before this agent was built.
    #[default]
    None,
    /// Trims to a window of this many messages, which a conversation manager repeats when the session is restored.
    ToWindow(usize),
    /// Also others, which are restored from the range alone.
    Other,
}

impl Removals {
    /// Adds a trim to a window. Other removals before it stay the reason to store the range.
    pub(super) fn trimmed_to(self, window: usize) -> Self {
        match self {
            Self::ToWindow(known) if known != window => Self::Other,
            Self::Other => Self::Other,
            Self::None | Self::ToWindow(_) => Self::ToWindow(window),
        }
    }

    /// Returns the state after a prompt of several messages: where it begins can't be told from the messages, so that trims are
    /// not repeated exactly.
    pub(super) fn prompted_with(self, messages: usize) -> Self {
        if messages > 1 && self != Self::None { Self::Other } else { self }
    }

    /// Returns the state after the range was stored.
    pub(super) fn stored(self) -> Self {
        if self == Self::Other { Self::None } else { self }
    }
}

//! Texts to check, and verdicts about them.

use std::ops::Range;

use super::GuardedContent;
use crate::hook::HookContext;

/// A text to check.
#[derive(Debug)]
#[non_exhaustive]
pub struct Check<'a> {
    /// The agent, the invocation and injected values.
    pub context: &'a HookContext,
    /// Content that the text is part of.
    pub content: &'a GuardedContent,
    /// The text. With [`Window::Bytes`], a part of a streamed text: the range to decide about, with text around it.
    pub text: &'a str,
    /// Range of the text to decide about: redactions count if they start there. The whole text, unless it is a part of a
    /// streamed one.
    pub range: Range<usize>,
}

/// Verdict about a text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The text passes as it is.
    Pass,
    /// Parts of the text are replaced. A redaction within another one is ignored. One that overlaps an earlier one replaces
    /// the rest of its text.
    Redact(Vec<Redaction>),
    /// The text is replaced as a whole. Only for a text that is checked as a whole: a part of a streamed one is blocked.
    Rewrite(String),
    /// The prompt, the response or the tool result with the text is blocked.
    #[non_exhaustive]
    Block {
        /// Text in place of the blocked content. For a prompt, it is the response.
        message: String,
    },
}

impl Verdict {
    /// Creates a [`Block`](Self::Block) with the text in place of the blocked content.
    pub fn block(message: impl Into<String>) -> Self {
        Self::Block { message: message.into() }
    }
}

/// Replacement of a part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Redaction {
    /// Range of bytes in [`Check::text`].
    pub range: Range<usize>,
    /// Text that replaces the range.
    pub replacement: String,
}

impl Redaction {
    /// Creates a redaction.
    pub fn new(range: Range<usize>, replacement: impl Into<String>) -> Self {
        Self { range, replacement: replacement.into() }
    }
}

/// Text that a guardrail needs to see at once, and so the length to which streamed text is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Window {
    /// Each text as a whole: a block of a response is held back until it is complete, and its JSON is checked as one text. A
    /// longer text is blocked.
    #[non_exhaustive]
    Whole {
        /// Maximum size of a text, in bytes.
        max_bytes: usize,
    },
    /// Findings depend on nothing but the bytes around them: whether there is one is decided by this number of bytes before
    /// its start and by this number after its start, and it ends within the latter. Streamed text is held back by at most
    /// this number of bytes, and each string in JSON is a text of its own.
    Bytes(usize),
}

impl Window {
    /// Creates a [`Whole`](Self::Whole) for texts of at most this size.
    pub fn whole(max_bytes: usize) -> Self {
        Self::Whole { max_bytes }
    }
}

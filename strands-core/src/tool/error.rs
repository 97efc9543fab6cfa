//! Errors of tools, in words for the model.

use std::error::Error as StdError;
use std::fmt;

use crate::error_chain::ErrorChain;
use crate::interrupt::Interrupt;

/// An error of a tool.
///
/// The model reads the text and can act on it, so say what was wrong and what would be right. The text of another error has
/// that of its sources; [`AgentBuilder::redact_tool_errors`](crate::AgentBuilder::redact_tool_errors) keeps such texts from
/// the model.
///
/// ```
/// use strands::ToolError;
///
/// let error = ToolError::new("no flight 17 on that day; flights are 18 and 21");
/// assert_eq!(error.to_string(), "no flight 17 on that day; flights are 18 and 21");
/// ```
pub struct ToolError {
    pub(crate) kind: ToolErrorKind,
    text: String,
    /// True when the tool's author wrote the text for the model.
    explicit: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

#[derive(Debug)]
pub(crate) enum ToolErrorKind {
    Failed,
    InvalidInput,
    Interrupt(Box<Interrupt>),
}

impl ToolError {
    /// The tool failed; the model reads `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self { kind: ToolErrorKind::Failed, text: text.into(), explicit: true, source: None }
    }

    /// The arguments are not what the tool takes; the model reads `text`, which says which and why.
    pub fn invalid_input(text: impl Into<String>) -> Self {
        Self { kind: ToolErrorKind::InvalidInput, ..Self::new(text) }
    }

    /// The tool can't go on before a human answers.
    pub fn interrupt(interrupt: Interrupt) -> Self {
        let text = format!("waiting for an answer to `{}`", interrupt.name);
        let source = Some(Box::new(Asked(interrupt.clone())) as _);
        Self { kind: ToolErrorKind::Interrupt(Box::new(interrupt)), source, ..Self::new(text) }
    }

    /// Converts any error. The text is its `Display` and those of its sources, each once, 8 KiB at most; a `ToolError` is
    /// taken as it is, and a question to a human is found beneath other errors too.
    ///
    /// ```
    /// use strands::ToolError;
    ///
    /// let refused = std::io::Error::other("no space left on device");
    /// let failed = strands::session::SessionError::Storage { action: "write", key: "note".into(), source: refused.into() };
    /// let error = ToolError::from_source(failed);
    /// assert_eq!(error.to_string(), "the session store could not write note: no space left on device");
    /// ```
    pub fn from_source(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        match source.into().downcast::<Self>() {
            Ok(error) => *error,
            Err(source) => match Asked::beneath(&*source) {
                Some(Asked(interrupt)) => Self::interrupt(interrupt.clone()),
                None => Self {
                    kind: ToolErrorKind::Failed,
                    text: ErrorChain::for_model(&*source).to_string(),
                    explicit: false,
                    source: Some(source),
                },
            },
        }
    }

    /// True when the arguments were not what the tool takes.
    pub fn is_invalid_input(&self) -> bool {
        matches!(self.kind, ToolErrorKind::InvalidInput)
    }

    /// Returns the question that the tool waits for, if it can't go on before a human answers.
    pub fn as_interrupt(&self) -> Option<&Interrupt> {
        match &self.kind {
            ToolErrorKind::Interrupt(interrupt) => Some(interrupt),
            _ => None,
        }
    }

    /// True when the tool's author wrote the text for the model; false when it is the text of some other error.
    pub fn is_explicit(&self) -> bool {
        self.explicit
    }
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

crate::error_chain::debug_with_sources!(ToolError);

impl StdError for ToolError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// The question beneath an interrupting [`ToolError`]. An error type that a tool wraps it in, such as `anyhow::Error`,
/// may hide the `ToolError` itself, but not what it comes from.
#[derive(Debug)]
struct Asked(Interrupt);

impl Asked {
    fn beneath<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        let mut next = Some(error);
        std::iter::from_fn(|| {
            let error = next?;
            next = error.source();
            Some(error)
        })
        .find_map(|error| error.downcast_ref())
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the question `{}` is for a human", self.0.id)
    }
}

impl StdError for Asked {}

//! Errors of tools, with texts for the model.

use std::error::Error as StdError;
use std::fmt;

use crate::error_chain::ErrorChain;
use crate::interrupt::Interrupt;

/// An error of a tool call.
///
/// The model reads the text and can act on it: say what was wrong and what would be right. The text of a converted error
/// includes its sources; [`AgentBuilder::redact_tool_errors`](crate::AgentBuilder::redact_tool_errors) withholds such texts
/// from the model.
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
    /// True if the tool's author wrote the text for the model.
    explicit: bool,
    retryable: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

#[derive(Debug)]
pub(crate) enum ToolErrorKind {
    Failed,
    InvalidInput,
    Interrupt(Box<Interrupt>),
}

impl ToolError {
    /// Creates an error of a failed tool, with a text for the model.
    pub fn new(text: impl Into<String>) -> Self {
        Self { kind: ToolErrorKind::Failed, text: text.into(), explicit: true, retryable: false, source: None }
    }

    /// Creates an error of a failure that may not happen again, such as an overloaded service, with a text for the model.
    ///
    /// The call is repeated if the tool's [policy](crate::ToolPolicy::with_retries) has retries.
    pub fn retryable(text: impl Into<String>) -> Self {
        Self { retryable: true, ..Self::new(text) }
    }

    /// Creates an error of invalid arguments, with a text for the model that names them and the reason.
    pub fn invalid_input(text: impl Into<String>) -> Self {
        Self { kind: ToolErrorKind::InvalidInput, ..Self::new(text) }
    }

    /// Creates an error that interrupts the invocation until a human responds.
    pub fn interrupt(interrupt: Interrupt) -> Self {
        let text = format!("waiting for a response to interrupt `{}`", interrupt.name);
        let source = Some(Box::new(PendingInterrupt(interrupt.clone())) as _);
        Self { kind: ToolErrorKind::Interrupt(Box::new(interrupt)), source, ..Self::new(text) }
    }

    /// Converts any error.
    ///
    /// The text is its `Display` and those of its sources, without repetition, at most 8 KiB. A `ToolError` is returned
    /// unchanged, and an interrupt is also found among the sources.
    ///
    /// ```
    /// use strands::ToolError;
    ///
    /// let full = std::io::Error::other("no space left on device");
    /// let failed = strands::session::SessionError::Storage { action: "write", key: "note".into(), source: full.into() };
    /// let error = ToolError::from_source(failed);
    /// assert_eq!(error.to_string(), "the session store could not write note: no space left on device");
    /// ```
    pub fn from_source(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        match source.into().downcast::<Self>() {
            Ok(error) => *error,
            Err(source) => match PendingInterrupt::beneath(&*source) {
                Some(PendingInterrupt(interrupt)) => Self::interrupt(interrupt.clone()),
                None => Self {
                    kind: ToolErrorKind::Failed,
                    text: ErrorChain::for_model(&*source).to_string(),
                    explicit: false,
                    retryable: true,
                    source: Some(source),
                },
            },
        }
    }

    /// Returns true if the arguments were invalid.
    pub fn is_invalid_input(&self) -> bool {
        matches!(self.kind, ToolErrorKind::InvalidInput)
    }

    /// Returns the interrupt that the tool waits for, if any.
    pub fn as_interrupt(&self) -> Option<&Interrupt> {
        match &self.kind {
            ToolErrorKind::Interrupt(interrupt) => Some(interrupt),
            _ => None,
        }
    }

    /// Returns true if the failure may not happen again: for errors made by [`retryable`](Self::retryable), and for converted
    /// ones.
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }

    /// Returns true if the tool's author wrote the text for the model, and false for a converted error.
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

/// The interrupt as the source of a [`ToolError`]. An error type that wraps the `ToolError`, such as `anyhow::Error`, may
/// hide it, but not its source.
#[derive(Debug)]
struct PendingInterrupt(Interrupt);

impl PendingInterrupt {
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

impl fmt::Display for PendingInterrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pending interrupt `{}`", self.0.id)
    }
}

impl StdError for PendingInterrupt {}

//! Errors of tools, with texts for the model.

use std::error::Error as StdError;
use std::fmt;

use crate::continuation::Continuation;
use crate::error_chain::ErrorChain;
use crate::interrupt::{Interrupt, Suspension};

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
    Interrupt(Box<Suspension>),
    /// The call could not be resumed, and stays suspended: with this state, or as it was. The error ends the invocation.
    NotResumed {
        error: Box<dyn StdError + Send + Sync>,
        suspension: Option<Box<Suspension>>,
    },
    /// The tool can't be called like this. The error ends the invocation.
    Fatal(Box<dyn StdError + Send + Sync>),
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
        Self::suspended(vec![interrupt].into())
    }

    /// Creates an error that interrupts the invocation until a human has responded to several interrupts, and that has the
    /// state of the tool. The next call continues with it: [`ToolContext::continuation`](crate::ToolContext::continuation). It is
    /// stored with the agent's suspended invocation, and responses to earlier interrupts of the call are dropped.
    ///
    /// A `continuation` that nests deeper than 100 levels fails the call, and so does a list without interrupts.
    pub fn interrupts(interrupts: impl IntoIterator<Item = Interrupt>, continuation: impl Into<Continuation>) -> Self {
        let interrupts = interrupts.into_iter().collect();
        Self::suspended(Suspension { interrupts, continuation: Some(continuation.into()) })
    }

    /// Creates an error of an agent that did not accept the responses to its interrupts. The call stays suspended, with this state
    /// or as it was, and the invocation ends with the error of the agent.
    pub(crate) fn not_resumed(
        error: impl StdError + Send + Sync + 'static,
        suspension: Option<(Vec<Interrupt>, Continuation)>,
    ) -> Self {
        let text = error.to_string();
        let suspension = suspension
            .map(|(interrupts, continuation)| Box::new(Suspension { interrupts, continuation: Some(continuation) }));
        Self { kind: ToolErrorKind::NotResumed { error: Box::new(error), suspension }, ..Self::new(text) }
    }

    /// Creates an error that ends the invocation, rather than being a result for the model.
    pub(crate) fn fatal(error: impl StdError + Send + Sync + 'static) -> Self {
        let text = error.to_string();
        Self { kind: ToolErrorKind::Fatal(Box::new(error)), ..Self::new(text) }
    }

    fn suspended(suspension: Suspension) -> Self {
        let names: Vec<_> = suspension.interrupts.iter().map(|interrupt| format!("`{}`", interrupt.name)).collect();
        let text = format!("waiting for a response to interrupt {}", names.join(", "));
        let source = Some(Box::new(PendingInterrupt(suspension.clone())) as _);
        Self { kind: ToolErrorKind::Interrupt(Box::new(suspension)), source, ..Self::new(text) }
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
                Some(PendingInterrupt(suspension)) => Self::suspended(suspension.clone()),
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

    /// Returns the interrupts that the tool waits for. Empty for a failure.
    pub fn pending_interrupts(&self) -> &[Interrupt] {
        self.suspension().map(|suspension| suspension.interrupts.as_slice()).unwrap_or_default()
    }

    /// Returns true if the tool waits for responses to interrupts.
    pub fn is_interrupt(&self) -> bool {
        self.suspension().is_some()
    }

    pub(crate) fn suspension(&self) -> Option<&Suspension> {
        match &self.kind {
            ToolErrorKind::Interrupt(suspension) => Some(suspension),
            _ => None,
        }
    }

    /// Changes the interrupts that the tool waits for; for a tool that wraps another one.
    ///
    /// ```
    /// use strands::{Interrupt, ToolError, serde_json::json};
    ///
    /// let asks = ToolError::interrupt(Interrupt::new("1", "approval", json!("Pay 7 to 4111 1111 1111 1111?")));
    /// let masked = asks.map_interrupts(|mut interrupt| {
    ///     interrupt.reason = json!("Pay 7 to card 1?");
    ///     interrupt
    /// });
    /// assert_eq!(masked.pending_interrupts()[0].reason, "Pay 7 to card 1?");
    /// ```
    #[must_use]
    pub fn map_interrupts(self, change: impl FnMut(Interrupt) -> Interrupt) -> Self {
        let changed = |suspension: Suspension| {
            let interrupts = suspension.interrupts.into_iter().map(change).collect();
            Suspension { interrupts, ..suspension }
        };
        match self.kind {
            ToolErrorKind::Interrupt(suspension) => Self::suspended(changed(*suspension)),
            ToolErrorKind::NotResumed { error, suspension: Some(suspension) } => {
                let suspension = Some(Box::new(changed(*suspension)));
                Self { kind: ToolErrorKind::NotResumed { error, suspension }, ..self }
            }
            _ => self,
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

/// The interrupts as the source of a [`ToolError`]. An error type that wraps the `ToolError`, such as `anyhow::Error`, may
/// hide it, but not its source.
#[derive(Debug)]
struct PendingInterrupt(Suspension);

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
        let ids: Vec<_> = self.0.interrupts.iter().map(|interrupt| format!("`{}`", interrupt.id)).collect();
        write!(f, "pending interrupt {}", ids.join(", "))
    }
}

impl StdError for PendingInterrupt {}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn interrupts_of_a_call_that_was_not_resumed_are_changed_as_well() {
        let interrupt = Interrupt::new("1", "pay", json!("to card 4111"));
        let state = (vec![interrupt], Continuation::new(Value::Null));
        let error = ToolError::not_resumed(std::io::Error::other("refused"), Some(state));
        let masked = error.map_interrupts(|interrupt| Interrupt { reason: json!("to card 1"), ..interrupt });
        let ToolErrorKind::NotResumed { suspension: Some(suspension), .. } = masked.kind else { panic!("{masked:?}") };
        assert_eq!(suspension.interrupts[0].reason, "to card 1");
    }
}

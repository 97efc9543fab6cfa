//! Errors of journals.

use std::fmt;

use crate::error_chain::ErrorChain;

/// An error of a [`Journal`](super::Journal).
pub struct JournalError {
    step: String,
    cause: Cause,
}

enum Cause {
    Engine(Box<dyn std::error::Error + Send + Sync>),
    /// The replay requests another step than the first attempt.
    OtherStep(String),
    /// The effect of the step has another input than in the first attempt.
    OtherInput(String),
}

impl JournalError {
    /// Creates an error about a step, with the error of the engine as its source.
    pub fn new(step: impl Into<String>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { step: step.into(), cause: Cause::Engine(source.into()) }
    }

    /// Creates an error of a replay that requests a step where the journal has recorded another one.
    pub fn other_step(requested: impl Into<String>, recorded: impl Into<String>) -> Self {
        Self { step: requested.into(), cause: Cause::OtherStep(recorded.into()) }
    }

    /// Creates an error of a replay in which the effect of a step has another input than the recorded one.
    pub(crate) fn other_input(step: &str, difference: String) -> Self {
        Self { step: step.to_owned(), cause: Cause::OtherInput(difference) }
    }

    /// Returns the name of the step.
    pub fn step(&self) -> &str {
        &self.step
    }

    /// Returns the name of the recorded step, if the replay requested another one: a hook, the tools or the code differ from
    /// those of the first attempt. Another attempt fails as well.
    pub fn recorded_step(&self) -> Option<&str> {
        match &self.cause {
            Cause::OtherStep(recorded) => Some(recorded),
            Cause::OtherInput(_) => Some(&self.step),
            Cause::Engine(_) => None,
        }
    }
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = &self.step;
        match &self.cause {
            Cause::Engine(source) => {
                write!(f, "the journal failed at step `{step}`: {}", ErrorChain::within(&**source))
            }
            Cause::OtherStep(recorded) => write!(
                f,
                "the replay requested step `{step}` where the journal has `{recorded}`; a hook that is not recorded, the tools \
                 or the program differ from those of the first attempt"
            ),
            Cause::OtherInput(difference) => write!(
                f,
                "step `{step}` has another input in the replay: {difference}; a hook that is not recorded, the system prompt, \
                 the tools or the program differ from those of the first attempt"
            ),
        }
    }
}

crate::error_chain::debug_with_sources!(JournalError);

impl std::error::Error for JournalError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.cause {
            Cause::Engine(source) => Some(&**source),
            Cause::OtherStep(_) | Cause::OtherInput(_) => None,
        }
    }
}

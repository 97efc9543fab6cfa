//! Reasoning effort, one type for the builders of all providers.

#[cfg(any(feature = "anthropic", feature = "gemini", feature = "mistral", feature = "ollama"))]
use crate::ModelBuildError;

/// Reasoning effort of a model.
///
/// Providers accept some of these; the builder's `reasoning_effort` says which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ReasoningEffort {
    /// No reasoning.
    None,
    /// The least effort.
    Minimal,
    /// Low effort.
    Low,
    /// Medium effort.
    Medium,
    /// High effort.
    High,
    /// Very high effort.
    XHigh,
    /// The most effort.
    Max,
}

impl ReasoningEffort {
    /// Returns the value in requests: `none`, `minimal`, `low`, `medium`, `high`, `xhigh` or `max`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// Checks that a provider has this effort.
    ///
    /// # Errors
    ///
    /// Returns [`ModelBuildError::UnsupportedReasoningEffort`] for an effort that is not `accepted`.
    #[cfg(any(feature = "anthropic", feature = "gemini", feature = "mistral", feature = "ollama"))]
    pub(crate) fn check(
        effort: Option<Self>,
        accepted: &[Self],
        expected: &'static str,
    ) -> Result<(), ModelBuildError> {
        match effort {
            Some(effort) if !accepted.contains(&effort) => {
                Err(ModelBuildError::UnsupportedReasoningEffort { effort: effort.as_str(), expected })
            }
            _ => Ok(()),
        }
    }
}

//! Errors of invalid patterns.

use std::error::Error;

/// An error of a pattern or a label of a [`PiiRedactorBuilder`](crate::PiiRedactorBuilder).
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum PiiBuildError {
    /// The pattern is not a regular expression.
    #[error("invalid pattern of `{label}`")]
    #[non_exhaustive]
    InvalidPattern {
        /// Label of the pattern.
        label: String,
        /// The error, with its position.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The pattern matches texts of any length, or longer ones than a redactor looks at.
    #[error(
        "the pattern of `{label}` matches texts of more than {max} bytes; bound its repetitions, for example `{{1,20}}` \
         instead of `+`"
    )]
    #[non_exhaustive]
    TooLong {
        /// Label of the pattern.
        label: String,
        /// Maximum length of a match, in bytes.
        max: usize,
    },
    /// The pattern matches the empty text.
    #[error("the pattern of `{label}` matches the empty text")]
    #[non_exhaustive]
    MatchesEmpty {
        /// Label of the pattern.
        label: String,
    },
    /// The pattern has an anchor for the start or the end of a text, which a streamed text does not have.
    #[error("the pattern of `{label}` has an anchor of the whole text; use a word boundary (`\\b`) instead")]
    #[non_exhaustive]
    Anchored {
        /// Label of the pattern.
        label: String,
    },
    /// The label is not usable in placeholders.
    #[error(
        "invalid label `{label}`: expected 1 to 32 characters of `A-Z`, `0-9` and `_`, the first and last one a letter"
    )]
    #[non_exhaustive]
    InvalidLabel {
        /// The label.
        label: String,
    },
}

strands_core::__debug_with_sources!(PiiBuildError);

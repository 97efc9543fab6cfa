//! Errors of Cedar policies.

use std::fmt;

use cedar_policy::ffi::DetailedError;

use crate::authorization::position::line_and_column;

/// An error of Cedar policies, their schema or their entities.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum CedarError {
    /// The text of the policies is not Cedar.
    #[error("invalid Cedar policies at {line}:{column}: {message}")]
    InvalidSyntax {
        /// One-based line.
        line: usize,
        /// One-based column, in characters.
        column: usize,
        /// The error.
        message: String,
    },
    /// A policy does not fit the schema, or has annotations that make no sense.
    #[error("invalid Cedar policy `{policy}` at {line}:{column}: {message}")]
    InvalidPolicy {
        /// The id of the policy.
        policy: String,
        /// One-based line.
        line: usize,
        /// One-based column, in characters.
        column: usize,
        /// The error.
        message: String,
    },
    /// The schema is invalid.
    #[error("invalid Cedar schema at {line}:{column}: {message}")]
    InvalidSchema {
        /// One-based line.
        line: usize,
        /// One-based column, in characters.
        column: usize,
        /// The error.
        message: String,
    },
    /// The entities are invalid, or do not fit the schema.
    #[error("invalid Cedar entities: {message}")]
    InvalidEntities {
        /// The error.
        message: String,
    },
    /// A name is not one in Cedar.
    #[error("invalid name `{name}` in Cedar: {message}")]
    InvalidName {
        /// The name.
        name: String,
        /// The error.
        message: String,
    },
}

strands_core::__debug_with_sources!(CedarError);

impl CedarError {
    pub(super) fn invalid_name(name: &str, error: &impl fmt::Display) -> Self {
        Self::InvalidName { name: name.to_owned(), message: error.to_string() }
    }

    pub(super) fn invalid_syntax(text: &str, error: &DetailedError) -> Self {
        let (line, column) = position(text, error);
        Self::InvalidSyntax { line, column, message: message(error) }
    }

    pub(super) fn invalid_schema(text: &str, error: &DetailedError) -> Self {
        let (line, column) = position(text, error);
        Self::InvalidSchema { line, column, message: message(error) }
    }

    pub(super) fn invalid_policy(text: &str, policy: &str, error: &DetailedError) -> Self {
        let (line, column) = position(text, error);
        Self::InvalidPolicy { policy: policy.to_owned(), line, column, message: message(error) }
    }
}

/// Returns the position of the first label of an error, or the start of the text.
fn position(text: &str, error: &DetailedError) -> (usize, usize) {
    let own = error.source_locations.first();
    let label = own.or_else(|| error.related.iter().find_map(|related| related.source_locations.first()));
    line_and_column(text, label.map_or(0, |label| label.loc.start))
}

fn message(error: &DetailedError) -> String {
    match &error.help {
        Some(help) => format!("{}; {help}", error.message),
        None => error.message.clone(),
    }
}

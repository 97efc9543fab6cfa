//! What can be wrong with a model before it is asked, and which call a failure belongs to.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use strands_core::models::{ErrorDetails, ModelError};

use super::client::Patience;
use super::connection::Hints;
use super::sent_secrets::SentSecrets;

/// An error returned by the builder of a model.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ModelBuildError {
    /// An id without a character in it.
    #[error("the model id is empty; give the one by which the provider knows the model")]
    EmptyModelId,
    /// There is no key, and the provider wants one.
    #[error("there is no API key: set the environment variable {variable}, or use `.api_key(..)`")]
    MissingApiKey {
        /// The variable that is looked at.
        variable: &'static str,
    },
    /// There is no base URL, and every account has its own.
    #[error("there is no base URL: set the environment variable {variable}, or use `.base_url(..)`")]
    MissingBaseUrl {
        /// The variable that is looked at.
        variable: &'static str,
    },
    /// A key that no HTTP header can hold.
    #[error("the API key has characters that no HTTP header can hold; check it for line breaks")]
    InvalidApiKey,
    /// A base URL that can't be one.
    #[error(
        "invalid base URL `{base_url}`: it must start with `http://` or `https://` and name a host, without user or password"
    )]
    InvalidBaseUrl {
        /// The URL, without user, password and query.
        base_url: String,
    },
    /// A header that HTTP does not allow.
    #[error("the header `{name}` has a name or a value that HTTP does not allow")]
    InvalidHeader {
        /// The header.
        name: String,
    },
    /// A number outside of what the provider takes.
    #[error("`{field}` is {value}; it must be {expected}")]
    InvalidNumber {
        /// The builder's method.
        field: &'static str,
        /// What was given.
        value: f64,
        /// What would be right.
        expected: &'static str,
    },
    /// A tool of the provider's own that it can't be.
    #[error(
        "a server tool is JSON with the `type` by which the provider knows it and no `input_schema`; tools that the program runs are given to the agent"
    )]
    InvalidServerTool,
    /// A field of the body that the library has to know.
    #[error("`extra` can't set `{field}`; use `.{method}(..)`")]
    ReservedField {
        /// The field.
        field: &'static str,
        /// The builder's method for it.
        method: &'static str,
    },
    /// The HTTP client can't be set up.
    #[error("the HTTP client can't be set up: {source}")]
    Client {
        /// What failed.
        source: Box<dyn StdError + Send + Sync>,
    },
}

/// The call that failed, and advice: the source of a [`ModelError`] of a provider over HTTP.
///
/// It holds nothing of the conversation and no key.
#[non_exhaustive]
pub struct ModelCallError {
    /// The model that was asked.
    pub model_id: String,
    /// The URL of the request: scheme, host, port and path, without query.
    pub url: String,
    advice: Option<&'static str>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl fmt::Display for ModelCallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "calling model `{}` at {}", self.model_id, self.url)?;
        match self.advice {
            Some(advice) => write!(f, ": {}", advice.replace("<model>", &self.model_id)),
            None => Ok(()),
        }
    }
}

strands_core::__debug_with_sources!(ModelBuildError, ModelCallError);

impl StdError for ModelCallError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Which call an error belongs to.
#[derive(Clone, Debug)]
pub(crate) struct CallContext {
    pub(crate) model_id: String,
    /// Without query.
    pub(crate) url: String,
    pub(crate) hints: Hints,
    pub(crate) secrets: SentSecrets,
}

impl CallContext {
    pub(super) fn error(
        &self,
        advice: Option<&'static str>,
        source: Option<Box<dyn StdError + Send + Sync>>,
    ) -> ModelCallError {
        ModelCallError { model_id: self.model_id.clone(), url: self.url.clone(), advice, source }
    }

    /// From a call in which nothing came for so long.
    pub(super) fn silent(&self, after: Duration) -> ModelError {
        let details = ErrorDetails::new().with_source(self.error(None, None)).boxed();
        ModelError::Timeout { after: Some(after), details }
    }

    /// From a call that got no response, or not all of it.
    pub(super) fn failed(&self, error: reqwest::Error, patience: Patience) -> ModelError {
        let (timed_out, connecting, unsendable) = (error.is_timeout(), error.is_connect(), error.is_builder());
        // A URL may have a key in its query.
        let advice = self.hints.unreachable.filter(|_| connecting && !timed_out);
        let source = self.error(advice, Some(error.without_url().into()));
        let details = ErrorDetails::new().with_source(source).boxed();
        if timed_out {
            ModelError::Timeout { after: Some(if connecting { patience.connect } else { patience.idle }), details }
        } else if unsendable {
            ModelError::InvalidRequest { details }
        } else if connecting {
            ModelError::Unreachable { details }
        } else {
            ModelError::Transport { details }
        }
    }
}

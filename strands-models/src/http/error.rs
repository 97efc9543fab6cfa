//! Errors of builders, and the call to which an error of a request belongs.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use strands_core::models::{ErrorDetails, ModelError};

use super::client::Timeouts;
use super::endpoint::Hints;
use super::sent_secrets::SentSecrets;

/// An error returned by the builder of a model.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ModelBuildError {
    /// The model id is empty.
    #[error("the model id is empty; set it with `.model_id(..)`")]
    EmptyModelId,
    /// There is no API key, and the provider requires one.
    #[error("there is no API key: set the environment variable {variable}, or use `.api_key(..)`")]
    MissingApiKey {
        /// The variable that is read.
        variable: &'static str,
    },
    /// There is no base URL, and every account has its own.
    #[error("there is no base URL: set the environment variable {variable}, or use `.base_url(..)`")]
    MissingBaseUrl {
        /// The variable that is read.
        variable: &'static str,
    },
    /// The API key has characters that no HTTP header can hold.
    #[error("the API key has characters that no HTTP header can hold; check it for line breaks")]
    InvalidApiKey,
    /// The base URL is invalid.
    #[error(
        "invalid base URL `{base_url}`: it must start with `http://` or `https://` and name a host, without user or password"
    )]
    InvalidBaseUrl {
        /// The URL, without user, password and query.
        base_url: String,
    },
    /// An API key, or a header with credentials, would be sent over plain HTTP to a host that is not loopback.
    #[error("the credentials would be sent to `{host}` over plain HTTP; use `https://`, or `.allow_http(true)`")]
    PlaintextCredentials {
        /// Host of the base URL.
        host: String,
    },
    /// HTTP does not allow the name or the value of a header.
    #[error("the header `{name}` has a name or a value that HTTP does not allow")]
    InvalidHeader {
        /// Name of the header.
        name: String,
    },
    /// A number is outside of the provider's range.
    #[error("`{field}` is {value}; it must be {expected}")]
    InvalidNumber {
        /// The builder's method.
        field: &'static str,
        /// The given value.
        value: f64,
        /// Description of the valid values.
        expected: &'static str,
    },
    /// The provider does not have this reasoning effort.
    #[error("the reasoning effort `{effort}` is not supported by the provider; it must be {expected}")]
    UnsupportedReasoningEffort {
        /// The given effort.
        effort: &'static str,
        /// Description of the supported efforts.
        expected: &'static str,
    },
    /// A server tool is not in the form that the provider accepts.
    #[error(
        "a server tool is JSON with the `type` by which the provider knows it and no `input_schema`; tools that the program runs are given to the agent"
    )]
    InvalidServerTool,
    /// A field of the body that has a setter.
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
        /// The cause.
        source: Box<dyn StdError + Send + Sync>,
    },
}

/// The call that failed, and advice: the source of a [`ModelError`] of a provider over HTTP.
///
/// It holds nothing of the conversation and no key.
#[non_exhaustive]
pub struct ModelCallError {
    /// Id of the model.
    pub model_id: String,
    /// URL of the request: scheme, host, port and path, without query.
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

/// The call to which an error belongs.
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

    /// Returns the error of a call whose server sent nothing within the idle timeout.
    pub(super) fn idle_timeout(&self, after: Duration) -> ModelError {
        self.timeout(after, None)
    }

    /// Returns the error of a call that took longer than its total timeout.
    pub(super) fn total_timeout(&self, after: Duration) -> ModelError {
        self.timeout(after, Some("the response was not complete within the total timeout, `.timeout(..)`"))
    }

    fn timeout(&self, after: Duration, advice: Option<&'static str>) -> ModelError {
        let details = ErrorDetails::new().with_source(self.error(advice, None)).boxed();
        ModelError::Timeout { after: Some(after), details }
    }

    /// Returns the error of a call without a complete response.
    pub(super) fn failed(&self, error: reqwest::Error, timeouts: Timeouts) -> ModelError {
        let (timed_out, connecting, unsendable) = (error.is_timeout(), error.is_connect(), error.is_builder());
        // A URL may have a key in its query.
        let advice = self.hints.unreachable.filter(|_| connecting && !timed_out);
        let source = self.error(advice, Some(error.without_url().into()));
        let details = ErrorDetails::new().with_source(source).boxed();
        if timed_out {
            ModelError::Timeout { after: Some(if connecting { timeouts.connect } else { timeouts.idle }), details }
        } else if unsendable {
            ModelError::InvalidRequest { details }
        } else if connecting {
            ModelError::Unreachable { details }
        } else {
            ModelError::Transport { details }
        }
    }
}

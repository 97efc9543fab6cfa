//! Error response of a provider: a response with an error status, or an error within a stream.

use std::time::{Duration, SystemTime};

use serde_json::Value;
use strands_core::lenient_json;
use strands_core::models::{ErrorDetails, ModelError, ModelErrorKind, parse_retry_after};

use super::error::CallContext;

/// Headers in which providers send the request id.
const REQUEST_ID_HEADERS: [&str; 5] =
    ["x-request-id", "request-id", "apim-request-id", "mistral-correlation-id", "cf-ray"];

/// Error response, before its kind is known.
#[derive(Debug, Default)]
pub(crate) struct ErrorResponse {
    /// HTTP status. `None` within a stream.
    pub(crate) status: Option<u16>,
    pub(crate) code: Option<String>,
    /// Body, unchanged.
    pub(crate) body: String,
    pub(crate) request_id: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    /// Advice for the user. `<model>` stands for the model id.
    pub(crate) advice: Option<&'static str>,
}

impl ErrorResponse {
    /// Reads the head of a response.
    pub(super) fn from_head(status: u16, header: impl Fn(&str) -> Option<String>) -> Self {
        let milliseconds = header("retry-after-ms").and_then(|value| value.trim().parse::<u64>().ok());
        Self {
            status: Some(status),
            request_id: REQUEST_ID_HEADERS.iter().find_map(|name| header(name)),
            // A wait of zero would retry at once: the caller's own backoff is better.
            retry_after: milliseconds
                .map(Duration::from_millis)
                .or_else(|| parse_retry_after(&header("retry-after")?, SystemTime::now()))
                .filter(|wait| !wait.is_zero()),
            ..Self::default()
        }
    }

    /// Returns the JSON of the body, in which half characters are U+FFFD; null if it is none.
    pub(crate) fn json(&self) -> Value {
        lenient_json::from_str(&self.body).unwrap_or_default()
    }

    /// Converts to the error of this kind, with the advice.
    pub(crate) fn into_error(self, kind: ModelErrorKind, context: &CallContext) -> ModelError {
        let advice = self.advice.or(match kind {
            ModelErrorKind::Authentication => Some("check the key, what it may do, and that it belongs to this host"),
            ModelErrorKind::Protocol => Some("check the base URL: another server seems to respond there"),
            _ if self.status == Some(404) => Some(context.hints.not_found),
            _ => None,
        });
        let details = ErrorDetails::new()
            .with_source(context.error(advice, None))
            .with_status(self.status)
            .with_code(self.code.map(|code| context.secrets.hidden_in(code)))
            .with_request_id(self.request_id)
            .with_body(context.secrets.hidden_in(self.body));
        kind.into_error(self.retry_after, details)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefers_the_wait_in_milliseconds() {
        let error_response = ErrorResponse::from_head(429, |name| match name {
            "retry-after-ms" => Some("250".to_owned()),
            "retry-after" => Some("1".to_owned()),
            "x-request-id" => Some("req-1".to_owned()),
            _ => None,
        });
        assert_eq!(error_response.retry_after, Some(Duration::from_millis(250)));
        assert_eq!(error_response.request_id.as_deref(), Some("req-1"));
    }

    #[test]
    fn ignores_a_wait_of_zero() {
        for (name, value) in
            [("retry-after", "0"), ("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"), ("retry-after-ms", "0")]
        {
            let error_response = ErrorResponse::from_head(429, |asked| (asked == name).then(|| value.to_owned()));
            assert_eq!(error_response.retry_after, None, "{name}: {value}");
        }
    }
}

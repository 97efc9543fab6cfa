//! What a provider says when it does not do what it was asked, in a response or in the middle of a stream.

use std::time::{Duration, SystemTime};

use strands_core::model::{ErrorDetails, ModelError};

use super::error::CallContext;

/// Where the providers put the id by which they know a request.
const REQUEST_ID_HEADERS: [&str; 4] = ["x-request-id", "request-id", "apim-request-id", "cf-ray"];

/// A refusal, before it is known what the caller can do about it.
#[derive(Debug, Default)]
pub(crate) struct Refusal {
    /// The HTTP status; in a stream there is none.
    pub(crate) status: Option<u16>,
    pub(crate) code: Option<String>,
    /// What the provider said, as it came.
    pub(crate) body: String,
    pub(crate) request_id: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    /// What usually helps.
    pub(crate) advice: Option<&'static str>,
}

/// What the caller can do about a refusal: the taxonomy of [`ModelError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Throttled,
    Overloaded,
    Transport,
    ContextOverflow,
    Authentication,
    InvalidRequest,
    ContentFiltered,
    Protocol,
}

impl Kind {
    /// What a status means where nothing else is known. An error without one broke an answer off.
    pub(crate) fn of_status(status: Option<u16>) -> Self {
        match status {
            Some(429) => Self::Throttled,
            Some(401 | 403) => Self::Authentication,
            Some(408 | 500..=599) => Self::Overloaded,
            Some(400..=499) => Self::InvalidRequest,
            Some(_) => Self::Protocol,
            None => Self::Transport,
        }
    }
}

impl Refusal {
    /// From the head of a response.
    pub(super) fn from_head(status: u16, header: impl Fn(&str) -> Option<String>) -> Self {
        let milliseconds = header("retry-after-ms").and_then(|value| value.trim().parse::<u64>().ok());
        Self {
            status: Some(status),
            request_id: REQUEST_ID_HEADERS.iter().find_map(|name| header(name)),
            retry_after: milliseconds
                .map(Duration::from_millis)
                .or_else(|| parse_retry_after(&header("retry-after")?, SystemTime::now())),
            ..Self::default()
        }
    }

    /// As the error that tells the caller what to do.
    pub(crate) fn into_error(self, kind: Kind, context: &CallContext) -> ModelError {
        let advice = self.advice.or_else(|| {
            (kind == Kind::Authentication).then_some("check the key, what it may do, and that it belongs to this host")
        });
        let mut details = ErrorDetails::new().with_source(context.error(advice, None));
        if let Some(status) = self.status {
            details = details.with_status(status);
        }
        if let Some(code) = self.code {
            details = details.with_code(code);
        }
        if let Some(request_id) = self.request_id {
            details = details.with_request_id(request_id);
        }
        if !self.body.is_empty() {
            details = details.with_body(self.body);
        }
        let details = details.boxed();
        let retry_after = self.retry_after;
        match kind {
            Kind::Throttled => ModelError::Throttled { retry_after, details },
            Kind::Overloaded => ModelError::Overloaded { retry_after, details },
            Kind::Transport => ModelError::Transport { details },
            Kind::ContextOverflow => ModelError::ContextOverflow { details },
            Kind::Authentication => ModelError::Authentication { details },
            Kind::InvalidRequest => ModelError::InvalidRequest { details },
            Kind::ContentFiltered => ModelError::ContentFiltered { details },
            Kind::Protocol => ModelError::Protocol {
                what: "the response is neither an answer nor an error; check the base URL".to_owned(),
                details,
            },
        }
    }
}

/// Seconds, or a date.
fn parse_retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert_eq!(parse_retry_after("7", now), Some(Duration::from_secs(7)));
        assert_eq!(parse_retry_after("0.5", now), Some(Duration::from_millis(500)));
        assert_eq!(parse_retry_after("Sun, 06 Nov 1994 08:49:47 GMT", now), Some(Duration::from_secs(10)));
        assert_eq!(parse_retry_after("Sun, 06 Nov 1994 08:49:00 GMT", now), Some(Duration::ZERO));
        for bad in ["soon", "-1", "NaN", "inf"] {
            assert_eq!(parse_retry_after(bad, now), None, "{bad}");
        }
    }

    #[test]
    fn milliseconds_are_more_exact_than_seconds() {
        let refusal = Refusal::from_head(429, |name| match name {
            "retry-after-ms" => Some("250".to_owned()),
            "retry-after" => Some("1".to_owned()),
            "x-request-id" => Some("req-1".to_owned()),
            _ => None,
        });
        assert_eq!(refusal.retry_after, Some(Duration::from_millis(250)));
        assert_eq!(refusal.request_id.as_deref(), Some("req-1"));
    }
}

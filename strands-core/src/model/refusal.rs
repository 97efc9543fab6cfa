//! For providers: from what a server said to the [`ModelError`] that tells the caller what to do.

use std::time::{Duration, SystemTime};

use super::{ErrorDetails, ModelError};

/// What a caller can do about a refusal: the variants of [`ModelError`] that a server's answer can mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusalKind {
    /// Wait, then ask again.
    Throttled,
    /// Ask again later.
    Overloaded,
    /// Ask again: the response broke off.
    Transport,
    /// Ask again: the model wrote what its provider could not read.
    MalformedOutput,
    /// Shorten the conversation.
    ContextOverflow,
    /// Check the credentials.
    Authentication,
    /// Change the request.
    InvalidRequest,
    /// Ask something else.
    ContentFiltered,
    /// Report it: the server broke its own protocol.
    Protocol,
}

impl RefusalKind {
    /// What an HTTP status means where nothing else is known. An error without one broke an answer off.
    pub fn of_status(status: Option<u16>) -> Self {
        match status {
            Some(429) => Self::Throttled,
            Some(401 | 403) => Self::Authentication,
            Some(408 | 500..=599) => Self::Overloaded,
            Some(400..=499) => Self::InvalidRequest,
            Some(_) => Self::Protocol,
            None => Self::Transport,
        }
    }

    /// The error. `retry_after` is how long the server says to wait.
    pub fn into_error(self, retry_after: Option<Duration>, details: ErrorDetails) -> ModelError {
        let details = details.boxed();
        match self {
            Self::Throttled => ModelError::Throttled { retry_after, details },
            Self::Overloaded => ModelError::Overloaded { retry_after, details },
            Self::Transport => ModelError::Transport { details },
            Self::MalformedOutput => ModelError::MalformedOutput { details },
            Self::ContextOverflow => ModelError::ContextOverflow { details },
            Self::Authentication => ModelError::Authentication { details },
            Self::InvalidRequest => ModelError::InvalidRequest { details },
            Self::ContentFiltered => ModelError::ContentFiltered { details },
            Self::Protocol => {
                let what = "the response is neither an answer nor an error that the provider's protocol knows";
                ModelError::Protocol { what: what.to_owned(), details }
            }
        }
    }
}

/// How long a `Retry-After` header says to wait: seconds, or a date ([RFC 9110, section 10.2.3][rfc]).
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use strands_core::model::parse_retry_after;
///
/// assert_eq!(parse_retry_after("7", SystemTime::now()), Some(Duration::from_secs(7)));
/// assert_eq!(parse_retry_after("soon", SystemTime::now()), None);
/// ```
///
/// [rfc]: https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
pub fn parse_retry_after(value: &str, now: SystemTime) -> Option<Duration> {
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
}

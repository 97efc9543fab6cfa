//! Failed requests: whether the server may have executed them, and their errors.

use std::error::Error as StdError;
use std::io;

use rmcp::service::{ClientInitializeError, ServiceError};
use rmcp::transport::streamable_http_client::{AuthRequiredError, InsufficientScopeError, StreamableHttpError};
use strands_core::ErrorChain;

use super::error::{McpError, bounded};
use super::event_stream::is_limit_error;
use super::http::TokenError;

type HttpError = StreamableHttpError<reqwest::Error>;

/// A failed request.
pub(super) enum Failure {
    /// The server did not get or did not process the request, so it may be sent again.
    NotSent(McpError),
    /// The server may have executed the request.
    Unknown(McpError),
    /// The server responded, or a repetition would fail in the same way.
    Final(McpError),
}

impl Failure {
    pub(super) fn into_error(self) -> McpError {
        match self {
            Self::NotSent(error) | Self::Unknown(error) | Self::Final(error) => error,
        }
    }

    /// Classifies the failure of a request that was passed to the transport.
    pub(super) fn of_response(server: &str, most_bytes: usize, error: &ServiceError) -> Self {
        let name = || server.to_owned();
        let text = || explained(error, error);
        let unknown = || Self::Unknown(McpError::OutcomeUnknown { server: name(), source: text().into() });
        match error {
            ServiceError::McpError(data) if is_limit_error(data) => {
                Self::Final(McpError::TooLarge { server: name(), limit: most_bytes })
            }
            ServiceError::McpError(data) => {
                Self::Final(McpError::Rejected { server: name(), code: data.code.0, message: bounded(&data.message) })
            }
            ServiceError::TransportSend(sent) => {
                Self::of_transport(server, most_bytes, &*sent.error, explained(error, &*sent.error))
            }
            ServiceError::UnexpectedResponse => Self::Final(McpError::Protocol { server: name(), reason: text() }),
            ServiceError::Cancelled { .. } => Self::Final(McpError::Closed { server: name() }),
            _ => unknown(),
        }
    }

    fn of_transport(server: &str, most_bytes: usize, error: &(dyn StdError + 'static), text: String) -> Self {
        let server = server.to_owned();
        let source = || text.clone().into();
        if let Some(io) = find::<io::Error>(error)
            && find::<TokenError>(error).is_none()
        {
            // A line that was not written as a whole is not executed.
            return match io.kind() {
                io::ErrorKind::BrokenPipe | io::ErrorKind::WriteZero => {
                    Self::NotSent(McpError::Connect { server, output: String::new(), source: source() })
                }
                _ => Self::Unknown(McpError::OutcomeUnknown { server, source: source() }),
            };
        }
        if is_unauthorized(error) {
            return Self::Final(McpError::Unauthorized { server, source: source() });
        }
        match find::<HttpError>(error) {
            Some(HttpError::SessionExpired) => {
                Self::NotSent(McpError::Connect { server, output: String::new(), source: source() })
            }
            Some(HttpError::Client(error)) if error.is_connect() || error.is_builder() => {
                Self::NotSent(McpError::Connect { server, output: String::new(), source: source() })
            }
            Some(HttpError::Client(error)) if error.is_redirect() => {
                Self::Final(McpError::Protocol { server, reason: text })
            }
            Some(HttpError::ResponseBodyTooLarge { .. }) => {
                Self::Final(McpError::TooLarge { server, limit: most_bytes })
            }
            // A server that is overloaded or rejects the request does not execute it.
            Some(HttpError::HttpStatus(status)) if matches!(status.status, 429 | 503) => {
                Self::Final(McpError::Protocol { server, reason: text })
            }
            Some(HttpError::UnexpectedServerResponse(response)) if response.starts_with("HTTP 4") => {
                Self::Final(McpError::Protocol { server, reason: text })
            }
            _ => Self::Unknown(McpError::OutcomeUnknown { server, source: source() }),
        }
    }
}

/// Returns the text of an error with its sources, and with those of the HTTP client's error in it, which rmcp leaves out.
pub(super) fn explained(error: &(dyn StdError + 'static), cause: &(dyn StdError + 'static)) -> String {
    let text = ErrorChain::new(error).to_string();
    let source = match find::<HttpError>(cause) {
        Some(HttpError::Client(client)) => client.source(),
        _ => None,
    };
    bounded(&source.map_or(text.clone(), |source| format!("{text}: {}", ErrorChain::new(source))))
}

/// Returns the cause of a failed handshake, which is not among the sources of rmcp's error.
pub(super) fn handshake_cause(error: &ClientInitializeError) -> &(dyn StdError + 'static) {
    match error {
        ClientInitializeError::TransportError { error, .. } => &*error.error,
        ClientInitializeError::LegacyFallbackFailed { fallback, .. } => handshake_cause(fallback),
        error => error,
    }
}

/// Returns true if an error has to do with authorization.
pub(super) fn is_unauthorized(error: &(dyn StdError + 'static)) -> bool {
    let is_status = |error: &HttpError| match error {
        HttpError::Auth(_) => true,
        HttpError::UnexpectedServerResponse(text) => text.starts_with("HTTP 401") || text.starts_with("HTTP 403"),
        _ => false,
    };
    find::<AuthRequiredError>(error).is_some()
        || find::<InsufficientScopeError>(error).is_some()
        || find::<TokenError>(error).is_some()
        || find::<HttpError>(error).is_some_and(is_status)
}

/// Returns true if a server over HTTP does not know a request, or rejects it as invalid.
pub(super) fn is_rejected_request(error: &(dyn StdError + 'static)) -> bool {
    find::<HttpError>(error).is_some_and(|error| match error {
        HttpError::HttpStatus(status) => matches!(status.status, 400 | 404 | 405 | 501),
        HttpError::UnexpectedServerResponse(text) => {
            ["HTTP 400", "HTTP 404", "HTTP 405", "HTTP 501"].iter().any(|status| text.starts_with(status))
        }
        _ => false,
    })
}

/// Returns the first error of a type in a chain. An I/O error may wrap another one that is not among its sources.
fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = wrapped.and_then(|wrapped| wrapped.downcast_ref::<E>()) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

//! Errors of MCP clients.

use std::error::Error as StdError;
use std::time::Duration;

/// An error of a client or of a request to an MCP server.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum McpError {
    /// A setting of a client is not valid.
    #[error("invalid setting of MCP server `{server}`: {reason}")]
    Setting {
        /// Name of the server.
        server: String,
        /// The setting, and what it has to be.
        reason: String,
    },
    /// A token would be sent over plain HTTP to a host that is not loopback.
    #[error("MCP server `{server}`: no token is sent over plain HTTP to `{host}`; use https://")]
    PlaintextToken {
        /// Name of the server.
        server: String,
        /// The host.
        host: String,
    },
    /// The server can't be reached or started, or the handshake failed.
    #[error("can't connect to MCP server `{server}`{}", quoted(output))]
    Connect {
        /// Name of the server.
        server: String,
        /// The end of a child process, with the last lines of its standard error. Empty for a server over HTTP.
        output: String,
        /// The cause.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The server did not complete the handshake in time.
    #[error("MCP server `{server}` did not complete the handshake within {timeout:?}{}", quoted(output))]
    ConnectTimeout {
        /// Name of the server.
        server: String,
        /// The connect timeout.
        timeout: Duration,
        /// The end of a child process, with the last lines of its standard error. Empty for a server over HTTP.
        output: String,
    },
    /// The server requires a token, or rejects the one that it got.
    #[error("MCP server `{server}` requires authorization; check its token")]
    Unauthorized {
        /// Name of the server.
        server: String,
        /// The cause.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The child process of a server ended too often.
    #[error("MCP server `{server}` ended too often and is not started again for now: {reason}")]
    TooManyRestarts {
        /// Name of the server.
        server: String,
        /// The limit of restarts, and the time of the next one.
        reason: String,
    },
    /// The server responded to a request with a JSON-RPC error.
    #[error("MCP server `{server}` rejected the request: {message} (code {code})")]
    Rejected {
        /// Name of the server.
        server: String,
        /// JSON-RPC error code.
        code: i32,
        /// The server's message, at most 8 KiB.
        message: String,
    },
    /// The server did not respond in time. It may have executed the request.
    #[error("MCP server `{server}` did not respond within {timeout:?}")]
    Timeout {
        /// Name of the server.
        server: String,
        /// The timeout.
        timeout: Duration,
    },
    /// The connection was lost after the request had been sent: the server may have executed it.
    #[error("the connection to MCP server `{server}` was lost before its response; it may have executed the request")]
    OutcomeUnknown {
        /// Name of the server.
        server: String,
        /// The cause.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The response is larger than the limit.
    #[error("the response of MCP server `{server}` is larger than {limit} bytes")]
    TooLarge {
        /// Name of the server.
        server: String,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The response does not conform to the protocol.
    #[error("invalid response of MCP server `{server}`: {reason}")]
    Protocol {
        /// Name of the server.
        server: String,
        /// The fault.
        reason: String,
    },
    /// The server requests input that the client can't give.
    #[error("MCP server `{server}` requests input: {reason}")]
    InputRequired {
        /// Name of the server.
        server: String,
        /// The request, and why it is refused.
        reason: String,
    },
    /// The client was closed.
    #[error("the client of MCP server `{server}` is closed")]
    Closed {
        /// Name of the server.
        server: String,
    },
}

strands_core::__debug_with_sources!(McpError);

impl McpError {
    /// Returns true if the server may have executed the request.
    pub fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::OutcomeUnknown { .. } | Self::Timeout { .. })
    }
}

impl McpError {
    /// Returns a copy of an error of connecting, with the text of its source.
    pub(super) fn of_connecting(&self) -> Option<Self> {
        let text = |source: &(dyn StdError + 'static)| strands_core::ErrorChain::new(source).to_string().into();
        match self {
            Self::Connect { server, output, source } => {
                Some(Self::Connect { server: server.clone(), output: output.clone(), source: text(&**source) })
            }
            Self::ConnectTimeout { server, timeout, output } => {
                Some(Self::ConnectTimeout { server: server.clone(), timeout: *timeout, output: output.clone() })
            }
            Self::Unauthorized { server, source } => {
                Some(Self::Unauthorized { server: server.clone(), source: text(&**source) })
            }
            Self::TooManyRestarts { server, reason } => {
                Some(Self::TooManyRestarts { server: server.clone(), reason: reason.clone() })
            }
            _ => None,
        }
    }
}

fn quoted(output: &str) -> String {
    if output.is_empty() { String::new() } else { format!(": {output}") }
}

/// Truncates a text of a server to 8 KiB.
pub(crate) fn bounded(text: &str) -> String {
    const MOST_BYTES: usize = 8 * 1024;
    let Some(end) = text.char_indices().map(|(index, char)| index + char.len_utf8()).find(|end| *end > MOST_BYTES)
    else {
        return text.to_owned();
    };
    let cut = text.char_indices().map(|(index, _)| index).take_while(|index| *index < end).last().unwrap_or_default();
    format!("{}…", text.get(..cut).unwrap_or_default())
}

//! Errors of configuration files.

use std::path::PathBuf;

use crate::client::{McpError, ToolPatternError};

/// An error of a configuration file with MCP servers.
///
/// Values of environment variables and headers are in no error.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum McpConfigError {
    /// The file can't be read.
    #[error("failed to read `{}`", path.display())]
    File {
        /// The path.
        path: PathBuf,
        /// The error.
        source: std::io::Error,
    },
    /// The file is too large.
    #[error("`{}` has more than {most} bytes", path.display())]
    TooLarge {
        /// The path.
        path: PathBuf,
        /// The limit.
        most: u64,
    },
    /// The text is not JSON, or an object in it has a key twice.
    #[error("invalid JSON: {0}")]
    Syntax(serde_json::Error),
    /// There is no list of servers.
    #[error("no servers: expected an object `mcpServers`{}", found_keys(found))]
    NoServers {
        /// The keys that were found.
        found: Vec<String>,
    },
    /// There are two lists of servers.
    #[error("both `mcpServers` and `servers` are present; use one of them")]
    TwoLists,
    /// The settings of a server are invalid.
    #[error("invalid settings of MCP server `{server}`: {error}")]
    Server {
        /// The server's name.
        server: String,
        /// The error.
        error: McpServerConfigError,
    },
    /// A client can't be built with the settings, for example because the URL is invalid.
    #[error(transparent)]
    Client(McpError),
}

strands_core::__debug_with_sources!(McpConfigError);

/// An error in the settings of one server.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum McpServerConfigError {
    /// A key is unknown.
    #[error("unknown key `{key}`{}; expected one of {known}", did_you_mean(*suggestion))]
    UnknownKey {
        /// The key.
        key: String,
        /// The key that was probably meant.
        suggestion: Option<&'static str>,
        /// The known keys, in backticks.
        known: String,
    },
    /// A key of an editor has no counterpart here.
    #[error("`{key}` is not supported; {instead}")]
    UnsupportedKey {
        /// The key.
        key: &'static str,
        /// The advice.
        instead: &'static str,
    },
    /// Two keys set the same.
    #[error("`{first}` and `{second}` set the same; use one of them")]
    RepeatedKey {
        /// The first key.
        first: &'static str,
        /// The second key.
        second: &'static str,
    },
    /// A value has another type.
    #[error("`{key}` is not {expected}")]
    InvalidValue {
        /// The key.
        key: String,
        /// The expected form.
        expected: &'static str,
    },
    /// An environment variable is not set.
    #[error("environment variable `{variable}` in `{key}` is not set; set it, or write `${{{variable}:-default}}`")]
    MissingVariable {
        /// The key of the text.
        key: String,
        /// The variable.
        variable: String,
    },
    /// A reference in a text is not that of an environment variable.
    #[error("invalid reference `{reference}` in `{key}`: {reason}")]
    InvalidReference {
        /// The key of the text.
        key: String,
        /// The reference.
        reference: String,
        /// The reason.
        reason: &'static str,
    },
    /// A text is too long after the expansion of its references.
    #[error("`{key}` has more than {most} bytes")]
    TooLong {
        /// The key of the text.
        key: String,
        /// The limit.
        most: usize,
    },
    /// There is neither a command nor a URL.
    #[error("neither `command` nor `url` is set")]
    NoTransport,
    /// There are a command and a URL.
    #[error("both `command` and `url` are set; use one of them")]
    TwoTransports,
    /// The transport is unknown, or does not fit the other keys.
    #[error("transport `{transport}` {reason}")]
    InvalidTransport {
        /// The transport.
        transport: String,
        /// The reason.
        reason: &'static str,
    },
    /// A key belongs to the other transport.
    #[error("`{key}` is for servers with `{transport}`")]
    OtherTransport {
        /// The key.
        key: &'static str,
        /// The key of the transport: `command` or `url`.
        transport: &'static str,
    },
    /// A filter has an invalid pattern.
    #[error(transparent)]
    InvalidPattern(#[from] ToolPatternError),
}

strands_core::__debug_with_sources!(McpServerConfigError);

fn found_keys(found: &[String]) -> String {
    match found {
        [] => String::new(),
        found => format!("; found {}", quoted(found.iter().map(String::as_str))),
    }
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map(|suggestion| format!(", did you mean `{suggestion}`?")).unwrap_or_default()
}

/// Joins names in backticks.
pub(super) fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

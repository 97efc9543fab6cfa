//! Transport of a server in a configuration file: HTTP or a child process.

use std::fmt;

use super::builder::{McpClientBuilder, Transport, sealed};
use super::error::McpError;
use super::http_builder::Http;
use super::stdio_builder::Stdio;

/// Settings of a server from a configuration file, for [`McpClientBuilder`]: over HTTP, or as a child process.
pub struct AnyTransport(Kind);

enum Kind {
    Http(Http),
    Stdio(Stdio),
}

impl fmt::Debug for AnyTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers, tokens, arguments and the environment of a child may be secrets.
        f.write_str(match self.0 {
            Kind::Http(_) => "Http",
            Kind::Stdio(_) => "Stdio",
        })
    }
}

impl From<Http> for AnyTransport {
    fn from(transport: Http) -> Self {
        Self(Kind::Http(transport))
    }
}

impl From<Stdio> for AnyTransport {
    fn from(transport: Stdio) -> Self {
        Self(Kind::Stdio(transport))
    }
}

impl<T: Into<AnyTransport>> McpClientBuilder<T> {
    /// Returns the builder with a type that does not name the transport.
    pub fn into_any(self) -> McpClientBuilder<AnyTransport> {
        let (transport, builder) = self.split();
        builder.with_transport(transport.into())
    }
}

impl McpClientBuilder<AnyTransport> {
    /// Returns the builder with the settings of HTTP, such as a token source.
    ///
    /// # Errors
    ///
    /// Returns the builder of a server that is a child process.
    #[expect(clippy::result_large_err, reason = "a builder is moved once, before a connection")]
    pub fn into_http(self) -> Result<McpClientBuilder<Http>, McpClientBuilder<Stdio>> {
        let (AnyTransport(kind), builder) = self.split();
        match kind {
            Kind::Http(transport) => Ok(builder.with_transport(transport)),
            Kind::Stdio(transport) => Err(builder.with_transport(transport)),
        }
    }
}

impl Transport for AnyTransport {}

impl sealed::Transport for AnyTransport {
    fn default_name(&self) -> String {
        match &self.0 {
            Kind::Http(transport) => transport.default_name(),
            Kind::Stdio(transport) => transport.default_name(),
        }
    }

    fn prepared(self, server: &str, most_bytes: usize) -> Result<sealed::Prepared, McpError> {
        match self.0 {
            Kind::Http(transport) => transport.prepared(server, most_bytes),
            Kind::Stdio(transport) => transport.prepared(server, most_bytes),
        }
    }
}

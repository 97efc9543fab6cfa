//! Builder of clients: the settings of all transports.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rmcp::model::Implementation;
use serde_json::{Map, Value};
use strands_core::ToolContext;
use strands_core::models::Model;

use super::connection::Connector;
use super::elicitation::{self, Elicit, Elicitation, ElicitationResponse};
use super::error::McpError;
use super::filter::ToolFilter;
use super::handler::Shared;
use super::link::Link;
use super::mcp_client::{Caller, Inner, McpClient, RequestMeta};
use super::sampling::{Sampling, SamplingLimits};

const CALL_TIMEOUT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
const TASK_TIMEOUT: Duration = Duration::from_secs(10 * 60);
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// Longest timeout. `Duration::MAX` would overflow the clock.
const MOST_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Builder of an [`McpClient`]: [`McpClient::http`] or [`McpClient::stdio`] creates it. `T` has the settings of the transport.
#[must_use = "a builder does nothing until `build` or `connect` is called"]
pub struct McpClientBuilder<T> {
    pub(super) transport: T,
    settings: Settings,
}

/// Settings of clients with any transport.
struct Settings {
    name: Option<String>,
    application: Implementation,
    prefix: Option<String>,
    allow: Vec<ToolFilter>,
    deny: Vec<ToolFilter>,
    call_timeout: Duration,
    connect_timeout: Duration,
    reconnect_timeout: Option<Duration>,
    task_timeout: Duration,
    most_bytes: usize,
    is_optional: bool,
    elicit: Option<Elicit>,
    sampling: Option<Sampling>,
    request_meta: Option<RequestMeta>,
}

/// Settings of a transport. Implemented by [`Http`](super::Http) and [`Stdio`](super::Stdio).
pub trait Transport: sealed::Transport {}

pub(super) mod sealed {
    use super::{Connector, McpError};

    /// A transport with checked settings.
    #[expect(missing_debug_implementations, reason = "private: it has secrets")]
    pub struct Prepared(pub(in crate::client) Connector);

    pub trait Transport {
        /// Returns the name of a server whose name is not set.
        fn default_name(&self) -> String;

        /// Checks the settings.
        fn prepared(self, server: &str, most_bytes: usize) -> Result<Prepared, McpError>;
    }
}

impl<T> McpClientBuilder<T> {
    pub(super) fn new(transport: T) -> Self {
        let settings = Settings {
            name: None,
            application: Implementation::new("strands-rs", env!("CARGO_PKG_VERSION")),
            prefix: None,
            allow: Vec::new(),
            deny: Vec::new(),
            call_timeout: CALL_TIMEOUT,
            connect_timeout: CONNECT_TIMEOUT,
            reconnect_timeout: None,
            task_timeout: TASK_TIMEOUT,
            most_bytes: MOST_BYTES,
            is_optional: false,
            elicit: None,
            sampling: None,
            request_meta: None,
        };
        Self { transport, settings }
    }

    /// Returns the transport, and a builder with the other settings.
    pub(super) fn split(self) -> (T, McpClientBuilder<()>) {
        (self.transport, McpClientBuilder { transport: (), settings: self.settings })
    }

    /// Returns the builder with another transport.
    pub(super) fn with_transport<U>(self, transport: U) -> McpClientBuilder<U> {
        McpClientBuilder { transport, settings: self.settings }
    }

    /// Returns the server's name, if it is set.
    pub fn server_name(&self) -> Option<&str> {
        self.settings.name.as_deref()
    }

    /// Sets the server's name in errors, events and interrupts. Default: the host of the URL, or the program's file name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = Some(name.into());
        self
    }

    /// Sets the name and version of the application, which the server sees. Default: those of this library.
    pub fn application(mut self, name: impl Into<String>, version: impl Into<String>) -> Self {
        self.settings.application = Implementation::new(name, version);
        self
    }

    /// Sets a prefix of the tools' names: the prefix `files` makes `files_read` of `read`. Default: none.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.settings.prefix = Some(prefix.into());
        self
    }

    /// Adds a filter of tools that agents get: those of any such filter. Default: all tools.
    pub fn allow_tools(mut self, filter: impl Into<ToolFilter>) -> Self {
        self.settings.allow.push(filter.into());
        self
    }

    /// Adds a filter of tools that agents don't get, also if another filter allows them. Default: none.
    pub fn deny_tools(mut self, filter: impl Into<ToolFilter>) -> Self {
        self.settings.deny.push(filter.into());
        self
    }

    /// Sets the timeout of a request. Waiting for an elicitation or sampling callback does not count. Default: 60 seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.call_timeout = timeout;
        self
    }

    /// Sets the timeout of a connection, with its handshake. Default: 30 seconds.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect_timeout = timeout;
        self
    }

    /// Sets the time in which a request tries to reach a server again whose connection was lost, before it fails. The pauses between
    /// attempts are at most a quarter of it. Default: the timeout of a request.
    pub fn reconnect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.reconnect_timeout = Some(timeout);
        self
    }

    /// Sets the timeout of a long-running task that the server makes of a call. Default: 10 minutes.
    pub fn task_timeout(mut self, timeout: Duration) -> Self {
        self.settings.task_timeout = timeout;
        self
    }

    /// Sets the size limit of a response, in bytes. Default: 16 MiB.
    pub fn max_response_bytes(mut self, bytes: usize) -> Self {
        self.settings.most_bytes = bytes;
        self
    }

    /// Lets agents start without the server's tools if it can't be reached. It is tried again in the background, and agents
    /// get the tools between two cycles. Default: building the agent fails.
    pub fn optional(mut self) -> Self {
        self.settings.is_optional = true;
        self
    }

    /// Sets a callback that responds to elicitations. Default: an elicitation interrupts the agent until a human responds, if the
    /// protocol version allows it (from 2026-07-28); otherwise it is refused.
    ///
    /// ```
    /// use strands::mcp::{ElicitationKind, ElicitationResponse, McpClient};
    ///
    /// let client = McpClient::http("https://travel.example.com/mcp").elicitation(|elicitation| async move {
    ///     println!("{} asks: {}", elicitation.server, elicitation.message);
    ///     match elicitation.kind {
    ///         ElicitationKind::Form { .. } => ElicitationResponse::Accept(strands::serde_json::json!({"seat": "12A"})),
    ///         _ => ElicitationResponse::Decline,
    ///     }
    /// });
    /// # drop(client);
    /// ```
    pub fn elicitation<F, R>(mut self, callback: F) -> Self
    where
        F: Fn(Elicitation) -> R + Send + Sync + 'static,
        R: Future<Output = ElicitationResponse> + Send + 'static,
    {
        self.settings.elicit = Some(elicitation::boxed(callback));
        self
    }

    /// Sets the model that responds to the server's sampling requests, within limits. Default: they are refused.
    pub fn sampling(mut self, model: impl Model + 'static, limits: SamplingLimits) -> Self {
        self.settings.sampling = Some(Sampling::new(Arc::new(model), limits));
        self
    }

    /// Sets a function that returns fields of `_meta` for each call of an agent. They replace those of the library:
    /// `idempotencyKey`, which is also sent as the header `Idempotency-Key` over HTTP (the
    /// [idempotency key](strands_core::ToolContext::idempotency_key) of the call; with the number of the round, if the server
    /// requested input), `traceparent` and `tracestate`.
    pub fn request_meta(mut self, meta: impl Fn(&ToolContext) -> Map<String, Value> + Send + Sync + 'static) -> Self {
        self.settings.request_meta = Some(Arc::new(meta));
        self
    }
}

impl<T: Transport> McpClientBuilder<T> {
    /// Builds the client. It connects later, when it is needed.
    ///
    /// # Errors
    ///
    /// Returns [`McpError::Setting`] if a setting is not valid, and [`McpError::PlaintextToken`] if a token would be sent over
    /// plain HTTP to a host that is not loopback.
    pub fn build(self) -> Result<McpClient, McpError> {
        let Self { transport, settings } = self;
        let server = settings.name.unwrap_or_else(|| transport.default_name());
        let invalid = |reason: &str| Err(McpError::Setting { server: server.clone(), reason: reason.to_owned() });
        let reconnect_timeout = settings.reconnect_timeout.unwrap_or(settings.call_timeout);
        let timeouts = [settings.call_timeout, settings.connect_timeout, reconnect_timeout, settings.task_timeout];
        if timeouts.contains(&Duration::ZERO) {
            return invalid("a timeout must be longer than zero");
        }
        if settings.most_bytes == 0 {
            return invalid("the size limit of responses must not be zero");
        }
        if settings.prefix.as_deref() == Some("") {
            return invalid("the prefix must not be empty");
        }
        let sealed::Prepared(connector) = transport.prepared(&server, settings.most_bytes)?;
        let shared = Arc::new(Shared::new(server, settings.application, settings.elicit, settings.sampling));
        let caller = Caller {
            link: Link::new(
                connector,
                Arc::clone(&shared),
                [settings.connect_timeout, reconnect_timeout].map(|timeout| timeout.min(MOST_TIMEOUT)),
            ),
            shared,
            call_timeout: settings.call_timeout.min(MOST_TIMEOUT),
            task_timeout: settings.task_timeout.min(MOST_TIMEOUT),
            most_bytes: settings.most_bytes,
            request_meta: settings.request_meta,
        };
        let inner = Inner {
            caller: Arc::new(caller),
            prefix: settings.prefix,
            allow: settings.allow,
            deny: settings.deny,
            is_optional: settings.is_optional,
            listing: Mutex::default(),
            retry: Mutex::default(),
        };
        Ok(McpClient { inner: Arc::new(inner) })
    }

    /// Builds the client and connects.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`build`](Self::build) and [`McpClient::connect`].
    pub async fn connect(self) -> Result<McpClient, McpError> {
        let client = self.build()?;
        client.connect().await?;
        Ok(client)
    }
}

impl<T: Transport> fmt::Debug for McpClientBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers, tokens, arguments and the environment of a child may be secrets.
        let name = self.settings.name.clone().unwrap_or_else(|| self.transport.default_name());
        f.debug_struct("McpClientBuilder").field("name", &name).finish_non_exhaustive()
    }
}

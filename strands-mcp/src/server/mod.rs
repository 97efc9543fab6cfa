//! MCP server: tools and agents of a program, for the clients of other programs.

mod agent_failures;
mod call;
mod claims;
mod client_state;
mod connection;
mod content;
mod continuations;
mod error;
mod handler;
mod http;
mod listing;
mod output_schema;
mod progress;
mod prompts;
mod question;
mod request_state;
mod resources;
mod sessions;
mod settings;
mod shutdown;
mod updates;

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use rmcp::service::serve_server_with_ct;
use rmcp::transport::async_rw::AsyncRwTransport;
use strands_core::hook::Hook;
use strands_core::{Tool, ToolProvider, ToolRunner, ToolSet, ToolSetError, Toolset};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

pub use error::ServeError;
pub use question::ClientRequest;
pub use strands_http::{Caller, IdentifyCaller, Refusal};
pub use updates::ResourceUpdates;

use agent_failures::AgentFailures;
use connection::Connection;
use handler::{Handler, Shared};
use resources::Resources;
use settings::{Hosts, Settings};

/// A server that offers tools and agents to MCP clients, over stdio or streamable HTTP.
///
/// Calls pass hooks, validation of their arguments and approval, like those of an agent's model. Both kinds of the protocol
/// are served: 2026-07-28 without sessions, and versions up to 2025-11-25 with sessions.
///
/// - [`ToolContext::progress`](strands_core::ToolContext::progress) reaches clients that ask for progress. A number, a text,
///   or an object with `progress`, `total` and `message` are best understood; other JSON is sent as text. An object with
///   `level` and `data` is a log message, for clients that ask for those.
/// - [`ToolContext::interrupt`](strands_core::ToolContext::interrupt) and approvals become questions to the client's user;
///   see [`ClientRequest`]. On 2026-07-28 the response may arrive days later, at another process with the same
///   [key](Self::request_state_key).
/// - A tool with an output schema (`#[tool(output)]`) has structured content.
/// - An error of a tool is an error result, whose text the client sees. A failure of an agent is not shown, but logged.
/// - An [`AgentTool`](strands_core::AgentTool) is an agent for clients, with its text and tool calls as progress. Each call starts a
///   conversation: one that keeps its context is refused. While it waits for a
///   response, its conversation stays in this process: a response that arrives at another process, or after 1,000 other agents
///   were suspended, gets an error result.
/// - [`TraceContext`](strands_core::TraceContext) of the client is injected.
/// - A call is dropped when its client cancels it or is gone. In a session, a lost connection is no cancellation, as the
///   protocol demands.
///
/// # Examples
///
/// A server for editors and other local programs:
///
/// ```no_run
/// use strands::mcp::McpServer;
/// use strands::{tool, tools};
///
/// /// Adds two numbers.
/// #[tool(output, read_only)]
/// fn add(a: i64, b: i64) -> i64 {
///     a + b
/// }
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// McpServer::new(tools![Add])?.name("calculator").stdio().await?;
/// # Ok(())
/// # }
/// ```
///
/// A server on the network, whose tools get the user of each request:
///
/// ```no_run
/// use strands::mcp::axum::{self, http::request::Parts};
/// use strands::mcp::{Caller, McpServer, Refusal};
/// use strands::{tool, tools};
///
/// #[derive(Clone)]
/// struct User(String);
///
/// /// The user's orders.
/// #[tool]
/// async fn list_orders(user: &User) -> String {
///     format!("no orders of {}", user.0)
/// }
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let server = McpServer::new(tools![ListOrders])?
///     .allowed_hosts(["api.example.com"])
///     .identify_caller(|request: &Parts| {
///         // Set by a layer that has checked the token.
///         let user: &User = request.extensions.get().ok_or_else(|| Refusal::unauthorized("Bearer"))?;
///         Ok(Caller::new(user.0.as_str()).inject(user.clone()))
///     });
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
/// axum::serve(listener, server.into_router()).await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a server does nothing until it is served"]
pub struct McpServer {
    runner: ToolRunner,
    prompts: ToolSet,
    resources: Resources,
    updates: Option<ResourceUpdates>,
    settings: Settings,
}

impl McpServer {
    /// Creates a server with these tools.
    ///
    /// # Errors
    ///
    /// Returns [`ToolSetError`] if the tools conflict.
    pub fn new(tools: impl Toolset) -> Result<Self, ToolSetError> {
        Ok(Self::from_runner(ToolRunner::new(tools)?))
    }

    /// Creates a server with the tools of a runner, and its timeouts, limits, state, hooks and injected values.
    pub fn from_runner(runner: ToolRunner) -> Self {
        Self {
            runner: runner.hook(AgentFailures),
            prompts: ToolSet::default(),
            resources: Resources::default(),
            updates: None,
            settings: Settings::default(),
        }
    }

    /// Adds a tool provider. Clients are notified when its list of tools changes.
    pub fn tool_provider(mut self, provider: impl ToolProvider + 'static) -> Self {
        self.runner = self.runner.tool_provider(provider);
        self
    }

    /// Offers functions as prompts, which the user of a client picks by name. Their arguments are texts that the user enters,
    /// and each content block of a result is a message of the user. Hooks, injected values and interrupts work as for tools.
    ///
    /// ```
    /// use strands::mcp::McpServer;
    /// use strands::{tool, tools};
    ///
    /// /// Reviews code.
    /// #[tool]
    /// fn review(
    ///     /// The code.
    ///     code: String,
    /// ) -> String {
    ///     format!("Review this code, errors first:\n\n{code}")
    /// }
    ///
    /// let server = McpServer::new(tools![])?.prompts(tools![Review])?;
    /// # drop(server);
    /// # Ok::<(), strands::ToolSetError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`ToolSetError`] if prompts conflict with each other or with earlier ones.
    pub fn prompts(mut self, prompts: impl Toolset) -> Result<Self, ToolSetError> {
        self.prompts = ToolSet::new(self.prompts.iter().cloned().chain(prompts.into_tools()))?;
        Ok(self)
    }

    /// Offers a function as the resource of a URI. Variables in the URI, such as `{id}`, are its arguments: the URI is then a
    /// template, and each variable a part of a path. Hooks, injected values and interrupts work as for tools.
    ///
    /// Values of variables are percent-decoded and come from the client: a value can be `../a`, so don't make a file name of it.
    ///
    /// ```
    /// use strands::mcp::McpServer;
    /// use strands::{tool, tools};
    ///
    /// /// An order.
    /// #[tool]
    /// fn order(id: String) -> String {
    ///     format!("order {id}: sent")
    /// }
    ///
    /// let server = McpServer::new(tools![])?.resource("shop://orders/{id}", Order)?;
    /// # drop(server);
    /// # Ok::<(), strands::ToolSetError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`ToolSetError`] if the function conflicts with that of an earlier resource.
    pub fn resource(mut self, uri: impl Into<String>, read: impl Tool + 'static) -> Result<Self, ToolSetError> {
        self.resources.add(uri.into(), Arc::new(read))?;
        Ok(self)
    }

    /// Lets clients subscribe to resources, whose changes the program announces with `updates`.
    pub fn resource_updates(mut self, updates: ResourceUpdates) -> Self {
        self.updates = Some(updates);
        self
    }

    /// Injects a value for the tools and hooks of all calls.
    pub fn inject<V: Send + Sync + 'static>(mut self, value: V) -> Self {
        self.runner = self.runner.inject(value);
        self
    }

    /// Adds a hook, which is called before and after each tool call.
    pub fn hook(mut self, hook: impl Hook + 'static) -> Self {
        self.runner = self.runner.hook(hook);
        self
    }

    /// Sets the server's name for clients. Default: `strands`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// Sets the server's version for clients. Default: the version of this crate.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.settings.version = version.into();
        self
    }

    /// Sets instructions, which clients may add to the system prompt of their model.
    pub fn instructions(mut self, instructions: impl Into<String>) -> Self {
        self.settings.instructions = Some(instructions.into());
        self
    }

    /// Identifies the caller of each HTTP request, whose values are injected into the tool calls of the request. Default: all
    /// requests have the same anonymous caller. A server on stdio has only one caller, and does not use this.
    pub fn identify_caller(mut self, identify: impl IdentifyCaller + 'static) -> Self {
        self.settings.identify = Some(Arc::new(identify));
        self
    }

    /// Sets the hosts of the server, as `host` or `host:port`: requests with another `Host` header get status
    /// 403. That protects local servers from DNS rebinding. Default: `localhost`, `127.0.0.1` and `::1`.
    pub fn allowed_hosts(mut self, hosts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.settings.allowed_hosts = Hosts::Listed(hosts.into_iter().map(Into::into).collect());
        self
    }

    /// Accepts requests for any host. Use it only behind a proxy that checks the `Host` header, or if all requests need credentials
    /// that a browser does not add by itself.
    pub fn allow_any_host(mut self) -> Self {
        self.settings.allowed_hosts = Hosts::Any;
        self
    }

    /// Sets the origins whose pages may use the server, such as `https://app.example.com:443` or `http://localhost:*`:
    /// requests with another `Origin` header get status 403. Requests without the header, which don't come from a browser,
    /// are not concerned. Default: pages of this machine.
    ///
    /// A page of another origin also needs the headers of CORS: add a layer for them to the router.
    pub fn allowed_origins(mut self, origins: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.settings.allowed_origins = origins.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the maximum size of a message in bytes. Larger ones get status 413, and are ignored on stdio. Default: 4 MiB.
    pub fn max_message_bytes(mut self, bytes: usize) -> Self {
        self.settings.max_message_bytes = bytes;
        self
    }

    /// Sets the number of calls that may run at a time; others get an error. Default: 256.
    ///
    /// All callers share the number, and a call that waits for its user counts. Limit the requests of one caller in a layer of the
    /// router.
    pub fn max_concurrent_calls(mut self, calls: u32) -> Self {
        self.settings.max_calls = calls;
        self
    }

    /// Sets the number of sessions of clients with a protocol before 2026-07-28; further ones get status 503. Default: 4,096.
    pub fn max_sessions(mut self, sessions: usize) -> Self {
        self.settings.max_sessions = sessions;
        self
    }

    /// Sets the time after which a session without messages ends. Default: 30 minutes.
    pub fn session_idle_timeout(mut self, timeout: Duration) -> Self {
        self.settings.session_idle_timeout = timeout;
        self
    }

    /// Serves clients with a protocol before 2026-07-28 without sessions, so that each of their requests may reach another
    /// process. Tools can't ask their users then, and the response of a tool that reports no progress is JSON instead of a stream.
    /// Default: with sessions.
    pub fn without_sessions(mut self) -> Self {
        self.settings.legacy_sessions = false;
        self
    }

    /// Sets the time that a client with a protocol before 2026-07-28 has to respond to the question of a tool. Default: 10
    /// minutes.
    pub fn input_timeout(mut self, timeout: Duration) -> Self {
        self.settings.input_timeout = timeout;
        self
    }

    /// Sets the key, 32 random bytes, that protects the state of calls that wait for a response, on protocol 2026-07-28. With
    /// the same key, another process can continue them. Default: a random key, so that they end with the process.
    ///
    /// One process continues each call once, so that a response that arrives twice does not run a tool twice. Several processes
    /// know nothing of each other.
    ///
    /// The state is signed and not encrypted: the client can read its earlier responses in it.
    pub fn request_state_key(mut self, key: [u8; 32]) -> Self {
        self.settings.request_states.set_key(key);
        self
    }

    /// Adds a key that protected states before the present one, so that calls that wait survive a change of the key.
    pub fn older_request_state_key(mut self, key: [u8; 32]) -> Self {
        self.settings.request_states.add_older_key(key);
        self
    }

    /// Sets the time in which the response to a question is accepted, on protocol 2026-07-28. Default: 7 days.
    pub fn request_state_lifetime(mut self, lifetime: Duration) -> Self {
        self.settings.request_states.set_lifetime(lifetime);
        self
    }

    /// Shuts the server down when `token` is cancelled: new requests are rejected, running calls have the
    /// [shutdown timeout](Self::shutdown_timeout) to end, and then all connections end.
    pub fn shutdown_with(mut self, token: CancellationToken) -> Self {
        self.settings.shutdown = token;
        self
    }

    /// Sets the time that running calls have to end in a shutdown. Default: 10 seconds.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.settings.shutdown_timeout = timeout;
        self
    }

    /// Serves the client that has started this process, until it closes the standard input. The program must not print to
    /// the standard output.
    ///
    /// # Errors
    ///
    /// Returns [`ServeError`] if the client does not speak the protocol.
    pub async fn stdio(self) -> Result<(), ServeError> {
        let (reader, writer) = rmcp::transport::stdio_pipes();
        self.serve(reader, writer).await
    }

    /// Serves one client over a stream of lines, such as a Unix socket, until the client closes it.
    ///
    /// # Errors
    ///
    /// Returns [`ServeError`] if the client does not speak the protocol.
    pub async fn serve<R, W>(self, reader: R, writer: W) -> Result<(), ServeError>
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let transport = AsyncRwTransport::new_server(reader, writer);
        let transport = Connection::new(transport.with_max_line_length(self.settings.max_message_bytes));
        let shared = Arc::new(Shared::new(self));
        let end = CancellationToken::new();
        let serve = async {
            match serve_server_with_ct(Handler::new(Arc::clone(&shared)), transport, end.clone()).await {
                Ok(running) => running.waiting().await.map(|_| ()).map_err(|error| ServeError::Task(error.into())),
                Err(error) => error::of_start(error).map_or(Ok(()), Err),
            }
        };
        let shut_down = async {
            shutdown::drained(&shared).await;
            end.cancel();
            std::future::pending::<Infallible>().await
        };
        tokio::select! {
            served = serve => served,
            never = shut_down => match never {},
        }
    }

    /// Returns a router that serves streamable HTTP at `/mcp`. Nest it into another router for another path.
    ///
    /// `axum::serve` has no timeout for the head of a request, and no limit on connections: put a proxy that has both in front of a
    /// server on a public network.
    pub fn into_router(self) -> Router {
        http::router(Arc::new(Shared::new(self)))
    }
}

impl fmt::Debug for McpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpServer")
            .field("name", &self.settings.name)
            .field("tools", self.runner.tools())
            .finish_non_exhaustive()
    }
}

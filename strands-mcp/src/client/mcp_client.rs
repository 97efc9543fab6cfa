//! The client: a handle to a server, a provider of tools, and requests without an agent.

use std::error::Error as StdError;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rmcp::model::JsonObject;
use serde_json::Value;
use strands_core::{Tool, ToolContext, ToolOutput, ToolProvider};
use tokio_util::task::AbortOnDropHandle;

use super::builder::McpClientBuilder;
use super::call::CallRequest;
use super::content::tool_output;
use super::description::visible_text;
use super::error::McpError;
use super::filter::ToolFilter;
use super::handler::Shared;
use super::http_builder::Http;
use super::link::Link;
use super::listing::Listing;
use super::stdio_builder::Stdio;

/// Maximum size of a server's instructions, in bytes.
const MAX_INSTRUCTIONS: usize = 64 * 1024;

/// Returns additional `_meta` of a tool call.
pub(super) type RequestMeta = Arc<dyn Fn(&ToolContext) -> JsonObject + Send + Sync>;

/// A client of an MCP server, and a provider of its tools for agents. Cheap to clone; clones share the connection.
///
/// The client connects when the tools are first listed, and again after the connection was lost. A call that the server
/// did not process is repeated; one whose outcome is unknown is repeated only if the tool is idempotent or read-only. Dropping
/// the last clone, with all agents that have the tools, ends the connection and kills a child process.
///
/// # Examples
///
/// ```no_run
/// use strands::Agent;
/// use strands::mcp::McpClient;
/// # use strands::testing::ScriptedModel;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// # let model = ScriptedModel::responding("hi");
/// let files = McpClient::stdio("npx").args(["-y", "@modelcontextprotocol/server-filesystem", "."]).build()?;
/// let travel = McpClient::http("https://travel.example.com/mcp").bearer_token("secret").prefix("travel").build()?;
/// let mut agent = Agent::builder().model(model).tool_provider(files).tool_provider(travel).build().await?;
/// println!("{}", agent.prompt("Which files are here?").await?.text());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct McpClient {
    pub(super) inner: Arc<Inner>,
}

/// A client's list of tools, and what calls them.
pub(super) struct Inner {
    pub(super) caller: Arc<Caller>,
    pub(super) prefix: Option<String>,
    pub(super) allow: Vec<ToolFilter>,
    pub(super) deny: Vec<ToolFilter>,
    pub(super) is_optional: bool,
    pub(super) listing: Mutex<Option<Arc<Listing>>>,
    /// The task that retries an optional server, or one that failed to list its tools.
    pub(super) retry: Mutex<Option<AbortOnDropHandle<()>>>,
}

/// The part of a client that its tools hold: the link to the server, and the settings of calls.
pub(super) struct Caller {
    pub(super) shared: Arc<Shared>,
    pub(super) link: Link,
    pub(super) call_timeout: Duration,
    pub(super) task_timeout: Duration,
    pub(super) most_bytes: usize,
    pub(super) request_meta: Option<RequestMeta>,
}

impl McpClient {
    /// Returns a builder of a client for a server over streamable HTTP.
    pub fn http(url: impl AsRef<str>) -> McpClientBuilder<Http> {
        McpClientBuilder::new(Http::new(url.as_ref()))
    }

    /// Returns a builder of a client for a server that is started as a child process, with this program.
    pub fn stdio(program: impl Into<std::ffi::OsString>) -> McpClientBuilder<Stdio> {
        McpClientBuilder::new(Stdio::new(program.into()))
    }

    /// Returns the server's name in errors, events and interrupts.
    pub fn name(&self) -> &str {
        &self.inner.caller.shared.server
    }

    /// Connects, unless there is a connection. Listing and calling tools connect as well.
    ///
    /// # Errors
    ///
    /// Returns [`McpError`] if the server can't be reached or started, if it rejects the token, or if the handshake fails.
    pub async fn connect(&self) -> Result<(), McpError> {
        self.inner.caller.link.connection().await.map(drop)
    }

    /// Returns true if there is a connection that was not lost, as far as it is known.
    pub fn is_connected(&self) -> bool {
        self.inner.caller.link.is_connected()
    }

    /// Ends the connection in an orderly way, within about five seconds. Later calls fail with [`McpError::Closed`].
    pub async fn close(&self) {
        self.inner.retry.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.inner.caller.link.close().await;
    }

    /// Returns the server's instructions, for a system prompt. They are a text of the server: add them only if you trust it.
    /// Hidden characters are escaped, as in descriptions, and a text of more than 64 KiB is truncated.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`connect`](Self::connect).
    pub async fn server_instructions(&self) -> Result<Option<String>, McpError> {
        let info = self.inner.caller.link.connection().await?.info();
        Ok(info.and_then(|info| Some(visible_text(info.instructions.as_deref()?, MAX_INSTRUCTIONS))))
    }

    /// Returns the negotiated protocol version, such as `2026-07-28`.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`connect`](Self::connect).
    pub async fn protocol_version(&self) -> Result<String, McpError> {
        let info = self.inner.caller.link.connection().await?.info();
        Ok(info.map(|info| info.protocol_version.to_string()).unwrap_or_default())
    }

    /// Lists the tools that pass the filters. The list is cached until the server announces a change.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`connect`](Self::connect) and of the request.
    pub async fn tools(&self) -> Result<Vec<Arc<dyn Tool>>, McpError> {
        Ok(self.listing().await?.tools())
    }

    /// Calls a tool without an agent, by the server's own name. `arguments` is a JSON object, or `null` for none.
    ///
    /// The call is not repeated if its outcome is unknown. An elicitation needs a callback.
    ///
    /// # Errors
    ///
    /// Returns [`McpError`] if there is no result. A failure of the tool is an output with the status error.
    pub async fn call_tool(&self, name: impl Into<String>, arguments: Value) -> Result<ToolOutput, McpError> {
        let request = CallRequest::new(self.name(), name.into(), arguments)?;
        Ok(tool_output(self.inner.caller.finish(request).await?))
    }
}

#[async_trait]
impl ToolProvider for McpClient {
    fn name(&self) -> &str {
        &self.inner.caller.shared.server
    }

    async fn list_tools(&self) -> Result<Vec<Arc<dyn Tool>>, Box<dyn StdError + Send + Sync>> {
        Ok(self.provided_tools().await?)
    }

    fn generation(&self) -> u64 {
        self.inner.caller.shared.generation()
    }
}

impl fmt::Debug for McpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers, tokens, arguments and the environment of a child may be secrets.
        f.debug_struct("McpClient").field("name", &self.name()).finish_non_exhaustive()
    }
}

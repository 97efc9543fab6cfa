//! Configuration files in the `mcpServers` format of editors.

mod error;
mod expansion;
mod fields;
mod jsonc;
mod server;
mod suggestion;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde_json::Value;
use strands_core::strict_json;

pub use error::{McpConfigError, McpServerConfigError};
use expansion::Variables;
use server::ServerSettings;

use crate::client::{AnyTransport, McpClient, McpClientBuilder};

/// Maximum size of a configuration file, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// Keys of the object with the servers: of most clients, and of VS Code.
const SERVERS: [&str; 2] = ["mcpServers", "servers"];

/// Builds a client for each server in a configuration file, in the `mcpServers` format of editors.
///
/// Disabled servers are skipped. The clients connect when they are needed. Servers are child processes with the environment of
/// [`McpClientBuilder<Stdio>`](crate::Stdio), and programs run with the rights of this process: load only files that you trust.
///
/// | key | meaning | other spellings |
/// |---|---|---|
/// | `command` | program of a server that is a child process; `~` is the home directory | |
/// | `args`, `env` | its arguments, and additional environment variables | |
/// | `cwd` | its working directory; `~` is the home directory | |
/// | `url` | URL of a server over streamable HTTP | `serverUrl`, `httpUrl` |
/// | `headers` | headers of its requests, such as `Authorization` | |
/// | `type` | `stdio` or `http`; optional | `transport`, `transportType` |
/// | `disabled` | skips the server | `enabled` |
/// | `prefix` | [prefix](McpClientBuilder::prefix) of its tools' names | |
/// | `allowTools`, `denyTools` | names of tools, with `*` for any characters, or [patterns](crate::ToolFilter::pattern) between slashes: `"/(get\|list)_.*/"` | `allowedTools`, `enabledTools`, `includeTools`; `disabledTools`, `excludeTools` |
/// | `toolFilters` | the filters of Strands: `{"allowed": [..], "rejected": [..]}` with patterns of the start of a name | `tool_filters` |
/// | `optional` | the server may be [unavailable](McpClientBuilder::optional) | `continue_on_error` |
/// | `timeout` | timeout of a request: seconds, or a string such as `"2m"` or `"500ms"` | |
/// | `connectTimeout` | timeout of a connection | `startupTimeout`, `startup_timeout` |
///
/// The servers are in an object `mcpServers`, or `servers` as in VS Code; other keys of the file belong to the editor. Comments
/// and trailing commas are allowed. Keys for the user interface of an editor, such as `autoApprove` and `description`, have no
/// effect; keys that would have one, such as `envFile` and `oauth`, are errors, and so are unknown keys. Keys that begin with `_`, `$`, `#` or `/` are comments.
///
/// `${VAR}`, `${env:VAR}` and `${VAR:-default}` are expanded in `command`, `args`, `env`, `cwd`, `url`, `headers` and `prefix`.
/// The default counts if the variable is missing or empty. `$${` is a literal `${`.
///
/// This function reads a file of at most 1 MiB, and blocks meanwhile. [`load_builders`] returns builders, for callbacks and other
/// settings that a file can't have.
///
/// # Examples
///
/// ```no_run
/// use strands::Agent;
/// use strands::mcp::load_servers;
/// # use strands::testing::ScriptedModel;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// # let model = ScriptedModel::responding("hi");
/// let mut agent = Agent::builder().model(model).tool_providers(load_servers("mcp.json")?).build().await?;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// Returns [`McpConfigError`] if the file can't be read, or if its settings are invalid: the error names the server, the key,
/// and a missing environment variable. Values of variables are in no error.
pub fn load_servers(path: impl AsRef<Path>) -> Result<Vec<McpClient>, McpConfigError> {
    built(load_builders(path)?)
}

/// Builds a client for each server in a text in the format of [`load_servers`].
///
/// # Errors
///
/// Returns the errors of [`load_servers`].
pub fn parse_servers(json: &str) -> Result<Vec<McpClient>, McpConfigError> {
    built(parse_builders(json)?)
}

/// Returns a builder for each server in a configuration file, in the format of [`load_servers`].
///
/// # Examples
///
/// ```no_run
/// use strands::mcp::{ElicitationResponse, load_builders};
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut clients = Vec::new();
/// for builder in load_builders("mcp.json")? {
///     let builder = builder.application("travel", "1.0").elicitation(|_| async { ElicitationResponse::Decline });
///     clients.push(match builder.into_http() {
///         Ok(http) => http.bearer_token_fn(|| async { std::env::var("TRAVEL_TOKEN") }).build()?,
///         Err(stdio) => stdio.restarts_per_minute(2).build()?,
///     });
/// }
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// Returns the errors of [`load_servers`], except for those of building the clients.
pub fn load_builders(path: impl AsRef<Path>) -> Result<Vec<McpClientBuilder<AnyTransport>>, McpConfigError> {
    parse_builders(&read_file(path.as_ref())?)
}

/// Returns a builder for each server in a text in the format of [`load_servers`].
///
/// ```
/// let json = r#"{"mcpServers": {
///     "files": {"command": "npx", "args": ["-y", "@modelcontextprotocol/server-filesystem", "."], "denyTools": ["write_file"]},
///     "travel": {"url": "${TRAVEL_URL:-https://travel.example.com}/mcp", "prefix": "travel"},
/// }}"#;
/// let builders = strands::mcp::parse_builders(json)?;
/// assert_eq!(builders[1].server_name(), Some("travel"));
/// # Ok::<(), strands::mcp::McpConfigError>(())
/// ```
///
/// # Errors
///
/// Returns the errors of [`load_builders`].
pub fn parse_builders(json: &str) -> Result<Vec<McpClientBuilder<AnyTransport>>, McpConfigError> {
    let settings = settings_of_text(json, &expansion::of_process)?;
    Ok(settings.into_iter().map(ServerSettings::into_builder).collect())
}

fn built(builders: Vec<McpClientBuilder<AnyTransport>>) -> Result<Vec<McpClient>, McpConfigError> {
    let clients = builders.into_iter().map(McpClientBuilder::build);
    clients.collect::<Result<_, _>>().map_err(McpConfigError::Client)
}

/// Returns the text of a file.
fn read_file(path: &Path) -> Result<String, McpConfigError> {
    let failed = |source| McpConfigError::File { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    // A pipe or a device may never end.
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(failed(std::io::Error::other("it is not a regular file")));
    }
    let mut text = String::new();
    file.take(MAX_FILE + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > MAX_FILE {
        return Err(McpConfigError::TooLarge { path: path.to_owned(), most: MAX_FILE });
    }
    Ok(text)
}

fn settings_of_text(text: &str, variables: Variables<'_>) -> Result<Vec<ServerSettings>, McpConfigError> {
    let document = strict_json::from_slice(jsonc::without_comments(text).as_bytes()).map_err(McpConfigError::Syntax)?;
    settings(&document, variables)
}

/// Returns the settings of the servers that are not disabled, in order.
fn settings(document: &Value, variables: Variables<'_>) -> Result<Vec<ServerSettings>, McpConfigError> {
    let fields = document.as_object().ok_or_else(|| McpConfigError::NoServers { found: Vec::new() })?;
    let no_servers = || McpConfigError::NoServers { found: fields.keys().take(20).cloned().collect() };
    let servers = match SERVERS.map(|key| fields.get(key)) {
        [Some(_), Some(_)] => return Err(McpConfigError::TwoLists),
        [Some(servers), None] | [None, Some(servers)] => servers.as_object().ok_or_else(no_servers)?,
        // A bare object of servers, as one server of a list would be.
        [None, None] if !fields.is_empty() && fields.values().all(server::looks_like_one) => fields,
        [None, None] => return Err(no_servers()),
    };
    let read = |(name, server): (&String, &Value)| {
        let invalid = |error| McpConfigError::Server { server: name.clone(), error };
        server::settings(name, server, variables).map_err(invalid).transpose()
    };
    servers.iter().filter_map(read).collect()
}

#[cfg(test)]
mod tests;

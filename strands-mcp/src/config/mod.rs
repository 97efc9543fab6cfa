//! Configuration files in the `mcpServers` format of editors.

mod document;
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

pub use error::{McpConfigError, McpServerConfigError};
use expansion::Variables;
use server::ServerSettings;

/// Maximum size of a configuration file, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// Keys of the object with the servers: of most clients, and of VS Code.
const SERVERS: [&str; 2] = ["mcpServers", "servers"];

/// Reads the settings of a file.
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
    let document = document::parse(&jsonc::without_comments(text)).map_err(McpConfigError::Syntax)?;
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

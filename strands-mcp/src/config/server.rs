//! Settings of one server.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};

use super::error::McpServerConfigError;
use super::expansion::{Variables, expanded};
use super::fields::{Fields, invalid, strings};
use crate::client::{AnyTransport, McpClient, McpClientBuilder, ToolFilter};

/// Settings of a server.
#[derive(Debug)]
pub(super) struct ServerSettings {
    pub(super) name: String,
    pub(super) transport: TransportSettings,
    pub(super) prefix: Option<String>,
    pub(super) allow: Vec<ToolFilter>,
    pub(super) deny: Vec<ToolFilter>,
    pub(super) timeout: Option<Duration>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) optional: bool,
}

/// Transport of a server. `Debug` shows no values that may be secrets.
pub(super) enum TransportSettings {
    Stdio { command: String, args: Vec<String>, env: Vec<(String, SecretString)>, current_dir: Option<PathBuf> },
    Http { url: String, headers: Vec<(String, SecretString)> },
}

impl ServerSettings {
    /// Returns a builder of a client with these settings.
    pub(super) fn into_builder(self) -> McpClientBuilder<AnyTransport> {
        let exposed = |(name, value): (String, SecretString)| (name, value.expose_secret().to_owned());
        let mut builder = match self.transport {
            TransportSettings::Http { url, headers } => {
                let http = McpClient::http(url);
                let headers = headers.into_iter().map(exposed);
                headers.fold(http, |http, (name, value)| http.header(name, value)).into_any()
            }
            TransportSettings::Stdio { command, args, env, current_dir } => {
                let stdio = McpClient::stdio(command).args(args);
                let stdio = env.into_iter().map(exposed).fold(stdio, |stdio, (name, value)| stdio.env(name, value));
                current_dir.into_iter().fold(stdio, McpClientBuilder::current_dir).into_any()
            }
        };
        builder = builder.name(self.name);
        builder = self.prefix.into_iter().fold(builder, McpClientBuilder::prefix);
        builder = self.allow.into_iter().fold(builder, McpClientBuilder::allow_tools);
        builder = self.deny.into_iter().fold(builder, McpClientBuilder::deny_tools);
        builder = self.timeout.into_iter().fold(builder, McpClientBuilder::timeout);
        builder = self.connect_timeout.into_iter().fold(builder, McpClientBuilder::connect_timeout);
        if self.optional { builder.optional() } else { builder }
    }
}

impl fmt::Debug for TransportSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn names(named: &[(String, SecretString)]) -> Vec<&str> {
            named.iter().map(|(name, _)| name.as_str()).collect()
        }
        match self {
            Self::Stdio { args, env, .. } => {
                f.debug_struct("Stdio").field("args", &args.len()).field("env", &names(env)).finish_non_exhaustive()
            }
            Self::Http { headers, .. } => {
                f.debug_struct("Http").field("headers", &names(headers)).finish_non_exhaustive()
            }
        }
    }
}

/// Returns true for an object that can only be the settings of a server.
pub(super) fn looks_like_one(value: &Value) -> bool {
    value.as_object().is_some_and(|fields| ["command", "url"].iter().any(|key| fields.contains_key(*key)))
}

/// Reads the settings of a server; `None` if it is disabled.
pub(super) fn settings(
    name: &str,
    value: &Value,
    variables: Variables<'_>,
) -> Result<Option<ServerSettings>, McpServerConfigError> {
    let fields = value.as_object().ok_or_else(|| invalid(name, "an object"))?;
    let fields = Fields::new(fields, variables)?;
    let is_disabled = fields.boolean("disabled")? == Some(true) || fields.boolean("enabled")? == Some(false);
    // The variables of a disabled server need not be set.
    if is_disabled {
        return Ok(None);
    }
    let (allow, deny) = filters(&fields)?;
    Ok(Some(ServerSettings {
        name: name.to_owned(),
        transport: transport(&fields, variables)?,
        prefix: fields.text("prefix")?,
        allow,
        deny,
        timeout: fields.duration("timeout")?,
        connect_timeout: fields.duration("connectTimeout")?,
        optional: fields.boolean("optional")?.unwrap_or(false),
    }))
}

/// Reads the transport: a command or a URL.
fn transport(fields: &Fields<'_>, variables: Variables<'_>) -> Result<TransportSettings, McpServerConfigError> {
    let is_http = match (fields.get("command")?, fields.get("url")?) {
        (Some(_), Some(_)) => return Err(McpServerConfigError::TwoTransports),
        (None, None) => return Err(McpServerConfigError::NoTransport),
        (_, url) => url.is_some(),
    };
    if let Some(transport) = fields.literal("type")? {
        check_transport(transport, is_http)?;
    }
    let (own, others) =
        if is_http { ("command", ["args", "env", "cwd"].as_slice()) } else { ("url", ["headers"].as_slice()) };
    for key in others {
        // Generated files have empty objects for the other transport.
        let is_empty =
            |value: &Value| value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty);
        if fields.get(key)?.is_some_and(|(_, value)| !is_empty(value)) {
            return Err(McpServerConfigError::OtherTransport { key, transport: own });
        }
    }
    let secret = |(name, value): (String, String)| (name, SecretString::from(value));
    if is_http {
        let url = fields.text("url")?.unwrap_or_default();
        let headers = fields.named_texts("headers")?.into_iter().map(secret).collect();
        return Ok(TransportSettings::Http { url, headers });
    }
    let command = fields.text("command")?.filter(|command| !command.trim().is_empty());
    let command = command.ok_or_else(|| invalid("command", "the name of a program"))?;
    Ok(TransportSettings::Stdio {
        command: with_home("command", command, variables)?,
        args: fields.texts("args")?.unwrap_or_default(),
        env: fields.named_texts("env")?.into_iter().map(secret).collect(),
        current_dir: fields.text("cwd")?.map(|path| with_home("cwd", path, variables)).transpose()?.map(PathBuf::from),
    })
}

fn check_transport(transport: &str, is_http: bool) -> Result<(), McpServerConfigError> {
    let plain: String = transport.chars().filter(char::is_ascii_alphanumeric).collect();
    let invalid = |reason| McpServerConfigError::InvalidTransport { transport: transport.to_owned(), reason };
    match (plain.to_ascii_lowercase().as_str(), is_http) {
        ("stdio" | "local", false) | ("http" | "streamablehttp" | "remote", true) => Ok(()),
        ("stdio" | "local", true) => Err(invalid("needs a `command`")),
        ("http" | "streamablehttp" | "remote", false) => Err(invalid("needs a `url`")),
        ("sse", _) => Err(invalid("is deprecated and not supported; use the server's endpoint for `http`")),
        _ => Err(invalid("is unknown; expected `stdio` or `http`")),
    }
}

/// Replaces a `~` at the start of a path by the home directory.
fn with_home(key: &str, path: String, variables: Variables<'_>) -> Result<String, McpServerConfigError> {
    match path.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => Ok(expanded(key, "${HOME}", variables)? + rest),
        _ => Ok(path),
    }
}

/// Reads the filters, allow and deny.
fn filters(fields: &Fields<'_>) -> Result<(Vec<ToolFilter>, Vec<ToolFilter>), McpServerConfigError> {
    let mut allow: Option<Vec<ToolFilter>> = fields.literals("allowTools")?.map(own_filters).transpose()?;
    let mut deny = own_filters(fields.literals("denyTools")?.unwrap_or_default())?;
    if let Some((key, value)) = fields.get("toolFilters")? {
        let lists = value.as_object().ok_or_else(|| invalid(key, "an object with `allowed` and `rejected`"))?;
        for (name, list) in lists.iter().filter(|(_, list)| !list.is_null()) {
            let patterns = strings(&format!("{key}.{name}"), list)?;
            // As in Strands, a pattern matches the start of a name.
            let patterns = patterns.into_iter().map(|pattern| ToolFilter::pattern(&format!("(?:{pattern}).*")));
            let patterns: Vec<ToolFilter> = patterns.collect::<Result<_, _>>()?;
            match name.as_str() {
                "allowed" => allow.get_or_insert_default().extend(patterns),
                "rejected" => deny.extend(patterns),
                _ => return Err(invalid(key, "an object with `allowed` and `rejected`")),
            }
        }
    }
    // An empty list allows nothing.
    let nothing = || vec![ToolFilter::names([""; 0])];
    Ok((allow.map(|allow| if allow.is_empty() { nothing() } else { allow }).unwrap_or_default(), deny))
}

/// Returns filters by exact name, by name with `*` for any characters, and by pattern for names between slashes.
fn own_filters(names: Vec<&str>) -> Result<Vec<ToolFilter>, McpServerConfigError> {
    let filter = |name: &str| match name.strip_prefix('/').and_then(|name| name.strip_suffix('/')) {
        Some(pattern) => Ok(ToolFilter::pattern(pattern)?),
        // No tool has such a name, so that a deny filter would have no effect.
        None if name.contains('*') => {
            let parts: Vec<String> = name.split('*').map(regex_lite::escape).collect();
            Ok(ToolFilter::pattern(&parts.join(".*"))?)
        }
        None => Ok(ToolFilter::name(name)),
    };
    names.into_iter().map(filter).collect()
}

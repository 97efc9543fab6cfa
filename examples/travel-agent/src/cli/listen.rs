//! Options of the hosts that listen for HTTP.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use strands::serve::{Server, tls::TlsFiles};

use super::BoxError;

#[derive(Debug, Args)]
pub(crate) struct ListenArgs {
    /// The address to listen on, with port 0 for a free one. By default a port of this machine; in a container for AgentCore, of all
    /// addresses.
    #[arg(long, value_name = "HOST:PORT", env = "TRAVEL_LISTEN")]
    listen: Option<String>,

    /// The time that running requests have to finish after a signal to stop.
    #[arg(long, value_name = "SECONDS", default_value_t = 20, env = "TRAVEL_DRAIN_TIMEOUT")]
    drain_timeout: u64,
}

impl ListenArgs {
    /// Listens. If requests are not authenticated, the address must be of this machine.
    pub(crate) async fn server(&self, default: &str, is_open: bool) -> Result<Server, BoxError> {
        let server = Server::bind(self.listen.as_deref().unwrap_or(default)).await?;
        if is_open && !server.local_addr().ip().is_loopback() {
            let features = if cfg!(feature = "jwt") { "" } else { " (with `--features jwt`)" };
            return Err(format!(
                "requests without tokens are accepted from this machine only: listen on a loopback address, such as \
                 127.0.0.1:8080, or verify tokens with --jwks, --issuer and --audience{features}"
            )
            .into());
        }
        Ok(server.drain_timeout(Duration::from_secs(self.drain_timeout)))
    }
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) listen: ListenArgs,

    /// The certificate for HTTPS, a PEM file. It is read again when it changes.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,

    /// The private key of the certificate, a PEM file.
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
}

impl ServeArgs {
    /// Adds the certificate. Returns the scheme of the server's URL as well.
    pub(crate) fn tls(&self, server: Server) -> Result<(Server, &'static str), BoxError> {
        Ok(match (&self.tls_certificate, &self.tls_key) {
            (Some(certificate), Some(key)) => (server.tls(TlsFiles::load(certificate, key)?), "https"),
            _ => (server, "http"),
        })
    }
}

#[cfg(feature = "mcp")]
#[derive(Debug, Args)]
pub(crate) struct McpArgs {
    #[command(flatten)]
    pub(crate) listen: ListenArgs,

    /// A host of the server's URL; may be repeated. Requests for others are refused; `*` allows any. By default the names of this machine, and
    /// on Lambda any.
    #[arg(long = "host", value_name = "NAME", env = "TRAVEL_MCP_HOSTS", value_delimiter = ',', default_values_t = default_hosts())]
    pub(crate) hosts: Vec<String>,
}

#[cfg(feature = "mcp")]
fn default_hosts() -> Vec<String> {
    // API Gateway serves its own hosts only.
    let hosts = if super::hosts::is_on_lambda() { &["*"][..] } else { &["localhost", "127.0.0.1", "::1"] };
    hosts.iter().map(|&host| host.to_owned()).collect()
}

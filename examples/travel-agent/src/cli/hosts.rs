//! Hosts: the same agent on HTTP, and on the platforms of AWS.

use std::{error::Error, io::Write, path::PathBuf};

use clap::{Args as ClapArgs, Subcommand};
use strands::{
    identity::{Audit, Identity},
    serve::{AgentService, Server, http::HttpHost, tls::TlsFiles},
};

use super::{Args, Terminal};

/// Commands that serve the agent.
#[derive(Debug, Subcommand)]
pub(crate) enum HostCommand {
    /// Serve the agent on HTTP. Users have tokens, verified with --jwks, --issuer and --audience. Without these options, clients
    /// must be on this machine, and all act as the user of --user.
    Serve(ServeArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ServeArgs {
    /// The address to listen on.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    listen: String,

    /// The certificate for HTTPS, a PEM file. It is read again when it changes.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,

    /// The private key of the certificate, a PEM file.
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
}

impl HostCommand {
    /// Serves until the process is told to stop.
    pub(crate) async fn run<O: Write, E: Write>(
        &self,
        args: &Args,
        service: AgentService,
        (user, audit): (&Identity, &Audit),
        terminal: &mut Terminal<O, E>,
    ) -> Result<(), Box<dyn Error>> {
        let (authenticate, is_open) = args.identity.authenticate(user, audit)?;
        match self {
            Self::Serve(serve) => {
                let mut server = Server::bind(&serve.listen).await?;
                let address = server.local_addr();
                if is_open && !address.ip().is_loopback() {
                    let hint =
                        "without --jwks, the agent can only listen on a loopback address, such as 127.0.0.1:8080";
                    return Err(hint.into());
                }
                if is_open {
                    let user = &user.subject;
                    terminal.note(&format!(
                        "DEVELOPMENT MODE: requests are not authenticated; every client on this machine acts as {user}"
                    ))?;
                }
                let mut scheme = "http";
                if let (Some(certificate), Some(key)) = (&serve.tls_certificate, &serve.tls_key) {
                    server = server.tls(TlsFiles::load(certificate, key)?);
                    scheme = "https";
                }
                terminal.note(&format!("Serving on {scheme}://{address}"))?;
                let router = HttpHost::new(service.clone(), authenticate).into_router();
                server.serve(router, |timeout| service.shutdown(timeout)).await?;
                Ok(())
            }
        }
    }
}

//! Hosts: the same agent on HTTP, and on the platforms of AWS.

use std::{error::Error, io::Write, path::PathBuf};

use clap::{Args as ClapArgs, Subcommand};
use strands::{
    identity::{Audit, Identity},
    serve::{AgentService, Server, http::HttpHost, tls::TlsFiles},
};

#[cfg(feature = "agentcore")]
use strands::serve::agentcore;
#[cfg(feature = "lambda")]
use strands::serve::lambda;

use super::{Args, Output, Telemetry, Terminal};

/// Commands that serve the agent. Users have tokens, verified with --jwks, --issuer and --audience. Without these options, clients
/// must be on this machine, and all act as the user of --user.
#[derive(Debug, Subcommand)]
pub(crate) enum HostCommand {
    /// Serve the agent on HTTP.
    Serve(ServeArgs),
    /// Serve the agent on Amazon Bedrock AgentCore Runtime.
    #[cfg(feature = "agentcore")]
    Agentcore {
        /// The address to listen on. By default port 8080, of all addresses in a container.
        #[arg(long, value_name = "HOST:PORT")]
        listen: Option<String>,
    },
    /// Run the agent as a function on AWS Lambda. It is the default there.
    #[cfg(feature = "lambda")]
    Lambda,
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
    /// Returns the command of a process without arguments: on Lambda, that of a function.
    pub(crate) fn of_platform() -> Option<Self> {
        #[cfg(feature = "lambda")]
        if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some() {
            return Some(Self::Lambda);
        }
        None
    }

    /// Serves until the process is told to stop.
    pub(crate) async fn run<O: Write, E: Write>(
        &self,
        args: &Args,
        service: AgentService,
        (user, audit): (&Identity, &Audit),
        #[cfg_attr(not(feature = "lambda"), expect(unused_variables, reason = "Lambda flushes it"))]
        telemetry: &Telemetry,
        terminal: &mut Terminal<O, E>,
    ) -> Result<(), Box<dyn Error>> {
        let Output { events, metrics, is_stored } = args.output();
        if events || metrics || is_stored {
            return Err("--session, --events and --metrics are of conversations on the terminal: leave them out".into());
        }
        let (authenticate, is_open) = args.identity.authenticate(user, audit)?;
        let (server, router) = match self {
            Self::Serve(serve) => {
                let server = listen(&serve.listen, is_open).await?;
                let (server, scheme) = match (&serve.tls_certificate, &serve.tls_key) {
                    (Some(certificate), Some(key)) => (server.tls(TlsFiles::load(certificate, key)?), "https"),
                    _ => (server, "http"),
                };
                terminal.note(&format!("Serving on {scheme}://{}", server.local_addr()))?;
                (server, HttpHost::new(service.clone(), authenticate).into_router())
            }
            #[cfg(feature = "agentcore")]
            Self::Agentcore { listen: address } => {
                let address = address.clone().unwrap_or_else(|| agentcore::default_address().to_string());
                let server = listen(&address, is_open).await?;
                terminal.note(&format!("Serving AgentCore Runtime on http://{}", server.local_addr()))?;
                (server, agentcore::AgentCoreHost::new(service.clone(), authenticate).into_router())
            }
            #[cfg(feature = "lambda")]
            Self::Lambda => {
                let telemetry = telemetry.clone();
                let host =
                    lambda::LambdaHost::from(HttpHost::new(service, authenticate)).on_invocation_end(move || {
                        let telemetry = telemetry.clone();
                        async move { telemetry.flush().await }
                    });
                return host.run().await.map_err(|error| -> Box<dyn Error> { error });
            }
        };
        if is_open {
            terminal.note(&format!(
                "DEVELOPMENT MODE: requests are not authenticated; every client on this machine acts as {}",
                user.subject
            ))?;
        }
        server.serve(router, |timeout| service.shutdown(timeout)).await?;
        Ok(())
    }
}

/// Listens on an address, which must be of this machine if requests are not authenticated.
async fn listen(address: &str, is_open: bool) -> Result<Server, Box<dyn Error>> {
    let server = Server::bind(address).await?;
    if is_open && !server.local_addr().ip().is_loopback() {
        let features = if cfg!(feature = "jwt") { "" } else { " (with `--features jwt`)" };
        return Err(format!(
            "requests without tokens are accepted from this machine only: listen on a loopback address, such as \
             127.0.0.1:8080, or verify tokens with --jwks, --issuer and --audience{features}"
        )
        .into());
    }
    Ok(server)
}

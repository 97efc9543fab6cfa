//! The HTTP client: one for the process unless a model has a connect timeout of its own.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;

const USER_AGENT: &str = concat!("strands-rs/", env!("CARGO_PKG_VERSION"));

/// How long the network may be silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    pub(crate) connect: Duration,
    pub(crate) idle: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), idle: Duration::from_secs(120) }
    }
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("TLS can't be set up")]
    Tls(#[from] rustls::Error),
    #[error("the HTTP client can't be set up")]
    Client(#[from] reqwest::Error),
}

static SHARED: LazyLock<Result<reqwest::Client, ClientError>> =
    LazyLock::new(|| connect(Patience::default().connect, true));
static SHARED_PLAIN: LazyLock<Result<reqwest::Client, ClientError>> =
    LazyLock::new(|| connect(Patience::default().connect, false));

/// A client that connects with this patience: the process's own where that is the default.
pub(crate) fn client(connect_timeout: Duration, tls: bool) -> Result<reqwest::Client, ClientError> {
    if connect_timeout == Patience::default().connect {
        let shared = if tls { &SHARED } else { &SHARED_PLAIN };
        // An error can't be cloned; making it again says it again.
        if let Ok(client) = &**shared {
            return Ok(client.clone());
        }
    }
    connect(connect_timeout, tls)
}

fn connect(timeout: Duration, tls: bool) -> Result<reqwest::Client, ClientError> {
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls_config(tls)?)
        .https_only(tls)
        // A key goes where it was meant to go, and nowhere else.
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(timeout)
        .user_agent(USER_AGENT)
        .build()?)
}

/// TLS that trusts what the system trusts. Where plain HTTP is spoken there may be no such thing: then it trusts nobody.
fn tls_config(tls: bool) -> Result<ClientConfig, ClientError> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?;
    let config =
        if tls { config.with_platform_verifier()? } else { config.with_root_certificates(RootCertStore::empty()) };
    Ok(config.with_no_client_auth())
}

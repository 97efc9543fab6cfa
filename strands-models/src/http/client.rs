//! The HTTP client: one for the process, and one for each model with another connect timeout.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;

const USER_AGENT: &str = concat!("strands-rs/", env!("CARGO_PKG_VERSION"));

/// Timeouts of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timeouts {
    pub(crate) connect: Duration,
    pub(crate) idle: Duration,
    /// From the request to the end of the response.
    pub(crate) total: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), idle: Duration::from_secs(120), total: None }
    }
}

/// Installs ring as the process's crypto provider for rustls, unless there is one.
///
/// A program with its own HTTP client calls it once, before it builds the client. This library depends on reqwest with
/// rustls and without a crypto provider, and Cargo builds one reqwest for a whole program: without the call,
/// `reqwest::Client::builder().build()` panics with "No rustls crypto provider is configured", unless the program has installed
/// a provider or enables the feature `rustls` of reqwest. The models' own clients need neither.
///
/// ```
/// # #[cfg(feature = "openai")] {
/// use strands::models::{OpenAiModel, install_crypto_provider};
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// install_crypto_provider();
/// let client = reqwest::Client::builder().timeout(std::time::Duration::from_secs(300)).build()?;
/// let model = OpenAiModel::builder().base_url("http://localhost:1234/v1").client(client).build()?;
/// # let _ = model; Ok(()) }
/// # example().unwrap();
/// # }
/// ```
pub fn install_crypto_provider() {
    // An error means that one is installed already.
    let _ = ring::default_provider().install_default();
}

/// An error of setting up an HTTP client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("TLS can't be set up")]
    Tls(#[from] rustls::Error),
    #[error("the HTTP client can't be set up")]
    Client(#[from] reqwest::Error),
}

static SHARED: LazyLock<Result<reqwest::Client, ClientError>> =
    LazyLock::new(|| connect(Timeouts::default().connect, true));
static SHARED_PLAIN: LazyLock<Result<reqwest::Client, ClientError>> =
    LazyLock::new(|| connect(Timeouts::default().connect, false));

/// A client that connects with this connect timeout: the process's own where that is the default.
pub(crate) fn client(connect_timeout: Duration, tls: bool) -> Result<reqwest::Client, ClientError> {
    if connect_timeout == Timeouts::default().connect {
        let shared = if tls { &SHARED } else { &SHARED_PLAIN };
        // An error can't be cloned; the next attempt returns it again.
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
        // A redirect would send the API key to another host.
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(timeout)
        .user_agent(USER_AGENT)
        .build()?)
}

/// Returns the TLS configuration: the platform's certificates, or none for plain HTTP, where the platform may have none.
///
/// `strands-session` has the same function. Adapters do not depend on each other and `strands-core` has no network, so sharing it
/// would take another published crate.
fn tls_config(tls: bool) -> Result<ClientConfig, ClientError> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?;
    let config =
        if tls { config.with_platform_verifier()? } else { config.with_root_certificates(RootCertStore::empty()) };
    Ok(config.with_no_client_auth())
}

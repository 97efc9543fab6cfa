//! The HTTP client: one for the process, and one for each model with another connect timeout.

use std::sync::LazyLock;
use std::time::Duration;

use strands_http::{ClientError, HttpOptions};

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
    let options = if tls { HttpOptions::https() } else { HttpOptions::plain_http() };
    Ok(options.builder()?.connect_timeout(timeout).build()?)
}

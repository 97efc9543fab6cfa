//! The HTTP client: one for the process and each way to a server, and one for each model with another connect timeout.

use std::sync::LazyLock;
use std::time::Duration;

use reqwest::Url;
use strands_http::{ClientError, HttpOptions, is_loopback};

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

/// Way to a server.
#[derive(Clone, Copy)]
enum Route {
    Tls,
    Plain,
    /// Plain HTTP on this machine. A proxy of the environment is another host: it would get an API key in plain text.
    Local,
}

static SHARED: LazyLock<Result<reqwest::Client, ClientError>> = LazyLock::new(|| shared(Route::Tls));
static SHARED_PLAIN: LazyLock<Result<reqwest::Client, ClientError>> = LazyLock::new(|| shared(Route::Plain));
static SHARED_LOCAL: LazyLock<Result<reqwest::Client, ClientError>> = LazyLock::new(|| shared(Route::Local));

fn shared(route: Route) -> Result<reqwest::Client, ClientError> {
    connect(Timeouts::default().connect, route)
}

/// A client for this URL that connects with this connect timeout: the process's own where that is the default.
pub(crate) fn client(connect_timeout: Duration, url: &Url) -> Result<reqwest::Client, ClientError> {
    let route = match url.scheme() {
        "https" => Route::Tls,
        _ if is_loopback(url) => Route::Local,
        _ => Route::Plain,
    };
    if connect_timeout == Timeouts::default().connect {
        let shared = match route {
            Route::Tls => &SHARED,
            Route::Plain => &SHARED_PLAIN,
            Route::Local => &SHARED_LOCAL,
        };
        // An error can't be cloned; the next attempt returns it again.
        if let Ok(client) = &**shared {
            return Ok(client.clone());
        }
    }
    connect(connect_timeout, route)
}

fn connect(timeout: Duration, route: Route) -> Result<reqwest::Client, ClientError> {
    let options = if matches!(route, Route::Tls) { HttpOptions::https() } else { HttpOptions::plain_http() };
    let builder = options.builder()?.connect_timeout(timeout);
    let builder = if matches!(route, Route::Local) { builder.no_proxy() } else { builder };
    Ok(builder.build()?)
}

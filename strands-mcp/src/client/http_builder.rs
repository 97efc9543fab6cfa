//! Settings of a server over streamable HTTP.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use strands_http::HttpOptions;
use url::{Host, Url};

use super::builder::{McpClientBuilder, Transport, sealed};
use super::connection::Connector;
use super::error::McpError;
use super::http::{HttpServer, TokenClient, same_origin_redirects};
use super::token::TokenSource;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Settings of a server over streamable HTTP, for [`McpClientBuilder`].
pub struct Http {
    url: String,
    tokens: Option<Arc<dyn TokenSource>>,
    headers: Vec<(String, SecretString)>,
    proxy: Option<String>,
    certificates: Vec<Vec<u8>>,
}

/// The URL, headers and tokens may be secrets.
impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").finish_non_exhaustive()
    }
}

impl Http {
    pub(super) fn new(url: &str) -> Self {
        Self { url: url.to_owned(), tokens: None, headers: Vec::new(), proxy: None, certificates: Vec::new() }
    }

    /// Returns the HTTP client, and the URL of the server.
    fn client(&self) -> Result<(Url, reqwest::Client), String> {
        // An invalid URL may contain a key.
        let url = Url::parse(&self.url).map_err(|error| format!("the URL is not valid: {error}"))?;
        let options = match url.scheme() {
            "https" => HttpOptions::https(),
            "http" => HttpOptions::plain_http(),
            scheme => return Err(format!("the URL has the scheme `{scheme}`; expected https or http")),
        };
        let mut options = options;
        for pem in &self.certificates {
            options = options.trust_pem(pem).map_err(|error| error.to_string())?;
        }
        let text = |error: &(dyn StdError + 'static)| strands_core::ErrorChain::new(error).to_string();
        let mut builder = options.builder().map_err(|error| text(&error))?;
        if let Some(proxy) = &self.proxy {
            let proxy = reqwest::Proxy::all(proxy).map_err(|_| "the URL of the proxy is not valid".to_owned())?;
            builder = builder.proxy(proxy);
        }
        builder = builder.redirect(same_origin_redirects()).connect_timeout(CONNECT_TIMEOUT);
        Ok((url, builder.build().map_err(|error| text(&error))?))
    }

    fn header_map(&self) -> Result<HashMap<HeaderName, HeaderValue>, String> {
        let mut headers = HashMap::new();
        for (name, value) in &self.headers {
            let header: HeaderName = name.parse().map_err(|_| format!("invalid header name `{name}`"))?;
            let value = HeaderValue::from_str(value.expose_secret());
            let mut value = value.map_err(|_| format!("invalid value of header `{name}`"))?;
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        Ok(headers)
    }
}

/// A token that does not change.
struct StaticToken(SecretString);

#[async_trait]
impl TokenSource for StaticToken {
    async fn token(&self) -> Result<Option<SecretString>, Box<dyn StdError + Send + Sync>> {
        Ok(Some(self.0.clone()))
    }

    async fn challenged(&self, _challenge: &super::token::Challenge) -> Result<bool, Box<dyn StdError + Send + Sync>> {
        Ok(false)
    }
}

/// A callback that returns the token of the next request.
struct TokenCallback<F>(F);

#[async_trait]
impl<F, R, S, E> TokenSource for TokenCallback<F>
where
    F: Fn() -> R + Send + Sync,
    R: Future<Output = Result<S, E>> + Send,
    S: Into<String>,
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    async fn token(&self) -> Result<Option<SecretString>, Box<dyn StdError + Send + Sync>> {
        let token = (self.0)().await.map_err(Into::into)?;
        Ok(Some(SecretString::from(token.into())))
    }
}

impl McpClientBuilder<Http> {
    /// Sets a bearer token that does not change.
    pub fn bearer_token(self, token: impl Into<String>) -> Self {
        self.token_source(StaticToken(SecretString::from(token.into())))
    }

    /// Sets a callback that returns the bearer token of a request. It is called before each request, and once more after a
    /// response with status 401 or 403.
    ///
    /// ```
    /// use strands::mcp::McpClient;
    ///
    /// let client = McpClient::http("https://travel.example.com/mcp").bearer_token_fn(|| async {
    ///     std::env::var("TRAVEL_TOKEN")
    /// });
    /// # drop(client);
    /// ```
    pub fn bearer_token_fn<F, R, S, E>(self, callback: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<S, E>> + Send + 'static,
        S: Into<String> + 'static,
        E: Into<Box<dyn StdError + Send + Sync>> + 'static,
    {
        self.token_source(TokenCallback(callback))
    }

    /// Sets the source of bearer tokens, such as OAuth.
    pub fn token_source(mut self, tokens: impl TokenSource + 'static) -> Self {
        self.transport.tokens = Some(Arc::new(tokens));
        self
    }

    /// Adds a header to each request. Its value is treated as a secret.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.transport.headers.push((name.into(), SecretString::from(value.into())));
        self
    }

    /// Sets the URL of a proxy. Default: that of the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`).
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.transport.proxy = Some(url.into());
        self
    }

    /// Trusts additional certificate authorities, in PEM.
    pub fn trust_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.transport.certificates.push(pem.into());
        self
    }
}

impl Transport for Http {}

impl sealed::Transport for Http {
    fn default_name(&self) -> String {
        Url::parse(&self.url)
            .ok()
            .and_then(|url| url.host_str().map(str::to_owned))
            .unwrap_or_else(|| "http".to_owned())
    }

    fn prepared(self, server: &str, most_bytes: usize) -> Result<sealed::Prepared, McpError> {
        let invalid = |reason| McpError::Setting { server: server.to_owned(), reason };
        let (url, http) = self.client().map_err(invalid)?;
        let headers = self.header_map().map_err(invalid)?;
        let has_token = self.tokens.is_some() || headers.contains_key(&AUTHORIZATION);
        if has_token && url.scheme() == "http" && !is_loopback(&url) {
            let host = url.host_str().unwrap_or_default().to_owned();
            return Err(McpError::PlaintextToken { server: server.to_owned(), host });
        }
        let client = TokenClient { http, tokens: self.tokens };
        let server = HttpServer { url: url.as_str().into(), client, headers, most_bytes };
        Ok(sealed::Prepared(Connector::Http(server)))
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

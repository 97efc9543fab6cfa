//! Settings of a server over streamable HTTP.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use strands_http::{HttpOptions, has_credentials, is_loopback};
use url::Url;

use super::builder::{McpClientBuilder, Transport, sealed};
use super::connection::Connector;
use super::error::McpError;
use super::http::{HttpServer, TokenClient, same_origin_redirects};
use super::oauth::{OAuth, OAuthError};
use super::server_stream::ServerStream;
use super::token::TokenSource;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Settings of a server over streamable HTTP, for [`McpClientBuilder`].
pub struct Http {
    url: String,
    tokens: Option<Arc<dyn TokenSource>>,
    oauth: Option<Box<OAuth>>,
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
        Self {
            url: url.to_owned(),
            tokens: None,
            oauth: None,
            headers: Vec::new(),
            proxy: None,
            certificates: Vec::new(),
        }
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
        let builder = self.builder(options)?.redirect(same_origin_redirects()).connect_timeout(CONNECT_TIMEOUT);
        // The proxies of the environment are other hosts: a token for loopback would leave this one in plain text.
        let is_local = self.proxy.is_none() && url.scheme() == "http" && is_loopback(&url);
        let builder = if is_local { builder.no_proxy() } else { builder };
        let http = builder.build().map_err(|error| strands_core::ErrorChain::new(&error).to_string())?;
        Ok((url, http))
    }

    /// Returns a builder of HTTP clients with the certificates and the proxy.
    fn builder(&self, mut options: HttpOptions) -> Result<reqwest::ClientBuilder, String> {
        for pem in &self.certificates {
            options = options.trust_pem(pem).map_err(|error| error.to_string())?;
        }
        let builder = options.builder().map_err(|error| strands_core::ErrorChain::new(&error).to_string())?;
        let Some(proxy) = &self.proxy else { return Ok(builder) };
        let proxy = reqwest::Proxy::all(proxy).map_err(|_| "the URL of the proxy is not valid".to_owned())?;
        Ok(builder.proxy(proxy))
    }

    /// Returns the source of tokens.
    fn token_source(&self, server: &Url) -> Result<Option<Arc<dyn TokenSource>>, String> {
        let Some(oauth) = &self.oauth else { return Ok(self.tokens.clone()) };
        let source = oauth.source(server.clone(), self.proxy.as_deref(), || {
            let builder = self.builder(HttpOptions::https().allow_http(server.scheme() == "http"));
            // A server with plain HTTP needs none of the platform's certificates, which may be missing.
            let builder = builder.or_else(|error| {
                if server.scheme() == "http" { self.builder(HttpOptions::plain_http()) } else { Err(error) }
            });
            builder.map_err(OAuthError::Setup)
        });
        let source = source.map_err(|error| strands_core::ErrorChain::new(&error).to_string())?;
        Ok(Some(Arc::new(source)))
    }

    fn header_map(&self) -> Result<HashMap<HeaderName, HeaderValue>, String> {
        let mut headers = HashMap::new();
        for (name, value) in &self.headers {
            let header: HeaderName = name.parse().map_err(|_| format!("invalid header name `{name}`"))?;
            if is_reserved(&header) {
                return Err(format!("header `{name}` is set by the protocol"));
            }
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

    /// Sets OAuth as the source of bearer tokens. It uses the proxy and the certificates of this builder.
    ///
    /// ```
    /// use strands::mcp::{ClientCredentials, McpClient, OAuth, OAuthClient};
    ///
    /// let oauth = OAuth::new(ClientCredentials::new(OAuthClient::with_secret("nightly-report", "secret")));
    /// let client = McpClient::http("https://travel.example.com/mcp").oauth(oauth);
    /// # drop(client);
    /// ```
    pub fn oauth(mut self, oauth: OAuth) -> Self {
        self.transport.oauth = Some(Box::new(oauth));
        self.transport.tokens = None;
        self
    }

    /// Sets the source of bearer tokens, such as one that several clients share.
    pub fn token_source(mut self, tokens: impl TokenSource + 'static) -> Self {
        self.transport.tokens = Some(Arc::new(tokens));
        self.transport.oauth = None;
        self
    }

    /// Adds a header to each request. Its value is treated as a secret. A header that carries credentials by its name, such as
    /// `Cookie` or `X-Api-Key`, is not sent over plain HTTP to a host that is not loopback.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.transport.headers.push((name.into(), SecretString::from(value.into())));
        self
    }

    /// Sets the URL of a proxy. Default: that of the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`), and none for a server
    /// with `http://` on loopback.
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
        let has_token = self.tokens.is_some()
            || self.oauth.is_some()
            || headers.keys().any(|name| has_credentials(name.as_str()))
            || !url.username().is_empty()
            || url.password().is_some();
        if has_token && url.scheme() == "http" && !is_loopback(&url) {
            let host = url.host_str().unwrap_or_default().to_owned();
            return Err(McpError::PlaintextToken { server: server.to_owned(), host });
        }
        let tokens = self.token_source(&url).map_err(invalid)?;
        let client = TokenClient { http, tokens, server_stream: ServerStream::default() };
        let server = HttpServer { url: url.as_str().into(), client, headers, most_bytes };
        Ok(sealed::Prepared(Connector::Http(server)))
    }
}

fn is_reserved(header: &HeaderName) -> bool {
    let name = header.as_str();
    name.starts_with("mcp-") || matches!(name, "accept" | "content-length" | "content-type" | "host" | "last-event-id")
}

#[cfg(test)]
mod tests {
    use super::super::McpClient;
    use super::*;

    #[test]
    fn a_token_is_not_sent_over_plain_http_to_another_host() {
        for url in ["http://example.com/mcp", "http://10.0.0.1/mcp", "http://localhost.example.com/mcp"] {
            let with_token = McpClient::http(url).bearer_token("secret").build();
            assert!(matches!(with_token, Err(McpError::PlaintextToken { .. })), "{with_token:?}");
            let with_header = McpClient::http(url).header("Authorization", "Bearer secret").build();
            assert!(matches!(with_header, Err(McpError::PlaintextToken { .. })), "{with_header:?}");
            for name in ["Cookie", "X-Api-Key", "apikey", "X-Auth-Token", "Proxy-Authorization"] {
                let with_header = McpClient::http(url).header(name, "secret").build();
                assert!(matches!(with_header, Err(McpError::PlaintextToken { .. })), "{name}: {with_header:?}");
            }
            let in_url = McpClient::http(url.replacen("http://", "http://user:secret@", 1)).build();
            assert!(matches!(in_url, Err(McpError::PlaintextToken { .. })), "{in_url:?}");
            assert!(McpClient::http(url).header("X-Region", "eu").build().is_ok());
            assert!(McpClient::http(url).build().is_ok());
        }
        for url in ["https://example.com/mcp", "http://127.0.0.2/mcp", "http://[::1]:80/mcp", "http://localhost/mcp"] {
            assert!(McpClient::http(url).bearer_token("secret").build().is_ok(), "{url}");
        }
    }

    #[test]
    fn rejects_invalid_settings() {
        let cases = [
            McpClient::http("not a URL").build(),
            McpClient::http("ftp://example.com").build(),
            McpClient::http("https://example.com").header("a b", "c").build(),
            McpClient::http("https://example.com").header("a", "b\n").build(),
            McpClient::http("https://example.com").header("Mcp-Session-Id", "b").build(),
            McpClient::http("https://example.com").proxy("not a URL").build(),
            McpClient::http("https://example.com").trust_pem("no PEM").build(),
            McpClient::http("https://example.com").timeout(Duration::ZERO).build(),
            McpClient::http("https://example.com").prefix("").build(),
        ];
        for case in cases {
            assert!(matches!(case, Err(McpError::Setting { .. })), "{case:?}");
        }
    }

    #[test]
    fn debug_shows_no_secrets() {
        let builder = McpClient::http("https://example.com/?key=secret").header("x", "secret").bearer_token("secret");
        assert!(!format!("{builder:?} {:?}", builder.transport).contains("secret"));
        assert!(!format!("{:?}", builder.build().unwrap()).contains("secret"));
    }
}

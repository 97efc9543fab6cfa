//! Settings of a remote agent.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use secrecy::{ExposeSecret as _, SecretString};
use strands_core::ErrorChain;
use strands_http::{HttpOptions, has_credentials, is_loopback};
use url::{Origin, Url};

use super::agent::A2aAgent;
use super::bearer::{Bearer, StaticToken, TokenCallback};
use super::card::{Card, Choice, card_url};
use super::endpoint::{Endpoint, Transport};
use super::error::A2aError;
use super::http::{Http, Request};
use super::run::Remote;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(5 * 60);
const TASK_TIMEOUT: Duration = Duration::from_secs(60 * 60);
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// Size limit of an agent card, in bytes.
const MAX_CARD: usize = 1024 * 1024;
/// Version in the request of the card, which is the same for all.
const CARD_VERSION: &str = "1.0";

/// Builder of an [`A2aAgent`]: [`A2aAgent::builder`] creates it.
#[must_use = "a builder does nothing until `connect` is called"]
pub struct A2aAgentBuilder {
    url: String,
    name: Option<String>,
    description: Option<String>,
    bearer: Option<Arc<dyn Bearer>>,
    headers: Vec<(String, SecretString)>,
    transport: Option<Transport>,
    origins: Vec<String>,
    connect_timeout: Duration,
    timeout: Duration,
    task_timeout: Duration,
    max_bytes: usize,
    proxy: Option<String>,
    certificates: Vec<Vec<u8>>,
}

impl A2aAgentBuilder {
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            name: None,
            description: None,
            bearer: None,
            headers: Vec::new(),
            transport: None,
            origins: Vec::new(),
            connect_timeout: CONNECT_TIMEOUT,
            timeout: TIMEOUT,
            task_timeout: TASK_TIMEOUT,
            max_bytes: MAX_BYTES,
            proxy: None,
            certificates: Vec::new(),
        }
    }

    /// Sets the name. Default: that of the agent card.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the description, which a model that chooses among agents reads. Default: that of the agent card, which is a text of
    /// the server.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Sets a bearer token that does not change. It is sent to the origin of the agent card alone.
    pub fn bearer_token(mut self, token: impl Into<String>) -> Self {
        self.bearer = Some(Arc::new(StaticToken(SecretString::from(token.into()))));
        self
    }

    /// Sets a callback that returns the bearer token of a request. It is called before each request. The token is sent to the origin of
    /// the agent card alone.
    ///
    /// ```
    /// use strands::a2a::A2aAgent;
    ///
    /// let agent = A2aAgent::builder("https://booking.example.com").bearer_token_fn(|| async {
    ///     std::env::var("BOOKING_TOKEN")
    /// });
    /// # drop(agent);
    /// ```
    pub fn bearer_token_fn<F, R, S, E>(mut self, callback: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<S, E>> + Send + 'static,
        S: Into<String> + 'static,
        E: Into<Box<dyn StdError + Send + Sync>> + 'static,
    {
        self.bearer = Some(Arc::new(TokenCallback(callback)));
        self
    }

    /// Adds a header to each request to the origin of the agent card. Its value is treated as a secret.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), SecretString::from(value.into())));
        self
    }

    /// Sets the transport that is chosen if the agent has it. Default: the first one of the newest protocol version in the card.
    pub fn preferred_transport(mut self, transport: Transport) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Allows endpoints of an origin, such as `https://agents.example.com`, that is not the one of the agent card. Tokens and headers are not
    /// sent to it. Default: none.
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// Sets the timeout of a connection. Default: 10 seconds.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets the longest time in which a server sends nothing. A stream that is silent for so long is replaced. The agent card must be
    /// there as a whole after this time. Default: 5 minutes.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the longest time of a prompt, after which its task is cancelled. Default: 1 hour.
    pub fn task_timeout(mut self, timeout: Duration) -> Self {
        self.task_timeout = timeout;
        self
    }

    /// Sets the size limit of the content of a task, and of each response and event, in bytes. A JSON value counts for at least 64
    /// bytes, which is about its size in memory. Default: 16 MiB.
    pub fn max_response_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets the URL of a proxy. Default: that of the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`), and none for a server
    /// with `http://` on loopback.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.proxy = Some(url.into());
        self
    }

    /// Trusts additional certificate authorities, in PEM.
    pub fn trust_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.certificates.push(pem.into());
        self
    }

    /// Reads the agent card, and chooses an endpoint.
    ///
    /// # Errors
    ///
    /// Returns [`A2aError::Setting`] if a setting is not valid, [`A2aError::PlaintextToken`] if a token would be sent over plain HTTP to a
    /// host that is not loopback, [`A2aError::Card`] if the card is not valid, [`A2aError::NoEndpoint`] if it names no supported endpoint,
    /// [`A2aError::Origin`] if its endpoints are of other origins, and the errors of a request.
    pub async fn connect(self) -> Result<A2aAgent, A2aError> {
        let card_url = card_url(&self.url)?;
        let origins = self.checked(&card_url)?;
        let http = self.http(&card_url, &origins)?;
        // In all: a server may send its card byte by byte.
        let card = tokio::time::timeout(self.timeout, read_card(&http, &card_url)).await;
        let card = card.map_err(|_| A2aError::Timeout { timeout: self.timeout })??;
        let is_allowed = |origin: &Origin| origins.contains(origin);
        let Choice { binding, url, tenant } = card.endpoint(&card_url, self.transport, is_allowed)?;
        let named = self.name.unwrap_or_else(|| card.name());
        let name = if named.is_empty() { card_url.host_str().unwrap_or_default().to_owned() } else { named };
        let remote = Remote {
            name: name.into(),
            endpoint: Arc::new(Endpoint { http: Arc::new(http), binding, url, tenant }),
            streams: card.streams(),
            task_timeout: self.task_timeout,
        };
        Ok(A2aAgent::new(remote, self.description.unwrap_or_else(|| card.description())))
    }

    /// Checks the settings. Returns the origins of endpoints.
    fn checked(&self, card_url: &Url) -> Result<Vec<Origin>, A2aError> {
        let invalid = |reason: &str| Err(A2aError::Setting { reason: reason.to_owned() });
        if [self.connect_timeout, self.timeout, self.task_timeout].contains(&Duration::ZERO) {
            return invalid("a timeout must be longer than zero");
        }
        if self.max_bytes == 0 {
            return invalid("the size limit of responses must not be zero");
        }
        if self.name.as_deref() == Some("") {
            return invalid("the name must not be empty");
        }
        let mut origins = vec![card_url.origin()];
        for origin in &self.origins {
            match Url::parse(origin).map(|url| url.origin()) {
                Ok(origin) if origin.is_tuple() => origins.push(origin),
                _ => return invalid("an allowed origin must be a URL such as `https://agents.example.com`"),
            }
        }
        let has_token = self.bearer.is_some()
            || self.headers.iter().any(|(name, _)| has_credentials(name))
            || !card_url.username().is_empty()
            || card_url.password().is_some();
        if has_token && card_url.scheme() == "http" && !is_loopback(card_url) {
            return Err(A2aError::PlaintextToken { host: card_url.host_str().unwrap_or_default().to_owned() });
        }
        Ok(origins)
    }

    fn http(&self, card_url: &Url, origins: &[Origin]) -> Result<Http, A2aError> {
        let invalid = |reason: String| A2aError::Setting { reason };
        let is_plain = |origin: &Origin| origin.ascii_serialization().starts_with("http:");
        // A server with plain HTTP needs none of the platform's certificates, which may be missing.
        let mut options = if origins.iter().all(is_plain) {
            HttpOptions::plain_http()
        } else {
            HttpOptions::https().allow_http(origins.iter().any(is_plain))
        };
        for pem in &self.certificates {
            options = options.trust_pem(pem).map_err(|error| invalid(error.to_string()))?;
        }
        let builder = options.builder().map_err(|error| invalid(ErrorChain::new(&error).to_string()))?;
        let mut builder = builder.connect_timeout(self.connect_timeout).read_timeout(self.timeout);
        if let Some(proxy) = &self.proxy {
            let proxy =
                reqwest::Proxy::all(proxy).map_err(|_| invalid("the URL of the proxy is not valid".to_owned()))?;
            builder = builder.proxy(proxy);
        } else if is_loopback(card_url) && card_url.scheme() == "http" {
            // The proxies of the environment are other hosts: a token for loopback would leave this one in plain text.
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| invalid(ErrorChain::new(&error).to_string()))?;
        Ok(Http {
            client,
            origin: card_url.origin(),
            bearer: self.bearer.clone(),
            headers: self.header_map()?,
            timeout: self.timeout,
            max_bytes: self.max_bytes,
        })
    }

    fn header_map(&self) -> Result<HeaderMap, A2aError> {
        let invalid = |reason: String| A2aError::Setting { reason };
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let header: HeaderName = name.parse().map_err(|_| invalid(format!("invalid header name `{name}`")))?;
            if is_reserved(&header) {
                return Err(invalid(format!("header `{name}` is set by the protocol")));
            }
            let value = HeaderValue::from_str(value.expose_secret());
            let mut value = value.map_err(|_| invalid(format!("invalid value of header `{name}`")))?;
            value.set_sensitive(true);
            headers.append(header, value);
        }
        Ok(headers)
    }
}

async fn read_card(http: &Http, url: &Url) -> Result<Card, A2aError> {
    let request = Request {
        method: Method::GET,
        url: url.clone(),
        body: None,
        version: CARD_VERSION,
        streams: false,
        trace: None,
    };
    let response = http.send(request).await?;
    Card::read(&http.body_within(response, http.max_bytes.min(MAX_CARD)).await?)
}

fn is_reserved(header: &HeaderName) -> bool {
    let name = header.as_str();
    matches!(name, "a2a-version" | "accept" | "content-length" | "content-type" | "host" | "traceparent" | "tracestate")
}

impl fmt::Debug for A2aAgentBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL, headers and tokens may be secrets.
        f.debug_struct("A2aAgentBuilder").field("name", &self.name).finish_non_exhaustive()
    }
}

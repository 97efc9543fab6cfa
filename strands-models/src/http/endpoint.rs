//! Endpoint of a provider: URL, headers and timeouts, and one request to it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Request, Response, Url};
use secrecy::{ExposeSecret, SecretString};
use strands_core::models::{ErrorDetails, ModelError, ModelErrorKind};
use strands_http::{has_credentials, is_loopback};
use tokio::time::{timeout, timeout_at};

use super::body::{Body, BodyTimeouts, Deadline};
use super::client::{self, Timeouts};
use super::error::{CallContext, ModelBuildError};
use super::error_response::ErrorResponse;
use super::sent_secrets::SentSecrets;

/// Maximum number of bytes that are read of an error response.
const MOST_ERROR_BYTES: usize = 64 * 1024;

/// Maximum number of bytes that are read of a response that is not the provider's.
const MOST_FOREIGN_BYTES: usize = 4 * 1024;

/// Maximum time for reading an error response, whose status is already known.
const ERROR_TIME: Duration = Duration::from_secs(10);

/// Default idle timeout of servers that compute for long before the first byte: that of the clients of OpenAI and Anthropic.
const LONG_IDLE_TIMEOUT: Duration = Duration::from_secs(600);

/// Connection options of a builder.
#[derive(Clone, Default)]
pub(crate) struct Connection {
    pub(crate) base_url: Option<String>,
    pub(crate) api_key: Option<SecretString>,
    pub(crate) headers: Vec<(String, SecretString)>,
    pub(crate) query: Vec<(String, SecretString)>,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) timeout: Option<Duration>,
    /// True if the server may send nothing for long: without streaming, during hidden reasoning, or while it loads a model.
    pub(crate) long_idle: bool,
    pub(crate) client: Option<reqwest::Client>,
    pub(crate) allow_http: bool,
    pub(crate) hints: Hints,
}

/// Advice for a server that is not found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hints {
    /// No connection could be made.
    pub(crate) unreachable: Option<&'static str>,
    /// There is nothing at this path.
    pub(crate) not_found: &'static str,
}

impl Default for Hints {
    fn default() -> Self {
        Self { unreachable: None, not_found: "is the base URL right? it usually ends in `/v1`" }
    }
}

/// Placement of the API key in requests.
#[derive(Clone, Copy)]
pub(crate) enum ApiKey<'a> {
    None,
    /// In `Authorization`, as a bearer token.
    Bearer(&'a SecretString),
    /// In another header, whose name is in lower case.
    Header(&'static str, &'a SecretString),
}

impl<'a> ApiKey<'a> {
    /// Returns the placement of an optional bearer token.
    pub(crate) fn bearer(key: Option<&'a SecretString>) -> Self {
        key.map_or(Self::None, Self::Bearer)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn names(pairs: &[(String, SecretString)]) -> Vec<&str> {
            pairs.iter().map(|(name, _)| name.as_str()).collect()
        }
        f.debug_struct("Connection")
            .field("base_url", &self.base_url.as_deref().map(without_secrets))
            .field("api_key", &self.api_key.as_ref().map(|_| "[redacted]"))
            .field("headers", &names(&self.headers))
            .field("query", &names(&self.query))
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Returns the endpoint of `path` under `base_url`.
    pub(crate) fn open(
        &self,
        base_url: &str,
        path: &[&str],
        api_key: ApiKey<'_>,
        model_id: &str,
    ) -> Result<Endpoint, ModelBuildError> {
        let invalid = || ModelBuildError::InvalidBaseUrl { base_url: without_secrets(base_url).into_owned() };
        let mut url = parse(base_url).ok_or_else(invalid)?;
        if url.scheme() == "http" && !is_loopback(&url) && !self.allow_http && self.has_credentials(api_key) {
            let host = url.host_str().unwrap_or_default().to_owned();
            return Err(ModelBuildError::PlaintextCredentials { host });
        }
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        for (name, value) in &self.query {
            url.query_pairs_mut().append_pair(name, value.expose_secret());
        }
        let defaults = Timeouts::default();
        let timeouts = Timeouts {
            connect: self.connect_timeout.unwrap_or(defaults.connect),
            idle: self.idle_timeout.unwrap_or(if self.long_idle { LONG_IDLE_TIMEOUT } else { defaults.idle }),
            total: self.timeout,
        };
        let client = match &self.client {
            Some(client) => client.clone(),
            None => client::client(timeouts.connect, &url)
                .map_err(|error| ModelBuildError::Client { source: error.into() })?,
        };
        let context = Arc::new(CallContext {
            model_id: model_id.to_owned(),
            url: without_secrets(url.as_str()).into_owned(),
            hints: self.hints,
            secrets: self.secrets(api_key, &url),
        });
        Ok(Endpoint {
            client,
            headers: self.headers(api_key)?,
            url,
            timeouts,
            idle_timeout: (self.client.is_none() || self.idle_timeout.is_some()).then_some(timeouts.idle),
            context,
        })
    }

    fn has_credentials(&self, api_key: ApiKey<'_>) -> bool {
        let mut named = self.headers.iter().chain(&self.query);
        !matches!(api_key, ApiKey::None) || named.any(|(name, _)| has_credentials(name))
    }

    /// Returns the values that must not appear in an error, even if the server quotes them.
    fn secrets(&self, api_key: ApiKey<'_>, url: &Url) -> SentSecrets {
        let key = match api_key {
            ApiKey::None => None,
            ApiKey::Bearer(key) | ApiKey::Header(_, key) => Some(key),
        };
        // Those of `query` and of the base URL.
        let query: Vec<SecretString> = url.query_pairs().map(|(_, value)| value.into_owned().into()).collect();
        SentSecrets::new(self.headers.iter().map(|(_, value)| value).chain(&query).chain(key))
    }

    fn headers(&self, api_key: ApiKey<'_>) -> Result<HeaderMap, ModelBuildError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let key = match api_key {
            ApiKey::None => None,
            ApiKey::Bearer(key) => Some((AUTHORIZATION, format!("Bearer {}", key.expose_secret()))),
            ApiKey::Header(name, key) => Some((HeaderName::from_static(name), key.expose_secret().to_owned())),
        };
        if let Some((name, key)) = key {
            let mut key = HeaderValue::from_str(&key).map_err(|_| ModelBuildError::InvalidApiKey)?;
            key.set_sensitive(true);
            headers.insert(name, key);
        }
        for (name, value) in &self.headers {
            let invalid = || ModelBuildError::InvalidHeader { name: name.clone() };
            let mut value = HeaderValue::from_str(value.expose_secret()).map_err(|_| invalid())?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?, value);
        }
        Ok(headers)
    }
}

/// Returns scheme, host, port and path of a URL, without what may be secret. Text that is not a URL may be a secret itself.
fn without_secrets(url: &str) -> Cow<'_, str> {
    let url = url.trim();
    let Some(mut parsed) = Url::parse(url).ok().filter(Url::has_host) else {
        let host = url.split([':', '/']).next().unwrap_or_default();
        let is_host = host == "localhost" || host.contains('.') && host != url;
        let is_plain = is_host && url.len() <= 128 && !url.contains(['@', '?', '#']);
        return Cow::Borrowed(if is_plain { url } else { "[no URL]" });
    };
    let original = parsed.clone();
    parsed.set_query(None);
    parsed.set_fragment(None);
    // A URL without a host can't have them.
    let _ = parsed.set_username("").and_then(|()| parsed.set_password(None));
    if parsed == original { Cow::Borrowed(url) } else { Cow::Owned(parsed.into()) }
}

/// Parses a base URL: it names a host, and neither user nor password.
fn parse(base_url: &str) -> Option<Url> {
    let url = Url::parse(base_url.trim()).ok()?;
    let named = matches!(url.scheme(), "http" | "https") && url.has_host();
    (named && url.username().is_empty() && url.password().is_none()).then_some(url)
}

/// Endpoint of requests to one model.
#[derive(Clone)]
pub(crate) struct Endpoint {
    client: reqwest::Client,
    url: Url,
    headers: HeaderMap,
    timeouts: Timeouts,
    /// `None` for the program's own client, which has its own timeouts, unless one is set.
    idle_timeout: Option<Duration>,
    context: Arc<CallContext>,
}

/// Response with a success status.
pub(super) struct SuccessResponse {
    pub(super) body: Body,
    /// True if the content type is `application/json`.
    pub(super) is_document: bool,
}

impl Endpoint {
    pub(crate) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    pub(crate) fn model_id(&self) -> &str {
        &self.context.model_id
    }

    /// Returns the deadline of a call that begins now.
    pub(crate) fn deadline(&self) -> Option<Deadline> {
        Deadline::after(self.timeouts.total)
    }

    #[cfg(test)]
    pub(crate) fn idle_timeout(&self) -> Option<Duration> {
        self.idle_timeout
    }

    /// Sends one request and waits for the head of its response, until the deadline of the call.
    ///
    /// `classify` returns the kind of an error response.
    pub(super) async fn post(
        &self,
        body: Vec<u8>,
        deadline: Option<Deadline>,
        classify: impl FnOnce(&mut ErrorResponse) -> ModelErrorKind,
    ) -> Result<SuccessResponse, ModelError> {
        let mut request = Request::new(Method::POST, self.url.clone());
        request.headers_mut().clone_from(&self.headers);
        *request.body_mut() = Some(body.into());
        let response = self.head(request, deadline).await?;
        let status = response.status();
        let header = |name: &str| response.headers().get(name)?.to_str().ok().map(str::to_owned);
        let mut error_response = ErrorResponse::from_head(status.as_u16(), header);
        if !status.is_success() {
            error_response.body =
                self.body(response, deadline, None).read_start(MOST_ERROR_BYTES, self.error_timeout()).await;
            let kind = classify(&mut error_response);
            return Err(error_response.into_error(kind, &self.context));
        }
        let content_type = header("content-type").unwrap_or_default();
        let is_document = content_type.trim_start().to_ascii_lowercase().starts_with("application/json");
        Ok(SuccessResponse { body: self.body(response, deadline, error_response.request_id), is_document })
    }

    /// Sends a request and returns the head of its response, within the idle timeout and the deadline.
    async fn head(&self, request: Request, deadline: Option<Deadline>) -> Result<Response, ModelError> {
        let response = async {
            let response = self.client.execute(request);
            let response = match self.idle_timeout {
                Some(idle) => timeout(idle, response).await.map_err(|_| self.context.idle_timeout(idle))?,
                None => response.await,
            };
            response.map_err(|error| self.context.failed(error, self.timeouts))
        };
        match deadline {
            Some(Deadline { at, after }) => {
                timeout_at(at, response).await.map_err(|_| self.context.total_timeout(after))?
            }
            None => response.await,
        }
    }

    /// Returns the error of a response that is not the provider's.
    pub(super) async fn foreign(&self, fault: &'static str, body: &mut Body) -> ModelError {
        let start = body.read_start(MOST_FOREIGN_BYTES, self.error_timeout()).await;
        let details = ErrorDetails::new()
            .with_body(self.context.secrets.hidden_in(start))
            .with_request_id(body.request_id())
            .with_source(self.context.error(None, None));
        ModelError::Protocol { what: fault.to_owned(), details: details.boxed() }
    }

    fn error_timeout(&self) -> Duration {
        self.idle_timeout.map_or(ERROR_TIME, |idle| idle.min(ERROR_TIME))
    }

    fn body(&self, response: Response, deadline: Option<Deadline>, request_id: Option<String>) -> Body {
        let limits = BodyTimeouts { timeouts: self.timeouts, idle: self.idle_timeout, deadline };
        Body::new(response.into(), Arc::clone(&self.context), limits, request_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_the_time_for_error_responses() {
        let error_timeout = |idle: Option<u64>| {
            let idle_timeout = idle.map(Duration::from_secs);
            let connection = Connection { idle_timeout, long_idle: true, ..Connection::default() };
            let endpoint = connection.open("http://localhost", &[], ApiKey::None, "m").ok().unwrap();
            endpoint.error_timeout().as_secs()
        };
        assert_eq!((error_timeout(None), error_timeout(Some(3))), (10, 3));
    }

    #[test]
    fn credentials_are_not_sent_over_plain_http_to_other_hosts() {
        let key = SecretString::from("s3cret");
        let plain = |connection: Connection, url: &str, key: ApiKey<'_>| match connection.open(url, &[], key, "m") {
            Err(ModelBuildError::PlaintextCredentials { host }) => Some(host),
            Err(error) => panic!("{error}"),
            Ok(_) => None,
        };
        let bearer = ApiKey::Bearer(&key);
        let named = |name: &str| vec![(name.to_owned(), key.clone())];
        let refused = Some("models.example".to_owned());
        let url = "http://models.example:8000/v1";
        assert_eq!(plain(Connection::default(), url, bearer), refused);
        assert_eq!(plain(Connection::default(), url, ApiKey::Header("x-goog-api-key", &key)), refused);
        let connection = || Connection { headers: named("X-Api-Key"), ..Connection::default() };
        assert_eq!(plain(connection(), url, ApiKey::None), refused);
        let connection = || Connection { query: named("api_key"), ..Connection::default() };
        assert_eq!(plain(connection(), url, ApiKey::None), refused);
        // A client of the program is no reason to send them.
        strands_http::install_crypto_provider();
        let connection = Connection { client: Some(reqwest::Client::new()), ..Connection::default() };
        assert_eq!(plain(connection, url, bearer), refused);

        assert_eq!(plain(Connection { allow_http: true, ..Connection::default() }, url, bearer), None);
        assert_eq!(plain(Connection { headers: named("x-tenant"), ..Connection::default() }, url, ApiKey::None), None);
        for url in ["http://127.0.0.1:1/v1", "http://[::1]:1/v1", "http://localhost/v1", "https://models.example/v1"] {
            assert_eq!(plain(Connection::default(), url, bearer), None, "{url}");
        }
    }

    #[test]
    fn debug_hides_secrets_of_the_base_url() {
        for base_url in ["https://me:s3cret@models.example/v1", "https://models.example/v1?key=s3cret", "s3cret"] {
            let connection = Connection { base_url: Some(base_url.to_owned()), ..Connection::default() };
            let shown = format!("{connection:?}");
            assert!(!shown.contains("s3cret"), "{shown}");
            assert_eq!(shown.contains("models.example/v1"), base_url != "s3cret", "{shown}");
        }
    }

    #[test]
    fn errors_hide_secrets_of_an_invalid_base_url() {
        for (base_url, shown) in [
            ("localhost:1234/v1", "localhost:1234/v1"),
            ("ftp://host/v1?key=s3cret", "ftp://host/v1"),
            ("http://me:s3cret@host:81/v1", "http://host:81/v1"),
            ("me:s3cret@host", "[no URL]"),
            ("sk-s3cret", "[no URL]"),
            ("eyJhbGci.s3cret.sig", "[no URL]"),
            ("s3cret/K7MDENG/bPx", "[no URL]"),
            ("models.example/v1", "models.example/v1"),
            ("", "[no URL]"),
        ] {
            let error = Connection::default().open(base_url, &[], ApiKey::None, "m").err().unwrap().to_string();
            assert!(error.contains(&format!("`{shown}`")) && !error.contains("s3cret"), "{base_url}: {error}");
        }
    }

    #[test]
    fn errors_show_the_url_without_query() {
        let query = vec![("key".to_owned(), SecretString::from("s3cret"))];
        let connection = Connection { query, ..Connection::default() };
        let endpoint = connection.open("http://host:81/v1", &["chat"], ApiKey::None, "m").ok().unwrap();
        assert_eq!(endpoint.context.error(None, None).to_string(), "calling model `m` at http://host:81/v1/chat");
    }
}

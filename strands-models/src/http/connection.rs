//! The way to a provider: where it is, what every request carries, and one request over it.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Request, Response, Url};
use secrecy::{ExposeSecret, SecretString};
use strands_core::models::{ErrorDetails, ModelError, ModelErrorKind};
use tokio::time::timeout;

use super::body::Body;
use super::client::{self, Patience};
use super::error::{CallContext, ModelBuildError};
use super::refusal::Refusal;
use super::sent_secrets::SentSecrets;

/// How many bytes of an error are read.
const MOST_ERROR_BYTES: usize = 64 * 1024;

/// Most bytes that are read of what is no response.
const MOST_FOREIGN_BYTES: usize = 4 * 1024;

/// The longest time for which an error is read. Its status says already what is wrong.
const ERROR_TIME: Duration = Duration::from_secs(10);

/// How long a server may be silent that has much to do. As long as the clients of OpenAI and Anthropic wait.
const MOST_PATIENCE: Duration = Duration::from_secs(600);

/// What a builder was told about the way to a provider.
#[derive(Clone, Default)]
pub(crate) struct Connection {
    pub(crate) base_url: Option<String>,
    pub(crate) api_key: Option<SecretString>,
    pub(crate) headers: Vec<(String, SecretString)>,
    pub(crate) query: Vec<(String, SecretString)>,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
    /// The server may have much to do before it says anything: an answer in one piece, thoughts that it does not show, a
    /// model that has to be loaded.
    pub(crate) patient: bool,
    pub(crate) client: Option<reqwest::Client>,
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

/// Where a provider wants the key.
#[derive(Clone, Copy)]
pub(crate) enum ApiKey<'a> {
    None,
    /// In `Authorization`, as a bearer's.
    Bearer(&'a SecretString),
    /// In a header of the provider's own, whose name is in small letters.
    Header(&'static str, &'a SecretString),
}

impl<'a> ApiKey<'a> {
    /// As a bearer's, where there is one.
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
            .field("base_url", &self.base_url.as_deref().map(place))
            .field("api_key", &self.api_key.as_ref().map(|_| "[redacted]"))
            .field("headers", &names(&self.headers))
            .field("query", &names(&self.query))
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// The way to `path` under `base_url`.
    pub(crate) fn open(
        &self,
        base_url: &str,
        path: &[&str],
        api_key: ApiKey<'_>,
        model_id: &str,
    ) -> Result<Endpoint, ModelBuildError> {
        let invalid = || ModelBuildError::InvalidBaseUrl { base_url: place(base_url).into_owned() };
        let mut url = parse(base_url).ok_or_else(invalid)?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        for (name, value) in &self.query {
            url.query_pairs_mut().append_pair(name, value.expose_secret());
        }
        let defaults = Patience::default();
        let patience = Patience {
            connect: self.connect_timeout.unwrap_or(defaults.connect),
            idle: self.idle_timeout.unwrap_or(if self.patient { MOST_PATIENCE } else { defaults.idle }),
        };
        let client = match &self.client {
            Some(client) => client.clone(),
            None => client::client(patience.connect, url.scheme() == "https")
                .map_err(|error| ModelBuildError::Client { source: error.into() })?,
        };
        let context = CallContext {
            model_id: model_id.to_owned(),
            url: place(url.as_str()).into_owned(),
            hints: self.hints,
            secrets: self.secrets(api_key, &url),
        };
        Ok(Endpoint {
            client,
            headers: self.headers(api_key)?,
            url,
            patience,
            silence: self.client.is_none().then_some(patience.idle),
            context,
        })
    }

    /// Everything that a server must not quote in an error of ours.
    fn secrets(&self, api_key: ApiKey<'_>, url: &Url) -> SentSecrets {
        let key = match api_key {
            ApiKey::None => None,
            ApiKey::Bearer(key) | ApiKey::Header(_, key) => Some(key),
        };
        // Those of `query`, and those that the base URL had already.
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

/// A URL without what may be a secret in it: its scheme, host, port and path. Text that is no URL may be anything.
fn place(url: &str) -> Cow<'_, str> {
    let url = url.trim();
    let Some(mut parsed) = Url::parse(url).ok().filter(Url::has_host) else {
        let host = url.split([':', '/']).next().unwrap_or_default();
        let is_host = host == "localhost" || host.contains('.') && host != url;
        let is_plain = is_host && url.len() <= 128 && !url.contains(['@', '?', '#']);
        return Cow::Borrowed(if is_plain { url } else { "[no URL]" });
    };
    let told = parsed.clone();
    parsed.set_query(None);
    parsed.set_fragment(None);
    // A URL without a host can't have them.
    let _ = parsed.set_username("").and_then(|()| parsed.set_password(None));
    if parsed == told { Cow::Borrowed(url) } else { Cow::Owned(parsed.into()) }
}

/// A URL that may hold a provider: it names a host, and neither user nor password.
fn parse(base_url: &str) -> Option<Url> {
    let url = Url::parse(base_url.trim()).ok()?;
    let named = matches!(url.scheme(), "http" | "https") && url.has_host();
    (named && url.username().is_empty() && url.password().is_none()).then_some(url)
}

/// Where requests go.
#[derive(Clone)]
pub(crate) struct Endpoint {
    client: reqwest::Client,
    url: Url,
    headers: HeaderMap,
    patience: Patience,
    /// How long the server may be silent. A client that somebody has brought along sees to that by itself.
    silence: Option<Duration>,
    context: CallContext,
}

/// A response that is no refusal.
pub(super) struct Answer {
    pub(super) body: Body,
    /// True if the server says that it is one JSON document.
    pub(super) is_document: bool,
}

impl Endpoint {
    pub(crate) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    pub(crate) fn model_id(&self) -> &str {
        &self.context.model_id
    }

    #[cfg(test)]
    pub(crate) fn silence(&self) -> Option<Duration> {
        self.silence
    }

    /// Sends one request and waits for the head of its response.
    ///
    /// `sort` names the kind of a refusal.
    pub(super) async fn post(
        &self,
        body: Vec<u8>,
        sort: impl FnOnce(&mut Refusal) -> ModelErrorKind,
    ) -> Result<Answer, ModelError> {
        let mut request = Request::new(Method::POST, self.url.clone());
        request.headers_mut().clone_from(&self.headers);
        *request.body_mut() = Some(body.into());
        let response = self.client.execute(request);
        let response = match self.silence {
            Some(most) => timeout(most, response).await.map_err(|_| self.context.silent(most))?,
            None => response.await,
        };
        let response = response.map_err(|error| self.context.failed(error, self.patience))?;
        let status = response.status();
        let header = |name: &str| response.headers().get(name)?.to_str().ok().map(str::to_owned);
        let mut refusal = Refusal::from_head(status.as_u16(), header);
        if !status.is_success() {
            refusal.body = self.body(response, None).read_start(MOST_ERROR_BYTES, self.time_for_errors()).await;
            let kind = sort(&mut refusal);
            return Err(refusal.into_error(kind, &self.context));
        }
        let content_type = header("content-type").unwrap_or_default();
        let is_document = content_type.trim_start().to_ascii_lowercase().starts_with("application/json");
        Ok(Answer { body: self.body(response, refusal.request_id), is_document })
    }

    /// From a response that is none of the provider's.
    pub(super) async fn foreign(&self, fault: &'static str, body: &mut Body) -> ModelError {
        let start = body.read_start(MOST_FOREIGN_BYTES, self.time_for_errors()).await;
        let details = ErrorDetails::new()
            .with_body(self.context.secrets.hidden_in(start))
            .with_request_id(body.request_id())
            .with_source(self.context.error(None, None));
        ModelError::Protocol { what: fault.to_owned(), details: details.boxed() }
    }

    fn time_for_errors(&self) -> Duration {
        self.silence.map_or(ERROR_TIME, |most| most.min(ERROR_TIME))
    }

    fn body(&self, response: Response, request_id: Option<String>) -> Body {
        Body::new(response.into(), self.context.clone(), self.patience, self.silence, request_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_not_waited_for_as_answers_are() {
        let silence = |told: Option<u64>| {
            let idle_timeout = told.map(Duration::from_secs);
            let connection = Connection { idle_timeout, patient: true, ..Connection::default() };
            let endpoint = connection.open("http://localhost", &[], ApiKey::None, "m").ok().unwrap();
            endpoint.time_for_errors().as_secs()
        };
        assert_eq!((silence(None), silence(Some(3))), (10, 3));
    }

    #[test]
    fn what_a_base_url_has_beside_its_place_is_not_shown() {
        for base_url in ["https://me:s3cret@models.example/v1", "https://models.example/v1?key=s3cret", "s3cret"] {
            let connection = Connection { base_url: Some(base_url.to_owned()), ..Connection::default() };
            let shown = format!("{connection:?}");
            assert!(!shown.contains("s3cret"), "{shown}");
            assert_eq!(shown.contains("models.example/v1"), base_url != "s3cret", "{shown}");
        }
    }

    #[test]
    fn a_base_url_that_is_none_is_shown_without_what_may_be_a_secret() {
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
    fn a_call_is_known_by_its_url_without_query() {
        let query = vec![("key".to_owned(), SecretString::from("s3cret"))];
        let connection = Connection { query, ..Connection::default() };
        let endpoint = connection.open("http://host:81/v1", &["chat"], ApiKey::None, "m").ok().unwrap();
        assert_eq!(endpoint.context.error(None, None).to_string(), "calling model `m` at http://host:81/v1/chat");
    }
}

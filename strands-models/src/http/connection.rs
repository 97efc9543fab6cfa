//! The way to a provider: where it is, what every request carries, and one request over it.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Request, Response, Url};
use secrecy::{ExposeSecret, SecretString};
use strands_core::model::{ModelError, RefusalKind};
use tokio::time::timeout;

use super::body::Body;
use super::client::{self, Patience};
use super::error::{CallContext, ModelBuildError};
use super::refusal::Refusal;
use super::sent_secrets::SentSecrets;

/// How many bytes of an error are read.
const MOST_ERROR_BYTES: usize = 64 * 1024;

/// How long a server may be silent in the middle of an error.
const ERROR_PATIENCE: Duration = Duration::from_secs(10);

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
        let mut url = parse(base_url).ok_or(ModelBuildError::InvalidBaseUrl)?;
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
        let host = url.host_str().unwrap_or_default().to_owned();
        Ok(Endpoint {
            client,
            headers: self.headers(api_key)?,
            url,
            patience,
            silence: self.client.is_none().then_some(patience.idle),
            context: CallContext { model_id: model_id.to_owned(), host, secrets: self.secrets(api_key) },
        })
    }

    /// Everything that a server must not quote in an error of ours.
    fn secrets(&self, api_key: ApiKey<'_>) -> SentSecrets {
        let key = match api_key {
            ApiKey::None => None,
            ApiKey::Bearer(key) | ApiKey::Header(_, key) => Some(key),
        };
        SentSecrets::new(self.headers.iter().chain(&self.query).map(|(_, value)| value).chain(key))
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

/// A base URL without what may be a secret in it.
fn place(base_url: &str) -> Cow<'_, str> {
    let Ok(mut url) = Url::parse(base_url.trim()) else {
        return Cow::Borrowed("[no URL]");
    };
    let told = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // A URL without a host can't have them.
    let _ = url.set_username("").and_then(|()| url.set_password(None));
    if url == told { Cow::Borrowed(base_url) } else { Cow::Owned(url.into()) }
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
    /// True for one JSON document, whatever was asked for.
    pub(super) is_document: bool,
}

impl Endpoint {
    pub(crate) fn host(&self) -> &str {
        &self.context.host
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
        sort: impl FnOnce(&mut Refusal) -> RefusalKind,
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
            refusal.body = self.body(response, None, self.silence_in_errors()).read_start(MOST_ERROR_BYTES).await;
            let kind = sort(&mut refusal);
            return Err(refusal.into_error(kind, &self.context));
        }
        let content_type = header("content-type").unwrap_or_default();
        let is_document = content_type.trim_start().to_ascii_lowercase().starts_with("application/json");
        Ok(Answer { body: self.body(response, refusal.request_id, self.silence), is_document })
    }

    /// What is wrong is known by the status: the words that go with it are waited for briefly.
    fn silence_in_errors(&self) -> Option<Duration> {
        Some(self.silence.map_or(ERROR_PATIENCE, |most| most.min(ERROR_PATIENCE)))
    }

    fn body(&self, response: Response, request_id: Option<String>, silence: Option<Duration>) -> Body {
        Body::new(response.into(), self.context.clone(), self.patience, silence, request_id)
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
            endpoint.silence_in_errors().unwrap().as_secs()
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
}

//! Streamable HTTP: a token for each request, redirects within one origin, bounded responses.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::BoxStream;
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::redirect::{Attempt, Policy};
use rmcp::model::{ClientJsonRpcMessage, ClientRequest, GetMeta as _, JsonRpcMessage, RequestId};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::common::client_side_sse::ExponentialBackoff;
use rmcp::transport::streamable_http_client::{
    StreamableHttpClient, StreamableHttpClientTransportConfig, StreamableHttpError, StreamableHttpPostResponse,
    StreamableHttpResponseLimits,
};
use secrecy::ExposeSecret as _;
use sse_stream::{Error as SseError, Sse};

use super::event_stream::with_limit_errors;
use super::rounds::IDEMPOTENCY_KEY;
use super::server_stream::ServerStream;
use super::token::{Challenge, TokenSource};

/// Header of a tool call with its idempotency key, as in the `_meta` of its request.
const IDEMPOTENCY_HEADER: HeaderName = HeaderName::from_static("idempotency-key");
const MOST_REDIRECTS: usize = 10;
/// Challenges of one request, after which it fails: an authorization and a larger scope, each of them twice.
const MOST_CHALLENGES: u32 = 5;
/// Requests that are sent at once. Agents of a program share a client.
const MOST_REQUESTS: usize = 256;
const FIRST_RECONNECT_DELAY: Duration = Duration::from_millis(250);
const MOST_RECONNECT_DELAY: Duration = Duration::from_secs(30);

type HttpError = StreamableHttpError<reqwest::Error>;

/// A server over streamable HTTP.
pub(super) struct HttpServer {
    pub(super) url: Arc<str>,
    pub(super) client: TokenClient,
    pub(super) headers: HashMap<HeaderName, HeaderValue>,
    pub(super) most_bytes: usize,
}

impl HttpServer {
    pub(super) fn transport(&self, server_stream: ServerStream) -> StreamableHttpClientTransport<TokenClient> {
        let mut backoff = ExponentialBackoff::default();
        backoff.base_duration = FIRST_RECONNECT_DELAY;
        backoff.max_delay = Some(MOST_RECONNECT_DELAY);
        let mut config = StreamableHttpClientTransportConfig::with_uri(Arc::clone(&self.url))
            .custom_headers(self.headers.clone())
            .max_concurrent_requests(MOST_REQUESTS)
            .max_json_response_size(self.most_bytes)
            .max_sse_event_size(self.most_bytes)
            // A new connection also lists the tools again.
            .reinit_on_expired_session(false);
        config.retry_config = Arc::new(backoff);
        StreamableHttpClientTransport::with_client(TokenClient { server_stream, ..self.client.clone() }, config)
    }
}

/// Returns a redirect policy for requests with credentials: only to the same origin, and only with the same method and body.
pub(super) fn same_origin_redirects() -> Policy {
    Policy::custom(|attempt: Attempt<'_>| {
        let Some(previous) = attempt.previous().last() else { return attempt.stop() };
        let keeps_request = matches!(attempt.status().as_u16(), 307 | 308);
        if previous.origin() != attempt.url().origin() {
            attempt.error("redirect to another origin, where no token is sent; name that URL in the settings")
        } else if attempt.previous().len() > MOST_REDIRECTS {
            attempt.error("too many redirects")
        } else if keeps_request {
            attempt.follow()
        } else {
            attempt.stop()
        }
    })
}

/// An error of a token source.
#[derive(Debug, thiserror::Error)]
#[error("the token source failed")]
pub(super) struct TokenError(#[source] Box<dyn StdError + Send + Sync>);

/// An HTTP client that requests a token before each request, and once more after a challenge.
#[derive(Clone)]
pub(super) struct TokenClient {
    pub(super) http: reqwest::Client,
    pub(super) tokens: Option<Arc<dyn TokenSource>>,
    /// Of the connection that the client is for.
    pub(super) server_stream: ServerStream,
}

impl TokenClient {
    async fn send<T, F: Future<Output = Result<T, HttpError>>>(
        &self,
        mut request: impl FnMut(Option<String>) -> F,
    ) -> Result<T, HttpError> {
        let Some(tokens) = &self.tokens else { return request(None).await.map_err(without_url) };
        let mut attempt = 0;
        loop {
            let token = tokens.token().await.map_err(token_error)?;
            let error = match request(token.as_ref().map(|token| token.expose_secret().to_owned())).await {
                Ok(response) => return Ok(response),
                Err(error) => without_url(error),
            };
            attempt += 1;
            let Some(challenge) = challenge(&error, attempt) else { return Err(error) };
            let challenge = challenge.rejecting(token);
            if attempt > MOST_CHALLENGES || !tokens.challenged(&challenge).await.map_err(token_error)? {
                return Err(error);
            }
        }
    }
}

fn token_error(error: Box<dyn StdError + Send + Sync>) -> HttpError {
    HttpError::Io(io::Error::other(TokenError(error)))
}

/// Removes the URL of an error, which may contain a key.
fn without_url(error: HttpError) -> HttpError {
    match error {
        HttpError::Client(error) => HttpError::Client(error.without_url()),
        error => error,
    }
}

fn challenge(error: &HttpError, attempt: u32) -> Option<Challenge> {
    match error {
        HttpError::AuthRequired(error) => {
            Some(Challenge::new(401, Some(error.www_authenticate_header.clone()), attempt))
        }
        HttpError::InsufficientScope(error) => {
            Some(Challenge::new(403, Some(error.www_authenticate_header.clone()), attempt))
        }
        // A response without `WWW-Authenticate`, in the words of rmcp.
        HttpError::UnexpectedServerResponse(text) if text.starts_with("HTTP 401") => {
            Some(Challenge::new(401, None, attempt))
        }
        _ => None,
    }
}

/// Returns a response with the id of its request. Servers respond to an unknown session with an error without an id, which
/// nothing would wait for.
fn correlated(
    response: StreamableHttpPostResponse,
    request: Option<RequestId>,
    has_session: bool,
) -> Result<StreamableHttpPostResponse, HttpError> {
    match response {
        StreamableHttpPostResponse::Json(JsonRpcMessage::Error(error), session) if error.id.is_none() => {
            if has_session && error.error.message.to_ascii_lowercase().contains("session") {
                return Err(HttpError::SessionExpired);
            }
            Ok(StreamableHttpPostResponse::Json(JsonRpcMessage::error(error.error, request), session))
        }
        StreamableHttpPostResponse::Sse(stream, session) => {
            let stream = match request {
                Some(request) => with_limit_errors(stream, request),
                None => stream,
            };
            Ok(StreamableHttpPostResponse::Sse(stream, session))
        }
        response => Ok(response),
    }
}

fn request_id(message: &ClientJsonRpcMessage) -> Option<RequestId> {
    match message {
        JsonRpcMessage::Request(request) => Some(request.id.clone()),
        _ => None,
    }
}

/// Returns the idempotency key of a tool call as a header.
fn idempotency_key(message: &ClientJsonRpcMessage) -> Option<HeaderValue> {
    let JsonRpcMessage::Request(request) = message else { return None };
    let ClientRequest::CallToolRequest(_) = &request.request else { return None };
    HeaderValue::from_str(request.request.get_meta().0.0.get(IDEMPOTENCY_KEY)?.as_str()?).ok()
}

impl StreamableHttpClient for TokenClient {
    type Error = reqwest::Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        token: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<StreamableHttpPostResponse, HttpError> {
        let limits = StreamableHttpResponseLimits::default();
        self.post_message_with_response_limits(uri, message, session, token, headers, limits).await
    }

    async fn post_message_with_response_limits(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        _token: Option<String>,
        mut headers: HashMap<HeaderName, HeaderValue>,
        limits: StreamableHttpResponseLimits,
    ) -> Result<StreamableHttpPostResponse, HttpError> {
        if let Some(key) = idempotency_key(&message) {
            headers.entry(IDEMPOTENCY_HEADER).or_insert(key);
        }
        let (id, has_session) = (request_id(&message), session.is_some());
        // The last attempt could take the parts, but which one is the last is known afterwards.
        let mut parts = Some((uri, message, session, headers));
        let response = self
            .send(|token| {
                let sent = if self.tokens.is_some() { parts.clone() } else { parts.take() };
                let http = self.http.clone();
                async move {
                    let (uri, message, session, headers) = sent.ok_or(HttpError::TransportChannelClosed)?;
                    http.post_message_with_response_limits(uri, message, session, token, headers, limits).await
                }
            })
            .await?;
        if let StreamableHttpPostResponse::Json(_, Some(_)) | StreamableHttpPostResponse::Sse(_, Some(_)) = &response {
            self.server_stream.expect();
        }
        correlated(response, id, has_session)
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session: Arc<str>,
        _token: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<(), HttpError> {
        self.send(|token| self.http.delete_session(Arc::clone(&uri), Arc::clone(&session), token, headers.clone()))
            .await
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last_event: Option<String>,
        token: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, HttpError> {
        let most_bytes = StreamableHttpResponseLimits::default().max_sse_event_size;
        self.get_stream_with_max_sse_event_size(uri, session, last_event, token, headers, most_bytes).await
    }

    async fn get_stream_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last_event: Option<String>,
        _token: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
        most_bytes: usize,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, HttpError> {
        let opened = self.send(|token| {
            let (uri, session, last_event) = (Arc::clone(&uri), session.clone(), last_event.clone());
            self.http.get_stream_with_max_sse_event_size(uri, session, last_event, token, headers.clone(), most_bytes)
        });
        let opened = opened.await;
        self.server_stream.done();
        match opened {
            // Without its session, a stream never resumes: rmcp would retry until the call times out.
            Err(HttpError::Client(error)) if error.status().is_some_and(|status| status.is_client_error()) => {
                Err(HttpError::ServerDoesNotSupportSse)
            }
            result => result,
        }
    }
}

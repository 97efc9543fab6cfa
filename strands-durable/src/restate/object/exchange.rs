//! HTTP exchanges with the ingress: a token for each request, and bounded responses.

use std::error::Error as StdError;
use std::future::Future;
use std::sync::Arc;

use hyper::{Request, Response};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use restate_sdk::ingress::RequestExecutor;
use secrecy::{ExposeSecret as _, SecretString};
use strands_core::bytes::{Bytes, BytesMut};
use strands_core::{BoxFuture, ErrorChain};

type BoxError = Box<dyn StdError + Send + Sync>;

/// Maximum size of a response in bytes: more than the server accepts as an output.
const MAX_RESPONSE: usize = 40 << 20;

/// Source of tokens.
#[derive(Clone)]
pub(super) struct TokenSource(Arc<dyn Fn() -> BoxFuture<'static, Result<SecretString, BoxError>> + Send + Sync>);

impl TokenSource {
    pub(super) fn new<Fut, E>(source: impl Fn() -> Fut + Send + Sync + 'static) -> Self
    where
        Fut: Future<Output = Result<SecretString, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        Self(Arc::new(move || {
            let token = source();
            Box::pin(async move { token.await.map_err(Into::into) })
        }))
    }
}

/// Performs the exchanges of the SDK's client.
pub(super) struct Exchange {
    pub(super) client: reqwest::Client,
    pub(super) token: Option<TokenSource>,
}

/// A failure of an exchange. Its texts have neither the URL, which has the key of the object, nor content.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExchangeError {
    #[error("{reason}")]
    Connection {
        reason: String,
        /// False if there was no connection, so that nothing was sent.
        was_connected: bool,
    },
    #[error("the token source failed")]
    Token(#[source] BoxError),
    #[error("the token is not valid in a header")]
    InvalidToken,
    #[error("the response has more than {} MiB", MAX_RESPONSE >> 20)]
    TooLarge,
}

impl From<reqwest::Error> for ExchangeError {
    fn from(error: reqwest::Error) -> Self {
        let was_connected = !(error.is_connect() || error.is_builder());
        Self::Connection { reason: ErrorChain::new(&error.without_url()).to_string(), was_connected }
    }
}

impl RequestExecutor for Exchange {
    type Error = ExchangeError;

    async fn execute(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ExchangeError> {
        let mut request = reqwest::Request::try_from(request)?;
        if let Some(TokenSource(source)) = &self.token {
            let token = source().await.map_err(ExchangeError::Token)?;
            let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()))
                .map_err(|_| ExchangeError::InvalidToken)?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        let mut response = self.client.execute(request).await?;
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len().saturating_add(chunk.len()) > MAX_RESPONSE {
                return Err(ExchangeError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let mut whole = Response::new(body.freeze());
        *whole.status_mut() = response.status();
        *whole.headers_mut() = std::mem::take(response.headers_mut());
        Ok(whole)
    }
}

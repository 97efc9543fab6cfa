//! Bearer tokens of requests.

use std::error::Error as StdError;
use std::future::Future;

use async_trait::async_trait;
use secrecy::SecretString;

type TokenError = Box<dyn StdError + Send + Sync>;

/// Source of the bearer token of a request.
#[async_trait]
pub(super) trait Bearer: Send + Sync {
    async fn token(&self) -> Result<SecretString, TokenError>;
}

/// A token that does not change.
pub(super) struct StaticToken(pub(super) SecretString);

#[async_trait]
impl Bearer for StaticToken {
    async fn token(&self) -> Result<SecretString, TokenError> {
        Ok(self.0.clone())
    }
}

/// A callback that returns the token of the next request.
pub(super) struct TokenCallback<F>(pub(super) F);

#[async_trait]
impl<F, R, S, E> Bearer for TokenCallback<F>
where
    F: Fn() -> R + Send + Sync,
    R: Future<Output = Result<S, E>> + Send,
    S: Into<String>,
    E: Into<TokenError>,
{
    async fn token(&self) -> Result<SecretString, TokenError> {
        let token = (self.0)().await.map_err(Into::into)?;
        Ok(SecretString::from(token.into()))
    }
}

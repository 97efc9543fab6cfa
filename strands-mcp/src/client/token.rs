//! Bearer tokens of requests to a server over HTTP.

use std::error::Error as StdError;

use async_trait::async_trait;
use secrecy::SecretString;

/// Source of the bearer tokens of a client.
///
/// The client requests a token before each HTTP request, so a source that refreshes tokens, or mints one for each user,
/// needs no new client. After a response with status 401 or 403 the client calls [`challenged`](Self::challenged), and
/// sends the request once more if that returns true.
///
/// Implement it under `#[async_trait]`, which is re-exported. For a fixed token and for an async closure, the builder has
/// methods of its own.
#[async_trait]
pub trait TokenSource: Send + Sync {
    /// Returns the token of the next request, or `None` to send it without a token.
    ///
    /// # Errors
    ///
    /// Returns an error if no token can be obtained. The request is not sent.
    async fn token(&self) -> Result<Option<SecretString>, Box<dyn StdError + Send + Sync>>;

    /// Reacts to a rejected token. Returns true if the request may be sent once more, with the token that
    /// [`token`](Self::token) returns then. Default: true for the first challenge of a request.
    ///
    /// # Errors
    ///
    /// Returns an error if the source failed to obtain another token, for example because an authorization was denied.
    async fn challenged(&self, challenge: &Challenge) -> Result<bool, Box<dyn StdError + Send + Sync>> {
        Ok(challenge.attempt == 1)
    }

    /// Returns true while the source waits for a user, who needs longer than a server. Connections and calls don't time out
    /// meanwhile. Default: false.
    fn waits_for_user(&self) -> bool {
        false
    }
}

/// A response that rejects a request's token.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Challenge {
    /// HTTP status: 401 or 403.
    pub status: u16,
    /// Value of the header `WWW-Authenticate`, if there is one.
    pub www_authenticate: Option<String>,
    /// One-based number of the challenge among those of one request. A request is given up after five.
    pub attempt: u32,
    /// Token of the request, or `None` if it had none. A source whose token is another one by now needs no new one.
    pub rejected: Option<SecretString>,
}

impl Challenge {
    /// Creates a challenge to a request without a token.
    pub fn new(status: u16, www_authenticate: Option<String>, attempt: u32) -> Self {
        Self { status, www_authenticate, attempt, rejected: None }
    }

    /// Sets the token of the request.
    #[must_use]
    pub fn rejecting(mut self, token: Option<SecretString>) -> Self {
        self.rejected = token;
        self
    }
}

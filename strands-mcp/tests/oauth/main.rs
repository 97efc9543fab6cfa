//! OAuth: authorizations, refreshes and larger scopes, and servers that attack.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod attacks;
mod authorization_server;
mod client;
mod grants;
mod network;
mod tokens;

use std::error::Error as StdError;

use secrecy::ExposeSecret as _;
use strands_mcp::{AuthorizationCode, Challenge, OAuth, OAuthError, OAuthTokenSource, TokenSource as _};

use authorization_server::Servers;

const REDIRECT_URI: &str = "http://localhost:3000/callback";

/// OAuth by a user who authorizes at once.
fn by_user() -> OAuth {
    OAuth::new(AuthorizationCode::new(REDIRECT_URI, Servers::visit))
}

/// Sends a request as the client does: a token before it, and again after a challenge. Returns the last status.
async fn request(source: &OAuthTokenSource, url: &str) -> Result<u16, Box<dyn StdError + Send + Sync>> {
    let client = strands_http::HttpOptions::plain_http().builder()?.build()?;
    let mut attempt = 0;
    loop {
        let token = source.token().await?;
        let mut request = client.post(url);
        if let Some(token) = &token {
            request = request.bearer_auth(token.expose_secret());
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        attempt += 1;
        if !matches!(status, 401 | 403) || attempt > 5 {
            return Ok(status);
        }
        let header = response.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
        if !source.challenged(&Challenge::new(status, header, attempt).rejecting(token)).await? {
            return Ok(status);
        }
    }
}

/// Sends a request that must fail for want of a token, and returns the reason.
async fn failure(oauth: OAuth, servers: &Servers) -> OAuthError {
    let source = oauth.token_source(&servers.server).unwrap();
    *request(&source, &servers.server).await.unwrap_err().downcast().unwrap()
}

/// Messages of an error and its sources.
fn messages(error: &dyn StdError) -> String {
    let mut messages = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        messages.push_str(": ");
        messages.push_str(&error.to_string());
        source = error.source();
    }
    messages
}

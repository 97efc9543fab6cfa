//! HTTP requests of OAuth: to which hosts, how long, and how large responses may be.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use reqwest::Client;
use rmcp::transport::auth::{OAuthHttpClient, OAuthHttpClientError, OAuthHttpClientFuture, OAuthHttpRequest};
use url::Url;

use super::address::{AddressPolicy, is_loopback};
use super::error::OAuthError;

/// Limit of one request, with its response.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Largest response, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// Sends the requests of OAuth of one server.
///
/// Requests go to the origins that the program named, at any address, and to other hosts at the addresses of [`AddressPolicy`].
/// None follows redirects; discovery follows those of the same origin by itself.
pub(super) struct OAuthHttp {
    server: Url,
    named: Vec<Url>,
    policy: AddressPolicy,
    to_named: Client,
    to_others: Client,
}

impl fmt::Debug for OAuthHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthHttp").field("server", &self.server.origin().ascii_serialization()).finish_non_exhaustive()
    }
}

impl OAuthHttp {
    /// Sends requests with clients of `builder`, which has the program's certificates and proxy.
    pub(super) fn new(
        server: Url,
        named: Vec<Url>,
        policy: AddressPolicy,
        builder: impl Fn() -> Result<reqwest::ClientBuilder, OAuthError>,
    ) -> Result<Self, OAuthError> {
        let client = |builder: reqwest::ClientBuilder| {
            builder.build().map_err(|error| OAuthError::Setup(strands_core::ErrorChain::new(&error).to_string()))
        };
        let to_named = client(builder()?)?;
        let to_others = client(builder()?.dns_resolver(Arc::new(policy.clone())))?;
        Ok(Self { server, named, policy, to_named, to_others })
    }

    /// Checks a URL that a request or a user's browser is about to visit.
    pub(super) fn check(&self, url: &Url) -> Result<(), OAuthError> {
        let secure = match url.scheme() {
            "https" => true,
            "http" => is_loopback(&self.server) && is_loopback(url),
            _ => false,
        };
        if secure && url.has_host() && url.username().is_empty() && url.password().is_none() {
            Ok(())
        } else {
            Err(OAuthError::InsecureUrl(super::error::quoted(&without_secrets(url))))
        }
    }

    fn is_named(&self, url: &Url) -> bool {
        url.origin() == self.server.origin() || self.named.iter().any(|named| named.origin() == url.origin())
    }

    /// Sends a request and returns its response with the body.
    pub(super) async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, OAuthError> {
        let failed = |error: reqwest::Error| OAuthError::Http(Arc::new(error.without_url()));
        let mut request = reqwest::Request::try_from(request).map_err(failed)?;
        self.check(request.url())?;
        let client = if self.is_named(request.url()) {
            &self.to_named
        } else if self.policy.allows_literal(request.url()) {
            &self.to_others
        } else {
            return Err(OAuthError::InsecureUrl(super::error::quoted(&without_secrets(request.url()))));
        };
        *request.timeout_mut() = Some(TIMEOUT);
        let mut response = client.execute(request).await.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(OAuthError::InvalidResponse("larger than 1 MiB"));
            }
            body.extend_from_slice(&chunk);
        }
        let mut complete = Response::new(body);
        *complete.status_mut() = response.status();
        *complete.headers_mut() = std::mem::take(response.headers_mut());
        Ok(complete)
    }
}

fn without_secrets(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    // Both fail for URLs that can have no credentials.
    let _ = url.set_password(None);
    let _ = url.set_username("");
    url.into()
}

impl OAuthHttpClient for OAuthHttp {
    fn execute(&self, request: OAuthHttpRequest) -> OAuthHttpClientFuture<'_> {
        Box::pin(
            async move { self.send(request.request).await.map_err(|error| Box::new(error) as OAuthHttpClientError) },
        )
    }
}

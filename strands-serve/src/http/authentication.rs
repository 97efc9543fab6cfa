//! Authentication: the identity of a request, before anything else happens.

use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;
use strands_identity::Identity;

use super::{HostState, Problem};

/// Finds the identity of a request. A [`JwtVerifier`](strands_identity::JwtVerifier) does so by the bearer token in
/// `Authorization` (feature `jwt`).
#[cfg_attr(
    not(feature = "jwt"),
    allow(rustdoc::broken_intra_doc_links, reason = "the type is behind the feature `jwt`")
)]
#[async_trait]
pub trait Authenticate: Send + Sync {
    /// Returns the identity of a request with these headers and extensions.
    ///
    /// # Errors
    ///
    /// Returns [`AuthenticationError`] if the request has no valid identity. The client gets the status, and no detail.
    async fn authenticate(&self, request: &Parts) -> Result<Identity, AuthenticationError>;
}

/// Reason for which a request has no identity.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthenticationError {
    /// The credentials are missing or invalid: status 401.
    #[error("a valid bearer token is required")]
    Unauthenticated,
    /// The identity may not use this service: status 403.
    #[error("access denied")]
    Forbidden,
    /// The credentials can't be checked now, such as while the identity provider is down: status 503.
    #[error("the identity can't be verified now; try again later")]
    Unavailable,
}

strands_core::__debug_with_sources!(AuthenticationError);

#[async_trait]
impl<A: Authenticate + ?Sized> Authenticate for Arc<A> {
    async fn authenticate(&self, request: &Parts) -> Result<Identity, AuthenticationError> {
        (**self).authenticate(request).await
    }
}

#[cfg(feature = "jwt")]
#[async_trait]
impl Authenticate for strands_identity::JwtVerifier {
    async fn authenticate(&self, request: &Parts) -> Result<Identity, AuthenticationError> {
        let mut headers = request.headers.get_all(http::header::AUTHORIZATION).iter();
        let authorization = headers.next().and_then(|value| value.to_str().ok());
        if headers.next().is_some() {
            return Err(AuthenticationError::Unauthenticated);
        }
        self.verify_bearer(authorization).await.map_err(|error| {
            if error.is_unavailable() { AuthenticationError::Unavailable } else { AuthenticationError::Unauthenticated }
        })
    }
}

/// Subject that a gateway in front of the host has authenticated: an extension of the request. It must be the one that the host
/// finds itself.
#[derive(Clone, Debug)]
#[cfg(feature = "lambda")]
pub(crate) struct GatewaySubject(pub(crate) String);

impl HostState {
    /// Returns the identity of a request.
    pub(crate) async fn identity(&self, request: &Parts) -> Result<Identity, AuthenticationError> {
        let identity = self.authenticate.authenticate(request).await?;
        #[cfg(feature = "lambda")]
        if request
            .extensions
            .get::<GatewaySubject>()
            .is_some_and(|GatewaySubject(subject)| *subject != identity.subject)
        {
            tracing::warn!("the gateway has authenticated another subject than the one of the token");
            return Err(AuthenticationError::Unauthenticated);
        }
        Ok(identity)
    }
}

/// Passes requests with an identity on, which is then an extension.
pub(crate) async fn require(State(host): State<HostState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match host.identity(&parts).await {
        Ok(identity) => {
            parts.extensions.insert(identity);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(error) => Problem::from(error).into_response(),
    }
}

//! Identity for development, without tokens, for clients on the same machine.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use async_trait::async_trait;
use axum::extract::ConnectInfo;
use http::HeaderValue;
use http::request::Parts;
use strands_identity::Identity;

use super::{Authenticate, AuthenticationError};

/// A fixed identity for every request, for development.
///
/// It accepts clients on this machine only: the address of the client must be a loopback address, and the host in the request
/// `localhost` or a loopback address. Requests of pages, which browsers mark with `Origin`, are accepted from pages of such a
/// host only. So no page of another site can send prompts. It writes a warning when it is created.
pub struct DevelopmentIdentity {
    identity: Identity,
}

impl DevelopmentIdentity {
    /// Creates an authentication that gives each request this identity.
    pub fn new(identity: Identity) -> Self {
        tracing::warn!(
            subject = identity.subject,
            "development mode: requests are NOT authenticated; clients on this machine act as this identity"
        );
        Self { identity }
    }
}

#[async_trait]
impl Authenticate for DevelopmentIdentity {
    async fn authenticate(&self, request: &Parts) -> Result<Identity, AuthenticationError> {
        let client = request.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
        let is_local = client.is_some_and(|ip| ip.to_canonical().is_loopback());
        let host = request.uri.authority().map(http::uri::Authority::as_str);
        let host = host.or_else(|| request.headers.get(http::header::HOST)?.to_str().ok());
        let has_own_origin = request.headers.get_all(http::header::ORIGIN).iter().all(is_own_origin);
        if is_local && host.is_some_and(is_loopback) && has_own_origin {
            Ok(self.identity.clone())
        } else {
            Err(AuthenticationError::Forbidden)
        }
    }
}

/// Returns true for the origin of a page on this machine. Browsers let pages of other sites open WebSockets and send some requests.
fn is_own_origin(origin: &HeaderValue) -> bool {
    let host = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    host.is_some_and(|(_, host)| is_loopback(host))
}

/// Returns true for `localhost` and loopback addresses, with or without a port.
fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<http::uri::Authority>() else { return false };
    let name = authority.host();
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

impl fmt::Debug for DevelopmentIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevelopmentIdentity").field("subject", &self.identity.subject).finish_non_exhaustive()
    }
}

//! Handshake over HTTP: the protocol version that the server speaks, found out while a user may have to authorize.
//!
//! rmcp can find it out by itself, but gives a probe up after ten seconds, in which no user signs in, and takes an empty
//! result for a fault, which servers send that reply to any method.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use rmcp::model::ErrorCode;
use rmcp::service::{ClientInitializeError, ClientLifecycleMode, ClientServiceExt as _, RoleClient, RunningService};
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::connection::{Lifecycle, PREFERRED_VERSIONS};
use super::failure::{handshake_cause, is_rejected_request};
use super::handler::Handler;
use super::http::HttpServer;
use super::server_stream::ServerStream;

/// Time after which a server that does not reply to a probe is taken for one of an earlier protocol version.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

type Started = Result<RunningService<RoleClient, Handler>, ClientInitializeError>;

impl HttpServer {
    /// Completes the handshake within a limit. Without a known lifecycle, it probes for that of version 2026-07-28, and falls
    /// back to the earlier one.
    pub(super) async fn handshake(
        &self,
        handler: Handler,
        known: Option<Lifecycle>,
        limit: Duration,
    ) -> Result<Started, Elapsed> {
        let server_stream = ServerStream::default();
        let started = self.negotiate(handler, known, limit, &server_stream).await?;
        if started.is_ok() {
            server_stream.opened().await;
        }
        Ok(started)
    }

    async fn negotiate(
        &self,
        handler: Handler,
        known: Option<Lifecycle>,
        limit: Duration,
        server_stream: &ServerStream,
    ) -> Result<Started, Elapsed> {
        let discover = ClientLifecycleMode::Discover { preferred_versions: PREFERRED_VERSIONS.to_vec() };
        let start = |mode| handler.clone().serve_with_lifecycle(self.transport(server_stream.clone()), mode);
        let (probe_limit, rest) = match known {
            Some(Lifecycle::Initialize) => return self.in_time(limit, start(ClientLifecycleMode::Initialize)).await,
            Some(Lifecycle::Discover) => return self.in_time(limit, start(discover)).await,
            None => (limit.min(PROBE_TIMEOUT), limit.saturating_sub(PROBE_TIMEOUT)),
        };
        let probed = match self.in_time(probe_limit, start(discover)).await {
            Ok(Err(error)) if is_of_earlier_version(&error) => Ok(error),
            Err(elapsed) if rest.is_zero() => return Err(elapsed),
            Err(elapsed) => Err(elapsed),
            Ok(done) => return Ok(done),
        };
        let rest = if probed.is_ok() { limit } else { rest };
        let started = self.in_time(rest, start(ClientLifecycleMode::Initialize)).await?;
        Ok(started.map_err(|fallback| match probed {
            Ok(discover) => ClientInitializeError::LegacyFallbackFailed {
                discover: Box::new(discover),
                fallback: Box::new(fallback),
            },
            Err(_) => fallback,
        }))
    }

    /// Returns true while a user authorizes the client.
    pub(super) fn waits_for_user(&self) -> bool {
        self.client.tokens.as_ref().is_some_and(|tokens| tokens.waits_for_user())
    }

    /// Runs a future until a timeout, which starts again if it ends while a user authorizes the client.
    async fn in_time<F: Future>(&self, limit: Duration, future: F) -> Result<F::Output, Elapsed> {
        let mut future = pin!(future);
        loop {
            match timeout(limit, &mut future).await {
                Err(_) if self.waits_for_user() => {}
                result => return result,
            }
        }
    }
}

/// Returns true if a server does not know the probe.
fn is_of_earlier_version(error: &ClientInitializeError) -> bool {
    match error {
        ClientInitializeError::JsonRpcError(error) => {
            !matches!(error.code, ErrorCode::MISSING_REQUIRED_CLIENT_CAPABILITY | ErrorCode::HEADER_MISMATCH)
        }
        ClientInitializeError::ExpectedInitResult(_) | ClientInitializeError::NoCompatibleProtocolVersion { .. } => {
            true
        }
        error => is_rejected_request(handshake_cause(error)),
    }
}

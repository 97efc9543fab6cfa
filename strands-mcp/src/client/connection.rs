//! One connection to a server: its transport and lifecycle.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::model::{
    ClientRequest, Extensions, PingRequest, PingRequestMethod, ProtocolVersion, ServerPeerInfo, SubscriptionFilter,
};
use rmcp::service::{
    ClientInitializeError, ClientLifecycleMode, ClientServiceExt as _, Peer, RoleClient, RunningService, ServiceError,
};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::error::McpError;
use super::failure::{Failure, explained, handshake_cause, is_unauthorized};
use super::handler::{Handler, Shared};
use super::http::HttpServer;
use super::progress::ProgressRoutes;
use super::stdio::{ChildEnd, ChildHandle, StartError, StdioServer};

const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// Wait before a lost subscription to changes of the tools is renewed.
const RESUBSCRIBE_DELAY: Duration = Duration::from_secs(1);
const MOST_RESUBSCRIBE_DELAY: Duration = Duration::from_secs(60);

/// Versions of the lifecycle without a handshake.
pub(super) const PREFERRED_VERSIONS: [ProtocolVersion; 1] = [ProtocolVersion::V_2026_07_28];

/// Transport to a server.
pub(super) enum Connector {
    Http(HttpServer),
    Stdio(StdioServer),
}

/// A connection after its handshake. Dropping it ends it.
pub(super) struct Connection {
    peer: Peer<RoleClient>,
    running: Mutex<Option<RunningService<RoleClient, Handler>>>,
    pub(super) progress: Arc<ProgressRoutes>,
    /// Killed when the connection is dropped.
    child: Option<ChildHandle>,
    /// A call timed out: the child may hang.
    is_suspect: AtomicBool,
    _subscription: Option<AbortOnDropHandle<()>>,
}

/// Protocol of a server, as a handshake found it out. A later handshake needs no probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lifecycle {
    /// Sessions with a handshake: versions up to 2025-11-25.
    Initialize,
    /// Self-contained requests: versions from 2026-07-28.
    Discover,
}

impl Connector {
    /// Returns true while a user authorizes the client.
    pub(super) fn waits_for_user(&self) -> bool {
        match self {
            Self::Http(http) => http.waits_for_user(),
            Self::Stdio(_) => false,
        }
    }

    /// Connects and completes the handshake.
    pub(super) async fn connect(
        &self,
        shared: &Arc<Shared>,
        known: Option<Lifecycle>,
        limit: Duration,
    ) -> Result<Connection, McpError> {
        match self.handshake(shared, known, limit).await {
            Err((_, true)) => self.handshake(shared, Some(Lifecycle::Initialize), limit).await,
            result => result,
        }
        .map_err(|(error, _)| error)
    }

    /// Connects once. The error is true for a server that knows the probe, but speaks only versions with a handshake.
    async fn handshake(
        &self,
        shared: &Arc<Shared>,
        known: Option<Lifecycle>,
        limit: Duration,
    ) -> Result<Connection, (McpError, bool)> {
        let server = &shared.server;
        let progress = Arc::<ProgressRoutes>::default();
        let handler = Handler { shared: Arc::clone(shared), progress: Arc::clone(&progress) };
        let (started, child) = match self {
            Self::Http(http) => (http.handshake(handler, known, limit).await, None),
            Self::Stdio(stdio) => {
                let (transport, child) = stdio.start(server).map_err(|error| (not_started(server, error), false))?;
                (timeout(limit, handler.serve_with_lifecycle(transport, mode(known))).await, Some(child))
            }
        };
        let running = match (started, &child) {
            (Ok(Ok(running)), _) => running,
            (Ok(Err(error)), child) => {
                let output = match child {
                    Some(child) => child.last_words().await,
                    None => String::new(),
                };
                return Err((refused(server, &error, output), speaks_older(&error)));
            }
            (Err(_), child) => {
                let output = child.as_ref().map(ChildHandle::stderr_tail).unwrap_or_default();
                return Err((McpError::ConnectTimeout { server: server.clone(), timeout: limit, output }, false));
            }
        };
        let peer = running.peer().clone();
        let subscription = subscribes(&peer).then(|| subscribe(peer.clone(), Arc::clone(shared)));
        Ok(Connection {
            peer,
            running: Mutex::new(Some(running)),
            progress,
            child,
            is_suspect: AtomicBool::new(false),
            _subscription: subscription,
        })
    }
}

fn mode(known: Option<Lifecycle>) -> ClientLifecycleMode {
    let preferred_versions = PREFERRED_VERSIONS.to_vec();
    match known {
        None => ClientLifecycleMode::Auto { preferred_versions, legacy_version: Some(ProtocolVersion::V_2025_11_25) },
        Some(Lifecycle::Initialize) => ClientLifecycleMode::Initialize,
        Some(Lifecycle::Discover) => ClientLifecycleMode::Discover { preferred_versions },
    }
}

fn speaks_older(error: &ClientInitializeError) -> bool {
    match error {
        ClientInitializeError::NoCompatibleProtocolVersion { server_supported, .. } => {
            server_supported.iter().any(ProtocolVersion::has_initialize)
        }
        _ => false,
    }
}

fn refused(server: &str, error: &ClientInitializeError, output: String) -> McpError {
    let cause = handshake_cause(error);
    let is_authorization = error.is_authorization_required() || is_unauthorized(cause);
    let source = explained(cause, cause).into();
    let server = server.to_owned();
    if is_authorization {
        McpError::Unauthorized { server, source }
    } else {
        McpError::Connect { server, output, source }
    }
}

fn not_started(server: &str, error: StartError) -> McpError {
    let server = server.to_owned();
    match error {
        StartError::Io(error) => McpError::Connect { server, output: String::new(), source: error.into() },
        error @ StartError::TooManyRestarts { .. } => McpError::TooManyRestarts { server, reason: error.to_string() },
    }
}

/// Returns true if changes of the tools come only to a subscription.
fn subscribes(peer: &Peer<RoleClient>) -> bool {
    let Some(info) = peer.peer_info() else { return false };
    let announces = info.capabilities.tools.as_ref().is_some_and(|tools| tools.list_changed == Some(true));
    announces && !info.protocol_version.has_initialize()
}

/// Listens for changes of the tools until the handle is dropped.
fn subscribe(peer: Peer<RoleClient>, shared: Arc<Shared>) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        let filter = SubscriptionFilter::builder().tools_list_changed().build();
        let mut delay = RESUBSCRIBE_DELAY;
        while !peer.is_transport_closed() {
            match peer.listen(filter.clone()).await {
                Ok(mut subscription) => {
                    delay = RESUBSCRIBE_DELAY;
                    while let Ok(Some(_)) = subscription.next().await {
                        shared.tools_may_have_changed();
                    }
                    // A change may be missed until the next subscription.
                    sleep(delay).await;
                    shared.tools_may_have_changed();
                }
                // The server announces changes without a subscription, or not at all.
                Err(ServiceError::McpError(_)) => return,
                Err(_) => {
                    sleep(delay).await;
                    delay = (delay * 2).min(MOST_RESUBSCRIBE_DELAY);
                }
            }
        }
    }))
}

impl Connection {
    pub(super) fn peer(&self) -> &Peer<RoleClient> {
        &self.peer
    }

    pub(super) fn info(&self) -> Option<Arc<ServerPeerInfo>> {
        self.peer.peer_info()
    }

    pub(super) fn lifecycle(&self) -> Lifecycle {
        match self.info() {
            Some(info) if !info.protocol_version.has_initialize() => Lifecycle::Discover,
            _ => Lifecycle::Initialize,
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.peer.is_transport_closed()
    }

    /// Notes that a call timed out.
    pub(super) fn suspect(&self) {
        self.is_suspect.store(true, Ordering::Relaxed);
    }

    /// Returns true if the server responds. A child that hangs would let each call time out; requests over HTTP are
    /// independent of each other.
    pub(super) async fn responds(&self, deadline: Instant) -> bool {
        if self.child.is_none() || !self.is_suspect.load(Ordering::Relaxed) {
            return true;
        }
        let ping =
            ClientRequest::PingRequest(PingRequest { method: PingRequestMethod, extensions: Extensions::default() });
        // Most of the time remains for the call, at a new child if need be.
        let limit = (deadline.saturating_duration_since(Instant::now()) / 4).min(PING_TIMEOUT);
        // Newer servers know no ping, and say so.
        let responds =
            matches!(timeout(limit, self.peer.send_request(ping)).await, Ok(Ok(_) | Err(ServiceError::McpError(_))));
        self.is_suspect.store(!responds, Ordering::Relaxed);
        responds
    }

    /// Explains a failure by the end of the child process, if it has ended.
    pub(super) fn explained(&self, failure: Failure) -> Failure {
        let Some(child) = &self.child else { return failure };
        match (failure, child.end()) {
            (Failure::Unknown(McpError::OutcomeUnknown { server, .. }), Some(ChildEnd::LineTooLong { limit })) => {
                Failure::Final(McpError::TooLarge { server, limit })
            }
            (Failure::Unknown(McpError::OutcomeUnknown { server, .. }), Some(_)) => {
                Failure::Unknown(McpError::OutcomeUnknown { server, source: child.description().into() })
            }
            (failure, _) => failure,
        }
    }

    /// Ends the connection in an orderly way.
    pub(super) async fn close(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut running) = running {
            // After the timeout, dropping it ends it.
            let _ = running.close_with_timeout(CLOSE_TIMEOUT).await;
        }
    }
}

//! Health of the process, for load balancers and orchestrators.

use axum::extract::State;
use http::StatusCode;

use super::HostState;

/// The process lives.
pub(super) async fn healthz() -> &'static str {
    "ok"
}

/// The process accepts turns. It does not while it shuts down.
pub(super) async fn readyz(State(host): State<HostState>) -> (StatusCode, &'static str) {
    if host.service.accepts_turns() {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "shutting down")
    }
}

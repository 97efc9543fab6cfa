//! `GET /ping`: a forced status, else that of the program's handler, else whether tasks are running.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::State;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::InvocationError;
use super::{AsyncTasks, Shared};
use crate::Disconnect;

/// Maximum time of the program's handler. The platform expects a response soon.
const HANDLER_TIMEOUT: Duration = Duration::from_secs(2);

/// Status of the process, as the platform understands it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum PingStatus {
    /// Ready for work. The platform may stop an idle runtime session.
    Healthy,
    /// Working in the background. The platform keeps the runtime session.
    HealthyBusy,
}

/// Handle that forces a status of `/ping`, above that of a handler and of tasks. Clones share the status.
#[derive(Clone, Debug, Default)]
pub struct ForcedPing {
    status: Arc<Mutex<Option<PingStatus>>>,
}

impl ForcedPing {
    /// Creates a handle that forces no status.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forces a status, until [`clear`](Self::clear).
    pub fn set(&self, status: PingStatus) {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
    }

    /// Forces no status any longer.
    pub fn clear(&self) {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Returns the forced status.
    pub fn get(&self) -> Option<PingStatus> {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Handler of the program.
pub(super) type CustomPing = Box<dyn Fn() -> BoxFuture<'static, Result<PingStatus, String>> + Send + Sync>;

pub(super) fn custom<F, Fut, E>(handler: F) -> CustomPing
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<PingStatus, E>> + Send + 'static,
    E: fmt::Display,
{
    Box::new(move || {
        let status = handler();
        Box::pin(async move { status.await.map_err(|error| error.to_string()) })
    })
}

/// Health of the process.
pub(super) struct Health {
    forced: ForcedPing,
    custom: Option<CustomPing>,
    tasks: AsyncTasks,
    /// Newest status, and the time since which it holds.
    last: Mutex<(PingStatus, SystemTime)>,
}

/// The handler of the program failed.
#[derive(Debug)]
pub(super) struct PingFailed;

impl Health {
    pub(super) fn new(forced: ForcedPing, custom: Option<CustomPing>, tasks: AsyncTasks) -> Self {
        let last = Mutex::new((PingStatus::Healthy, SystemTime::now()));
        Self { forced, custom, tasks, last }
    }

    pub(super) fn forced(&self) -> &ForcedPing {
        &self.forced
    }

    pub(super) fn tasks(&self) -> &AsyncTasks {
        &self.tasks
    }

    async fn status(&self, has_background_turns: bool) -> Result<PingStatus, PingFailed> {
        if let Some(forced) = self.forced.get() {
            return Ok(forced);
        }
        if let Some(handler) = &self.custom {
            // The handler's panic must not be an end of the connection without a response.
            let status = AssertUnwindSafe(async { handler().await }).catch_unwind();
            return match tokio::time::timeout(HANDLER_TIMEOUT, status).await {
                Ok(Ok(Ok(status))) => Ok(status),
                Ok(Ok(Err(error))) => failed(&error),
                Ok(Err(_)) => failed("it panicked"),
                Err(_) => failed("it took too long"),
            };
        }
        let is_busy = has_background_turns || !self.tasks.is_empty();
        Ok(if is_busy { PingStatus::HealthyBusy } else { PingStatus::Healthy })
    }
}

fn failed(reason: &str) -> Result<PingStatus, PingFailed> {
    tracing::error!(reason, "the ping handler failed");
    Err(PingFailed)
}

impl Shared {
    /// Returns the JSON of the status.
    pub(super) async fn ping_status(&self) -> Result<Value, InvocationError> {
        // A turn of a client that is connected is not in the background.
        let has_background_turns = self.disconnect == Disconnect::Finish && self.http.service.running_turns() > 0;
        let status = self.health.status(has_background_turns).await.map_err(|PingFailed| {
            InvocationError::new(StatusCode::INTERNAL_SERVER_ERROR, "ping_failed", "the ping handler failed")
        })?;
        let mut last = self.health.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0 != status {
            *last = (status, SystemTime::now());
        }
        let seconds = last.1.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Ok(json!({"status": status, "time_of_last_update": seconds}))
    }
}

pub(super) async fn ping(State(shared): State<Shared>) -> Result<Json<Value>, InvocationError> {
    shared.ping_status().await.map(Json)
}

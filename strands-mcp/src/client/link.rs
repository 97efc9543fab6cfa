//! Link to a server: the current connection, and its replacement after it was lost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep_until};

use super::connection::{Connection, Connector, Lifecycle};
use super::error::McpError;
use super::handler::Shared;

const FIRST_DELAY: Duration = Duration::from_millis(100);
const MOST_DELAY: Duration = Duration::from_secs(10);

type Slot = OnceCell<Arc<Connection>>;

/// Link to a server.
pub(super) struct Link {
    pub(super) connector: Connector,
    shared: Arc<Shared>,
    connect_timeout: Duration,
    reconnect_timeout: Duration,
    /// The current connection. The first caller connects; concurrent callers wait for the result.
    slot: Mutex<Arc<Slot>>,
    attempts: Mutex<Attempts>,
    is_closed: AtomicBool,
}

#[derive(Default)]
struct Attempts {
    /// Failures since the last connection.
    failed: u32,
    /// Failures of all time, and the last error since the last connection.
    failures: u64,
    error: Option<McpError>,
    next: Option<Instant>,
    was_connected: bool,
    lifecycle: Option<Lifecycle>,
}

impl Link {
    pub(super) fn new(
        connector: Connector,
        shared: Arc<Shared>,
        [connect_timeout, reconnect_timeout]: [Duration; 2],
    ) -> Self {
        Self {
            connector,
            shared,
            connect_timeout,
            reconnect_timeout,
            slot: Mutex::default(),
            attempts: Mutex::default(),
            is_closed: AtomicBool::new(false),
        }
    }

    /// Returns the current connection, or connects once.
    pub(super) async fn connection(&self) -> Result<Arc<Connection>, McpError> {
        loop {
            if self.is_closed.load(Ordering::Acquire) {
                return Err(McpError::Closed { server: self.shared.server.clone() });
            }
            let (slot, seen) = (Arc::clone(&self.slot()), self.attempts().failures);
            // Boxed: it is large and rare, and would be a part of the future of each call.
            let connection = slot.get_or_try_init(|| Box::pin(self.connect(seen))).await?;
            if self.is_closed.load(Ordering::Acquire) {
                // Closed while it was connecting.
                connection.close().await;
                continue;
            }
            if !connection.is_closed() {
                return Ok(Arc::clone(connection));
            }
            self.replace(&slot);
        }
    }

    /// Returns the current connection. If the server was reached before, it is tried again until the deadline.
    pub(super) async fn reconnected(&self, deadline: Instant) -> Result<Arc<Connection>, McpError> {
        loop {
            let error = match self.connection().await {
                Ok(connection) => return Ok(connection),
                Err(error) => error,
            };
            let is_temporary = matches!(error, McpError::Connect { .. } | McpError::ConnectTimeout { .. });
            let next = self.attempts().next;
            if !is_temporary || !self.was_connected() || next.is_none_or(|next| next > deadline) {
                return Err(error);
            }
        }
    }

    /// Returns the time until which a request that starts now tries to reach a server again.
    pub(super) fn give_up(&self) -> Instant {
        Instant::now() + self.reconnect_timeout
    }

    pub(super) fn was_connected(&self) -> bool {
        self.attempts().was_connected
    }

    pub(super) fn is_connected(&self) -> bool {
        self.slot().get().is_some_and(|connection| !connection.is_closed())
    }

    /// Gives a connection up, so that the next caller connects anew.
    pub(super) fn discard(&self, connection: &Arc<Connection>) {
        let slot = Arc::clone(&self.slot());
        if slot.get().is_some_and(|current| Arc::ptr_eq(current, connection)) {
            self.replace(&slot);
        }
    }

    /// Ends the connection. Later calls fail.
    pub(super) async fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        let slot = Arc::clone(&self.slot());
        if let Some(connection) = slot.get() {
            connection.close().await;
        }
    }

    /// Connects, unless an attempt failed since the caller has `seen` this number of failures: its error is that of all callers
    /// that waited for it. They would try one after the other otherwise, each with a timeout.
    async fn connect(&self, seen: u64) -> Result<Arc<Connection>, McpError> {
        let (next, known) = {
            let mut attempts = self.attempts();
            if attempts.failures != seen
                && let Some(error) = attempts.error.as_ref().and_then(McpError::of_connecting)
            {
                return Err(error);
            }
            // After a failure, there may be another server.
            (attempts.next, attempts.lifecycle.take())
        };
        if let Some(next) = next {
            sleep_until(next).await;
        }
        let result = self.connector.connect(&self.shared, known, self.connect_timeout).await;
        let mut attempts = self.attempts();
        match result {
            Ok(connection) => {
                let was_connected = attempts.was_connected;
                let lifecycle = Some(connection.lifecycle());
                let failures = attempts.failures;
                *attempts = Attempts { was_connected: true, lifecycle, failures, ..Attempts::default() };
                drop(attempts);
                if was_connected {
                    // There may be another process now, with other tools.
                    self.shared.tools_may_have_changed();
                }
                Ok(Arc::new(connection))
            }
            Err(error) => {
                attempts.next = Some(Instant::now() + delay(attempts.failed, self.reconnect_timeout));
                attempts.failed = attempts.failed.saturating_add(1);
                attempts.failures = attempts.failures.wrapping_add(1);
                attempts.error = error.of_connecting();
                Err(error)
            }
        }
    }

    fn replace(&self, slot: &Arc<Slot>) {
        let mut current = self.slot();
        if Arc::ptr_eq(&current, slot) {
            *current = Arc::default();
        }
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Arc<Slot>> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn attempts(&self) -> std::sync::MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Exponential backoff with jitter: between half of the delay and all of it. It is short for callers that don't wait long.
fn delay(failed: u32, reconnect_timeout: Duration) -> Duration {
    let most = FIRST_DELAY.saturating_mul(2_u32.saturating_pow(failed));
    let most = most.min(MOST_DELAY).min(reconnect_timeout / 4);
    most.mul_f64(0.5 + fastrand::f64() / 2.0)
}

//! State of one connection: what its client asked to be told.
#![expect(deprecated, reason = "log messages are deprecated by the protocol, but not removed")]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rmcp::model::{ErrorData, LoggingLevel};

/// Maximum number of resources that one client can subscribe to.
const MAX_SUBSCRIPTIONS: usize = 1_000;

/// State of one connection.
#[derive(Default)]
pub(super) struct ClientState {
    subscriptions: Mutex<BTreeSet<String>>,
    log_level: Mutex<Option<LoggingLevel>>,
    is_initialized: AtomicBool,
}

impl ClientState {
    /// Notes that the client is initialized. Returns false if it has said so before.
    pub(super) fn initialize(&self) -> bool {
        !self.is_initialized.swap(true, Ordering::Relaxed)
    }

    pub(super) fn subscribe(&self, uri: String) -> Result<(), ErrorData> {
        let mut subscriptions = locked(&self.subscriptions);
        if subscriptions.len() >= MAX_SUBSCRIPTIONS {
            return Err(ErrorData::invalid_request("too many subscriptions", None));
        }
        subscriptions.insert(uri);
        Ok(())
    }

    pub(super) fn unsubscribe(&self, uri: &str) {
        locked(&self.subscriptions).remove(uri);
    }

    pub(super) fn subscriptions(&self) -> BTreeSet<String> {
        locked(&self.subscriptions).clone()
    }

    pub(super) fn set_log_level(&self, level: LoggingLevel) {
        *locked(&self.log_level) = Some(level);
    }

    /// Returns the lowest level of log messages that the client wants, or `None` if it wants none.
    pub(super) fn log_level(&self) -> Option<LoggingLevel> {
        *locked(&self.log_level)
    }
}

fn locked<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

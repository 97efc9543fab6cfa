//! Limits of a service: concurrent turns, time, and memory of events.

use std::time::Duration;

/// Limits of an [`AgentService`](crate::AgentService). A limit that is reached refuses a turn; nothing waits without a bound.
///
/// ```
/// use std::time::Duration;
/// use strands::serve::{BusySession, Disconnect, ServiceLimits};
///
/// let limits = ServiceLimits::new()
///     .turns(1_000)
///     .turns_per_user(4)
///     .busy_session(BusySession::Queue { waiting: 2, timeout: Duration::from_secs(30) })
///     .turn_time(Duration::from_secs(120))
///     .disconnect(Disconnect::Finish);
/// # drop(limits);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServiceLimits {
    pub(crate) turns: usize,
    pub(crate) turns_per_user: usize,
    pub(crate) busy_session: BusySession,
    pub(crate) turn_time: Option<Duration>,
    pub(crate) disconnect: Disconnect,
    pub(crate) buffer_bytes: usize,
    pub(crate) reader_lag_bytes: usize,
    pub(crate) slow_reader_timeout: Duration,
    pub(crate) finished_bytes: usize,
    pub(crate) finished_time: Duration,
    pub(crate) retry_after: Duration,
}

/// Reaction to a prompt for a session that is processing another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BusySession {
    /// The prompt is refused with [`TurnError::SessionBusy`](crate::TurnError::SessionBusy).
    Refuse,
    /// The prompt waits for its turn, in the order of arrival.
    Queue {
        /// Maximum number of waiting prompts of a session.
        waiting: usize,
        /// Maximum time of waiting.
        timeout: Duration,
    },
}

/// Reaction to a client that has disconnected from a running turn, after the last reader is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Disconnect {
    /// The turn is cancelled, unless a reader comes back within this time.
    CancelAfter(Duration),
    /// The turn runs to its end.
    Finish,
}

impl Default for ServiceLimits {
    fn default() -> Self {
        Self::new()
    }
}

impl ServiceLimits {
    /// Creates the default limits, which the methods name.
    pub fn new() -> Self {
        Self {
            turns: 1_024,
            turns_per_user: 16,
            busy_session: BusySession::Refuse,
            turn_time: Some(Duration::from_secs(600)),
            disconnect: Disconnect::CancelAfter(Duration::from_secs(30)),
            buffer_bytes: 1024 * 1024,
            reader_lag_bytes: 64 * 1024,
            slow_reader_timeout: Duration::from_secs(30),
            finished_bytes: 64 * 1024 * 1024,
            finished_time: Duration::from_secs(60),
            retry_after: Duration::from_secs(2),
        }
    }

    /// Sets the maximum number of turns in this process, running or waiting. Default: 1,024.
    #[must_use]
    pub fn turns(mut self, turns: usize) -> Self {
        self.turns = turns;
        self
    }

    /// Sets the maximum number of turns of one user in this process, running or waiting. Default: 16.
    #[must_use]
    pub fn turns_per_user(mut self, turns: usize) -> Self {
        self.turns_per_user = turns;
        self
    }

    /// Sets the reaction to a prompt for a session that is processing another one. Default: [`BusySession::Refuse`].
    #[must_use]
    pub fn busy_session(mut self, reaction: BusySession) -> Self {
        self.busy_session = reaction;
        self
    }

    /// Sets the maximum time of a turn, besides the agent's own limits. Default: 10 minutes.
    #[must_use]
    pub fn turn_time(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.turn_time = time.into();
        self
    }

    /// Sets the reaction to a client that has disconnected. Default: [`Disconnect::CancelAfter`] 30 seconds.
    #[must_use]
    pub fn disconnect(mut self, reaction: Disconnect) -> Self {
        self.disconnect = reaction;
        self
    }

    /// Sets the maximum size of the events that a turn retains for readers that come back, in bytes. Default: 1 MiB. Events that a
    /// connected reader has not read yet are retained in any case.
    #[must_use]
    pub fn buffer_bytes(mut self, bytes: usize) -> Self {
        self.buffer_bytes = bytes;
        self
    }

    /// Sets the size of the events by which a reader may lag, in bytes, before the turn waits for it. Default: 64 KiB.
    #[must_use]
    pub fn reader_lag_bytes(mut self, bytes: usize) -> Self {
        self.reader_lag_bytes = bytes;
        self
    }

    /// Sets the maximum time for which a turn waits for a slow reader. Then the reader is dropped; it can come back. Default: 30
    /// seconds.
    #[must_use]
    pub fn slow_reader_timeout(mut self, timeout: Duration) -> Self {
        self.slow_reader_timeout = timeout;
        self
    }

    /// Sets the total size of the events of all turns that have ended, in bytes, which are retained for readers that come back.
    /// Default: 64 MiB.
    #[must_use]
    pub fn finished_bytes(mut self, bytes: usize) -> Self {
        self.finished_bytes = bytes;
        self
    }

    /// Sets the time for which the events of a turn that has ended are retained. Default: 60 seconds. Then they are removed as other
    /// turns start, end, and are read, a few at a time.
    #[must_use]
    pub fn finished_time(mut self, time: Duration) -> Self {
        self.finished_time = time;
        self
    }

    /// Sets the time after which a refused client may try again. Default: 2 seconds.
    #[must_use]
    pub fn retry_after(mut self, time: Duration) -> Self {
        self.retry_after = time;
        self
    }
}

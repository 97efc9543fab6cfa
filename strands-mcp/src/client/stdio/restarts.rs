//! A server that is started again after its process ended, so many times a minute.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::time::Instant;

use super::StdioCommand;
use super::child::{Child, ChildHandle};
use super::transport::ChildTransport;

const WINDOW: Duration = Duration::from_secs(60);

/// A server as a child process, started for each connection.
#[derive(Debug)]
pub(crate) struct StdioServer {
    command: StdioCommand,
    limit: RestartLimit,
    /// The child that was started last, for its stderr.
    last: Mutex<Option<Arc<Child>>>,
}

/// Failure to start a server.
#[derive(Debug, Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("{error}{}{stderr}", if stderr.is_empty() { "" } else { "; its stderr ends with:\n" })]
    TooManyRestarts {
        error: TooManyRestarts,
        /// The last lines of the child that was started last.
        stderr: String,
    },
}

impl StdioServer {
    pub(crate) fn new(command: StdioCommand, restarts_per_minute: usize) -> Self {
        Self { command, limit: RestartLimit::new(restarts_per_minute), last: Mutex::default() }
    }

    pub(crate) fn start(&self, server: &str) -> Result<(ChildTransport, ChildHandle), StartError> {
        if let Err(error) = self.limit.start() {
            let stderr = self.last().as_ref().map(|child| child.stderr_tail()).unwrap_or_default();
            return Err(StartError::TooManyRestarts { error, stderr });
        }
        let (transport, handle) = self.command.spawn(server)?;
        *self.last() = Some(Arc::clone(&handle.0));
        Ok((transport, handle))
    }

    fn last(&self) -> MutexGuard<'_, Option<Arc<Child>>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// At most so many restarts in any minute. The first start is none.
#[derive(Debug)]
pub(crate) struct RestartLimit {
    per_minute: usize,
    starts: Mutex<Starts>,
}

#[derive(Debug, Default)]
struct Starts {
    was_started: bool,
    restarts: VecDeque<Instant>,
}

/// Too many restarts within a minute.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("restarted {limit} times within a minute; the next start is possible in {} s", retry_after.as_secs_f32().ceil())]
pub(crate) struct TooManyRestarts {
    pub(crate) limit: usize,
    pub(crate) retry_after: Duration,
}

impl RestartLimit {
    pub(crate) fn new(per_minute: usize) -> Self {
        Self { per_minute, starts: Mutex::default() }
    }

    /// Counts a start, unless there were too many.
    pub(crate) fn start(&self) -> Result<(), TooManyRestarts> {
        let now = Instant::now();
        let mut starts = self.starts.lock().unwrap_or_else(PoisonError::into_inner);
        if !starts.was_started {
            starts.was_started = true;
            return Ok(());
        }
        let restarts = &mut starts.restarts;
        while restarts.front().is_some_and(|start| now.duration_since(*start) >= WINDOW) {
            restarts.pop_front();
        }
        if restarts.len() >= self.per_minute {
            let age = restarts.front().map_or(Duration::ZERO, |start| now.duration_since(*start));
            return Err(TooManyRestarts { limit: self.per_minute, retry_after: WINDOW.saturating_sub(age) });
        }
        restarts.push_back(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn allows_so_many_restarts_in_any_minute() {
        let limit = RestartLimit::new(2);
        limit.start().unwrap();
        limit.start().unwrap();
        tokio::time::advance(Duration::from_secs(50)).await;
        limit.start().unwrap();
        let error = limit.start().unwrap_err();
        assert_eq!(error, TooManyRestarts { limit: 2, retry_after: Duration::from_secs(10) });
        assert_eq!(error.to_string(), "restarted 2 times within a minute; the next start is possible in 10 s");
        tokio::time::advance(Duration::from_secs(10)).await;
        limit.start().unwrap();
        assert_eq!(limit.start().unwrap_err().retry_after, Duration::from_secs(50));
    }

    #[test]
    fn allows_one_start_with_a_limit_of_zero() {
        let limit = RestartLimit::new(0);
        limit.start().unwrap();
        assert_eq!(limit.start().unwrap_err().limit, 0);
    }
}

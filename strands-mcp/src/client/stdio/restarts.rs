//! Limit of how often a child is started.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::time::Instant;

const WINDOW: Duration = Duration::from_secs(60);

/// At most so many starts in any minute.
#[derive(Debug)]
pub(crate) struct RestartLimit {
    per_minute: usize,
    starts: Mutex<VecDeque<Instant>>,
}

/// Too many starts within a minute.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("started {limit} times within a minute; the next start is possible in {} s", retry_after.as_secs_f32().ceil())]
pub(crate) struct TooManyStarts {
    pub(crate) limit: usize,
    pub(crate) retry_after: Duration,
}

impl RestartLimit {
    pub(crate) fn new(per_minute: usize) -> Self {
        Self { per_minute, starts: Mutex::default() }
    }

    /// Counts a start, unless there were too many.
    pub(crate) fn start(&self) -> Result<(), TooManyStarts> {
        let now = Instant::now();
        let mut starts = self.starts.lock().unwrap_or_else(PoisonError::into_inner);
        while starts.front().is_some_and(|start| now.duration_since(*start) >= WINDOW) {
            starts.pop_front();
        }
        if starts.len() >= self.per_minute {
            let age = starts.front().map_or(Duration::ZERO, |start| now.duration_since(*start));
            return Err(TooManyStarts { limit: self.per_minute, retry_after: WINDOW.saturating_sub(age) });
        }
        starts.push_back(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn allows_so_many_starts_in_any_minute() {
        let limit = RestartLimit::new(2);
        limit.start().unwrap();
        tokio::time::advance(Duration::from_secs(50)).await;
        limit.start().unwrap();
        let error = limit.start().unwrap_err();
        assert_eq!(error, TooManyStarts { limit: 2, retry_after: Duration::from_secs(10) });
        assert_eq!(error.to_string(), "started 2 times within a minute; the next start is possible in 10 s");
        tokio::time::advance(Duration::from_secs(10)).await;
        limit.start().unwrap();
        assert_eq!(limit.start().unwrap_err().retry_after, Duration::from_secs(50));
    }

    #[test]
    fn allows_no_start_with_a_limit_of_zero() {
        assert_eq!(RestartLimit::new(0).start().unwrap_err().limit, 0);
    }
}

//! Limits of one tool in the process: concurrent calls, and calls per interval.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::models::Window;

/// Default of [`ToolLimiter::max_waiting`].
const MAX_WAITING: usize = 1000;

/// Limits of a tool: concurrent calls, and calls within any interval.
///
/// `#[tool(concurrency = 2, rate = "10/s")]` gives a tool function one limiter for the whole process, so that agents which are
/// built for each request share it. A tool written by hand returns its limiter from [`Tool::limiter`](crate::Tool::limiter),
/// for example one in a `static`; a tool from elsewhere gets one with
/// [`ConfiguredTool`](crate::tool::ConfiguredTool::limiter).
///
/// Calls wait in first-in, first-out order, once they are authorized and approved. The wait is part of the tool's timeout: if
/// that elapses first, or would elapse, the model gets an error result that the tool is busy. A call that is cancelled leaves
/// the queue.
///
/// A call counts as concurrent until its function has returned and all clones of its [`ToolContext`](crate::ToolContext) are
/// dropped: a blocking function that continues after its timeout still counts. A tool that calls itself, by a nested agent,
/// waits for itself: give such a tool a timeout.
///
/// ```
/// use std::time::Duration;
/// use strands::ToolLimiter;
///
/// static SEARCHES: ToolLimiter = ToolLimiter::new().concurrency(4).rate(10, Duration::from_secs(1));
/// ```
pub struct ToolLimiter {
    concurrency: Option<usize>,
    rate: Option<(u32, Duration)>,
    max_waiting: usize,
    /// Number of calls in the queue.
    waiting: AtomicUsize,
    /// Created on first use, so that a limiter can be a `static`.
    queue: OnceLock<Queue>,
}

struct Queue {
    /// One call at a time waits for the limits, and the others wait for this. A semaphore is fair and removes a waiter that
    /// is dropped.
    turns: Semaphore,
    running: Option<Arc<Semaphore>>,
    window: Option<Mutex<Window>>,
}

/// Admission of one call. It counts as concurrent until this is dropped.
pub(crate) type ToolPermit = Option<OwnedSemaphorePermit>;

/// A call was not admitted in time, or too many others wait.
#[derive(Debug)]
pub(crate) struct ToolLimiterBusy;

impl ToolLimiter {
    /// Creates a limiter without limits.
    pub const fn new() -> Self {
        Self {
            concurrency: None,
            rate: None,
            max_waiting: MAX_WAITING,
            waiting: AtomicUsize::new(0),
            queue: OnceLock::new(),
        }
    }

    /// Limits the concurrent calls. The minimum is one call.
    #[must_use]
    pub const fn concurrency(mut self, calls: usize) -> Self {
        self.concurrency = Some(calls);
        self
    }

    /// Limits the calls that start within any `interval`. The minimum is one call.
    #[must_use]
    pub const fn rate(mut self, calls: u32, interval: Duration) -> Self {
        self.rate = Some((calls, interval));
        self
    }

    /// Sets the number of calls that may wait. Further ones get an error result at once. Default: 1000.
    #[must_use]
    pub const fn max_waiting(mut self, calls: usize) -> Self {
        self.max_waiting = calls;
        self
    }

    /// Waits for admission, at most for a duration.
    pub(crate) async fn admit(&self, most: Option<Duration>) -> Result<ToolPermit, ToolLimiterBusy> {
        let queue = self.queue.get_or_init(|| Queue::new(self.concurrency, self.rate));
        if let Some(permit) = queue.try_admit() {
            return Ok(permit);
        }
        let _waiting = Waiting::enter(self)?;
        let deadline = most.and_then(|most| Instant::now().checked_add(most));
        let admitted = queue.admit(deadline);
        match deadline {
            Some(deadline) => timeout_at(deadline, admitted).await.unwrap_or(Err(ToolLimiterBusy)),
            None => admitted.await,
        }
    }
}

impl Default for ToolLimiter {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ToolLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolLimiter")
            .field("concurrency", &self.concurrency)
            .field("rate", &self.rate)
            .field("max_waiting", &self.max_waiting)
            .finish_non_exhaustive()
    }
}

impl Queue {
    fn new(concurrency: Option<usize>, rate: Option<(u32, Duration)>) -> Self {
        let running = concurrency.map(|calls| Arc::new(Semaphore::new(calls.clamp(1, Semaphore::MAX_PERMITS))));
        let window = rate.map(|(calls, interval)| Mutex::new(Window::new(u64::from(calls), interval)));
        Self { turns: Semaphore::new(1), running, window }
    }

    /// Admits a call that need not wait.
    fn try_admit(&self) -> Option<ToolPermit> {
        let _turn = self.turns.try_acquire().ok()?;
        let permit = match &self.running {
            Some(running) => Some(Arc::clone(running).try_acquire_owned().ok()?),
            None => None,
        };
        self.spend().is_ok().then_some(permit)
    }

    /// Waits in the queue, for concurrency, and until the window has capacity: so that no call is in the window before it
    /// starts.
    async fn admit(&self, deadline: Option<Instant>) -> Result<ToolPermit, ToolLimiterBusy> {
        // These semaphores are never closed.
        let _turn = self.turns.acquire().await.ok();
        let permit = match &self.running {
            Some(running) => Arc::clone(running).acquire_owned().await.ok(),
            None => None,
        };
        while let Err(wait) = self.spend() {
            if deadline.is_some_and(|deadline| wait > deadline.saturating_duration_since(Instant::now())) {
                return Err(ToolLimiterBusy);
            }
            tokio::time::sleep(wait).await;
        }
        Ok(permit)
    }

    /// Counts a call in the window. Fails with the wait until it has capacity.
    fn spend(&self) -> Result<(), Duration> {
        let Some(window) = &self.window else { return Ok(()) };
        let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let wait = window.wait(1, now);
        if wait > Duration::ZERO {
            return Err(wait);
        }
        window.spend(1, now);
        Ok(())
    }
}

/// A waiting call.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(limiter: &'a ToolLimiter) -> Result<Self, ToolLimiterBusy> {
        let joined = |waiting: usize| (waiting < limiter.max_waiting).then(|| waiting.saturating_add(1));
        match limiter.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, joined) {
            Ok(_) => Ok(Self(&limiter.waiting)),
            Err(_) => Err(ToolLimiterBusy),
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

//! Client-side rate limit: requests and tokens per interval, and concurrent calls. One limit holds for all agents of a
//! program, and waiting for it is cheaper than being throttled by the provider.

mod reservation;
mod window;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use self::reservation::{RateLimitedStream, Reservation};
pub(crate) use self::window::Window;
use super::{ErrorDetails, Model, ModelCapabilities, ModelError, ModelRequest, ModelStream, estimate_tokens};

/// Default of [`RateLimit::max_wait`].
const MAX_WAIT: Duration = Duration::from_secs(60);

/// A model with a client-side limit on requests per interval, tokens per interval and concurrent calls.
///
/// Clones share the limits, and so do models made by [`share_with`](Self::share_with).
///
/// Calls wait in first-in, first-out order; a call that is dropped leaves the queue. A call that has waited for
/// [`max_wait`](Self::max_wait), or would have to, fails with [`ModelError::Throttled`]. Its source is
/// [`RateLimitExceeded`], and its `retry_after` lets the agent wait and retry.
///
/// ```
/// use std::time::Duration;
/// use strands::Agent;
/// use strands::models::RateLimit;
/// # use strands::testing::ScriptedModel;
/// # let model = ScriptedModel::responding("Hello.");
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let minute = Duration::from_secs(60);
/// let model = RateLimit::new(model).requests(50, minute).tokens(40_000, minute).concurrent(8);
///
/// // One template, and one limit for all agents made from it.
/// let template = Agent::builder().model(model);
/// let mut agent = template.clone().build().await?;
/// assert_eq!(agent.prompt("Hi").await?.text(), "Hello.");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
///
/// Each model call counts as a request, including retries. A limit that is not set does not apply.
#[derive(Clone)]
#[doc(alias = "rate_limiter", alias = "throttle")]
pub struct RateLimit {
    model: Arc<dyn Model>,
    limits: Arc<Limits>,
}

/// Limits and their state, shared by clones.
struct Limits {
    /// One call at a time waits for the windows and for concurrency; the others wait for this. A semaphore is fair and
    /// removes a waiter that is dropped. `governor`, the usual crate for rate limits, is not fair, and can't correct an
    /// amount afterwards.
    queue: Semaphore,
    windows: Mutex<Windows>,
    concurrency: Option<Arc<Semaphore>>,
    settings: Settings,
}

#[derive(Clone, Copy, Debug)]
struct Settings {
    requests: Option<(u64, Duration)>,
    tokens: Option<(u64, Duration)>,
    concurrent: Option<usize>,
    max_wait: Duration,
}

#[derive(Default)]
struct Windows {
    requests: Option<Window>,
    tokens: Option<Window>,
}

impl Settings {
    fn limits(self) -> Arc<Limits> {
        let window = |(limit, interval)| Window::new(limit, interval);
        let windows = Windows { requests: self.requests.map(window), tokens: self.tokens.map(window) };
        Arc::new(Limits {
            queue: Semaphore::new(1),
            windows: Mutex::new(windows),
            concurrency: self.concurrent.map(|calls| Arc::new(Semaphore::new(calls))),
            settings: self,
        })
    }
}

/// The source of a [`ModelError::Throttled`] that comes from a [`RateLimit`], and not from the provider.
#[derive(thiserror::Error)]
#[error(
    "rate limit of {limit} exceeded after waiting {max_wait:?}; raise the limit or `max_wait` of this program's \
     `RateLimit`, or make fewer calls at once"
)]
#[non_exhaustive]
pub struct RateLimitExceeded {
    /// Description of the limit, such as `50 requests in 60s`.
    pub limit: String,
    /// Maximum wait of a call.
    pub max_wait: Duration,
}

crate::error_chain::debug_with_sources!(RateLimitExceeded);

impl RateLimit {
    /// Wraps a model. No limit is set.
    pub fn new(model: impl Model + 'static) -> Self {
        let settings = Settings { requests: None, tokens: None, concurrent: None, max_wait: MAX_WAIT };
        Self { model: Arc::new(model), limits: settings.limits() }
    }

    /// Limits the requests within any `interval`. The minimum is one request.
    #[must_use]
    pub fn requests(self, requests: u32, interval: Duration) -> Self {
        self.with(|settings| settings.requests = Some((u64::from(requests), interval)))
    }

    /// Limits the tokens within any `interval`. The minimum is one token.
    ///
    /// A request counts with its [estimate](estimate_tokens) until its response reports the usage: input that was not read
    /// from a cache, and output. A request that is larger than the limit waits until the interval has no other.
    #[must_use]
    pub fn tokens(self, tokens: u64, interval: Duration) -> Self {
        self.with(|settings| settings.tokens = Some((tokens, interval)))
    }

    /// Limits the concurrent calls. The minimum is one call. A call lasts until its response has been read or is dropped.
    #[must_use]
    pub fn concurrent(self, calls: usize) -> Self {
        self.with(|settings| settings.concurrent = Some(calls.clamp(1, Semaphore::MAX_PERMITS)))
    }

    /// Sets the maximum wait of a call. Default: 60 seconds.
    #[must_use]
    pub fn max_wait(self, wait: Duration) -> Self {
        self.with(|settings| settings.max_wait = wait)
    }

    /// Wraps another model with the same limits, for two models of one account.
    ///
    /// Set the limits first: changing one afterwards creates limits that are not shared.
    #[must_use]
    pub fn share_with(&self, model: impl Model + 'static) -> Self {
        Self { model: Arc::new(model), limits: Arc::clone(&self.limits) }
    }

    /// Changes the settings. Limits with new settings are not shared.
    fn with(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.limits.settings;
        change(&mut settings);
        Self { model: self.model, limits: settings.limits() }
    }
}

impl Limits {
    /// Waits in the queue, for concurrency, and until the windows have capacity.
    async fn admit(self: &Arc<Self>, request: &ModelRequest<'_>) -> Result<Reservation, ModelError> {
        let now = Instant::now();
        let tokens = if self.settings.tokens.is_some() { estimate_tokens(request) } else { 0 };
        // Capped at a year, since adding a longer wait may overflow the clock.
        let deadline = now + self.settings.max_wait.min(Duration::from_secs(365 * 24 * 60 * 60));
        // These semaphores are never closed.
        let turn = timeout_at(deadline, self.queue.acquire()).await.map_err(|_| self.exceeded(tokens))?.ok();
        let permit = match &self.concurrency {
            Some(concurrency) => {
                let permit = timeout_at(deadline, Arc::clone(concurrency).acquire_owned()).await;
                permit.map_err(|_| self.exceeded(tokens))?.ok()
            }
            None => None,
        };
        loop {
            let now = Instant::now();
            match self.reserve(tokens, now) {
                Ok(()) => {
                    drop(turn);
                    return Ok(Reservation {
                        _permit: permit,
                        limits: Arc::clone(self),
                        reserved: tokens,
                        at: now,
                        cost: None,
                    });
                }
                Err(wait) if wait > deadline.saturating_duration_since(now) => return Err(self.exceeded(tokens)),
                Err(wait) => tokio::time::sleep(wait).await,
            }
        }
    }

    /// Counts a request in the windows. Fails with the wait until they have capacity.
    fn reserve(&self, tokens: u64, now: Instant) -> Result<(), Duration> {
        let mut windows = self.windows();
        let wait = windows.waits(tokens, now).longest();
        if wait > Duration::ZERO {
            return Err(wait);
        }
        if let Some(requests) = &mut windows.requests {
            requests.spend(1, now);
        }
        if let Some(window) = &mut windows.tokens {
            window.spend(tokens, now);
        }
        Ok(())
    }

    fn exceeded(&self, tokens: u64) -> ModelError {
        let Settings { requests, tokens: most, concurrent, max_wait } = self.settings;
        let waits = self.windows().waits(tokens, Instant::now());
        let wait = waits.longest();
        let limit = match (requests, most, concurrent) {
            (Some((requests, interval)), ..) if wait > Duration::ZERO && waits.requests == wait => {
                format!("{requests} requests in {interval:?}")
            }
            (_, Some((tokens, interval)), _) if wait > Duration::ZERO => format!("{tokens} tokens in {interval:?}"),
            (_, _, Some(calls)) => format!("{calls} concurrent calls"),
            _ => "one call at a time".to_owned(),
        };
        let exceeded = RateLimitExceeded { limit, max_wait };
        let details = ErrorDetails::new().with_code("rate limit of this program").with_source(exceeded);
        // The end of a concurrent call can't be predicted; the agent's own backoff applies then.
        let retry_after = Some(wait).filter(|wait| *wait > Duration::ZERO);
        ModelError::Throttled { retry_after, details: details.boxed() }
    }

    fn windows(&self) -> MutexGuard<'_, Windows> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wait until each window has capacity.
struct Waits {
    requests: Duration,
    tokens: Duration,
}

impl Waits {
    fn longest(&self) -> Duration {
        self.requests.max(self.tokens)
    }
}

impl Windows {
    fn waits(&mut self, tokens: u64, now: Instant) -> Waits {
        let wait = |window: &mut Option<Window>, amount| {
            window.as_mut().map_or(Duration::ZERO, |window| window.wait(amount, now))
        };
        Waits { requests: wait(&mut self.requests, 1), tokens: wait(&mut self.tokens, tokens) }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Model for RateLimit {
    fn model_id(&self) -> &str {
        self.model.model_id()
    }

    fn context_window(&self) -> Option<u64> {
        self.model.context_window()
    }

    fn capabilities(&self) -> ModelCapabilities {
        self.model.capabilities()
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        let reservation = self.limits.admit(&request).await?;
        let events = self.model.stream(request).await?;
        Ok(Box::pin(RateLimitedStream::new(events, reservation)))
    }

    async fn count_tokens(&self, request: ModelRequest<'_>) -> Result<u64, ModelError> {
        self.model.count_tokens(request).await
    }
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { requests, tokens, concurrent, max_wait } = &self.limits.settings;
        f.debug_struct("RateLimit")
            .field("model", &self.model.model_id())
            .field("requests", requests)
            .field("tokens", tokens)
            .field("concurrent", concurrent)
            .field("max_wait", max_wait)
            .finish()
    }
}

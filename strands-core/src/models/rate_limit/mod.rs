//! A model that is asked no more often than its provider, or its user, allows. Waiting here costs less than being refused
//! there, and one limit holds for all agents of a program.

mod place;
mod window;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use self::place::{Held, Place};
use self::window::Window;
use super::{ErrorDetails, Model, ModelCapabilities, ModelError, ModelRequest, ModelStream, estimate_tokens};

/// How long a call waits for its turn by default.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// A model with limits: so many requests, and so many tokens, within any interval, and so many calls at once. Clones share
/// the limits, and so do other models made by [`share_with`](Self::share_with).
///
/// Calls wait for their turn in the order in which they came. A call that is dropped gives its place up; one that has
/// waited for [`max_wait`](Self::max_wait), or would have to wait longer, fails with [`ModelError::Throttled`], with
/// [`RateLimitExceeded`] beneath and a `retry_after`, so that the loop announces a wait and asks again.
///
/// ```
/// use std::time::Duration;
/// use strands::Agent;
/// use strands::models::RateLimit;
/// # use strands::testing::ScriptedModel;
/// # let model = ScriptedModel::answering("Hello.");
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
/// Each model call of the loop is a request, retries included. Nothing is limited that is not set.
#[derive(Clone)]
#[doc(alias = "rate_limiter", alias = "throttle")]
pub struct RateLimit {
    model: Arc<dyn Model>,
    limits: Arc<Limits>,
}

/// What clones share.
struct Limits {
    /// One call at a time waits for the windows and for a place; the others wait for this. A semaphore is first come,
    /// first served, and frees the place of whoever stops waiting, so that it needs no crate of its own: the usual one
    /// for rates has no order among those who wait, and no tokens that are known only afterwards.
    turn: Semaphore,
    windows: Mutex<Windows>,
    places: Option<Arc<Semaphore>>,
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
            turn: Semaphore::new(1),
            windows: Mutex::new(windows),
            places: self.concurrent.map(|places| Arc::new(Semaphore::new(places))),
            settings: self,
        })
    }
}

/// The program's own limit, and not the provider, made a call wait for too long. It is the source of the
/// [`ModelError::Throttled`] of a [`RateLimit`].
#[derive(thiserror::Error)]
#[error(
    "a model call found no room in the limit of {limit} of this program's `RateLimit` within its `max_wait` of \
     {max_wait:?}; raise the limit or `max_wait`, or ask less at once"
)]
#[non_exhaustive]
pub struct RateLimitExceeded {
    /// Which limit, in words.
    pub limit: String,
    /// How long a call waits at most.
    pub max_wait: Duration,
}

crate::error_chain::debug_with_sources!(RateLimitExceeded);

impl RateLimit {
    /// A model without limits yet.
    pub fn new(model: impl Model + 'static) -> Self {
        let settings = Settings { requests: None, tokens: None, concurrent: None, max_wait: MAX_WAIT };
        Self { model: Arc::new(model), limits: settings.limits() }
    }

    /// At most so many requests within any `interval`; at least one.
    #[must_use]
    pub fn requests(self, requests: u32, interval: Duration) -> Self {
        self.with(|settings| settings.requests = Some((u64::from(requests), interval)))
    }

    /// At most so many tokens within any `interval`; at least one.
    ///
    /// A request counts as [`estimate_tokens`] says until its answer reports what it cost: input that was not read from a
    /// cache, and output. A request that is larger than the limit waits until it is the only one.
    #[must_use]
    pub fn tokens(self, tokens: u64, interval: Duration) -> Self {
        self.with(|settings| settings.tokens = Some((tokens, interval)))
    }

    /// At most so many calls at once; at least one. A call lasts until its answer has been read or is dropped.
    #[must_use]
    pub fn concurrent(self, calls: usize) -> Self {
        self.with(|settings| settings.concurrent = Some(calls.clamp(1, Semaphore::MAX_PERMITS)))
    }

    /// How long a call waits for its turn. Default: a minute.
    #[must_use]
    pub fn max_wait(self, wait: Duration) -> Self {
        self.with(|settings| settings.max_wait = wait)
    }

    /// Another model under the same limits: two models of one account. Set the limits first: changing one afterwards
    /// makes limits of their own.
    #[must_use]
    pub fn share_with(&self, model: impl Model + 'static) -> Self {
        Self { model: Arc::new(model), limits: Arc::clone(&self.limits) }
    }

    /// Settings are made before the first call; from then on they are shared.
    fn with(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.limits.settings;
        change(&mut settings);
        Self { model: self.model, limits: settings.limits() }
    }
}

impl Limits {
    /// Waits for a turn, for a place among the concurrent calls, and until the windows have room.
    async fn enter(self: &Arc<Self>, request: &ModelRequest<'_>) -> Result<Place, ModelError> {
        let now = Instant::now();
        let tokens = if self.settings.tokens.is_some() { estimate_tokens(request) } else { 0 };
        // No program runs for a year; a wait that is longer than any clock can hold is one.
        let deadline = now + self.settings.max_wait.min(Duration::from_secs(365 * 24 * 60 * 60));
        // These semaphores are never closed.
        let turn = timeout_at(deadline, self.turn.acquire()).await.map_err(|_| self.exceeded(tokens))?.ok();
        let permit = match &self.places {
            Some(places) => {
                let permit = timeout_at(deadline, Arc::clone(places).acquire_owned()).await;
                permit.map_err(|_| self.exceeded(tokens))?.ok()
            }
            None => None,
        };
        loop {
            let now = Instant::now();
            match self.book(tokens, now) {
                Ok(()) => {
                    drop(turn);
                    return Ok(Place {
                        _permit: permit,
                        limits: Arc::clone(self),
                        booked: tokens,
                        at: now,
                        cost: None,
                    });
                }
                Err(wait) if wait > deadline.saturating_duration_since(now) => return Err(self.exceeded(tokens)),
                Err(wait) => tokio::time::sleep(wait).await,
            }
        }
    }

    /// Counts a request in the windows, or says how long until they have room.
    fn book(&self, tokens: u64, now: Instant) -> Result<(), Duration> {
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
        // Nobody knows when a call ends; the loop's own backoff decides then.
        let retry_after = Some(wait).filter(|wait| *wait > Duration::ZERO);
        ModelError::Throttled { retry_after, details: details.boxed() }
    }

    fn windows(&self) -> MutexGuard<'_, Windows> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long until each window has room.
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
        let place = self.limits.enter(&request).await?;
        let events = self.model.stream(request).await?;
        Ok(Box::pin(Held::new(events, place)))
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

//! Cache of an issuer's keys: when they are fetched, by how many callers, and how long they are used.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use strands_core::ErrorChain;
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::algorithm::JwtAlgorithm;
use super::fetch::KeyFetcher;
use super::jwk::Jwk;
use super::key_set::KeySet;
use super::reason::JwtReason;

/// Time between two fetches because of unknown key ids, and between two attempts while the provider is down.
const REFRESH_INTERVAL: Duration = Duration::from_secs(60);
/// Time between two attempts while there are no keys at all.
const FIRST_INTERVAL: Duration = Duration::from_secs(5);

/// Ages of fetched keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyAges {
    /// Age at which keys are fetched again.
    pub(super) refresh: Duration,
    /// Age at which keys that can't be fetched again are not used any more.
    pub(super) max: Duration,
}

/// Keys of an issuer, fetched when they are needed.
///
/// All callers share one fetch. It is a task of its own, so that a caller that is cancelled neither stops it for the others nor
/// makes the next one start it again.
pub(super) struct KeyCache {
    shared: Arc<SharedKeys>,
}

struct SharedKeys {
    fetcher: KeyFetcher,
    ages: KeyAges,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    keys: Option<FetchedKeys>,
    /// Start of the latest fetch.
    attempted: Option<Instant>,
    /// Start of the latest fetch because of an unknown key id.
    refreshed_for_unknown: Option<Instant>,
    /// The latest fetch failed.
    failing: bool,
    fetch: Option<Fetch>,
}

struct FetchedKeys {
    set: Arc<KeySet>,
    at: Instant,
}

type Fetch = Shared<BoxFuture<'static, ()>>;

enum Step {
    Done(Result<Arc<Jwk>, JwtReason>),
    Wait(Fetch),
}

impl KeyCache {
    pub(super) fn new(fetcher: KeyFetcher, ages: KeyAges) -> Self {
        Self { shared: Arc::new(SharedKeys { fetcher, ages, state: Mutex::default() }) }
    }

    /// Returns the key of a token.
    pub(super) async fn find(&self, id: Option<&str>, algorithm: JwtAlgorithm) -> Result<Arc<Jwk>, JwtReason> {
        match self.shared.step(id, algorithm, false) {
            Step::Done(found) => found,
            Step::Wait(fetch) => {
                fetch.await;
                match self.shared.step(id, algorithm, true) {
                    Step::Done(found) => found,
                    Step::Wait(_) => Err(JwtReason::KeysUnavailable),
                }
            }
        }
    }

    /// Fetches the keys, unless they are fetched already and new enough.
    pub(super) async fn load(&self) -> Result<(), JwtReason> {
        // A search fetches keys, whatever it finds.
        match self.find(None, JwtAlgorithm::Hs256).await {
            Err(JwtReason::KeysUnavailable) => Err(JwtReason::KeysUnavailable),
            _ => Ok(()),
        }
    }
}

impl SharedKeys {
    /// Looks for a key, or returns the fetch to wait for. `waited` is true after a fetch.
    fn step(self: &Arc<Self>, id: Option<&str>, algorithm: JwtAlgorithm, waited: bool) -> Step {
        let now = Instant::now();
        let mut state = self.lock();
        state.forget_aborted_fetch();
        let Some((set, age)) = state.keys.as_ref().map(|keys| (Arc::clone(&keys.set), now - keys.at)) else {
            return self.wait_or(&mut state, waited, FIRST_INTERVAL, now, || Err(JwtReason::KeysUnavailable));
        };
        if age >= self.ages.max {
            return self.wait_or(&mut state, waited, FIRST_INTERVAL, now, || Err(JwtReason::KeysUnavailable));
        }
        if age >= self.ages.refresh {
            if !state.failing && !waited {
                return self.wait_or(&mut state, waited, Duration::ZERO, now, || set.find(id, algorithm));
            }
            // The provider is down. Callers don't wait for each of its timeouts.
            self.start_after(&mut state, REFRESH_INTERVAL, now);
        }
        match set.find(id, algorithm) {
            Err(JwtReason::UnknownKey) if !waited => {
                if state.fetch.is_none() && !is_over(state.refreshed_for_unknown, REFRESH_INTERVAL, now) {
                    return Step::Done(Err(JwtReason::UnknownKey));
                }
                if state.fetch.is_none() {
                    state.refreshed_for_unknown = Some(now);
                }
                self.wait_or(&mut state, waited, Duration::ZERO, now, || Err(JwtReason::UnknownKey))
            }
            found => Step::Done(found),
        }
    }

    /// Waits for the running fetch, or a new one if the latest is long enough ago. Otherwise, and after a fetch, the result is
    /// `otherwise`.
    fn wait_or(
        self: &Arc<Self>,
        state: &mut State,
        waited: bool,
        interval: Duration,
        now: Instant,
        otherwise: impl FnOnce() -> Result<Arc<Jwk>, JwtReason>,
    ) -> Step {
        if !waited {
            self.start_after(state, interval, now);
            if let Some(fetch) = &state.fetch {
                return Step::Wait(fetch.clone());
            }
        }
        Step::Done(otherwise())
    }

    /// Starts a fetch, unless one is running or was started within the interval.
    fn start_after(self: &Arc<Self>, state: &mut State, interval: Duration, now: Instant) {
        if state.fetch.is_some() || !is_over(state.attempted, interval, now) {
            return;
        }
        // Without a runtime there is no fetch, and no keys.
        let Ok(runtime) = Handle::try_current() else { return };
        state.attempted = Some(now);
        let shared = Arc::clone(self);
        let task = runtime.spawn(async move {
            let fetched = shared.fetcher.fetch().await;
            shared.finish(fetched);
        });
        state.fetch = Some(task.map(|_| ()).boxed().shared());
    }

    fn finish(&self, fetched: Result<KeySet, super::fetch::FetchError>) {
        let keys = fetched.map(|set| FetchedKeys { set: Arc::new(set), at: Instant::now() });
        match &keys {
            Ok(keys) => {
                for key in keys.set.unusable() {
                    let (index, reason) = (key.index, key.reason);
                    tracing::debug!(target: "strands::identity", index, reason, "a key of the issuer can't be used");
                }
            }
            Err(error) => {
                tracing::warn!(target: "strands::identity", error = %ErrorChain::new(error), "the issuer's keys can't be fetched");
            }
        }
        let mut state = self.lock();
        state.fetch = None;
        state.failing = keys.is_err();
        if let Ok(keys) = keys {
            state.keys = Some(keys);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Forgets a fetch whose task was aborted with its runtime.
    fn forget_aborted_fetch(&mut self) {
        if self.fetch.as_ref().is_some_and(|fetch| fetch.peek().is_some()) {
            self.fetch = None;
            self.failing = true;
        }
    }
}

fn is_over(since: Option<Instant>, interval: Duration, now: Instant) -> bool {
    since.is_none_or(|since| now - since >= interval)
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyCache")
            .field("fetcher", &self.shared.fetcher)
            .field("ages", &self.shared.ages)
            .finish_non_exhaustive()
    }
}

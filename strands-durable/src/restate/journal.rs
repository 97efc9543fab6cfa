//! Journal over the context of a Restate handler. One engine step at a time: a step is one `run` of the SDK.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use restate_sdk::context::{DurableFuturesUnordered, RunFuture as _};
use restate_sdk::endpoint::ContextInternal;
use restate_sdk::errors::{HandlerResult, TerminalError};
use restate_sdk::serde::Json;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strands_core::bytes::Bytes;
use strands_core::{BoxFuture, CancellationToken, Journal, JournalError, JournalStep};

use crate::{FailureKind, TurnFailure};

/// Status code and text with which the SDK reports a cancellation in place of a result.
const CANCELLED: (u16, &str) = (409, "cancelled");

/// Time that an effect gets to end after it was stopped, since it took too long.
const GRACE: Duration = Duration::from_secs(5);

/// Maximum size of a record in bytes. The server accepts messages of up to 32 MiB by default, and would repeat a step with a larger
/// record for ever.
const MAX_RECORD: usize = 30 << 20;

/// Record of a step.
#[derive(Serialize, Deserialize)]
struct Record {
    /// Duration of the effect, in microseconds.
    took: u64,
    /// True if the effect was stopped, since it took too long.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    timed_out: bool,
    value: Value,
}

/// Journal of one attempt of a turn.
///
/// Its clock is the sum of the recorded durations: the same in each replay, and without the time between attempts and that of
/// humans.
pub(super) struct RestateJournal<'c> {
    ctx: &'c ContextInternal,
    random: Mutex<fastrand::Rng>,
    step_timeout: Duration,
    /// Cancels the agent's invocation.
    token: CancellationToken,
    /// Microseconds of all steps so far.
    clock: AtomicU64,
    effect_began: Mutex<Option<Instant>>,
    is_live: AtomicBool,
    /// True once the engine has reported a cancellation. In contrast to that of the token, its moment is recorded.
    is_cancelled: AtomicBool,
    failure: Mutex<Option<TurnFailure>>,
}

impl<'c> RestateJournal<'c> {
    pub(super) fn new(
        ctx: &'c ContextInternal,
        random_seed: u64,
        step_timeout: Duration,
        token: CancellationToken,
    ) -> Self {
        Self {
            ctx,
            random: Mutex::new(fastrand::Rng::with_seed(random_seed)),
            step_timeout,
            token,
            clock: AtomicU64::new(0),
            effect_began: Mutex::new(None),
            is_live: AtomicBool::new(false),
            is_cancelled: AtomicBool::new(false),
            failure: Mutex::new(None),
        }
    }

    /// Returns true once a step was performed in this attempt, instead of read from its record.
    pub(super) fn is_live(&self) -> bool {
        self.is_live.load(Ordering::Relaxed)
    }

    /// Returns true once the engine has reported a cancellation.
    pub(super) fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }

    /// Stops the agent's invocation after a cancellation by the engine.
    fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
        self.token.cancel();
    }

    /// Returns the failure of the engine that ended the invocation, or that the turn reports in place of its response.
    pub(super) fn failure(&self) -> Option<TurnFailure> {
        lock(&self.failure).clone()
    }

    /// Waits for a result of the engine, and repeats the operation if a cancellation took the place of its result.
    pub(super) async fn uncancelled<T, F>(&self, mut operation: impl FnMut() -> F) -> Result<T, TerminalError>
    where
        F: Future<Output = Result<T, TerminalError>>,
    {
        loop {
            match operation().await {
                Err(error) if is_cancellation(&error) => self.cancel(),
                result => return result,
            }
        }
    }

    /// Waits for the next of named signals, and returns the index of its name. Returns `None` if the turn was cancelled meanwhile.
    pub(super) async fn signal(&self, names: &[&str]) -> Result<Option<(usize, Value)>, TerminalError> {
        let mut signals: DurableFuturesUnordered<_> =
            names.iter().map(|name| self.ctx.signal::<Json<Value>>(name)).collect();
        match signals.next().await {
            Ok(Some((index, Ok(Json(value))))) => Ok(Some((index, value))),
            Ok(None) => Ok(None),
            Ok(Some((_, Err(error)))) | Err(error) if is_cancellation(&error) => {
                self.cancel();
                Ok(None)
            }
            Ok(Some((_, Err(error)))) | Err(error) => Err(error),
        }
    }

    /// Performs an effect and records its value, or returns the recorded value.
    ///
    /// A cancellation takes the place of the step's result in the engine, although the effect was performed. It stops the
    /// agent's invocation, and the value is recorded by a second step.
    pub(super) async fn recorded<'e>(&self, name: &str, effect: BoxFuture<'e, Value>) -> Result<Value, JournalError> {
        let mut pending = Pending { effect, record: None };
        let mut cancellations = 0_u32;
        let record = loop {
            let pending = &mut pending;
            let step = match cancellations {
                0 => name.to_owned(),
                number => format!("{name}/cancelled/{number}"),
            };
            match self.ctx.run(move || async move { self.perform(pending).await }).name(step).await {
                Ok(record) => break record,
                Err(error) if is_cancellation(&error) => {
                    self.cancel();
                    cancellations = cancellations.saturating_add(1);
                }
                Err(error) => return Err(self.failed(name, &error)),
            }
        };
        let record =
            serde_json::from_slice(&record).map_err(|_| JournalError::new(name, "its record is unreadable"))?;
        let Record { took, timed_out, value } = record;
        self.clock.fetch_add(took, Ordering::Relaxed);
        if timed_out {
            self.token.cancel();
            let failure = self.too_long(name);
            lock(&self.failure).get_or_insert(failure);
        }
        Ok(value)
    }

    async fn perform(&self, pending: &mut Pending<'_>) -> HandlerResult<Bytes> {
        self.is_live.store(true, Ordering::Relaxed);
        let record = match &pending.record {
            Some(record) => record.clone(),
            None => {
                let record = self.within_limits(pending.effect.as_mut()).await;
                pending.record.insert(record).clone()
            }
        };
        Ok(record?)
    }

    /// Performs an effect. The engine would repeat one that takes longer than its timeouts for ever, so it is stopped before.
    async fn within_limits(
        &self,
        mut effect: Pin<&mut (dyn Future<Output = Value> + Send + '_)>,
    ) -> Result<Bytes, TerminalError> {
        let began = Instant::now();
        *lock(&self.effect_began) = Some(began);
        let (ended, timed_out) = match tokio::time::timeout(self.step_timeout, effect.as_mut()).await {
            Ok(value) => (Ok(value), false),
            Err(_) => {
                self.token.cancel();
                (tokio::time::timeout(GRACE, effect).await, true)
            }
        };
        *lock(&self.effect_began) = None;
        let value = ended.map_err(|_| TerminalError::new_with_code(504, "the step took too long"))?;
        let record = Record { took: micros(began.elapsed()), timed_out, value };
        match serde_json::to_vec(&record) {
            Ok(record) if record.len() <= MAX_RECORD => Ok(record.into()),
            Ok(_) => Err(TerminalError::new_with_code(413, "the record is too large")),
            Err(_) => Err(TerminalError::new("the record is no JSON")),
        }
    }

    /// Keeps the failure that the engine has recorded in place of a value.
    fn failed(&self, name: &str, error: &TerminalError) -> JournalError {
        let failure = match error.code() {
            504 => self.too_long(name),
            413 => {
                let limit = MAX_RECORD >> 20;
                TurnFailure::new(
                    FailureKind::TooLarge,
                    format!("the record of step `{name}` has more than {limit} MiB"),
                )
            }
            code => TurnFailure::new(FailureKind::Agent, format!("step `{name}` failed with status {code}")),
        };
        *lock(&self.failure) = Some(failure.clone());
        JournalError::new(name, failure)
    }

    fn too_long(&self, name: &str) -> TurnFailure {
        let limit = self.step_timeout.as_secs_f64();
        TurnFailure::new(FailureKind::Timeout, format!("step `{name}` took longer than the step timeout of {limit} s"))
    }
}

/// An effect, and its record once it was performed.
struct Pending<'e> {
    effect: BoxFuture<'e, Value>,
    record: Option<Result<Bytes, TerminalError>>,
}

impl Journal for RestateJournal<'_> {
    fn step<'a>(
        &'a self,
        step: JournalStep<'a>,
        effect: BoxFuture<'a, Value>,
    ) -> BoxFuture<'a, Result<Value, JournalError>> {
        Box::pin(self.recorded(step.name, effect))
    }

    fn sleep<'a>(&'a self, name: &'a str, time: Duration) -> BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(async move {
            match self.ctx.sleep(time).await {
                Ok(()) => self.clock.fetch_add(micros(time), Ordering::Relaxed),
                Err(error) if is_cancellation(&error) => {
                    // The next effect stops at once.
                    self.cancel();
                    return Ok(());
                }
                Err(error) => return Err(self.failed(name, &error)),
            };
            Ok(())
        })
    }

    fn random(&self) -> u64 {
        lock(&self.random).u64(..)
    }

    fn now(&self) -> Duration {
        let effect = lock(&self.effect_began).map_or(Duration::ZERO, |began| began.elapsed());
        Duration::from_micros(self.clock.load(Ordering::Relaxed)) + effect
    }
}

fn is_cancellation(error: &TerminalError) -> bool {
    (error.code(), error.message()) == CANCELLED
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

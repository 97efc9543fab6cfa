//! [`LambdaJournal`]: the effects of an agent as steps of a durable execution.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_durable_execution_sdk::{BoxError, DurableContext, OperationError, RetryDecision};
use futures_util::future::join;
use serde_json::Value;
use strands_core::{BoxFuture, Journal, JournalError, JournalStep};
use tokio::sync::oneshot;

use super::record::{self, Entry, Parts, RecordTooLarge, Text};

/// Journal of one durable execution: each step of an agent is a step of the execution.
///
/// [`DurableAgent`](super::DurableAgent) uses it. Use it directly in a handler of your own that does other durable work as
/// well. All prompts of a handler share one journal.
///
/// - A record larger than the 256 KB of a checkpoint is split into several steps. One larger than 4 MB is
///   [`RecordTooLarge`].
/// - Waits are timers of the execution, which cost nothing. They are rounded up to whole seconds.
/// - The clock is that of the recorded steps, so that durations and time limits are the same in a replay. It includes the
///   time between the invocations of the function.
///
/// Await the agent in the task of the handler, as all operations of an execution.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use strands::AgentBuilder;
/// use strands::durable::lambda::{LambdaJournal, sdk};
///
/// async fn handler(
///     template: AgentBuilder,
///     city: String,
///     context: sdk::DurableContext,
/// ) -> Result<String, sdk::BoxError> {
///     let journal = LambdaJournal::start(context.clone()).await?;
///     let mut agent = template.build().await?;
///     agent.prompt(format!("Plan a day in {city}.")).journal(&journal).await?;
///     context.wait(Duration::from_secs(3600)).name("an hour later").await?;
///     journal.record_time("after the hour").await?;
///     let response = agent.prompt("Which part is best?").journal(&journal).await?;
///     Ok(response.text())
/// }
/// ```
pub struct LambdaJournal {
    context: DurableContext,
    random: Mutex<fastrand::Rng>,
    /// Time of the newest record, in milliseconds since 1970.
    now: AtomicU64,
}

impl LambdaJournal {
    /// Creates the journal of an execution, and records its start: the time, and the seed of the random numbers.
    ///
    /// # Errors
    ///
    /// Returns [`JournalError`] if the start can't be recorded.
    pub async fn start(context: DurableContext) -> Result<Self, JournalError> {
        let journal = Self { context, random: Mutex::new(fastrand::Rng::with_seed(0)), now: AtomicU64::new(0) };
        let seed = Box::pin(async { Value::from(fastrand::u64(..)) });
        let seed = journal.step(JournalStep::new("start"), seed).await?;
        let seed = seed.as_u64().ok_or_else(|| JournalError::new("start", "the record is not a number"))?;
        Ok(Self { random: Mutex::new(fastrand::Rng::with_seed(seed)), ..journal })
    }

    /// Records the present time. Call it after a wait of unknown length that is not the journal's own, such as one for a
    /// callback: otherwise the wait counts as part of the next model call, and in the time limit of the next prompt.
    ///
    /// # Errors
    ///
    /// Returns [`JournalError`] if the time can't be recorded.
    pub async fn record_time(&self, name: &str) -> Result<(), JournalError> {
        self.step(JournalStep::new(name), Box::pin(async { Value::Null })).await.map(drop)
    }

    /// Executes an effect unless its value is recorded.
    async fn value(&self, name: &str, effect: BoxFuture<'_, Value>) -> Result<Value, BoxError> {
        let mut effect = Some(effect);
        let mut unrecorded = VecDeque::new();
        let mut parts = Parts::default();
        let mut number = 1_u32;
        loop {
            let next = async {
                if let Some(effect) = effect.take() {
                    unrecorded = record::entries(&effect.await, milliseconds())?;
                }
                Ok(unrecorded.pop_front().unwrap_or_default())
            };
            let step = if number == 1 { name.to_owned() } else { format!("{name}/part/{number}") };
            let entry = Entry::read(&self.recorded(step, next).await?)?;
            self.now.fetch_max(entry.at(), Ordering::Relaxed);
            if let Some(value) = parts.add(entry)? {
                return Ok(value);
            }
            number = number.saturating_add(1);
        }
    }

    /// Executes an effect in a step of the execution, or returns the recorded text.
    async fn recorded(
        &self,
        name: String,
        effect: impl Future<Output = Result<String, RecordTooLarge>> + Send,
    ) -> Result<String, OperationError> {
        let (start, started) = oneshot::channel::<()>();
        let (send, result) = oneshot::channel::<Result<String, RecordTooLarge>>();
        // The closure of a step is `'static`, and the effect borrows the loop. So the effect is polled beside the step.
        let body = move |_| async move {
            let _ = start.send(());
            Ok(result.await??)
        };
        // An effect has its own retries, with recorded delays.
        let step = self.context.step(body).name(name).retry_strategy(|_, _| RetryDecision::Stop).serdes(Text).future();
        let effect = async {
            // A recorded step drops its closure.
            if started.await.is_ok() {
                let _ = send.send(effect.await);
            }
        };
        join(step, effect).await.0
    }
}

impl Journal for LambdaJournal {
    fn step<'a>(
        &'a self,
        step: JournalStep<'a>,
        effect: BoxFuture<'a, Value>,
    ) -> BoxFuture<'a, Result<Value, JournalError>> {
        Box::pin(
            async move { self.value(step.name, effect).await.map_err(|error| JournalError::new(step.name, error)) },
        )
    }

    fn sleep<'a>(&'a self, name: &'a str, time: Duration) -> BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(async move {
            if time.is_zero() {
                return Ok(());
            }
            let time = whole_seconds(time);
            self.context.wait(time).name(name).await.map_err(|error| JournalError::new(name, error))?;
            self.now.fetch_add(u64::try_from(time.as_millis()).unwrap_or_default(), Ordering::Relaxed);
            Ok(())
        })
    }

    fn random(&self) -> u64 {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).u64(..)
    }

    fn is_replaying(&self) -> Option<bool> {
        Some(self.context.is_replaying())
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.now.load(Ordering::Relaxed))
    }
}

impl fmt::Debug for LambdaJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let execution = self.context.execution_arn();
        f.debug_struct("LambdaJournal").field("execution", &execution).finish_non_exhaustive()
    }
}

fn whole_seconds(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0)))
}

fn milliseconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

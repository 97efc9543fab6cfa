//! Durable execution: the interface through which an engine records the effects of an invocation and replays them.

mod error;
mod recorder;
mod step;

use std::time::Duration;

use futures_core::future::BoxFuture;
use serde_json::Value;

pub use error::JournalError;
pub(crate) use recorder::Recorder;
pub use step::JournalStep;

/// Journal of a durable engine, such as Restate, Lambda durable functions or DBOS. It records the effects of an invocation,
/// so that the invocation survives the process. Pass one to [`Invocation::journal`](crate::Invocation::journal); without
/// one, nothing is recorded, at no cost.
///
/// After a crash the engine runs the same handler again. The invocation then requests the same steps in the same order,
/// gets the recorded values, and continues from there: recorded model calls and tool calls are never repeated. An effect
/// whose result was not recorded is executed again (at least once); the
/// [`idempotency_key`](crate::ToolContext::idempotency_key) of a tool call is the same each time. The tool of an approved call, and of
/// others that waited with it, is not called again once its start was recorded, unless it is declared idempotent.
///
/// Recorded are model calls, tool calls, what hooks decide ([`HookReplay`](crate::hook::HookReplay)), model calls of conversation
/// managers, and each change of hooks and tools to the agent's state.
///
/// # Contract
///
/// - [`step`](Self::step) polls `effect` only within its own `poll`, and only if the step is not recorded yet. It returns the
///   recorded value.
/// - Steps are requested one at a time, in the same order in every replay. A value of another step ends the invocation with an
///   error that has a [`recorded_step`](JournalError::recorded_step).
/// - [`random`](Self::random) returns the same numbers in the same order in every replay.
/// - Cancellation takes effect within an effect, so that it is recorded. Between effects, cancellation is up to the engine.
/// - To suspend the handler, the engine drops the invocation, or `step` returns an error, which ends the invocation with
///   [`AgentError::Journal`](crate::AgentError::Journal).
///
/// [`RecordedJournal`](crate::testing::RecordedJournal) is a journal in memory that checks an agent: it ends an attempt after
/// any entry, and names the first step that differs in the replay.
///
/// # Examples
///
/// A journal that records in memory:
///
/// ```
/// use std::sync::Mutex;
/// use std::time::Duration;
/// use strands::{Agent, BoxFuture, Journal, JournalError, JournalStep, testing::ScriptedModel};
/// use strands::serde_json::Value;
///
/// #[derive(Default)]
/// struct Recorded(Mutex<Vec<(String, Value)>>);
///
/// impl Journal for Recorded {
///     fn step<'a>(
///         &'a self,
///         step: JournalStep<'a>,
///         effect: BoxFuture<'a, Value>,
///     ) -> BoxFuture<'a, Result<Value, JournalError>> {
///         Box::pin(async move {
///             let recorded = self.0.lock().unwrap().iter().find(|(name, _)| name == step.name).cloned();
///             if let Some((_, value)) = recorded {
///                 return Ok(value);
///             }
///             let value = effect.await;
///             self.0.lock().unwrap().push((step.name.to_owned(), value.clone()));
///             Ok(value)
///         })
///     }
///
///     fn sleep<'a>(&'a self, _: &'a str, time: Duration) -> BoxFuture<'a, Result<(), JournalError>> {
///         Box::pin(async move { Ok(tokio::time::sleep(time).await) })
///     }
///
///     fn random(&self) -> u64 {
///         4
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let journal = Recorded::default();
/// let template = Agent::builder().model(ScriptedModel::responding("Oslo is sunny."));
/// for _ in 0..2 {
///     let mut agent = template.clone().build().await?;
///     assert_eq!(agent.prompt("How is the weather?").journal(&journal).await?.text(), "Oslo is sunny.");
/// }
/// assert_eq!(journal.0.lock().unwrap().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub trait Journal: Send + Sync {
    /// Executes an effect and records its value, or returns the recorded value.
    ///
    /// # Errors
    ///
    /// Returns [`JournalError`] if the engine can't record the step, or has recorded its failure.
    fn step<'a>(
        &'a self,
        step: JournalStep<'a>,
        effect: BoxFuture<'a, Value>,
    ) -> BoxFuture<'a, Result<Value, JournalError>>;

    /// Waits, durably if the engine supports it. A completed wait is not repeated in a replay.
    ///
    /// # Errors
    ///
    /// Returns [`JournalError`] if the engine can't record the wait.
    fn sleep<'a>(&'a self, name: &'a str, time: Duration) -> BoxFuture<'a, Result<(), JournalError>>;

    /// Returns a random number, for ids and for jitter: the same sequence in every replay.
    fn random(&self) -> u64;

    /// Returns true if the journal has a recorded value for the next step, so that an earlier attempt got this far.
    /// Default: `None`, for a journal that can't tell. Then an event counts as replayed if the step before it was.
    fn is_replaying(&self) -> Option<bool> {
        None
    }

    /// Returns the time since a fixed moment of the journal's choice. Durations and time limits are measured with it; limits
    /// are checked before each model call and before the tools of each turn. Default: the time of the Tokio runtime.
    ///
    /// Each step records the time of the invocation at its end, and a replayed step sets the time to at least that. So a time
    /// limit counts the time of all attempts, without that between them.
    fn now(&self) -> Duration {
        clock()
    }
}

/// Returns the time since the first call, by the clock of the Tokio runtime.
pub(crate) fn clock() -> Duration {
    static EPOCH: std::sync::LazyLock<tokio::time::Instant> = std::sync::LazyLock::new(tokio::time::Instant::now);
    tokio::time::Instant::now().saturating_duration_since(*EPOCH)
}

//! The seam for durable execution: what an engine records of an invocation, so that a replay gets the same.

use std::fmt;
use std::time::Duration;

use futures_core::future::BoxFuture;
use serde_json::Value;

use crate::error_chain::ErrorChain;

/// One effect of an invocation: a model call or a tool call.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct JournalStep<'a> {
    /// The name of the step: `model/<call>/<attempt>` or `tools/<turn>/<n>`, counted from 1; or, if structured output is asked
    /// for, `capabilities/<calls>/<tools>`, counted from 0. It is the same in every replay, and unique in an invocation with all that resume it. A journal that is keyed by name, and serves several prompts,
    /// has to add the number of the prompt.
    pub name: &'a str,
}

impl<'a> JournalStep<'a> {
    /// Creates a step with a name.
    pub fn new(name: &'a str) -> Self {
        Self { name }
    }
}

/// Records the effects of an invocation, so that it survives the process in a durable engine: Restate, Lambda durable
/// functions, DBOS. Lend one with [`Invocation::journal`](crate::Invocation::journal); without one, nothing is recorded
/// and nothing is spent on it.
///
/// After a crash the engine runs the same handler again. The invocation then asks for the same steps in the same order,
/// gets what was recorded, and goes on from there: a recorded model call or tool result is never asked for again. An
/// effect whose result was not recorded is performed again (at least once); the
/// [`tool_use_id`](crate::ToolContext::tool_use_id) is the same each time and serves as idempotency key.
///
/// # Contract
///
/// - [`step`](Self::step) polls `effect` inside its own `poll` and nowhere else, and only if the step is not recorded yet.
///   It returns the recorded value.
/// - Steps are asked for one at a time, in the same order in every replay.
/// - [`random`](Self::random) returns the same numbers in the same order in every replay.
/// - Cancellation is seen inside of an effect, so that it is recorded; between effects the engine's own applies.
/// - When the engine suspends the handler, it drops the invocation, or `step` returns an error: the invocation ends with
///   [`AgentError::Journal`](crate::AgentError::Journal). Hooks around the whole invocation hear of each attempt.
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
/// let template = Agent::builder().model(ScriptedModel::answering("Oslo is sunny."));
/// for _ in 0..2 {
///     let mut agent = template.clone().build().await?;
///     assert_eq!(agent.prompt("How is the weather?").journal(&journal).await?.text(), "Oslo is sunny.");
/// }
/// assert_eq!(journal.0.lock().unwrap().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub trait Journal: Send + Sync {
    /// Performs an effect and records its value, or returns the value that was recorded.
    ///
    /// # Errors
    ///
    /// Returns [`JournalError`] if the engine can't record the step, or has recorded its failure.
    fn step<'a>(
        &'a self,
        step: JournalStep<'a>,
        effect: BoxFuture<'a, Value>,
    ) -> BoxFuture<'a, Result<Value, JournalError>>;

    /// Waits, durably if the engine can. A wait that is over is not waited for again.
    ///
    /// # Errors
    ///
    /// Returns [`JournalError`] if the engine can't record the wait.
    fn sleep<'a>(&'a self, name: &'a str, time: Duration) -> BoxFuture<'a, Result<(), JournalError>>;

    /// Returns a random number, for ids and for jitter: the same sequence in every replay.
    fn random(&self) -> u64;

    /// Returns true if the journal has a recorded value for the next step, so that an earlier attempt has come this far.
    /// Default: `None`, for a journal that can't tell. Then an event counts as replayed if the step before it was.
    fn is_replaying(&self) -> Option<bool> {
        None
    }

    /// Returns the time since a fixed moment of the journal's choice. Durations and time limits are measured with it: a
    /// limit is looked at before each model call and each turn's tools. An engine whose clock is recorded gives the same in
    /// a replay; with another one, a limit may be reached elsewhere. Default: the time of the Tokio runtime.
    fn now(&self) -> Duration {
        clock()
    }
}

/// Time since the first call, by the clock of the Tokio runtime.
pub(crate) fn clock() -> Duration {
    static EPOCH: std::sync::LazyLock<tokio::time::Instant> = std::sync::LazyLock::new(tokio::time::Instant::now);
    tokio::time::Instant::now().saturating_duration_since(*EPOCH)
}

/// An error of a durable engine's journal.
pub struct JournalError {
    step: String,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl JournalError {
    /// Creates an error about a step, with what the engine says.
    pub fn new(step: impl Into<String>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { step: step.into(), source: source.into() }
    }

    /// Returns the name of the step.
    pub fn step(&self) -> &str {
        &self.step
    }
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the journal failed at step `{}`: {}", self.step, ErrorChain::within(&*self.source))
    }
}

crate::error_chain::debug_with_sources!(JournalError);

impl std::error::Error for JournalError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}

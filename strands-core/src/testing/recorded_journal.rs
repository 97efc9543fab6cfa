//! Journal in memory for tests: it ends attempts, and checks that a replay requests what was recorded.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use futures_core::future::BoxFuture;
use serde_json::Value;

use crate::journal::{Journal, JournalError, JournalStep};

/// Maximum length of a value in a difference, in characters.
const SHOWN: usize = 120;

/// A journal in memory that ends an attempt after any entry, as a crash does, and checks the replay.
///
/// A replay that requests another step than the recorded one, or a step with another input (a model request with other messages,
/// tools or system prompt, for example), ends with a [`JournalError`] that names the step. So a test finds a hook, a tool list or a
/// conversation manager that differs from attempt to attempt.
///
/// # Examples
///
/// A test that ends an agent after each entry in turn:
///
/// ```
/// use strands::testing::{RecordedJournal, ScriptedModel, ScriptedTurn};
/// use strands::{Agent, AgentError};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let template = Agent::builder().model(ScriptedModel::from_fn(|_| ScriptedTurn::text("Oslo is sunny.")));
/// for entries in 0.. {
///     let journal = RecordedJournal::new().crash_after(entries);
///     let mut agent = template.clone().build().await?;
///     match agent.prompt("How is the weather?").journal(&journal).await {
///         Err(AgentError::Journal(_)) => {}
///         ended => {
///             assert_eq!(ended?.text(), "Oslo is sunny.");
///             break;
///         }
///     }
///     let mut agent = template.clone().build().await?;
///     let response = agent.prompt("How is the weather?").journal(&journal.replay()).await?;
///     assert_eq!(response.text(), "Oslo is sunny.");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct RecordedJournal {
    recorded: Arc<Mutex<Recorded>>,
    /// Number of entries that this attempt has requested.
    position: Mutex<usize>,
    random: Mutex<Rng>,
    crash: Crash,
}

/// End of an attempt.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Crash {
    Never,
    /// Once it has requested more entries than this.
    After(usize),
    /// Once the effect of the entry at this index has ended, before it is recorded.
    BeforeRecording(usize),
}

#[derive(Default)]
struct Recorded {
    entries: Vec<(String, Value)>,
    /// Inputs of the effects that were begun, recorded or not, by the index of their entry.
    inputs: Vec<Option<Value>>,
}

impl Default for RecordedJournal {
    fn default() -> Self {
        Self::attempt(Arc::default(), Crash::Never)
    }
}

impl RecordedJournal {
    /// Creates an empty journal.
    pub fn new() -> Self {
        Self::default()
    }

    fn attempt(recorded: Arc<Mutex<Recorded>>, crash: Crash) -> Self {
        Self { recorded, position: Mutex::default(), random: Mutex::new(Rng::with_seed(7)), crash }
    }

    /// Ends the attempt after this number of entries, with a [`JournalError`] for the next one. Its effect is not begun.
    #[must_use]
    pub fn crash_after(mut self, entries: usize) -> Self {
        self.crash = Crash::After(entries);
        self
    }

    /// Ends the attempt in the entry with this zero-based index, after its effect and before it is recorded. A replay makes the
    /// effect again, as after a crash in between.
    #[must_use]
    pub fn crash_before_recording(mut self, index: usize) -> Self {
        self.crash = Crash::BeforeRecording(index);
        self
    }

    /// Returns the journal for the next attempt, which replays the entries and then records more. It does not crash.
    #[must_use]
    pub fn replay(&self) -> Self {
        Self::attempt(Arc::clone(&self.recorded), Crash::Never)
    }

    /// Returns the entries: the name of each step or wait, and its record.
    pub fn entries(&self) -> Vec<(String, Value)> {
        self.lock().entries.clone()
    }

    /// Returns the names of the entries.
    pub fn names(&self) -> Vec<String> {
        self.lock().entries.iter().map(|(name, _)| name.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Recorded> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes an entry, or returns the recorded one.
    async fn entry(
        &self,
        name: &str,
        input: Option<Value>,
        effect: impl Future<Output = Value>,
    ) -> Result<Value, JournalError> {
        let index = {
            let mut position = self.position.lock().unwrap_or_else(PoisonError::into_inner);
            *position += 1;
            *position - 1
        };
        if let Some(recorded) = self.recorded_entry(index, name, input)? {
            return Ok(recorded);
        }
        if self.crash == Crash::After(index) {
            return Err(JournalError::new(name, format!("crash after {index} entries")));
        }
        let value = effect.await;
        if self.crash == Crash::BeforeRecording(index) {
            return Err(JournalError::new(name, format!("crash before entry {index} was recorded")));
        }
        self.lock().entries.push((name.to_owned(), value.clone()));
        Ok(value)
    }

    /// Returns the recorded entry at an index, after a check that it is the requested one.
    fn recorded_entry(&self, index: usize, name: &str, input: Option<Value>) -> Result<Option<Value>, JournalError> {
        let mut recorded = self.lock();
        let entry = recorded.entries.get(index).cloned();
        if let Some((known, _)) = entry.as_ref().filter(|(known, _)| known != name) {
            return Err(JournalError::other_step(name, known));
        }
        match recorded.inputs.get(index) {
            Some(Some(before)) => {
                let difference = difference("", before, input.as_ref().unwrap_or(&Value::Null));
                if let Some(difference) = difference {
                    return Err(JournalError::other_input(name, difference));
                }
            }
            Some(None) => {}
            None => recorded.inputs.push(input),
        }
        Ok(entry.map(|(_, value)| value))
    }
}

/// Returns the first difference between two values: where it is, and both values.
fn difference(path: &str, before: &Value, now: &Value) -> Option<String> {
    match (before, now) {
        (Value::Object(before), Value::Object(now)) => {
            let names = before.keys().chain(now.keys().filter(|name| !before.contains_key(*name)));
            names
                .map(|name| (name, before.get(name).unwrap_or(&Value::Null), now.get(name).unwrap_or(&Value::Null)))
                .find_map(|(name, before, now)| difference(&format!("{path}/{name}"), before, now))
        }
        (Value::Array(before), Value::Array(now)) => (0..before.len().max(now.len())).find_map(|at| {
            let (before, now) = (before.get(at).unwrap_or(&Value::Null), now.get(at).unwrap_or(&Value::Null));
            difference(&format!("{path}/{at}"), before, now)
        }),
        _ if before == now => None,
        _ => Some(format!("`{path}` was {} and is now {}", shown(before), shown(now))),
    }
}

/// Returns a value as text, without its end if it is long.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN).and_then(|(end, _)| text.get(..end)) {
        Some(start) => format!("{start}…"),
        None => text,
    }
}

impl Journal for RecordedJournal {
    fn step<'a>(
        &'a self,
        step: JournalStep<'a>,
        effect: BoxFuture<'a, Value>,
    ) -> BoxFuture<'a, Result<Value, JournalError>> {
        Box::pin(self.entry(step.name, step.input(), effect))
    }

    fn sleep<'a>(&'a self, name: &'a str, time: Duration) -> BoxFuture<'a, Result<(), JournalError>> {
        let slept = async move {
            tokio::time::sleep(time).await;
            Value::Null
        };
        Box::pin(async move { self.entry(name, None, slept).await.map(drop) })
    }

    fn random(&self) -> u64 {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).u64(..)
    }
}

impl fmt::Debug for RecordedJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordedJournal").field("entries", &self.names()).finish_non_exhaustive()
    }
}

//! Recorder of an invocation: the one way in which the loop, its hooks and conversation managers use a journal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use futures_core::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Journal, JournalError, JournalStep};

/// Keys of a record: the name of its step, the time of the invocation at its end in microseconds, and its value.
const STEP: &str = "step";
const TIME: &str = "at";
const VALUE: &str = "value";

/// Records the effects of one invocation in a journal.
pub(crate) struct Recorder<'a> {
    journal: &'a dyn Journal,
    /// Time of the journal at the start of the attempt.
    began: Duration,
    /// Time of earlier attempts, which replayed steps stand for and the journal's own time lacks, in microseconds.
    replayed: AtomicU64,
    /// Time of the invocation at the end of the newest step or wait, in microseconds.
    newest: Arc<AtomicU64>,
    /// Number of steps whose names have no numbers of their own.
    steps: AtomicU32,
    /// True if the newest step was replayed rather than executed.
    is_replay: AtomicBool,
}

/// A recorded value.
pub(crate) struct Recorded<T> {
    pub(crate) value: T,
    /// True if the value is from an earlier attempt.
    pub(crate) is_replay: bool,
}

impl<'a> Recorder<'a> {
    /// Creates the recorder of an invocation, with the number of steps of the one that it resumes.
    pub(crate) fn new(journal: &'a dyn Journal, steps: u32) -> Self {
        Self {
            journal,
            began: journal.now(),
            replayed: AtomicU64::new(0),
            newest: Arc::default(),
            steps: AtomicU32::new(steps),
            is_replay: AtomicBool::new(false),
        }
    }

    /// Executes an effect and records its value, or returns the recorded one. A value that was just recorded is read back, so
    /// that a first attempt behaves like a replay.
    pub(crate) fn record<'r, T: Serialize + DeserializeOwned + Send + 'r>(
        &'r self,
        step: JournalStep<'r>,
        effect: BoxFuture<'r, T>,
    ) -> BoxFuture<'r, Result<Recorded<T>, JournalError>> {
        Box::pin(async move {
            let is_live = AtomicBool::new(false);
            let effect = async {
                is_live.store(true, Ordering::Relaxed);
                let value = effect.await;
                self.to_record(step.name, &value)
            };
            let record = self.journal.step(step, Box::pin(effect)).await?;
            let value = self.read(step.name, record)?;
            let is_replay = !is_live.load(Ordering::Relaxed);
            self.is_replay.store(is_replay, Ordering::Relaxed);
            Ok(Recorded { value, is_replay })
        })
    }

    /// Returns the record of a value. A failure to serialize it is reported when the record is read back.
    fn to_record<T: Serialize>(&self, step: &str, value: &T) -> Value {
        let value = match serde_json::to_value(value) {
            Ok(value) => value,
            Err(error) => return Value::String(error.to_string()),
        };
        let time = u64::try_from(self.elapsed().as_micros()).unwrap_or(u64::MAX);
        let fields = [(STEP, step.into()), (TIME, time.into()), (VALUE, value)];
        Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Reads the value of a step from its record.
    fn read<T: DeserializeOwned>(&self, step: &str, record: Value) -> Result<T, JournalError> {
        let mut fields: Map<String, Value> = match record {
            Value::Object(fields) => fields,
            Value::String(error) => return Err(JournalError::new(step, error)),
            _ => return Err(JournalError::new(step, "its record is not a JSON object")),
        };
        if let Some(recorded) = fields.get(STEP).and_then(Value::as_str).filter(|recorded| *recorded != step) {
            return Err(JournalError::other_step(step, recorded));
        }
        self.reach(Duration::from_micros(fields.get(TIME).and_then(Value::as_u64).unwrap_or_default()));
        let value = fields.swap_remove(VALUE).ok_or_else(|| JournalError::new(step, "its record has no value"))?;
        // The error of serde quotes the record, and the engine may show the text of a failure.
        serde_json::from_value(value)
            .map_err(|_| JournalError::new(step, "its record has another form, of another release"))
    }

    /// Waits durably. A wait that an earlier attempt has completed counts as time of the invocation.
    pub(crate) async fn sleep(&self, name: &str, time: Duration) -> Result<(), JournalError> {
        let end = self.recorded_elapsed().saturating_add(time);
        self.journal.sleep(name, time).await?;
        self.reach(end);
        Ok(())
    }

    /// Returns the time of the journal, with that of earlier attempts.
    pub(crate) fn now(&self) -> Duration {
        self.journal.now().saturating_add(self.replayed())
    }

    /// Returns the time of the journal at the start of the attempt.
    pub(crate) fn began(&self) -> Duration {
        self.began
    }

    /// Returns the time of earlier attempts, which replayed steps stand for and the journal's own time lacks.
    fn replayed(&self) -> Duration {
        Duration::from_micros(self.replayed.load(Ordering::Relaxed))
    }

    /// Returns the time since the start of the invocation.
    pub(crate) fn elapsed(&self) -> Duration {
        self.now().saturating_sub(self.began)
    }

    /// Returns the time of the invocation at the end of the newest step or wait: the same in each attempt.
    pub(crate) fn recorded_elapsed(&self) -> Duration {
        Duration::from_micros(self.newest.load(Ordering::Relaxed))
    }

    /// Returns the shared value of [`recorded_elapsed`](Self::recorded_elapsed), in microseconds.
    pub(crate) fn recorded_micros(&self) -> &Arc<AtomicU64> {
        &self.newest
    }

    /// Notes the time of the invocation at the end of a step or wait, and moves the time forward to it if it is earlier.
    fn reach(&self, time: Duration) {
        self.newest.fetch_max(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        let ahead = time.saturating_sub(self.elapsed());
        self.replayed.fetch_add(u64::try_from(ahead.as_micros()).unwrap_or_default(), Ordering::Relaxed);
    }

    /// Returns a random number.
    pub(crate) fn random(&self) -> u64 {
        self.journal.random()
    }

    /// Returns a random number, at least 0.0 and below 1.0.
    pub(crate) fn jitter(&self) -> f64 {
        // A double has 53 bits of precision.
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let numerator = (self.random() >> 11) as f64;
        numerator / (1_u64 << 53) as f64
    }

    /// Returns a random UUID.
    pub(crate) fn uuid(&self) -> Uuid {
        let number = (u128::from(self.random()) << 64) | u128::from(self.random());
        uuid::Builder::from_random_bytes(number.to_ne_bytes()).into_uuid()
    }

    /// Returns the name of the next step of a kind.
    pub(crate) fn next_name(&self, kind: &str) -> String {
        format!("{kind}/{}", self.steps.fetch_add(1, Ordering::Relaxed).saturating_add(1))
    }

    /// Returns the number of steps that were named by [`next_name`](Self::next_name).
    pub(crate) fn steps(&self) -> u32 {
        self.steps.load(Ordering::Relaxed)
    }

    /// Returns true if an earlier attempt got this far.
    pub(crate) fn is_replaying(&self) -> bool {
        self.journal.is_replaying().unwrap_or_else(|| self.is_replay.load(Ordering::Relaxed))
    }
}

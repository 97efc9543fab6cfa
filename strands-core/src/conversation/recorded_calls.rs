//! Model calls of a conversation manager with a journal: each attempt is a recorded step.

use std::time::Duration;

use futures_core::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::conversation_view::{Cost, attempt};
use crate::journal::{JournalError, JournalStep, Recorder};
use crate::message::{Message, id_of};
use crate::models::{Failures, Model, ModelError, ModelRequest, RecordedError, RetryPolicy, StopReason, Turn};
use crate::usage::{ModelMetrics, Usage};

/// Kind of the steps.
const STEP: &str = "conversation";

/// Recorder of a manager's model calls.
pub(super) struct RecordedCalls<'a> {
    recorder: &'a Recorder<'a>,
    /// Stop signal of the invocation, until it fires. `None` if nothing can stop it.
    stopped: Option<BoxFuture<'static, StopReason>>,
    interruption: Option<Interruption>,
}

/// Reason for which a manager's model call ended without an outcome.
pub(crate) enum Interruption {
    Stopped(StopReason),
    Journal(JournalError),
}

/// Record of an attempt.
#[derive(Serialize, Deserialize)]
struct RecordedAttempt {
    outcome: RecordedOutcome,
    #[serde(default)]
    cost: Cost,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RecordedOutcome {
    Completed {
        message: Message,
        stop_reason: StopReason,
        usage: Usage,
        metrics: ModelMetrics,
    },
    Failed {
        error: RecordedError,
        /// Delay before the next attempt, if there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delay: Option<Duration>,
    },
    Stopped(StopReason),
}

impl<'a> RecordedCalls<'a> {
    pub(super) fn new(recorder: &'a Recorder<'a>, stopped: Option<BoxFuture<'static, StopReason>>) -> Self {
        Self { recorder, stopped, interruption: None }
    }

    pub(super) fn take_interruption(&mut self) -> Option<Interruption> {
        self.interruption.take()
    }

    /// Returns a random id.
    pub(super) fn id(&self) -> String {
        id_of(self.recorder.uuid())
    }

    /// Sends a request, with retries.
    pub(super) async fn ask(
        &mut self,
        (model, request): (&dyn Model, ModelRequest<'_>),
        retry: RetryPolicy,
        cost: &mut Cost,
    ) -> Result<Turn, ModelError> {
        let began = self.recorder.now();
        let mut failures = Failures::default();
        loop {
            let name = self.recorder.next_name(STEP);
            let recorded = self.attempt(&name, (model, request), (retry, failures, began)).await;
            let RecordedAttempt { outcome, cost: spent } = recorded.map_err(|error| self.interrupted(error))?;
            cost.add(spent);
            let (error, delay) = match outcome {
                RecordedOutcome::Completed { message, stop_reason, usage, metrics } => {
                    return Ok(Turn { stop_reason, usage, metrics, ..Turn::synthetic(message) });
                }
                RecordedOutcome::Stopped(reason) => {
                    self.interruption = Some(Interruption::Stopped(reason));
                    return Err(ModelError::transport("the invocation was stopped"));
                }
                RecordedOutcome::Failed { error, delay } => (error.into_error(), delay),
            };
            failures.add(&error);
            let Some(delay) = delay else { return Err(error) };
            let waited = self.recorder.sleep(&format!("wait/{name}"), delay).await;
            waited.map_err(|error| self.interrupted(error))?;
        }
    }

    async fn attempt(
        &mut self,
        name: &str,
        (model, request): (&dyn Model, ModelRequest<'_>),
        (retry, mut failures, began): (RetryPolicy, Failures, Duration),
    ) -> Result<RecordedAttempt, JournalError> {
        // Drawn outside the effect, so that a replay draws it as well.
        let jitter = self.recorder.jitter();
        let Self { recorder, stopped, .. } = self;
        let effect = async {
            let (response, cost) = tokio::select! {
                biased;
                reason = stop(stopped) => {
                    return RecordedAttempt { outcome: RecordedOutcome::Stopped(reason), cost: Cost::default() };
                }
                attempted = attempt(model, request) => attempted,
            };
            let outcome = match response {
                Ok(Turn { message, stop_reason, usage, metrics, .. }) => {
                    RecordedOutcome::Completed { message, stop_reason, usage, metrics }
                }
                Err(error) => {
                    failures.add(&error);
                    let delay = retry.delay(&error, failures, recorder.now().saturating_sub(began), jitter);
                    RecordedOutcome::Failed { error: RecordedError::of(&error), delay }
                }
            };
            RecordedAttempt { outcome, cost }
        };
        let input = || request.to_json();
        Ok(recorder.record(JournalStep::new(name).with_input(&input), Box::pin(effect)).await?.value)
    }

    /// Notes a failure of the journal, which ends the invocation, and returns an error for the manager.
    fn interrupted(&mut self, error: JournalError) -> ModelError {
        self.interruption = Some(Interruption::Journal(error));
        ModelError::transport("the journal failed")
    }
}

/// Waits until the invocation is stopped.
async fn stop(stopped: &mut Option<BoxFuture<'static, StopReason>>) -> StopReason {
    let Some(signal) = stopped else { return std::future::pending().await };
    let reason = signal.await;
    // It must not be polled again.
    *stopped = None;
    reason
}

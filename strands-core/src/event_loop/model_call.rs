//! One model call: attempts, backoff, context overflow and cancellation, until there is a response or a final error.

use std::time::Duration;

use super::driver::Driver;
use super::emitter::Emitting;
use super::model_attempt::DelayInputs;
use super::model_outcome::{Attempt, AttemptOutcome, ModelOutcome};
use super::retry_cause::RetryCause;
use super::stop_signal::StopSignal;
use crate::diagnostics;
use crate::event::AgentEvent;
use crate::hook::MAX_RETRIES;
use crate::journal::JournalError;
use crate::metrics::Usage;
use crate::models::{Failures, ModelError, StopReason, ToolChoice};
use crate::outcome::AgentError;
use crate::run::Run;

impl Driver<'_> {
    /// Calls the model until it responds, the invocation is stopped, or the error is final.
    pub(super) async fn call_model(
        &mut self,
        choice: Option<&ToolChoice>,
        stop: &mut StopSignal,
    ) -> Result<ModelOutcome, AgentError> {
        let call = self.work.run.as_mut().map(Run::next_model_call).unwrap_or_default();
        let began = self.cycle_began.unwrap_or_else(|| self.effects.now());
        let (mut attempts, mut hook_retries) = (0, 0);
        let mut failures = Failures::default();
        let mut tried: Vec<String> = Vec::new();
        if let Some(reason) = self.prepare_conversation(stop).await? {
            return Ok(ModelOutcome::stopped(reason));
        }
        loop {
            attempts += 1;
            let name = (call, attempts);
            let delay_inputs = DelayInputs { failures, began, jitter: self.effects.jitter() };
            let attempt = match &self.effects.recorder {
                None => self.attempt(choice, attempts, delay_inputs, stop).await,
                Some(recorder) => {
                    Box::pin(self.attempt_with_journal(recorder, choice, name, delay_inputs, stop)).await?
                }
            };
            let Attempt { outcome, retry, delay, capabilities, hook_failure, .. } = attempt;
            let (usage, latency_ms) = outcome.cost();
            self.metrics().add_usage(usage, latency_ms);
            self.context.scope().budget.charge(usage);
            if let Some(failure) = hook_failure {
                return Err(*failure);
            }
            let wants_another = retry && hook_retries < MAX_RETRIES;
            let (error, streamed) = match outcome {
                AttemptOutcome::Denied(turn) => return Ok(ModelOutcome::Completed(turn)),
                AttemptOutcome::Completed(_) if wants_another => {
                    hook_retries += 1;
                    self.charge_discarded(usage);
                    self.announce_retry(attempts, Duration::ZERO, RetryCause::Hook, true).await;
                    continue;
                }
                AttemptOutcome::Completed(turn) => return Ok(ModelOutcome::Completed(turn)),
                AttemptOutcome::Stopped { reason, partial } => return Ok(ModelOutcome::Stopped { reason, partial }),
                AttemptOutcome::Failed { error, streamed, .. } => (error, streamed),
            };
            self.charge_discarded(usage);
            if wants_another {
                hook_retries += 1;
                self.announce_retry(attempts, Duration::ZERO, RetryCause::Model(&error), streamed).await;
                continue;
            }
            if choice.is_some() && !streamed && self.use_next_output_mode(&error, capabilities, delay.is_some()) {
                self.announce_retry(attempts, Duration::ZERO, RetryCause::Model(&error), false).await;
                continue;
            }
            if let ModelError::ContextOverflow { .. } = error {
                let error = match Box::pin(self.reduce_context(error, &mut tried, stop)).await? {
                    Ok(overflow) => overflow,
                    Err(reason) => return Ok(ModelOutcome::stopped(reason)),
                };
                self.announce_retry(attempts, Duration::ZERO, RetryCause::Model(&error), streamed).await;
                continue;
            }
            failures.add(&error);
            let Some(delay) = delay else {
                let mut source = error;
                source.find_message(self.work.history.messages(), &self.system);
                return Err(AgentError::Model { attempts, source });
            };
            self.announce_retry(attempts, delay, RetryCause::Model(&error), streamed).await;
            if let Some(reason) = Box::pin(self.wait(name, delay, stop)).await? {
                return Ok(ModelOutcome::stopped(reason));
            }
        }
    }

    /// Waits before the next attempt. Returns the reason if the invocation is stopped meanwhile. With a journal, only the
    /// durable engine can cancel the wait.
    async fn wait(
        &self,
        (call, attempt): (u32, u32),
        delay: Duration,
        stop: &mut StopSignal,
    ) -> Result<Option<StopReason>, JournalError> {
        if self.effects.are_recorded() {
            return self.effects.sleep(&format!("wait/{call}/{attempt}"), delay).await.map(|()| None);
        }
        tokio::select! {
            biased;
            reason = stop.stopped() => Ok(Some(reason)),
            slept = self.effects.sleep("", delay) => slept.map(|()| None),
        }
    }

    /// Charges the usage of a discarded attempt to the limits. The usage of a response is charged when it joins the history.
    fn charge_discarded(&mut self, usage: Usage) {
        if let Some(run) = &mut self.work.run {
            run.charge(usage);
        }
    }

    pub(super) fn announce_retry(
        &self,
        attempt: u32,
        delay: Duration,
        cause: RetryCause<'_>,
        discards_output: bool,
    ) -> Emitting<'_> {
        diagnostics::retry(self.context.scope(), attempt, delay, cause.kind(), discards_output);
        self.emitter.emit(|| AgentEvent::Retry { attempt, delay, error: cause.text(), discards_output })
    }
}

//! One model call as the loop sees it: attempts, waits, overflow and cancellation, until there is a response or no hope.

use std::time::Duration;

use super::attempt::Past;
use super::driver::Driver;
use super::model_outcome::{Attempt, Attempted, ModelOutcome};
use super::retry_cause::RetryCause;
use super::stop::Stop;
use crate::diagnostics;
use crate::event::AgentEvent;
use crate::hook::MAX_RETRIES;
use crate::journal::JournalError;
use crate::metrics::Usage;
use crate::models::{Failures, ModelError, StopReason, ToolChoice};
use crate::outcome::AgentError;
use crate::run::Run;

impl Driver<'_> {
    pub(super) async fn call_model(
        &mut self,
        choice: Option<&ToolChoice>,
        stop: &mut Stop<'_>,
    ) -> Result<ModelOutcome, AgentError> {
        let call = self.work.run.as_mut().map(Run::next_model_call).unwrap_or_default();
        let began = self.cycle_began.unwrap_or_else(|| self.effects.now());
        let (mut attempts, mut hook_retries) = (0, 0);
        let mut failures = Failures::default();
        let mut tried: Vec<String> = Vec::new();
        if let Some(reason) = self.prepare_conversation(stop).await {
            return Ok(ModelOutcome::stopped(reason));
        }
        loop {
            attempts += 1;
            let name = (call, attempts);
            let past = Past { failures, began, jitter: self.effects.jitter() };
            let attempted = match self.effects.journal {
                None => self.attempt(choice, past, stop).await,
                Some(journal) => self.attempt_recorded(journal, choice, name, past, stop).await?,
            };
            self.is_replay = attempted.is_replay;
            let Attempted { attempt, retry, delay, able, hook_failure, .. } = attempted;
            let (usage, latency_ms) = attempt.cost();
            self.metrics().add_usage(usage, latency_ms);
            self.context.scope().budget.charge(usage);
            if let Some(failure) = hook_failure {
                return Err(*failure);
            }
            let wants_another = retry && hook_retries < MAX_RETRIES;
            let (error, streamed) = match attempt {
                Attempt::Denied(turn) => return Ok(ModelOutcome::Answered(turn)),
                Attempt::Answered(_) if wants_another => {
                    hook_retries += 1;
                    self.thrown_away(usage);
                    self.announce_retry(attempts, Duration::ZERO, RetryCause::Hook, true).await;
                    continue;
                }
                Attempt::Answered(turn) => return Ok(ModelOutcome::Answered(turn)),
                Attempt::Stopped { reason, partial } => return Ok(ModelOutcome::Stopped { reason, partial }),
                Attempt::Failed { error, streamed, .. } => (error, streamed),
            };
            self.thrown_away(usage);
            if wants_another {
                hook_retries += 1;
                self.announce_retry(attempts, Duration::ZERO, RetryCause::Model(&error), streamed).await;
                continue;
            }
            if choice.is_some() && !streamed && self.asks_for_less(&error, able, delay.is_some()) {
                self.announce_retry(attempts, Duration::ZERO, RetryCause::Model(&error), false).await;
                continue;
            }
            if let ModelError::ContextOverflow { .. } = error {
                let error = match self.shorten(error, &mut tried, stop).await? {
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
            if let Some(reason) = self.wait(name, delay, stop).await? {
                return Ok(ModelOutcome::stopped(reason));
            }
        }
    }

    /// Waits before the next attempt. Returns the reason if the invocation is stopped meanwhile; a durable engine has a
    /// cancellation of its own.
    async fn wait(
        &self,
        (call, attempt): (u32, u32),
        delay: Duration,
        stop: &mut Stop<'_>,
    ) -> Result<Option<StopReason>, JournalError> {
        if self.effects.journal.is_some() {
            return self.effects.sleep(&format!("wait/{call}/{attempt}"), delay).await.map(|()| None);
        }
        tokio::select! {
            biased;
            reason = stop.fires() => Ok(Some(reason)),
            slept = self.effects.sleep("", delay) => slept.map(|()| None),
        }
    }

    /// The cost of what was thrown away counts against the limits here; that of a response does when it is taken in.
    fn thrown_away(&mut self, usage: Usage) {
        if let Some(run) = &mut self.work.run {
            run.charge(usage);
        }
    }

    pub(super) async fn announce_retry(
        &self,
        attempt: u32,
        delay: Duration,
        cause: RetryCause<'_>,
        discards_output: bool,
    ) {
        diagnostics::retry(self.context.scope(), attempt, delay, cause.kind(), discards_output);
        self.emitter.emit(|| AgentEvent::Retry { attempt, delay, error: cause.text(), discards_output }).await;
    }
}

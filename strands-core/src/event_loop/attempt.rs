//! One attempt of a model call, with the hooks around it: the unit that a journal records.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::driver::Driver;
use super::model_outcome::{Attempt, Attempted, PartialResponse};
use super::reading::{Ended, Reading};
use super::recorded;
use super::stop::Stop;
use crate::hook::{AfterModelCall, BeforeModelCall};
use crate::journal::{Journal, JournalError, JournalStep};
use crate::message::{Message, Role};
use crate::models::{Failures, ModelError, ModelRequest, StopReason, ToolChoice, Turn, TurnBuilder};
use crate::outcome::AgentError;

/// Inputs to the delay before the next attempt.
#[derive(Clone, Copy)]
pub(super) struct Past {
    /// The attempts that have failed.
    pub(super) failures: Failures,
    /// Start of the first one.
    pub(super) began: Duration,
    /// A random number, drawn outside of the effect: a replay draws it, too.
    pub(super) jitter: f64,
}

impl Driver<'_> {
    /// Makes an attempt by a journal, or takes what it has recorded of it.
    pub(super) async fn attempt_recorded(
        &self,
        journal: &dyn Journal,
        choice: Option<&ToolChoice>,
        (call, attempt): (u32, u32),
        past: Past,
        stop: &mut Stop<'_>,
    ) -> Result<Attempted, JournalError> {
        let name = format!("model/{call}/{attempt}");
        let budget = &self.context.scope().budget;
        let before = budget.spent();
        let is_live = AtomicBool::new(false);
        let effect = async {
            is_live.store(true, Ordering::Relaxed);
            let mut attempted = self.attempt(choice, past, stop).await;
            let nested = budget.spent().beyond(before);
            attempted.nested = (!nested.is_nothing()).then(|| Box::new(nested));
            recorded::of_attempt(attempted)
        };
        let value = journal.step(JournalStep::new(&name), Box::pin(effect)).await?;
        let mut attempted = recorded::into_attempt(&name, value)?;
        attempted.is_replay = !is_live.load(Ordering::Relaxed);
        if let Some(nested) = attempted.nested.as_deref().filter(|_| attempted.is_replay) {
            budget.charge_all(*nested);
        }
        Ok(attempted)
    }

    /// Makes one attempt, with the hooks around it.
    pub(super) async fn attempt(&self, choice: Option<&ToolChoice>, past: Past, stop: &mut Stop<'_>) -> Attempted {
        match self.before_model_call(stop).await {
            Ok(None) => {}
            Ok(Some(denied)) => return Attempted::new(Attempt::Denied(denied)),
            Err(failure) => {
                let nothing = Turn::said(Message::new(Role::Assistant, [""; 0]));
                return Attempted { hook_failure: Some(Box::new(failure)), ..Attempted::new(Attempt::Denied(nothing)) };
            }
        }
        let config = &self.work.config;
        let request = ModelRequest {
            messages: self.work.history.messages(),
            system: &self.system,
            tools: &self.specs,
            tool_choice: choice.filter(|_| self.output.is_forced_by_choice()),
            output_schema: choice.and(self.output.schema()),
            serialized: Some(&self.work.serialized),
        };
        let began = Instant::now();
        let answer = TurnBuilder::new(config.max_response_bytes).after(self.work.history.call_ids());
        let opened = tokio::select! {
            biased;
            reason = stop.fires() => Err(Ended::Stopped(reason)),
            opened = self.work.model.stream(request) => opened.map_err(Ended::Broken),
        };
        let attempt = match opened {
            Ok(events) => {
                let output = self.output.partial(choice.is_some()).filter(|_| !self.emitter.is_silent());
                let mut reading = Reading::new(events, answer, &self.emitter, began, output);
                let ended = reading.read(stop).await;
                let Reading { answer, first_content, .. } = reading;
                read(ended, answer, began, first_content)
            }
            Err(ended) => read(ended, answer, began, None),
        };
        let mut attempted = Attempted::new(attempt);
        match self.after_model_call(&attempted.attempt, stop).await {
            Ok(retry) => attempted.retry = retry,
            Err(failure) => attempted.hook_failure = Some(Box::new(failure)),
        }
        if let Attempt::Failed { error, .. } = &attempted.attempt {
            let Past { mut failures, began, jitter } = past;
            failures.add(error);
            attempted.able = self.output.kind.is_some().then(|| self.work.model.capabilities());
            attempted.delay = config.retry.delay(error, failures, self.effects.since(began), jitter);
        }
        attempted
    }

    async fn before_model_call(&self, stop: &mut Stop<'_>) -> Result<Option<Turn>, AgentError> {
        if self.work.config.hooks().is_empty() {
            return Ok(None);
        }
        let context = self.context.live();
        let mut event = BeforeModelCall { context: &context, messages: self.work.history.messages(), deny: None };
        for hook in self.work.config.hooks() {
            if let Ok(heard) = stop.race(hook.before_model_call(&mut event)).await {
                heard.map_err(AgentError::in_hook("before_model_call"))?;
            }
        }
        Ok(event.deny.map(|reason| Turn::said(Message::assistant(reason))))
    }

    async fn after_model_call(&self, attempt: &Attempt, stop: &mut Stop<'_>) -> Result<bool, AgentError> {
        let outcome = match attempt {
            Attempt::Answered(turn) | Attempt::Denied(turn) => Ok((&turn.message, &turn.stop_reason)),
            Attempt::Stopped { reason, partial } => Ok((&partial.message, reason)),
            Attempt::Failed { error, .. } => Err(error),
        };
        if self.work.config.hooks().is_empty() {
            return Ok(false);
        }
        let context = self.context.live();
        let mut event = AfterModelCall { context: &context, outcome, retry: false };
        for hook in self.work.config.hooks().iter().rev() {
            if let Ok(heard) = stop.race(hook.after_model_call(&mut event)).await {
                heard.map_err(AgentError::in_hook("after_model_call"))?;
            }
        }
        Ok(event.retry)
    }
}

/// The attempt whose stream has ended, in one way or another.
fn read(ended: Ended, answer: TurnBuilder, began: Instant, first_content: Option<Duration>) -> Attempt {
    match ended {
        Ended::Over => {}
        Ended::Stopped(reason) => return stopped(reason, answer),
        Ended::Broken(error) => return broken(error, answer),
    }
    if !answer.is_complete() {
        return broken(ModelError::transport("the stream ended before its stop event"), answer);
    }
    let streamed = answer.has_content();
    let usage = answer.usage();
    match answer.finish() {
        Ok(mut turn) => {
            turn.measured(began.elapsed(), first_content);
            Attempt::Answered(turn)
        }
        Err(error) => Attempt::Failed { error, streamed, usage },
    }
}

fn stopped(reason: StopReason, answer: TurnBuilder) -> Attempt {
    let redact_user = answer.redact_user().map(str::to_owned);
    let (message, usage) = answer.into_partial();
    Attempt::Stopped { reason, partial: PartialResponse { message, usage, redact_user } }
}

fn broken(error: ModelError, answer: TurnBuilder) -> Attempt {
    Attempt::Failed { error, streamed: answer.has_content(), usage: answer.usage() }
}

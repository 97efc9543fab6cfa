//! One model call as the loop sees it: attempts, waits, overflow and cancellation, until there is an answer or no hope.

use std::time::Duration;

use tokio::time::Instant;

use super::driver::{Driver, Stop, failed};
use super::reading::{Ended, Reading};
use crate::agent::{AgentError, AgentEvent};
use crate::hook::{AfterModelCall, BeforeModelCall};
use crate::message::{Message, Role};
use crate::metrics::Usage;
use crate::model::{ModelError, ModelRequest, StopReason, ToolChoice, Turn, TurnBuilder};

/// How often in a row hooks may throw an answer away.
const MAX_HOOK_RETRIES: u32 = 8;

/// What came of a model call.
pub(super) enum ModelOutcome {
    Answered(Turn),
    /// The invocation was stopped; this much had been said.
    Stopped {
        reason: StopReason,
        partial: PartialAnswer,
    },
}

/// What there was of an answer when it was cut short.
pub(super) struct PartialAnswer {
    pub(super) message: Message,
    pub(super) usage: Usage,
    pub(super) redact_user: Option<String>,
}

impl PartialAnswer {
    fn nothing() -> Self {
        Self { message: Message::new(Role::Assistant, [""; 0]), usage: Usage::default(), redact_user: None }
    }
}

/// What came of one attempt.
enum Attempt {
    Answered(Turn),
    Stopped { reason: StopReason, partial: PartialAnswer },
    Failed { error: ModelError, streamed: bool, usage: Usage },
}

impl Driver<'_> {
    pub(super) async fn call_model(
        &mut self,
        choice: Option<&ToolChoice>,
        mut stop: Stop<'_>,
    ) -> Result<ModelOutcome, AgentError> {
        let began = Instant::now();
        let (mut attempts, mut failures, mut hook_retries) = (0, 0, 0);
        let mut tried: Vec<String> = Vec::new();
        if let Some(reason) = self.prepare_conversation(stop.as_mut()).await {
            return Ok(ModelOutcome::Stopped { reason, partial: PartialAnswer::nothing() });
        }
        loop {
            if let Some(denied) = self.before_model_call().await? {
                return Ok(ModelOutcome::Answered(denied));
            }
            attempts += 1;
            let attempt = self.attempt(choice, stop.as_mut()).await;
            let (usage, latency_ms) = attempt.cost();
            self.metrics().add_usage(usage, latency_ms);
            let wants_another = self.after_model_call(&attempt).await? && hook_retries < MAX_HOOK_RETRIES;
            let (error, streamed) = match attempt {
                Attempt::Answered(_) if wants_another => {
                    hook_retries += 1;
                    self.thrown_away(usage);
                    self.announce_retry(attempts, Duration::ZERO, "a hook asked for another answer", true).await;
                    continue;
                }
                Attempt::Answered(turn) => return Ok(ModelOutcome::Answered(turn)),
                Attempt::Stopped { reason, partial } => return Ok(ModelOutcome::Stopped { reason, partial }),
                Attempt::Failed { error, streamed, .. } => (error, streamed),
            };
            self.thrown_away(usage);
            if wants_another {
                hook_retries += 1;
                self.announce_retry(attempts, Duration::ZERO, &error.to_string(), streamed).await;
                continue;
            }
            if choice.is_some() && !streamed && self.asks_for_less(&error) {
                self.announce_retry(attempts, Duration::ZERO, &error.to_string(), false).await;
                continue;
            }
            if let ModelError::ContextOverflow { .. } = error {
                match self.shorten(error, &mut tried, stop.as_mut()).await? {
                    Some(reason) => {
                        return Ok(ModelOutcome::Stopped { reason, partial: PartialAnswer::nothing() });
                    }
                    None => continue,
                }
            }
            failures += 1;
            let Some(delay) = self.agent.shared.retry.delay(&error, failures, began.elapsed()) else {
                return Err(AgentError::Model { attempts, source: error });
            };
            self.announce_retry(attempts, delay, &error.to_string(), streamed).await;
            tokio::select! {
                biased;
                reason = stop.as_mut() => {
                    return Ok(ModelOutcome::Stopped { reason, partial: PartialAnswer::nothing() });
                }
                () = tokio::time::sleep(delay) => {}
            }
        }
    }

    async fn before_model_call(&self) -> Result<Option<Turn>, AgentError> {
        if self.agent.shared.hooks.is_empty() {
            return Ok(None);
        }
        let mut event = BeforeModelCall {
            state: &self.agent.state,
            messages: self.agent.history.messages(),
            turns: self.agent.run.as_ref().map(super::run::Run::turns).unwrap_or_default(),
            deny: None,
        };
        for hook in &self.agent.shared.hooks {
            hook.before_model_call(&mut event).await.map_err(failed("before_model_call"))?;
        }
        Ok(event.deny.map(|reason| Turn::said(Message::assistant(reason))))
    }

    async fn after_model_call(&self, attempt: &Attempt) -> Result<bool, AgentError> {
        let outcome = match attempt {
            Attempt::Answered(turn) => Ok((&turn.message, &turn.stop_reason)),
            Attempt::Stopped { reason, partial } => Ok((&partial.message, reason)),
            Attempt::Failed { error, .. } => Err(error),
        };
        let mut event = AfterModelCall { state: &self.agent.state, outcome, retry: false };
        for hook in self.agent.shared.hooks.iter().rev() {
            hook.after_model_call(&mut event).await.map_err(failed("after_model_call"))?;
        }
        Ok(event.retry)
    }

    /// What was thrown away counts against the limits here; an answer does when it is taken in.
    fn thrown_away(&mut self, usage: Usage) {
        if let Some(run) = &mut self.agent.run {
            run.spent(usage);
        }
    }

    pub(super) async fn announce_retry(&self, attempt: u32, delay: Duration, error: &str, discards_output: bool) {
        let event = || AgentEvent::Retry { attempt, delay, error: error.to_owned(), discards_output };
        self.emitter.emit(event).await;
    }

    async fn attempt(&self, choice: Option<&ToolChoice>, mut stop: Stop<'_>) -> Attempt {
        let shared = &self.agent.shared;
        let request = ModelRequest {
            messages: self.agent.history.messages(),
            system: &shared.system,
            tools: &self.specs,
            tool_choice: choice.filter(|_| self.output.is_forced_by_choice()),
            output_schema: choice.and(self.output.schema()),
            written: Some(&self.agent.written),
        };
        let began = Instant::now();
        let answer = TurnBuilder::new(shared.max_response_bytes);
        let opened = tokio::select! {
            biased;
            reason = stop.as_mut() => return stopped(reason, answer),
            opened = self.agent.model.stream(request) => opened,
        };
        let events = match opened {
            Ok(events) => events,
            Err(error) => return Attempt::Failed { error, streamed: false, usage: Usage::default() },
        };
        let mut reading = Reading::new(events, answer, &self.emitter, began);
        let ended = reading.read(stop).await;
        let Reading { answer, first_content, .. } = reading;
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
}

impl Attempt {
    /// What it cost, and how many milliseconds it took, where that counts.
    fn cost(&self) -> (Usage, u64) {
        match self {
            Self::Answered(turn) => (turn.usage, turn.metrics.latency_ms),
            Self::Stopped { partial, .. } => (partial.usage, 0),
            Self::Failed { usage, .. } => (*usage, 0),
        }
    }
}

fn stopped(reason: StopReason, answer: TurnBuilder) -> Attempt {
    let redact_user = answer.redact_user().map(str::to_owned);
    let (message, usage) = answer.into_partial();
    Attempt::Stopped { reason, partial: PartialAnswer { message, usage, redact_user } }
}

fn broken(error: ModelError, answer: TurnBuilder) -> Attempt {
    Attempt::Failed { error, streamed: answer.has_content(), usage: answer.usage() }
}

//! One attempt of a model call, with the hooks around it. An attempt is the unit that a journal records.

use std::time::Duration;

use tokio::time::Instant;

use super::driver::Driver;
use super::journal_records;
use super::model_outcome::{Attempt, AttemptOutcome, PartialResponse};
use super::open_turn::OpenTurn;
use super::stop_signal::StopSignal;
use super::stream_reader::{StreamEnd, StreamReader};
use crate::hook::{AfterModelCall, BeforeModelCall};
use crate::journal::{JournalError, JournalStep, Recorder};
use crate::message::{Message, Role};
use crate::models::{
    Failures, FallbackStep, ModelError, ModelRequest, ModelStream, StopReason, ToolChoice, Turn, TurnBuilder,
};
use crate::nesting;
use crate::outcome::AgentError;

/// Inputs to the delay before the next attempt.
#[derive(Clone, Copy)]
pub(super) struct DelayInputs {
    /// The attempts that failed.
    pub(super) failures: Failures,
    /// Start of the first attempt.
    pub(super) began: Duration,
    /// Random number. It is drawn outside the effect, so that a replay draws it as well.
    pub(super) jitter: f64,
}

impl Driver<'_> {
    /// Makes an attempt and records it in a journal, or returns the recorded one.
    pub(super) async fn attempt_with_journal(
        &self,
        recorder: &Recorder<'_>,
        choice: Option<&ToolChoice>,
        (call, attempt): (u32, u32),
        delay_inputs: DelayInputs,
        stop: &mut StopSignal,
    ) -> Result<Attempt, JournalError> {
        let name = format!("model/{call}/{attempt}");
        let budget = &self.context.scope().budget;
        let before = budget.spent();
        // Only hooks change the state during a model call.
        let state = self.watched_state();
        let effect = async {
            let mut attempt = self.attempt(choice, attempt, delay_inputs, stop).await;
            let nested = budget.spent().beyond(before);
            attempt.nested = (!nested.is_nothing()).then(|| Box::new(nested));
            attempt.state = state.and_then(|state| state.changes()).map(Box::new);
            journal_records::of_attempt(attempt)
        };
        let input = || self.request(choice).to_json();
        let recorded = recorder.record(JournalStep::new(&name).with_input(&input), Box::pin(effect)).await?;
        let mut attempt = journal_records::into_attempt(recorded.value);
        if recorded.is_replay {
            self.repeat_changes(attempt.nested.as_deref().copied(), attempt.state.take().map(|state| *state));
        }
        Ok(attempt)
    }

    /// Makes one attempt, with the hooks around it.
    pub(super) async fn attempt(
        &self,
        choice: Option<&ToolChoice>,
        number: u32,
        delay_inputs: DelayInputs,
        stop: &mut StopSignal,
    ) -> Attempt {
        match self.before_model_call(number, stop).await {
            Ok(None) => {}
            Ok(Some(denied)) => return Attempt::new(AttemptOutcome::Denied(denied)),
            Err(failure) => {
                let empty = Box::new(Turn::synthetic(Message::new(Role::Assistant, [""; 0])));
                return Attempt {
                    hook_failure: Some(Box::new(failure)),
                    ..Attempt::new(AttemptOutcome::Denied(empty))
                };
            }
        }
        let config = &self.work.config;
        let request = self.request(choice);
        let began = Instant::now();
        let opened = tokio::select! {
            biased;
            reason = stop.stopped() => Err(StreamEnd::Stopped(reason)),
            opened = (*self.work.model).stream(request) => opened.map_err(StreamEnd::Failed),
        };
        let turn = TurnBuilder::new(config.max_response_bytes);
        let mut observed = Observed { attempt: number, ..Observed::default() };
        let outcome = match opened {
            Ok(events) => {
                let events = self.hooked_stream(events);
                let mut turn = OpenTurn::new(turn, &self.context.scope().budget);
                turn.set_earlier_calls(self.work.history.call_ids());
                let is_listening = !self.emitter.is_silent();
                let output = self.output.partial(choice.is_some()).filter(|_| is_listening);
                let reader = Box::new(StreamReader::new(events, turn, began, is_listening, output));
                let (reader, ended) = self.emitter.read(reader, stop).await;
                let StreamReader { turn, first_content, .. } = *reader;
                let mut turn = turn.close();
                observed.first_content = first_content;
                observed.fallbacks = turn.take_fallbacks();
                attempt_outcome(ended, turn, began, first_content)
            }
            Err(ended) => attempt_outcome(ended, turn, began, None),
        };
        observed.duration = began.elapsed();
        let mut attempt = Attempt::new(outcome);
        match self.after_model_call(&attempt.outcome, observed, stop).await {
            Ok(retry) => attempt.retry = retry,
            Err(failure) => attempt.hook_failure = Some(Box::new(failure)),
        }
        if let AttemptOutcome::Failed { error, .. } = &attempt.outcome {
            let DelayInputs { mut failures, began, jitter } = delay_inputs;
            failures.add(error);
            attempt.capabilities = self.output.kind.is_some().then(|| self.work.model.capabilities());
            attempt.delay = config.retry.delay(error, failures, self.effects.since(began), jitter);
        }
        attempt
    }

    fn request<'r>(&'r self, choice: Option<&'r ToolChoice>) -> ModelRequest<'r> {
        ModelRequest {
            messages: self.work.history.messages(),
            system: &self.system,
            tools: &self.specs,
            tool_choice: choice.filter(|_| self.output.is_forced_tool()),
            output_schema: choice.and(self.output.schema()),
            serialized: Some(&self.work.serialized),
        }
    }

    /// Passes a response stream through the hooks.
    fn hooked_stream(&self, stream: ModelStream) -> ModelStream {
        let hooks = self.work.config.hooks();
        if hooks.is_empty() {
            return stream;
        }
        let context = self.context.live();
        let hooked = hooks.iter().rev().fold(stream, |stream, hook| hook.response_stream(&context, stream));
        // A hook may prompt an agent for what it reads.
        Box::pin(nesting::stream_inside(&self.context.scope().budget, hooked))
    }

    async fn before_model_call(&self, attempt: u32, stop: &mut StopSignal) -> Result<Option<Box<Turn>>, AgentError> {
        if self.work.config.hooks().is_empty() {
            return Ok(None);
        }
        let context = self.context.live();
        let mut event = BeforeModelCall {
            context: &context,
            messages: self.work.history.messages(),
            system: &self.system,
            tools: &self.specs,
            model_id: self.work.model.model_id(),
            attempt,
            deny: None,
        };
        for hook in self.work.config.hooks() {
            if let Ok(result) = stop.race(hook.before_model_call(&mut event)).await {
                result.map_err(AgentError::in_hook("before_model_call"))?;
            }
        }
        Ok(event.deny.map(|reason| Box::new(Turn::synthetic(Message::assistant(reason)))))
    }

    async fn after_model_call(
        &self,
        outcome: &AttemptOutcome,
        observed: Observed,
        stop: &mut StopSignal,
    ) -> Result<bool, AgentError> {
        let (usage, _) = outcome.cost();
        let outcome = match outcome {
            AttemptOutcome::Completed(turn) | AttemptOutcome::Denied(turn) => Ok((&turn.message, &turn.stop_reason)),
            AttemptOutcome::Stopped { reason, partial } => Ok((&partial.message, reason)),
            AttemptOutcome::Failed { error, .. } => Err(error),
        };
        if self.work.config.hooks().is_empty() {
            return Ok(false);
        }
        let context = self.context.live();
        let mut event = AfterModelCall {
            context: &context,
            outcome,
            usage,
            duration: observed.duration,
            time_to_first_content: observed.first_content,
            model_id: self.work.model.model_id(),
            fallbacks: &observed.fallbacks,
            attempt: observed.attempt,
            retry: false,
        };
        for hook in self.work.config.hooks().iter().rev() {
            if let Ok(result) = stop.race(hook.after_model_call(&mut event)).await {
                result.map_err(AgentError::in_hook("after_model_call"))?;
            }
        }
        Ok(event.retry)
    }
}

/// Observations of an attempt, for hooks.
#[derive(Default)]
struct Observed {
    attempt: u32,
    duration: Duration,
    first_content: Option<Duration>,
    fallbacks: Vec<FallbackStep>,
}

/// Returns the outcome of an attempt whose stream has ended.
fn attempt_outcome(
    ended: StreamEnd,
    turn: TurnBuilder,
    began: Instant,
    first_content: Option<Duration>,
) -> AttemptOutcome {
    match ended {
        StreamEnd::Complete => {}
        StreamEnd::Stopped(reason) => return stopped(reason, turn),
        StreamEnd::Failed(error) => return failed(error, turn),
    }
    if !turn.is_complete() {
        return failed(ModelError::transport("the stream ended before its stop event"), turn);
    }
    let streamed = turn.has_content();
    let usage = turn.usage();
    match turn.finish() {
        Ok(turn) => {
            let mut turn = Box::new(turn);
            turn.set_timings(began.elapsed(), first_content);
            AttemptOutcome::Completed(turn)
        }
        Err(error) => AttemptOutcome::Failed { error, streamed, usage },
    }
}

fn stopped(reason: StopReason, turn: TurnBuilder) -> AttemptOutcome {
    let redact_user = turn.redact_user().map(str::to_owned);
    let (message, usage) = turn.into_partial();
    AttemptOutcome::Stopped { reason, partial: Box::new(PartialResponse { message, usage, redact_user }) }
}

fn failed(error: ModelError, turn: TurnBuilder) -> AttemptOutcome {
    AttemptOutcome::Failed { error, streamed: turn.has_content(), usage: turn.usage() }
}

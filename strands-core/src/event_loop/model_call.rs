//! One model call as the loop sees it: attempts, waits, overflow and cancellation, until there is an answer or no hope.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;

use super::driver::{Driver, Stop, failed};
use crate::agent::{AgentError, AgentEvent};
use crate::conversation::Reduction;
use crate::hook::{AfterModelCall, BeforeModelCall};
use crate::message::{Message, Role};
use crate::metrics::Usage;
use crate::model::{
    BlockDelta, ModelError, ModelRequest, ReasoningDelta, StopReason, StreamEvent, ToolChoice, Turn, TurnBuilder,
};

/// How often in a row hooks may throw an answer away.
const MAX_HOOK_RETRIES: u32 = 8;

/// What came of a model call.
pub(super) enum ModelOutcome {
    Answered(Box<Turn>),
    /// The invocation was stopped; this much had been said.
    Stopped {
        reason: StopReason,
        partial: Message,
        usage: Usage,
    },
}

/// What came of one attempt.
enum Attempt {
    Answered(Turn),
    Stopped { reason: StopReason, partial: Message, usage: Usage },
    Failed { error: ModelError, streamed: bool, usage: Usage },
}

impl Driver<'_> {
    pub(super) async fn call_model(
        &mut self,
        choice: Option<&ToolChoice>,
        mut stop: Stop<'_>,
    ) -> Result<ModelOutcome, AgentError> {
        let began = Instant::now();
        let (mut attempts, mut hook_retries) = (0, 0);
        let mut tried: Vec<String> = Vec::new();
        loop {
            if let Some(denied) = self.before_model_call().await? {
                return Ok(ModelOutcome::Answered(Box::new(denied)));
            }
            attempts += 1;
            let attempt = self.attempt(choice, stop.as_mut()).await;
            let wants_another = self.after_model_call(&attempt).await? && hook_retries < MAX_HOOK_RETRIES;
            let (error, streamed) = match attempt {
                Attempt::Answered(turn) if wants_another => {
                    hook_retries += 1;
                    self.spend(turn.usage, turn.metrics.latency_ms, true);
                    self.announce_retry(attempts, Duration::ZERO, "a hook asked for another answer", true).await;
                    continue;
                }
                Attempt::Answered(turn) => {
                    self.spend(turn.usage, turn.metrics.latency_ms, false);
                    return Ok(ModelOutcome::Answered(Box::new(turn)));
                }
                Attempt::Stopped { reason, partial, usage } => {
                    self.spend(usage, 0, false);
                    return Ok(ModelOutcome::Stopped { reason, partial, usage });
                }
                Attempt::Failed { error, streamed, usage } => {
                    self.spend(usage, 0, true);
                    (error, streamed)
                }
            };
            if wants_another {
                hook_retries += 1;
                self.announce_retry(attempts, Duration::ZERO, &error.to_string(), streamed).await;
                continue;
            }
            if let ModelError::ContextOverflow { .. } = error {
                self.shorten(error, &mut tried).await?;
                continue;
            }
            let Some(delay) = self.agent.shared.retry.delay(&error, attempts, began.elapsed()) else {
                return Err(AgentError::Model { attempts, source: error });
            };
            self.announce_retry(attempts, delay, &error.to_string(), streamed).await;
            tokio::select! {
                biased;
                reason = stop.as_mut() => {
                    let partial = Message::new(Role::Assistant, [""; 0]);
                    return Ok(ModelOutcome::Stopped { reason, partial, usage: Usage::default() });
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
            Attempt::Stopped { reason, partial, .. } => Ok((partial, reason)),
            Attempt::Failed { error, .. } => Err(error),
        };
        let mut event = AfterModelCall { state: &self.agent.state, outcome, retry: false };
        for hook in self.agent.shared.hooks.iter().rev() {
            hook.after_model_call(&mut event).await.map_err(failed("after_model_call"))?;
        }
        Ok(event.retry)
    }

    /// Counts what a call cost; what was thrown away counts against the limits here, an answer when it is taken in.
    fn spend(&mut self, usage: Usage, latency_ms: u64, thrown_away: bool) {
        self.metrics().add_usage(usage, latency_ms);
        if let Some(run) = self.agent.run.as_mut().filter(|_| thrown_away) {
            run.spent(usage);
        }
    }

    async fn announce_retry(&self, attempt: u32, delay: Duration, error: &str, discards_output: bool) {
        let event = || AgentEvent::Retry { attempt, delay, error: error.to_owned(), discards_output };
        self.emitter.emit(event).await;
    }

    async fn shorten(&mut self, overflow: ModelError, tried: &mut Vec<String>) -> Result<(), AgentError> {
        let manager = Arc::clone(&self.agent.shared.conversation);
        let reduction = manager.reduce(&mut self.conversation()).await;
        match reduction.map_err(|source| AgentError::Conversation { manager: manager.name(), source })? {
            Reduction::Reduced(what) => {
                tried.push(what.clone());
                self.emitter.emit(|| AgentEvent::ContextReduced { what }).await;
                Ok(())
            }
            Reduction::Impossible(why) => {
                tried.push(why);
                Err(AgentError::ContextOverflow { tried: tried.join("; then "), source: overflow })
            }
        }
    }

    async fn attempt(&self, choice: Option<&ToolChoice>, mut stop: Stop<'_>) -> Attempt {
        let shared = &self.agent.shared;
        let request = ModelRequest {
            messages: self.agent.history.messages(),
            system: &shared.system,
            tools: &self.specs,
            tool_choice: choice,
        };
        let began = Instant::now();
        let mut answer = TurnBuilder::new(shared.max_response_bytes);
        let opened = tokio::select! {
            biased;
            reason = stop.as_mut() => return stopped(reason, answer),
            opened = shared.model.stream(request) => opened,
        };
        let mut events = match opened {
            Ok(events) => events,
            Err(error) => return Attempt::Failed { error, streamed: false, usage: Usage::default() },
        };
        let mut first_content = None;
        let mut calls: Vec<(usize, Arc<str>)> = Vec::new();
        loop {
            let event = tokio::select! {
                biased;
                reason = stop.as_mut() => return stopped(reason, answer),
                event = events.next() => event,
            };
            let pushed = match event {
                None => break,
                Some(Ok(event)) => answer.push(&event).map(|()| event),
                Some(Err(error)) => Err(error),
            };
            match pushed {
                Ok(event) => {
                    if first_content.is_none() && answer.has_content() {
                        first_content = Some(began.elapsed());
                    }
                    self.tell(event, &mut calls).await;
                }
                Err(error) => return broken(error, answer),
            }
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

    /// Passes a piece of the answer on to whoever listens.
    async fn tell(&self, event: StreamEvent, calls: &mut Vec<(usize, Arc<str>)>) {
        if self.emitter.is_silent() {
            return;
        }
        let event = match event {
            StreamEvent::ContentBlockStart { content_block_index, start } => {
                let Some(start) = start.tool_use else { return };
                let tool_use_id: Arc<str> = start.tool_use_id.into();
                calls.push((content_block_index, Arc::clone(&tool_use_id)));
                AgentEvent::ToolUseStart { tool_use_id, name: start.name }
            }
            StreamEvent::ContentBlockDelta { content_block_index, delta } => match delta {
                BlockDelta::Text(text) => AgentEvent::TextDelta { text },
                BlockDelta::ReasoningContent(ReasoningDelta::Text(text)) => AgentEvent::ReasoningDelta { text },
                BlockDelta::ReasoningContent(_) => return,
                BlockDelta::Citation(citation) => AgentEvent::Citation { citation },
                BlockDelta::ToolUse(piece) => {
                    let call = calls.iter().rev().find(|(index, _)| *index == content_block_index);
                    let Some((_, tool_use_id)) = call else { return };
                    AgentEvent::ToolUseDelta { tool_use_id: Arc::clone(tool_use_id), input: piece.input }
                }
            },
            StreamEvent::RedactContent {
                redact_user_content_message: user,
                redact_assistant_content_message: assistant,
            } => AgentEvent::Redacted { user, assistant },
            _ => return,
        };
        self.emitter.emit(|| event).await;
    }
}

fn stopped(reason: StopReason, answer: TurnBuilder) -> Attempt {
    let (partial, usage) = answer.into_partial();
    Attempt::Stopped { reason, partial, usage }
}

fn broken(error: ModelError, answer: TurnBuilder) -> Attempt {
    Attempt::Failed { error, streamed: answer.has_content(), usage: answer.usage() }
}

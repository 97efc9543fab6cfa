//! Messages that join the history during an invocation: prompts, responses and messages in place of a response. Each is saved
//! to the session before it is announced to the listener and to hooks.

use std::sync::Arc;
use std::time::Duration;

use super::driver::Driver;
use super::model_outcome::PartialResponse;
use super::stop_signal::StopSignal;
use crate::event::AgentEvent;
use crate::history::INTERRUPTED;
use crate::hook::MessageAdded;
use crate::message::Message;
use crate::models::{StopReason, Turn};
use crate::outcome::AgentError;
use crate::run::MissingOutput;

/// The prompt that follows a response without the requested output, if any.
type FollowUp = Result<Option<Box<Message>>, MissingOutput>;

impl Driver<'_> {
    /// Adds the model's response to the history and to the state machine.
    pub(super) async fn take_response(
        &mut self,
        turn: Box<Turn>,
        forced: bool,
        stop: &mut StopSignal,
    ) -> Result<(), AgentError> {
        // No await before the state machine is updated: a dropped invocation must not separate a call from its result.
        let (new, next) = self.add_response(turn, forced);
        self.announce_all(&new, stop).await?;
        match next {
            Ok(None) => Ok(()),
            Ok(Some(mut follow_up)) => {
                follow_up.content.extend(self.output.correction());
                self.add_prompt(vec![*follow_up]);
                Ok(())
            }
            Err(missing) => Err(self.no_output(&missing)),
        }
    }

    /// Adds a response to the history. Returns the new messages, and the prompt that follows.
    fn add_response(&mut self, turn: Box<Turn>, forced: bool) -> (Vec<Arc<Message>>, FollowUp) {
        let Turn { mut message, stop_reason, usage, redact_user, .. } = *turn;
        if let Some(replacement) = &redact_user {
            self.work.history.redact_prompt(replacement);
        }
        // Some models respond to a forced call in text, which is accepted if it fits the type.
        let output = if forced && stop_reason == StopReason::EndTurn { self.output.in_text(&message) } else { None };
        self.effects.track(&mut message);
        let mut new = self.work.history.commit_prompt();
        let message = self.work.history.push(message);
        let Some(run) = &mut self.work.run else { return (new, Ok(None)) };
        if let Some(output) = output {
            run.set_output_value(output);
        }
        let next = run.model_responded(&message, &stop_reason, usage);
        let latency = message.metadata.as_ref().and_then(|known| known.metrics).unwrap_or_default().latency_ms;
        self.metrics().add_model_call(&message, Duration::from_millis(latency));
        self.last_response = Some(Arc::clone(&message));
        new.push(message);
        (new, next.map(|next| next.map(Box::new)))
    }

    /// Adds a prompt to the history, pending until the model responds.
    pub(super) fn add_prompt(&mut self, mut prompt: Vec<Message>) {
        for message in &mut prompt {
            self.effects.track(message);
        }
        self.work.history.add_prompt(prompt);
    }

    /// Ends the invocation with a message that is not from the model.
    pub(super) async fn end_with(&mut self, message: Message, stop: &mut StopSignal) -> Result<(), AgentError> {
        if let Some(run) = &mut self.work.run {
            run.end(StopReason::EndTurn, INTERRUPTED);
        }
        self.add_assistant_message(Vec::new(), message, stop).await
    }

    /// Ends a stopped invocation. The partial response stays in the history, so that the conversation can continue.
    pub(super) fn end_stopped(
        &mut self,
        partial: PartialResponse,
        reason: StopReason,
        stop: &mut StopSignal,
    ) -> impl Future<Output = Result<(), AgentError>> {
        let PartialResponse { message, usage, redact_user } = partial;
        if let Some(replacement) = &redact_user {
            self.work.history.redact_prompt(replacement);
        }
        let message = match &reason {
            _ if !message.content.is_empty() => message,
            StopReason::Cancelled => Message::assistant("Cancelled by user"),
            _ => Message::assistant("Stopped: time limit reached"),
        };
        let mut new = self.work.history.commit_prompt();
        if let Some(run) = self.work.run.take() {
            self.work.note_abandoned(&run);
            let run = self.work.run.insert(run);
            run.charge(usage);
            new.extend(run.end(reason, INTERRUPTED).map(|mut results| {
                self.effects.track(&mut results);
                self.work.history.push(results)
            }));
        }
        self.add_assistant_message(new, message, stop)
    }

    /// Adds an assistant message to the history. The future announces it, after the other new messages.
    pub(super) fn add_assistant_message(
        &mut self,
        mut new: Vec<Arc<Message>>,
        mut message: Message,
        stop: &mut StopSignal,
    ) -> impl Future<Output = Result<(), AgentError>> {
        self.effects.track(&mut message);
        let message = self.work.history.push(message);
        self.last_response = Some(Arc::clone(&message));
        new.push(message);
        async move { self.announce_all(&new, stop).await }
    }

    /// Announces messages, each after it was saved.
    pub(super) async fn announce_all(
        &mut self,
        messages: &[Arc<Message>],
        stop: &mut StopSignal,
    ) -> Result<(), AgentError> {
        for message in messages {
            self.announce(message, stop).await?;
        }
        Ok(())
    }

    /// Saves a message to the session, then announces it.
    pub(super) async fn announce(&mut self, message: &Arc<Message>, stop: &mut StopSignal) -> Result<(), AgentError> {
        self.save_messages(stop).await?;
        self.emitter.emit(|| AgentEvent::Message { message: Arc::clone(message) }).await;
        if self.work.config.hooks().is_empty() {
            return Ok(());
        }
        self.update_context();
        let contexts = self.event_contexts();
        let mut event = MessageAdded { context: &self.context, message };
        let end = self.call_hooks(&mut event, contexts.as_deref(), stop).await?;
        end.failure.map_or(Ok(()), Err)
    }

    /// Writes unsaved messages to the session. After a stop they may stay unsaved; then the next invocation writes them.
    pub(super) async fn save_messages(&mut self, stop: &mut StopSignal) -> Result<(), AgentError> {
        if self.work.session.is_none() {
            return Ok(());
        }
        match Box::pin(stop.race_unrecorded(self.work.save_messages())).await {
            Ok(saved) => self.has_saved |= saved?,
            Err(_) => self.has_saved = true,
        }
        Ok(())
    }
}

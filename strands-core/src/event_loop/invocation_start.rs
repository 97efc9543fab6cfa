//! Start of an invocation: it adds a new prompt to the history, or resumes a suspended run with responses to its interrupts.

use super::decisions::HooksEnd;
use super::driver::Driver;
use super::stop_signal::StopSignal;
use crate::depth;
use crate::event::AgentResponse;
use crate::hook::BeforeInvocation;
use crate::interrupt::{InterruptResponse, InterruptedCall};
use crate::message::{Message, Role};
use crate::models::StopReason;
use crate::outcome::AgentError;
use crate::prompt::Prompt;
use crate::run::UnknownInterrupt;

impl Driver<'_> {
    /// Starts a round with the prompt, or with responses to interrupts. Returns a response if the invocation ends here.
    /// `retry_prompt` is set to the prompt as hooks changed it, if a conflict may require another round.
    pub(super) async fn start_round(
        &mut self,
        prompt: Prompt,
        responses: Vec<InterruptResponse>,
        retry_prompt: &mut Option<Vec<Message>>,
        stop: &mut StopSignal,
    ) -> Result<Option<Box<AgentResponse>>, AgentError> {
        if self.work.rewinding.is_some() {
            match Box::pin(stop.race_unrecorded(self.work.complete_rewind())).await {
                Ok(completed) => drop(completed?),
                Err(reason) => return Ok(Some(self.response(reason, None))),
            }
        }
        if self.work.tools.are_outdated() {
            Box::pin(self.refresh_tools(stop)).await?;
        }
        self.work.check_injected_values(&self.tools, &self.context.scope().injected)?;
        if self.work.suspended {
            // Boxed, since most invocations do not resume a run.
            return Box::pin(self.resume_run(prompt, responses, stop)).await;
        }
        if let Some(response) = responses.first() {
            return Err(AgentError::UnknownInterrupt { id: response.interrupt_id.clone() });
        }
        // Messages of an earlier invocation that was dropped or stopped.
        if self.work.session.is_some()
            && let Ok(saved) = Box::pin(stop.race(self.work.save_messages())).await
        {
            saved?;
        }
        let mut messages = prompt.messages;
        let (denied, cut_off) = self.before_invocation(&mut messages, &mut Vec::new(), &[], stop).await?;
        if let Some(reason) = cut_off {
            // A hook may not have checked the prompt: nothing of it is stored.
            return Ok(Some(self.response(reason, None)));
        }
        check_depth(&messages)?;
        self.select_tools(stop).await?;
        for message in &mut messages {
            self.effects.track(message);
        }
        if self.work.config.conflict_retries > 0 {
            *retry_prompt = Some(messages.clone());
        }
        if denied.is_none() {
            self.check_has_input(&messages)?;
        }
        self.work.history.add_prompt(messages);
        let run = self.next_run();
        let run = self.work.run.insert(run);
        if self.output.is_first_response(&self.specs, &*self.work.model) {
            run.force_output();
        }
        let Some(last) = self.work.history.messages().last() else { return Err(AgentError::EmptyConversation) };
        if let Some(reason) = denied {
            return Box::pin(self.denied(reason, stop)).await.map(Some);
        }
        // A conversation that ends with open calls continues with them.
        if last.role == Role::Assistant && last.tool_uses().next().is_some() {
            self.work.run = self.work.run.take().map(|run| run.with_open_calls(last));
            let messages = self.work.history.commit_prompt();
            Box::pin(self.announce_all(&messages, stop)).await?;
        }
        Ok(None)
    }

    /// Checks that the model has something to respond to.
    fn check_has_input(&self, prompt: &[Message]) -> Result<(), AgentError> {
        if self.work.response_is_cut || prompt.iter().any(|message| !message.content.is_empty()) {
            return Ok(());
        }
        match self.work.history.messages().last() {
            Some(last) if last.role == Role::Assistant && last.tool_uses().next().is_none() => {
                Err(AgentError::NothingToRespondTo)
            }
            _ => Ok(()),
        }
    }

    /// Calls `before_invocation` hooks, once for all rounds of the invocation. Returns the reason for which a hook denied the
    /// invocation, and the reason of a stop that cut a hook off.
    async fn before_invocation(
        &mut self,
        prompt: &mut Vec<Message>,
        responses: &mut Vec<InterruptResponse>,
        interrupted: &[InterruptedCall],
        stop: &mut StopSignal,
    ) -> Result<(Option<String>, Option<StopReason>), AgentError> {
        if std::mem::replace(&mut self.has_called_hooks, true) {
            return Ok((self.denial.clone(), None));
        }
        self.update_context();
        let contexts = self.event_contexts();
        let mut event = BeforeInvocation {
            context: &self.context,
            prompt,
            responses,
            interrupted,
            deny: None,
            reports: Vec::new(),
        };
        let HooksEnd { failure, cut_off } = self.call_hooks(&mut event, contexts.as_deref(), stop).await?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        let BeforeInvocation { deny, reports, .. } = event;
        self.denial = deny;
        for report in reports {
            self.emitter.emit(|| report.into()).await;
        }
        Ok((self.denial.clone(), cut_off))
    }

    /// Ends the invocation with the reason that a hook gave, before any model call.
    async fn denied(&mut self, reason: String, stop: &mut StopSignal) -> Result<Box<AgentResponse>, AgentError> {
        let mut new = self.work.history.commit_prompt();
        let run = self.work.run.take();
        let track = |results: &mut Message| self.effects.track(results);
        new.extend(run.clone().and_then(|run| self.work.end_run(run, &reason, track)));
        self.add_assistant_message(new, Message::assistant(reason), stop).await?;
        Ok(self.response(StopReason::EndTurn, run))
    }

    /// Resumes a suspended run with responses to its interrupts, and with calls that an earlier invocation left approved.
    async fn resume_run(
        &mut self,
        prompt: Prompt,
        mut responses: Vec<InterruptResponse>,
        stop: &mut StopSignal,
    ) -> Result<Option<Box<AgentResponse>>, AgentError> {
        let pending = self.work.interrupts();
        if self.repeats_interrupts && !pending.is_empty() && prompt.messages.is_empty() && responses.is_empty() {
            return Ok(Some(self.interrupted(StopReason::Interrupt).await));
        }
        if !pending.is_empty() && (!prompt.messages.is_empty() || responses.is_empty()) {
            return Err(AgentError::Interrupted {
                interrupts: pending.into_iter().map(|interrupt| interrupt.id).collect(),
            });
        }
        let Some(mut run) = self.work.run.clone() else { return Ok(None) };
        check_responses(&responses)?;
        run.check_responses(&responses).map_err(unknown_interrupt)?;
        if let Some(limits) = self.limits {
            run.set_limits(limits);
        }
        if let Some(tool) = self.output.tool() {
            run.set_output(tool.clone());
        }
        let mut messages = prompt.messages;
        // Without a prompt, messages that hooks add have no effect: the model is not called yet.
        let has_prompt = !messages.is_empty();
        let interrupted = if self.work.config.hooks().is_empty() { Vec::new() } else { run.interrupted_calls() };
        let (denied, cut_off) = self.before_invocation(&mut messages, &mut responses, &interrupted, stop).await?;
        if let Some(reason) = cut_off {
            // A hook may not have checked the responses. Nothing has changed: the caller can resume again.
            return Ok(Some(self.interrupted(reason).await));
        }
        check_depth(&messages)?;
        check_responses(&responses)?;
        run.resume(responses).map_err(unknown_interrupt)?;
        self.select_tools(stop).await?;
        if let Some(reason) = denied {
            self.work.suspended = false;
            return self.denied(reason, stop).await.map(Some);
        }
        if has_prompt {
            run.queue_prompt(messages);
        }
        if let Some(pending) = run.pending_mut() {
            pending.claim(self.effects.id());
        }
        run.set_id(self.context.scope().run_id());
        // Up to here, nothing has changed.
        self.work.run = Some(run);
        self.claim(stop).await
    }

    /// Records that this worker continues with the calls, before it makes any of them. Of two workers with the same response,
    /// one gets a conflict here.
    async fn claim(&mut self, stop: &mut StopSignal) -> Result<Option<Box<AgentResponse>>, AgentError> {
        self.work.suspended = false;
        let claimed = stop.race_unrecorded(self.work.save_record()).await;
        if let Ok(Ok(())) = claimed {
            return Ok(None);
        }
        self.work.suspended = true;
        if let Some(run) = &mut self.work.run {
            run.drop_unchecked_responses();
        }
        match claimed {
            Ok(claimed) => Ok(claimed.map(|()| None)?),
            // Stopped before anything was done: the caller can resume again.
            Err(reason) => Ok(Some(self.interrupted(reason).await)),
        }
    }
}

/// Checks that responses to interrupts can be stored.
fn check_responses(responses: &[InterruptResponse]) -> Result<(), AgentError> {
    match responses.iter().find(|response| depth::check(&response.response).is_err()) {
        Some(response) => Err(AgentError::JsonTooDeep { what: format!("the response to `{}`", response.interrupt_id) }),
        None => Ok(()),
    }
}

fn unknown_interrupt(UnknownInterrupt(id): UnknownInterrupt) -> AgentError {
    AgentError::UnknownInterrupt { id }
}

/// Checks that messages can be stored.
fn check_depth(messages: &[Message]) -> Result<(), AgentError> {
    match messages.iter().position(|message| depth::check_message(message).is_err()) {
        Some(index) => Err(AgentError::JsonTooDeep { what: format!("message {index} of the prompt") }),
        None => Ok(()),
    }
}

//! The beginning of an invocation: a new prompt, or the answers of humans to what a suspended one waits for.

use super::driver::Driver;
use super::stop::Stop;
use crate::depth;
use crate::event::AgentResponse;
use crate::hook::BeforeInvocation;
use crate::interrupt::InterruptResponse;
use crate::message::{Message, Role};
use crate::models::StopReason;
use crate::outcome::AgentError;
use crate::prompt::Prompt;
use crate::run::UnknownInterrupt;

impl Driver<'_> {
    /// Takes in the prompt, or the answers of humans. Returns a response if the invocation ends here. `again` gets the
    /// prompt as hooks have left it, if it may be needed once more.
    pub(super) async fn begin(
        &mut self,
        prompt: Prompt,
        answers: Vec<InterruptResponse>,
        again: &mut Option<Vec<Message>>,
        stop: &mut Stop<'_>,
    ) -> Result<Option<AgentResponse>, AgentError> {
        if self.work.rewinding.is_some() {
            match stop.race_outside(self.work.complete_rewind()).await {
                Ok(completed) => drop(completed?),
                Err(reason) => return Ok(Some(self.response(reason, None))),
            }
        }
        if self.work.tools.are_outdated() {
            self.refresh_tools(stop).await?;
        }
        self.work.check_injected_values(&self.tools, &self.context.scope().injected)?;
        if self.work.suspended {
            // Boxed: most invocations do not need the room.
            return Box::pin(self.go_on(prompt, answers, stop)).await;
        }
        if let Some(answer) = answers.first() {
            return Err(AgentError::UnknownInterrupt { id: answer.interrupt_id.clone() });
        }
        // What an earlier invocation has left behind, because it was dropped or stopped.
        if self.work.session.is_some()
            && let Ok(saved) = stop.race(self.work.save_messages()).await
        {
            saved?;
        }
        let mut messages = prompt.messages;
        let denied = self.before_invocation(&mut messages, stop).await?;
        storable(&messages)?;
        for message in &mut messages {
            self.effects.track(message);
        }
        if self.work.config.conflict_retries > 0 {
            *again = Some(messages.clone());
        }
        if denied.is_none() {
            self.check_open(&messages)?;
        }
        self.work.history.ask(messages);
        let run = self.next_run();
        let run = self.work.run.insert(run);
        if self.output.is_given_at_once(&self.specs, &*self.work.model) {
            run.force_output();
        }
        let Some(last) = self.work.history.messages().last() else { return Err(AgentError::EmptyConversation) };
        if let Some(reason) = denied {
            return self.denied(reason, stop).await.map(Some);
        }
        // A conversation that ends with open calls goes on with them.
        if last.role == Role::Assistant && last.tool_uses().next().is_some() {
            self.work.run = self.work.run.take().map(|run| run.with_open_calls(last));
            let asked = self.work.history.answered();
            self.all_added(&asked, stop).await?;
        }
        Ok(None)
    }

    /// Checks that the model has something to respond to. A call for nothing costs as much as any other.
    fn check_open(&self, prompt: &[Message]) -> Result<(), AgentError> {
        if self.work.response_is_cut || prompt.iter().any(|message| !message.content.is_empty()) {
            return Ok(());
        }
        match self.work.history.messages().last() {
            Some(last) if last.role == Role::Assistant && last.tool_uses().next().is_none() => {
                Err(AgentError::NothingToAnswer)
            }
            _ => Ok(()),
        }
    }

    /// Hooks hear of the invocation once, however often it begins again.
    async fn before_invocation(
        &mut self,
        prompt: &mut Vec<Message>,
        stop: &mut Stop<'_>,
    ) -> Result<Option<String>, AgentError> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(self.denial.clone());
        }
        self.update_context();
        let mut event = BeforeInvocation { context: &self.context, prompt, deny: None };
        for hook in self.work.config.hooks() {
            if let Ok(heard) = stop.race_outside(hook.before_invocation(&mut event)).await {
                heard.map_err(AgentError::in_hook("before_invocation"))?;
            }
        }
        self.denial = event.deny;
        Ok(self.denial.clone())
    }

    /// Ends the invocation with a hook's words, before anything was done.
    async fn denied(&mut self, reason: String, stop: &mut Stop<'_>) -> Result<AgentResponse, AgentError> {
        let mut new = self.work.history.answered();
        let run = self.work.run.take();
        new.extend(run.clone().and_then(|run| self.work.end_run(run, &reason)));
        self.answer(new, Message::assistant(reason), stop).await?;
        Ok(self.response(StopReason::EndTurn, run))
    }

    /// Takes humans' answers to what the agent waits for, and calls that were approved in an invocation that broke off.
    async fn go_on(
        &mut self,
        prompt: Prompt,
        answers: Vec<InterruptResponse>,
        stop: &mut Stop<'_>,
    ) -> Result<Option<AgentResponse>, AgentError> {
        let asked = self.work.interrupts();
        if !asked.is_empty() && (!prompt.messages.is_empty() || answers.is_empty()) {
            return Err(AgentError::Interrupted { interrupts: asked.into_iter().map(|asked| asked.id).collect() });
        }
        let Some(mut run) = self.work.run.clone() else { return Ok(None) };
        for answer in &answers {
            let id = &answer.interrupt_id;
            depth::check(&answer.response)
                .map_err(|_| AgentError::JsonTooDeep { what: format!("the answer to `{id}`") })?;
        }
        run.resume(answers).map_err(|UnknownInterrupt(id)| AgentError::UnknownInterrupt { id })?;
        if let Some(limits) = self.limits {
            run.set_limits(limits);
        }
        if let Some(tool) = self.output.tool() {
            run.set_output(tool.clone());
        }
        let mut messages = prompt.messages;
        // What hooks add to answers alone has no effect: the model is asked nothing yet.
        let has_prompt = !messages.is_empty();
        let denied = self.before_invocation(&mut messages, stop).await?;
        storable(&messages)?;
        if let Some(reason) = denied {
            self.work.suspended = false;
            return self.denied(reason, stop).await.map(Some);
        }
        if has_prompt {
            run.hold_prompt(messages);
        }
        if let Some(pending) = run.pending_mut() {
            pending.claim(self.effects.id());
        }
        // Until here the answers have changed nothing.
        self.work.run = Some(run);
        self.claim(stop).await
    }

    /// Records that this worker goes on with the calls, before it makes any of them. Of two workers with the same answer
    /// one gets a conflict here.
    async fn claim(&mut self, stop: &mut Stop<'_>) -> Result<Option<AgentResponse>, AgentError> {
        self.work.suspended = false;
        let claimed = stop.race_outside(self.work.save_record()).await;
        if let Ok(Ok(())) = claimed {
            return Ok(None);
        }
        self.work.suspended = true;
        match claimed {
            Ok(claimed) => Ok(claimed.map(|()| None)?),
            // Stopped before anything was done: the answers are not lost.
            Err(reason) => Ok(Some(self.interrupted(reason).await)),
        }
    }
}

/// Checks that messages can be stored.
fn storable(messages: &[Message]) -> Result<(), AgentError> {
    match messages.iter().position(|message| depth::check_message(message).is_err()) {
        Some(index) => Err(AgentError::JsonTooDeep { what: format!("message {index} of the prompt") }),
        None => Ok(()),
    }
}

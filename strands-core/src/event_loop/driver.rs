//! Performs the steps that the state machine asks for: with hooks, events, metrics and cancellation. One loop for
//! awaiting and for streaming.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;

use super::effects::Effects;
use super::emitter::Emitter;
use super::model_outcome::{ModelOutcome, PartialResponse};
use super::preparation::{Beginning, Request, ToolSelection, end_of};
use super::retry_cause::RetryCause;
use super::stop::Stop;
use super::structured_output::StructuredOutput;
use crate::diagnostics;
use crate::event::{AgentEvent, AgentResponse};
use crate::history::INTERRUPTED;
use crate::hook::{HookContext, MAX_RESUMES, MessageAdded};
use crate::limits::Limits;
use crate::message::{Message, Role, SystemBlock};
use crate::metrics::EventLoopMetrics;
use crate::models::{StopReason, ToolChoice, ToolSpecs, Turn};
use crate::nesting::Spent;
use crate::outcome::AgentError;
use crate::prompt::Prompt;
use crate::run::{OutputNotGiven, Run, Step};
use crate::session::SessionError;
use crate::tool::ToolSet;
use crate::working_set::WorkingSet;

/// The question that follows a response, if there is one.
type FollowUp = Result<Option<Box<Message>>, OutputNotGiven>;

/// Performs one invocation of an agent. However it ends, the history is whole afterwards.
pub(crate) struct Driver<'a> {
    pub(super) work: &'a mut WorkingSet,
    pub(super) emitter: Emitter,
    pub(super) effects: Effects<'a>,
    pub(super) context: HookContext,
    /// The tools that the model may call.
    pub(super) tools: ToolSet,
    pub(super) selection: ToolSelection,
    /// The tools as requests have them.
    pub(super) specs: ToolSpecs,
    pub(super) system: Arc<[SystemBlock]>,
    /// The system prompt that was set for this invocation.
    pub(super) own_system: Option<Vec<SystemBlock>>,
    pub(super) output: StructuredOutput,
    /// True if the newest step was not performed, but taken from a journal.
    pub(super) is_replay: bool,
    /// A hook has denied the invocation, for this reason.
    pub(super) denial: Option<String>,
    /// The limits that the caller has set for this invocation.
    pub(super) limits: Option<Limits>,
    /// True once hooks have heard of the invocation: then they hear of its end, too.
    pub(super) begun: bool,
    /// True once a tool may have changed something.
    pub(super) ran_tools: bool,
    /// True once the session has something of this invocation.
    pub(super) has_saved: bool,
    pub(super) began: Duration,
    pub(super) cycle_began: Option<Duration>,
    pub(super) last_response: Option<Arc<Message>>,
    /// The run of the round before, or of the conflict.
    pub(super) previous: Option<Box<Run>>,
    /// The limits of the invocation.
    pub(super) in_force: Limits,
}

impl Drop for Driver<'_> {
    fn drop(&mut self) {
        self.context.scope().budget.end();
        self.count();
        self.work.settle();
    }
}

impl<'a> Driver<'a> {
    /// Performs an invocation.
    pub(crate) async fn invoke(
        work: &'a mut WorkingSet,
        emitter: Emitter,
        request: Request<'a>,
    ) -> Result<AgentResponse, AgentError> {
        let (mut driver, beginning) = Driver::prepare(work, emitter, request)?;
        let Beginning { mut prompt, mut answers, output, cancellation, time_left, parent } = beginning;
        let reason = std::pin::pin!(end_of(&cancellation, time_left, parent).fuse());
        let budget = Arc::clone(&driver.context.scope().budget);
        let mut stop = Stop::new(&cancellation, reason, driver.effects.journal.is_some(), budget);
        if output.is_some() || driver.work.suspended {
            driver.ask_for(output).await?;
            driver.use_tools(driver.tools.clone())?;
        }
        driver.metrics().begin_invocation();
        driver.announce_start().await;
        let (mut resumes, mut conflicts) = (0, 0);
        // One round after the other, for as long as hooks ask for more; and a round again after a conflict.
        loop {
            let is_new = answers.is_empty();
            let mut again = None;
            let ended = match driver.begin(prompt, std::mem::take(&mut answers), &mut again, &mut stop).await {
                Ok(Some(denied)) => Ok(denied),
                Ok(None) => driver.cycles(&mut stop).await,
                Err(error) => Err(error),
            };
            if ended.is_err() {
                driver.previous = driver.work.run.clone().map(Box::new);
            }
            let mut ended = driver.conclude(ended, &mut stop).await;
            if let (Err(AgentError::Session(conflict)), Some(messages)) = (&ended, again)
                && is_new
                && conflicts < driver.work.config.conflict_retries
                && driver.may_begin_again(conflict)
            {
                conflicts += 1;
                driver.announce_retry(conflicts, Duration::ZERO, RetryCause::Conflict(conflict), true).await;
                match stop.race_outside(driver.work.reopen()).await {
                    Ok(Ok(())) => {
                        driver.last_response = None;
                        prompt = Prompt { messages };
                        continue;
                    }
                    Ok(Err(error)) => ended = Err(error),
                    Err(_) => {}
                }
            }
            if !std::mem::take(&mut driver.begun) {
                return ended;
            }
            let (ended, resume) = driver.after_invocation(ended, &mut stop).await;
            match (ended, resume) {
                (Ok(response), Some(next)) if resumes < MAX_RESUMES && may_go_on(&response.stop_reason) => {
                    resumes += 1;
                    prompt = next;
                }
                (ended, _) => return ended,
            }
        }
    }

    /// Brings the context of hooks up to date.
    pub(super) fn update_context(&mut self) {
        if self.work.config.hooks().is_empty() {
            return;
        }
        let is_replaying = self.effects.journal.map(|journal| journal.is_replaying().unwrap_or(self.is_replay));
        self.context.set_replay(is_replaying.unwrap_or(false));
    }

    /// Tells the listener which invocation this is, before anything else.
    async fn announce_start(&self) {
        let scope = self.context.scope();
        let start = || AgentEvent::Start {
            version: AgentEvent::JSON_VERSION,
            invocation_id: Arc::clone(scope.invocation_id()),
            agent_id: scope.agent.id.as_str().into(),
            agent_name: scope.agent.name.as_str().into(),
            session_id: scope.agent.session_id.as_deref().map(Into::into),
        };
        self.emitter.emit(start).await;
    }

    /// True if the invocation can begin again after a conflict: nothing of it is stored, and no tool has run.
    fn may_begin_again(&self, conflict: &SessionError) -> bool {
        let Spent { turns, usage } = self.context.scope().budget.spent();
        let has_turns = self.in_force.reached(turns, &usage).is_none();
        conflict.is_conflict() && !self.ran_tools && !self.has_saved && has_turns
    }

    /// The loop.
    async fn cycles(&mut self, stop: &mut Stop<'_>) -> Result<AgentResponse, AgentError> {
        enum Next {
            Model(Option<ToolChoice>),
            Tools,
            Done(StopReason),
        }
        loop {
            if self.work.tools.are_outdated() && self.work.run.as_ref().is_some_and(Run::is_calling_model) {
                self.refresh_tools(stop).await?;
            }
            let Some(run) = &mut self.work.run else { return Err(AgentError::EmptyConversation) };
            if let Some(spent) = self.context.scope().budget.shared_spent() {
                run.set_spent(spent);
            }
            let next = match run.step() {
                Step::CallModel { forced_tool } => {
                    Next::Model(forced_tool.map(|name| ToolChoice::Tool { name: name.to_owned() }))
                }
                Step::RunTools(_) => Next::Tools,
                Step::Done(stop_reason) => Next::Done(stop_reason.clone()),
            };
            match next {
                // Without a journal a timer does that.
                Next::Model(_) | Next::Tools if self.effects.journal.is_some() && self.is_out_of_time() => {
                    self.stopped(PartialResponse::nothing(), StopReason::LimitDuration, stop).await?;
                }
                Next::Model(choice) => {
                    let Some(run) = &mut self.work.run else { return Err(AgentError::EmptyConversation) };
                    if let Err(reason) = self.context.scope().budget.reserve_turn() {
                        run.end(reason, INTERRUPTED);
                        continue;
                    }
                    let cycle = run.begin_cycle();
                    self.context.set_cycle(cycle);
                    self.update_context();
                    self.begin_cycle();
                    self.emitter.emit(|| AgentEvent::CycleStart { cycle }).await;
                    let outcome = self.call_model(choice.as_ref(), stop).await?;
                    match outcome {
                        ModelOutcome::Answered(turn) => self.take_response(turn, choice.is_some(), stop).await?,
                        ModelOutcome::Stopped { reason, partial } => self.stopped(partial, reason, stop).await?,
                    }
                }
                Next::Tools => {
                    if self.run_tools(stop).await? == StopReason::Interrupt {
                        return Ok(self.interrupted(StopReason::Interrupt).await);
                    }
                }
                Next::Done(stop_reason) => {
                    self.end_cycle();
                    let run = self.work.run.take();
                    return Ok(self.response(stop_reason, run));
                }
            }
        }
    }

    /// The model's response joins the history, and the state machine learns of it.
    async fn take_response(&mut self, turn: Turn, forced: bool, stop: &mut Stop<'_>) -> Result<(), AgentError> {
        // Nothing waits before the state machine knows: whoever drops the invocation can't part a call from its result.
        let (new, next) = self.join(turn, forced);
        self.all_added(&new, stop).await?;
        match next {
            Ok(None) => Ok(()),
            Ok(Some(mut follow_up)) => {
                follow_up.content.extend(self.output.told_mistake());
                self.ask(vec![*follow_up]);
                Ok(())
            }
            Err(not_given) => Err(self.no_output(&not_given)),
        }
    }

    /// Joins a response to the history. Returns the messages that are new, and the question to ask next.
    fn join(&mut self, turn: Turn, forced: bool) -> (Vec<Arc<Message>>, FollowUp) {
        let Turn { mut message, stop_reason, usage, redact_user, .. } = turn;
        if let Some(replacement) = &redact_user {
            self.work.history.redact_prompt(replacement);
        }
        // Some models answer a forced call in text, which is as good if it fits the type.
        let said = if forced && stop_reason == StopReason::EndTurn { self.output.in_text(&message) } else { None };
        self.effects.track(&mut message);
        let mut new = self.work.history.answered();
        let message = self.work.history.push(message);
        let Some(run) = &mut self.work.run else { return (new, Ok(None)) };
        if let Some(output) = said {
            run.output_given(output);
        }
        let next = run.model_answered(&message, &stop_reason, usage);
        let latency = message.metadata.as_ref().and_then(|known| known.metrics).unwrap_or_default().latency_ms;
        self.metrics().add_answer(&message, Duration::from_millis(latency));
        self.last_response = Some(Arc::clone(&message));
        new.push(message);
        (new, next.map(|next| next.map(Box::new)))
    }

    /// Returns the state of an invocation that begins, or of its next round.
    pub(super) fn next_run(&mut self) -> Run {
        let output = self.output.tool().cloned();
        let mut run = match self.previous.take() {
            Some(previous) => (*previous).next_round(output),
            None => Run::new(self.in_force, output),
        };
        run.set_options(&self.selection.hidden, self.own_system.as_ref());
        run
    }

    /// A prompt joins the history until it is answered.
    pub(super) fn ask(&mut self, mut prompt: Vec<Message>) {
        for message in &mut prompt {
            self.effects.track(message);
        }
        self.work.history.ask(prompt);
    }

    /// Ends the invocation with a message that is not the model's.
    pub(super) async fn end_with(&mut self, answer: Message, stop: &mut Stop<'_>) -> Result<(), AgentError> {
        if let Some(run) = &mut self.work.run {
            run.end(StopReason::EndTurn, INTERRUPTED);
        }
        self.answer(Vec::new(), answer, stop).await
    }

    /// What the model had said when it was stopped stays, so that the conversation can go on from there.
    fn stopped(
        &mut self,
        partial: PartialResponse,
        reason: StopReason,
        stop: &mut Stop<'_>,
    ) -> impl Future<Output = Result<(), AgentError>> {
        let PartialResponse { message, usage, redact_user } = partial;
        if let Some(replacement) = &redact_user {
            self.work.history.redact_prompt(replacement);
        }
        let message = match &reason {
            _ if !message.content.is_empty() => message,
            StopReason::Cancelled => Message::assistant("Cancelled by user"),
            _ => Message::assistant("Stopped: the time for this answer was up"),
        };
        let mut new = self.work.history.answered();
        if let Some(run) = &mut self.work.run {
            run.charge(usage);
            new.extend(run.end(reason, INTERRUPTED).map(|results| self.work.history.push(results)));
        }
        self.answer(new, message, stop)
    }

    /// Joins an assistant message to the history. The future announces it and what is new before it.
    pub(super) fn answer(
        &mut self,
        mut new: Vec<Arc<Message>>,
        mut answer: Message,
        stop: &mut Stop<'_>,
    ) -> impl Future<Output = Result<(), AgentError>> {
        self.effects.track(&mut answer);
        let answer = self.work.history.push(answer);
        self.last_response = Some(Arc::clone(&answer));
        new.push(answer);
        async move { self.all_added(&new, stop).await }
    }

    pub(super) async fn all_added(&mut self, messages: &[Arc<Message>], stop: &mut Stop<'_>) -> Result<(), AgentError> {
        for message in messages {
            self.added(message, stop).await?;
        }
        Ok(())
    }

    /// The session has a message before it is announced.
    pub(super) async fn added(&mut self, message: &Arc<Message>, stop: &mut Stop<'_>) -> Result<(), AgentError> {
        self.save_messages(stop).await?;
        self.emitter.emit(|| AgentEvent::Message { message: Arc::clone(message) }).await;
        self.update_context();
        let event = MessageAdded { context: &self.context, message };
        for hook in self.work.config.hooks() {
            if let Ok(heard) = stop.race_outside(hook.message_added(&event)).await {
                heard.map_err(AgentError::in_hook("message_added"))?;
            }
        }
        Ok(())
    }

    /// Writes the messages that the session does not have. After a stop there may be no time: then they stay unsaved, and
    /// the next invocation writes them.
    pub(super) async fn save_messages(&mut self, stop: &mut Stop<'_>) -> Result<(), AgentError> {
        if self.work.session.is_none() {
            return Ok(());
        }
        match stop.race_outside(self.work.save_messages()).await {
            Ok(saved) => self.has_saved |= saved?,
            Err(_) => self.has_saved = true,
        }
        Ok(())
    }

    /// The invocation is suspended until humans have answered.
    pub(super) async fn interrupted(&mut self, stop_reason: StopReason) -> AgentResponse {
        self.end_cycle();
        self.count();
        self.work.suspended = true;
        let interrupts = self.work.interrupts();
        self.emitter.emit(|| AgentEvent::Interrupt { interrupts: interrupts.clone() }).await;
        let run = self.work.run.clone();
        let mut response = self.response(stop_reason, run);
        response.interrupts = interrupts;
        response
    }

    pub(super) fn response(&mut self, stop_reason: StopReason, run: Option<Run>) -> AgentResponse {
        diagnostics::ended(self.context.scope(), &stop_reason);
        let Spent { turns, usage } = self.context.scope().budget.spent();
        self.work.response_is_cut = cuts_responses(&stop_reason);
        let output = run.as_ref().and_then(Run::output).cloned();
        // Without hooks there is no next round.
        if !self.work.config.hooks().is_empty() {
            self.previous = run.map(Box::new);
        }
        AgentResponse {
            message: self.last_response.clone().unwrap_or_else(|| Arc::new(Message::new(Role::Assistant, [""; 0]))),
            stop_reason,
            usage,
            turns,
            interrupts: Vec::new(),
            output,
            metrics: Arc::clone(&self.work.metrics),
        }
    }

    pub(super) fn metrics(&mut self) -> &mut EventLoopMetrics {
        Arc::make_mut(&mut self.work.metrics)
    }

    fn begin_cycle(&mut self) {
        let now = self.effects.now();
        self.end_cycle_at(now);
        self.cycle_began = Some(now);
        self.metrics().begin_cycle();
    }

    pub(super) fn end_cycle(&mut self) {
        if self.cycle_began.is_some() {
            self.end_cycle_at(self.effects.now());
        }
    }

    fn end_cycle_at(&mut self, now: Duration) {
        if let Some(began) = self.cycle_began.take() {
            self.metrics().end_cycle(now.saturating_sub(began));
        }
    }

    fn is_out_of_time(&self) -> bool {
        let Some(run) = &self.work.run else { return false };
        let elapsed = run.elapsed().saturating_add(self.effects.since(self.began));
        run.limits().time().is_some_and(|limit| elapsed >= limit)
    }

    /// Counts the time since it was counted last, and what nested agents have spent, in the run that goes on later.
    pub(super) fn count(&mut self) {
        let now = self.effects.now();
        if let Some(run) = &mut self.work.run {
            run.set_spent(self.context.scope().budget.spent());
            run.add_elapsed(now.saturating_sub(self.began));
        }
        self.began = now;
    }
}

/// Returns true if an invocation that ends so may end within a response.
fn cuts_responses(stop_reason: &StopReason) -> bool {
    matches!(
        stop_reason,
        StopReason::MaxTokens
            | StopReason::Cancelled
            | StopReason::LimitTurns
            | StopReason::LimitOutputTokens
            | StopReason::LimitTotalTokens
            | StopReason::LimitDuration
    )
}

/// False for an invocation that was told to end: nobody goes on then.
fn may_go_on(stop_reason: &StopReason) -> bool {
    !matches!(stop_reason, StopReason::Cancelled | StopReason::LimitDuration | StopReason::Interrupt)
}

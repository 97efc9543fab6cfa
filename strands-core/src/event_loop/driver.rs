//! Driver of an invocation: executes the steps of its state machine, with hooks, events, metrics and cancellation. The same
//! loop serves awaited and streamed invocations.

use std::sync::Arc;
use std::time::Duration;

use super::effects::Effects;
use super::emitter::{Emitter, Emitting};
use super::model_outcome::{ModelOutcome, PartialResponse};
use super::preparation::{InvocationInput, Request, ToolSelection};
use super::retry_cause::RetryCause;
use super::stop_signal::StopSignal;
use super::structured_output::StructuredOutput;
use crate::diagnostics;
use crate::event::{AgentEvent, AgentResponse};
use crate::history::INTERRUPTED;
use crate::hook::{HookContext, MAX_RESUMES};
use crate::limits::Limits;
use crate::message::{Message, Role, SystemBlock, ToolUse};
use crate::metrics::EventLoopMetrics;
use crate::models::{StopReason, ToolChoice, ToolSpecs};
use crate::nesting::Spent;
use crate::outcome::AgentError;
use crate::prompt::Prompt;
use crate::run::{Run, Step};
use crate::session::SessionError;
use crate::tool::ToolSet;
use crate::working_set::WorkingSet;

/// Driver of one invocation. The history is valid however the invocation ends.
pub(crate) struct Driver<'a> {
    pub(super) work: &'a mut WorkingSet,
    pub(super) emitter: Emitter,
    pub(super) effects: Effects<'a>,
    pub(super) context: HookContext,
    /// Tools that the model may call.
    pub(super) tools: ToolSet,
    pub(super) selection: ToolSelection,
    /// Tool specifications as sent in requests.
    pub(super) specs: ToolSpecs,
    pub(super) system: Arc<[SystemBlock]>,
    /// System prompt that was set for this invocation.
    pub(super) system_override: Option<Vec<SystemBlock>>,
    pub(super) output: StructuredOutput,
    /// Reason for which a hook denied the invocation.
    pub(super) denial: Option<String>,
    /// Limits that the caller set for this invocation.
    pub(super) limits: Option<Limits>,
    /// True if an invocation without a prompt and responses returns the interrupts of a suspended agent again.
    pub(super) repeats_interrupts: bool,
    /// True once `before_invocation` hooks were called; then `after_invocation` hooks are called as well.
    pub(super) has_called_hooks: bool,
    /// True once a tool may have had side effects.
    pub(super) ran_tools: bool,
    /// True once something of this invocation is in the session.
    pub(super) has_saved: bool,
    pub(super) began: Duration,
    pub(super) cycle_began: Option<Duration>,
    pub(super) last_response: Option<Arc<Message>>,
    /// The only call of the turn, as hooks have left it.
    pub(super) ended_by: Option<Arc<ToolUse>>,
    /// Run of the previous round, or of the attempt that ended with a conflict.
    pub(super) previous: Option<Box<Run>>,
    /// Limits of the invocation.
    pub(super) effective_limits: Limits,
}

impl Drop for Driver<'_> {
    fn drop(&mut self) {
        self.context.scope().budget.end();
        self.update_spent();
        if let (Some(recorder), Some(run)) = (&self.effects.recorder, &mut self.work.run) {
            run.set_journal_steps(recorder.steps());
        }
        self.work.settle();
        if !self.work.config.hooks().is_empty() {
            self.context.scope().locals.clear();
        }
    }
}

impl<'a> Driver<'a> {
    /// Drives an invocation to its end.
    ///
    /// Its future is held for as long as a response streams, so that rare phases are boxed, and large values as well.
    pub(crate) async fn invoke(
        work: &'a mut WorkingSet,
        emitter: Emitter,
        request: Box<Request<'a>>,
    ) -> Result<Box<AgentResponse>, AgentError> {
        let (mut driver, InvocationInput { mut prompt, mut responses, output }, mut stop) =
            Driver::prepare(work, emitter, request)?;
        if output.is_some() || driver.work.suspended {
            Box::pin(driver.prepare_output(output)).await?;
            driver.use_tools(driver.tools.clone())?;
        }
        driver.metrics().begin_invocation();
        driver.announce_start().await;
        let (mut resumes, mut conflicts) = (0, 0);
        // One round for the prompt, one for each prompt with which hooks resume, and one for each conflict.
        loop {
            let is_new = responses.is_empty();
            let mut retry_prompt = None;
            let mut ended =
                match driver.start_round(prompt, std::mem::take(&mut responses), &mut retry_prompt, &mut stop).await {
                    Ok(Some(denied)) => Ok(denied),
                    Ok(None) => driver.cycles(&mut stop).await,
                    Err(error) => Err(error),
                };
            if ended.is_err() {
                driver.previous = driver.work.run.clone().map(Box::new);
            }
            ended = driver.finish(ended, &mut stop).await;
            if let (Err(AgentError::Session(conflict)), Some(messages)) = (&ended, retry_prompt)
                && is_new
                && conflicts < driver.work.config.conflict_retries
                && driver.may_retry_conflict(conflict)
            {
                conflicts += 1;
                driver.announce_retry(conflicts, Duration::ZERO, RetryCause::Conflict(conflict), true).await;
                match Box::pin(stop.race_unrecorded(driver.work.reopen())).await {
                    Ok(Ok(())) => {
                        driver.last_response = None;
                        prompt = Prompt { messages };
                        continue;
                    }
                    Ok(Err(error)) => ended = Err(error),
                    Err(_) => {}
                }
            }
            if !std::mem::take(&mut driver.has_called_hooks) || driver.work.config.hooks().is_empty() {
                return ended;
            }
            let resume;
            (ended, resume) = Box::pin(driver.after_invocation(ended, &mut stop)).await;
            match (ended, resume) {
                (Ok(response), Some(next)) if resumes < MAX_RESUMES && may_continue(&response.stop_reason) => {
                    resumes += 1;
                    prompt = next;
                }
                (ended, _) => return ended,
            }
        }
    }

    /// Updates the context of hooks.
    pub(super) fn update_context(&mut self) {
        if self.work.config.hooks().is_empty() {
            return;
        }
        self.context.set_replay(self.effects.recorder.as_ref().is_some_and(|recorder| recorder.is_replaying()));
    }

    /// Emits the first event, which identifies the invocation.
    fn announce_start(&self) -> Emitting<'_> {
        let scope = self.context.scope();
        let start = || AgentEvent::Start {
            version: AgentEvent::JSON_VERSION,
            invocation_id: Arc::clone(scope.invocation_id()),
            agent_id: scope.agent.id.as_str().into(),
            agent_name: scope.agent.name.as_str().into(),
            session_id: scope.agent.session_id.as_deref().map(Into::into),
        };
        self.emitter.emit(start)
    }

    /// Returns true if the invocation can begin again after a conflict: nothing of it is stored, and no tool has run.
    fn may_retry_conflict(&self, conflict: &SessionError) -> bool {
        let Spent { turns, usage, .. } = self.context.scope().budget.spent();
        let has_turns = self.effective_limits.reached(turns, &usage).is_none();
        conflict.is_conflict() && !self.ran_tools && !self.has_saved && has_turns
    }

    /// Runs cycles until the invocation ends.
    async fn cycles(&mut self, stop: &mut StopSignal) -> Result<Box<AgentResponse>, AgentError> {
        enum Next {
            Model(Option<ToolChoice>),
            Tools,
            Done(StopReason),
        }
        loop {
            if self.work.tools.are_outdated()
                && self.work.run.as_ref().is_some_and(Run::is_calling_model)
                && !self.records_selected_tools()
            {
                Box::pin(self.refresh_tools(stop)).await?;
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
                // Without a journal, a timer stops the invocation.
                Next::Model(_) | Next::Tools if self.effects.are_recorded() && self.is_out_of_time() => {
                    Box::pin(self.end_stopped(PartialResponse::empty(), StopReason::LimitDuration, stop)).await?;
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
                    match self.call_model(choice.as_ref(), stop).await? {
                        ModelOutcome::Completed(turn) => self.take_response(turn, choice.is_some(), stop).await?,
                        ModelOutcome::Stopped { reason, partial } => {
                            Box::pin(self.end_stopped(*partial, reason, stop)).await?;
                        }
                    }
                }
                Next::Tools => {
                    if self.run_tools(stop).await? == StopReason::Interrupt {
                        return Ok(Box::pin(self.interrupted(StopReason::Interrupt)).await);
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

    /// Returns the run of a new invocation, or of its next round.
    pub(super) fn next_run(&mut self) -> Run {
        let output = self.output.tool().cloned();
        let mut run = match self.previous.take() {
            Some(previous) => (*previous).next_round(output),
            None => Run::new(self.effective_limits, output),
        };
        run.set_options(&self.selection.hidden, self.system_override.as_ref());
        run
    }

    /// Suspends the invocation until it is resumed with responses.
    pub(super) async fn interrupted(&mut self, stop_reason: StopReason) -> Box<AgentResponse> {
        self.end_cycle();
        self.update_spent();
        if let Some(run) = &mut self.work.run {
            run.drop_unchecked_responses();
        }
        // An invocation that only refuses responses changes nothing.
        if !self.work.suspended
            && let Some(run) = &mut self.work.run
        {
            run.set_trace(self.context.scope().budget.own_trace().as_ref());
            run.set_id(self.context.scope().run_id());
        }
        self.work.suspended = true;
        let interrupts = self.work.interrupts();
        self.emitter.emit(|| AgentEvent::Interrupt { interrupts: interrupts.clone() }).await;
        let run = self.work.run.clone();
        let mut response = self.response(stop_reason, run);
        response.interrupts = interrupts;
        response
    }

    pub(super) fn response(&mut self, stop_reason: StopReason, run: Option<Run>) -> Box<AgentResponse> {
        diagnostics::ended(self.context.scope(), &stop_reason);
        let Spent { turns, usage, .. } = self.context.scope().budget.spent();
        self.work.response_is_cut = cuts_responses(&stop_reason);
        let output = run.as_ref().and_then(Run::output).cloned();
        // Only hooks can ask for another round.
        if !self.work.config.hooks().is_empty() {
            self.previous = run.map(Box::new);
        }
        Box::new(AgentResponse {
            message: self.last_response.clone().unwrap_or_else(|| Arc::new(Message::new(Role::Assistant, [""; 0]))),
            stop_reason,
            usage,
            turns,
            interrupts: Vec::new(),
            output,
            ended_by: self.ended_by.take(),
            metrics: Arc::clone(&self.work.metrics),
            continuation: None,
        })
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
        let elapsed = run.elapsed().saturating_add(self.effects.time_for_limits().saturating_sub(self.began));
        run.limits().time().is_some_and(|limit| elapsed >= limit)
    }

    /// Adds the time since the last call, and the usage of nested agents, to the run. A suspended run does not change, so that
    /// refused responses to its interrupts write nothing.
    pub(super) fn update_spent(&mut self) {
        let now = self.effects.time_for_limits();
        if let Some(run) = self.work.run.as_mut().filter(|_| !self.work.suspended) {
            run.set_spent(self.context.scope().budget.spent());
            run.add_elapsed(now.saturating_sub(self.began));
        }
        self.began = now;
    }
}

/// Returns true if an invocation with this stop reason may end within a response.
fn cuts_responses(stop_reason: &StopReason) -> bool {
    stop_reason.is_limit() || matches!(stop_reason, StopReason::MaxTokens | StopReason::Cancelled)
}

/// Returns true if hooks may resume an invocation with this stop reason.
fn may_continue(stop_reason: &StopReason) -> bool {
    !matches!(stop_reason, StopReason::Cancelled | StopReason::LimitDuration | StopReason::Interrupt)
}

//! Performs the steps that the state machine asks for: with hooks, events, metrics and cancellation. One loop for
//! awaiting and for streaming.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::effects::Effects;
use super::emitter::Emitter;
use super::model_call::RetryCause;
use super::model_outcome::{ModelOutcome, PartialResponse};
use super::output_type::OutputType;
use super::stop::Stop;
use super::structured_output::StructuredOutput;
use crate::diagnostics;
use crate::event::{AgentEvent, AgentResponse};
use crate::history::INTERRUPTED;
use crate::hook::{HookContext, MAX_RESUMES, MessageAdded};
use crate::host::HostValues;
use crate::interrupt::InterruptResponse;
use crate::journal::Journal;
use crate::limits::Limits;
use crate::message::{Message, Role, SystemBlock};
use crate::metrics::EventLoopMetrics;
use crate::model::{StopReason, ToolChoice, ToolSpecs, Turn};
use crate::nesting::{self, Budget, Spent};
use crate::outcome::AgentError;
use crate::prompt::Prompt;
use crate::run::{Run, Step};
use crate::scope::Scope;
use crate::session::SessionError;
use crate::tool::{Tool, ToolSet};
use crate::working_set::WorkingSet;

/// What an invocation was asked for.
pub(crate) struct Request<'a> {
    pub(crate) prompt: Prompt,
    pub(crate) answers: Vec<InterruptResponse>,
    pub(crate) host: HostValues,
    /// `None`: the agent's own, or those of the invocation that is resumed.
    pub(crate) limits: Option<Limits>,
    pub(crate) cancellation: CancellationToken,
    pub(crate) output: Option<OutputType>,
    pub(crate) journal: Option<&'a dyn Journal>,
    pub(crate) tools: ToolSelection,
    /// `None`: the agent's own.
    pub(crate) system: Option<Vec<SystemBlock>>,
    /// The budget of the tool call that makes the invocation. `None`: that of the tool or hook on whose stack it is.
    pub(crate) parent: Option<Arc<Budget>>,
}

/// Beginning of an invocation.
struct Beginning {
    prompt: Prompt,
    answers: Vec<InterruptResponse>,
    output: Option<OutputType>,
    cancellation: CancellationToken,
    time_left: Option<Duration>,
    /// The budget of the invocation that this one is nested in.
    parent: Option<Arc<Budget>>,
}

/// Difference between the tools of an invocation and those of its agent.
#[derive(Default)]
pub(crate) struct ToolSelection {
    pub(crate) added: Vec<Arc<dyn Tool>>,
    pub(crate) hidden: Vec<String>,
}

impl ToolSelection {
    /// Returns an agent's tools with this difference.
    pub(super) fn of(&self, tools: &ToolSet) -> Result<ToolSet, AgentError> {
        if self.added.is_empty() && self.hidden.is_empty() {
            return Ok(tools.clone());
        }
        Ok(tools.changed(&self.hidden, &self.added)?)
    }
}

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
    began: Duration,
    pub(super) cycle_began: Option<Duration>,
    last_response: Option<Arc<Message>>,
    /// Cost of earlier rounds, without nested agents.
    own_spent: Spent,
}

impl Drop for Driver<'_> {
    fn drop(&mut self) {
        self.context.scope().budget.cancellation().cancel();
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
        driver.ask_for(output).await?;
        driver.use_tools(driver.tools.clone())?;
        driver.metrics().begin_invocation();
        driver.announce_start().await;
        let (mut resumes, mut conflicts) = (0, 0);
        // One round after the other, for as long as hooks ask for more; and a round again after a conflict.
        loop {
            let limits = driver.limits.unwrap_or(driver.work.config.limits);
            let nested = driver.context.scope().budget.spent().beyond(driver.own_spent);
            let run = Run::new(limits, driver.output.tool().cloned()).counting_on(driver.own_spent, nested);
            let is_new = answers.is_empty();
            let mut again = None;
            let ended = match driver.begin(prompt, std::mem::take(&mut answers), run, &mut again, &mut stop).await {
                Ok(Some(denied)) => Ok(denied),
                Ok(None) => driver.cycles(&mut stop).await,
                Err(error) => Err(error),
            };
            if let Some(run) = &driver.work.run {
                driver.own_spent = run.own_spent();
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

    /// Checks what the caller has given, before anything is done.
    fn prepare(
        work: &'a mut WorkingSet,
        mut emitter: Emitter,
        request: Request<'a>,
    ) -> Result<(Self, Beginning), AgentError> {
        let Request { prompt, answers, host, limits, cancellation, output, journal, tools, system, parent } = request;
        // An invocation that was leaked instead of dropped has left its traces.
        work.settle();
        let parent = parent.or_else(nesting::current);
        nesting::check_depth(parent.as_ref()).map_err(AgentError::nested_too_deep)?;
        if journal.is_some() && work.session.is_some() {
            return Err(AgentError::JournalWithSession);
        }
        work.check_host_values(&tools.added, &host)?;
        let effects = Effects { journal };
        emitter.set_journaled(journal.is_some());
        let run = work.run.as_ref();
        let spent = run.map(Run::spent).unwrap_or_default();
        let in_force = limits.or(run.map(Run::limits)).unwrap_or(work.config.limits);
        let elapsed = run.map(Run::elapsed).unwrap_or_default();
        let time_left = in_force.time().map(|time| time.saturating_sub(elapsed));
        let deadline = time_left.and_then(|left| Instant::now().checked_add(left));
        // Tools are told to stop when the invocation is dropped, too: `drop` cancels this token.
        let stops_tools = cancellation.child_token();
        let budget = Budget::new(parent.clone(), in_force, stops_tools, deadline, spent);
        let invocation_id = journal.map(|_| effects.id());
        let names = Arc::clone(&work.config.names);
        let scope = Scope::new(names, work.state.clone(), host, Arc::new(budget), invocation_id);
        let driver = Driver {
            emitter,
            effects,
            context: HookContext::new(Arc::new(scope)),
            tools: tools.of(work.tools())?,
            selection: tools,
            specs: ToolSpecs::default(),
            system: match system {
                Some(system) => work.config.with_plugins(&system.into()),
                None => Arc::clone(&work.sent_system),
            },
            output: StructuredOutput::default(),
            is_replay: false,
            denial: None,
            limits,
            begun: false,
            ran_tools: false,
            has_saved: false,
            began: effects.now(),
            cycle_began: None,
            last_response: None,
            own_spent: Spent::default(),
            work,
        };
        driver.work.tools.forget_failure();
        Ok((driver, Beginning { prompt, answers, output, cancellation, time_left, parent }))
    }

    /// Brings the context of hooks up to date.
    pub(super) fn update_context(&mut self) {
        if self.work.config.hooks().is_empty() {
            return;
        }
        self.context.set_cycle(self.work.run.as_ref().map_or(self.own_spent.turns, Run::cycle));
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
        conflict.is_conflict() && !self.ran_tools && !self.has_saved
    }

    /// The loop.
    async fn cycles(&mut self, stop: &mut Stop<'_>) -> Result<AgentResponse, AgentError> {
        enum Next {
            Model(Option<ToolChoice>),
            Tools,
            Done(StopReason),
        }
        loop {
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
                    self.refresh_tools(stop).await?;
                    let Some(run) = &mut self.work.run else { return Err(AgentError::EmptyConversation) };
                    if let Err(reason) = self.context.scope().budget.reserve_turn() {
                        run.end(reason, INTERRUPTED);
                        continue;
                    }
                    let cycle = run.begin_cycle();
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
        let Turn { mut message, stop_reason, usage, redact_user, .. } = turn;
        if let Some(replacement) = &redact_user {
            self.work.history.redact_prompt(replacement);
        }
        // Some models answer a forced call in text, which is as good if it fits the type.
        let said = if forced && stop_reason == StopReason::EndTurn { self.output.in_text(&message) } else { None };
        self.effects.track(&mut message);
        // Nothing waits before the state machine knows: whoever drops the invocation can't part a call from its result.
        let mut new = self.work.history.answered();
        let message = self.work.history.push(message);
        let Some(run) = &mut self.work.run else { return Ok(()) };
        if let Some(output) = said {
            run.output_given(output);
        }
        let next = run.model_answered(&message, &stop_reason, usage);
        let latency = message.metadata.as_ref().and_then(|known| known.metrics).unwrap_or_default().latency_ms;
        self.metrics().add_answer(&message, Duration::from_millis(latency));
        self.last_response = Some(Arc::clone(&message));
        new.push(message);
        self.all_added(&new, stop).await?;
        match next {
            Ok(None) => Ok(()),
            Ok(Some(mut follow_up)) => {
                follow_up.content.extend(self.output.told_mistake());
                self.ask(vec![follow_up]);
                Ok(())
            }
            Err(not_given) => Err(self.no_output(&not_given)),
        }
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
    async fn stopped(
        &mut self,
        partial: PartialResponse,
        reason: StopReason,
        stop: &mut Stop<'_>,
    ) -> Result<(), AgentError> {
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
        self.answer(new, message, stop).await
    }

    /// An assistant message joins the history. It and what is new before it are announced.
    pub(super) async fn answer(
        &mut self,
        mut new: Vec<Arc<Message>>,
        mut answer: Message,
        stop: &mut Stop<'_>,
    ) -> Result<(), AgentError> {
        self.effects.track(&mut answer);
        let answer = self.work.history.push(answer);
        self.last_response = Some(Arc::clone(&answer));
        new.push(answer);
        self.all_added(&new, stop).await
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
        if let Some(run) = &run {
            self.own_spent = run.own_spent();
        }
        diagnostics::ended(self.context.scope(), &stop_reason);
        let Spent { turns, usage } = self.context.scope().budget.spent();
        AgentResponse {
            message: self.last_response.clone().unwrap_or_else(|| Arc::new(Message::new(Role::Assistant, [""; 0]))),
            stop_reason,
            usage,
            turns,
            interrupts: Vec::new(),
            output: run.as_ref().and_then(Run::output).cloned(),
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
    fn count(&mut self) {
        let now = self.effects.now();
        if let Some(run) = &mut self.work.run {
            run.set_spent(self.context.scope().budget.spent());
            run.add_elapsed(now.saturating_sub(self.began));
        }
        self.began = now;
    }
}

/// Resolves when an invocation is cancelled, or has no time left; or one that it is nested in.
async fn end_of(cancellation: &CancellationToken, time: Option<Duration>, parent: Option<Arc<Budget>>) -> StopReason {
    let outer = parent.as_ref().and_then(|parent| parent.deadline());
    let outer = outer.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    let time = time.into_iter().chain(outer).min();
    let out_of_time = async {
        match time {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
    };
    let parent_ended = async {
        match &parent {
            Some(parent) => parent.ended().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = cancellation.cancelled() => StopReason::Cancelled,
        // In front of the end of an outer invocation, which may have the same reason.
        () = out_of_time => StopReason::LimitDuration,
        () = parent_ended => StopReason::Cancelled,
    }
}

/// False for an invocation that was told to end: nobody goes on then.
fn may_go_on(stop_reason: &StopReason) -> bool {
    !matches!(stop_reason, StopReason::Cancelled | StopReason::LimitDuration | StopReason::Interrupt)
}

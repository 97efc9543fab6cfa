//! Performs the steps that the state machine asks for: with hooks, events, metrics and cancellation. One loop for
//! awaiting and for streaming.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;

use super::effects::Effects;
use super::emitter::Emitter;
use super::model_outcome::{ModelOutcome, PartialResponse};
use super::nesting;
use super::output_type::OutputType;
use super::stop::Stop;
use super::structured_output::StructuredOutput;
use crate::history::INTERRUPTED;
use crate::hook::MessageAdded;
use crate::interrupt::InterruptResponse;
use crate::journal::Journal;
use crate::message::{Message, Role};
use crate::metrics::{EventLoopMetrics, Usage};
use crate::model::{StopReason, ToolChoice, ToolSpecs, Turn};
use crate::outcome::{AgentError, AgentEvent, AgentResponse};
use crate::prompt::Prompt;
use crate::run::{Limits, Run, Step};
use crate::session::SessionError;
use crate::tool::HostValues;
use crate::working_set::WorkingSet;

/// How often the hooks of one invocation may ask for another round.
const MAX_RESUMES: u32 = 16;

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
}

/// Performs one invocation of an agent. However it ends, the history is whole afterwards.
pub(crate) struct Driver<'a> {
    pub(super) work: &'a mut WorkingSet,
    pub(super) emitter: Emitter,
    pub(super) effects: Effects<'a>,
    pub(super) cancellation: CancellationToken,
    pub(super) host: HostValues,
    pub(super) specs: ToolSpecs,
    pub(super) output: StructuredOutput,
    /// Nesting depth of this invocation, one-based.
    pub(super) depth: usize,
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
}

impl Drop for Driver<'_> {
    fn drop(&mut self) {
        self.count_time();
        self.work.settle();
    }
}

impl<'a> Driver<'a> {
    pub(crate) fn new(work: &'a mut WorkingSet, emitter: Emitter) -> Self {
        let specs = work.tools().specs().clone();
        Self {
            work,
            emitter,
            effects: Effects::default(),
            cancellation: CancellationToken::new(),
            host: HostValues::default(),
            specs,
            output: StructuredOutput::default(),
            depth: 1,
            denial: None,
            limits: None,
            begun: false,
            ran_tools: false,
            has_saved: false,
            began: Duration::ZERO,
            cycle_began: None,
            last_response: None,
        }
    }

    pub(crate) async fn run(mut self, request: Request<'a>) -> Result<AgentResponse, AgentError> {
        let Request { mut prompt, mut answers, host, limits, cancellation, output, journal } = request;
        self.prepare(host, limits, journal)?;
        self.ask_for(output).await?;
        // Tools are told to stop when the invocation is dropped, too.
        self.cancellation = cancellation.child_token();
        let _stops_tools = self.cancellation.clone().drop_guard();
        let reason = std::pin::pin!(end_of(&cancellation, self.time_left()).fuse());
        let mut stop = Stop::new(&cancellation, reason, self.effects.journal.is_some(), self.depth);
        self.metrics().begin_invocation();
        let (mut resumes, mut conflicts) = (0, 0);
        let mut spent = (0, Usage::default());
        // One round after the other, for as long as hooks ask for more; and a round again after a conflict.
        loop {
            let limits = self.limits.unwrap_or(self.work.config.limits);
            let run = Run::new(limits, self.output.tool().cloned()).counting_on(spent.0, spent.1);
            let is_new = answers.is_empty();
            let mut again = None;
            let ended = match self.begin(prompt, std::mem::take(&mut answers), run, &mut again, &mut stop).await {
                Ok(Some(denied)) => Ok(denied),
                Ok(None) => self.cycles(&mut stop).await,
                Err(error) => Err(error),
            };
            let cost = match (&ended, &self.work.run) {
                (Ok(response), _) => (response.turns, response.usage),
                (Err(_), Some(run)) => (run.turns(), run.usage()),
                (Err(_), None) => spent,
            };
            let mut ended = self.conclude(ended, &mut stop).await;
            if let (Err(AgentError::Session(conflict)), Some(messages)) = (&ended, again)
                && is_new
                && conflicts < self.work.config.conflict_retries
                && self.may_begin_again(conflict)
            {
                conflicts += 1;
                self.announce_retry(conflicts, Duration::ZERO, &conflict.to_string(), true).await;
                match stop.race_outside(self.work.reopen()).await {
                    Ok(Ok(())) => {
                        (prompt, spent) = (Prompt { messages }, cost);
                        continue;
                    }
                    Ok(Err(error)) => ended = Err(error),
                    Err(_) => {}
                }
            }
            if !std::mem::take(&mut self.begun) {
                return ended;
            }
            let (ended, resume) = self.after_invocation(ended, &mut stop).await;
            match (ended, resume) {
                (Ok(response), Some(next)) if resumes < MAX_RESUMES && may_go_on(&response.stop_reason) => {
                    resumes += 1;
                    spent = (response.turns, response.usage);
                    prompt = next;
                }
                (ended, _) => return ended,
            }
        }
    }

    /// Checks what the caller has given, before anything is done.
    fn prepare(
        &mut self,
        host: HostValues,
        limits: Option<Limits>,
        journal: Option<&'a dyn Journal>,
    ) -> Result<(), AgentError> {
        self.depth = nesting::depth()?;
        self.effects = Effects { journal };
        self.emitter.set_journaled(journal.is_some());
        self.began = self.effects.now();
        // An invocation that was leaked instead of dropped has left its traces.
        self.work.settle();
        if journal.is_some() && self.work.session.is_some() {
            return Err(AgentError::JournalWithSession);
        }
        if let Some(missing) = self.work.missing_host_value(&host) {
            return Err(missing);
        }
        (self.host, self.limits) = (host, limits);
        Ok(())
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
            let cycle = run.turns().saturating_add(1);
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
            run.spent(usage);
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
        let event = MessageAdded { state: &self.work.state, message };
        for hook in &self.work.config.hooks {
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
        self.count_time();
        self.work.suspended = true;
        let interrupts = self.work.interrupts();
        self.emitter.emit(|| AgentEvent::Interrupt { interrupts: interrupts.clone() }).await;
        let run = self.work.run.clone();
        let mut response = self.response(stop_reason, run);
        response.interrupts = interrupts;
        response
    }

    pub(super) fn response(&self, stop_reason: StopReason, run: Option<Run>) -> AgentResponse {
        AgentResponse {
            message: self.last_response.clone().unwrap_or_else(|| Arc::new(Message::new(Role::Assistant, [""; 0]))),
            stop_reason,
            usage: run.as_ref().map(Run::usage).unwrap_or_default(),
            turns: run.as_ref().map(Run::turns).unwrap_or_default(),
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

    /// Time that the invocation has left. The time before an interrupt counts.
    fn time_left(&self) -> Option<Duration> {
        let run = self.work.run.as_ref();
        let limits = self.limits.or(run.map(Run::limits)).unwrap_or(self.work.config.limits);
        limits.time().map(|time| time.saturating_sub(run.map(Run::elapsed).unwrap_or_default()))
    }

    fn is_out_of_time(&self) -> bool {
        let Some(run) = &self.work.run else { return false };
        let elapsed = run.elapsed().saturating_add(self.effects.since(self.began));
        run.limits().time().is_some_and(|limit| elapsed >= limit)
    }

    /// Counts the time since it was counted last in the run that goes on later.
    fn count_time(&mut self) {
        let now = self.effects.now();
        if let Some(run) = &mut self.work.run {
            run.add_elapsed(now.saturating_sub(self.began));
        }
        self.began = now;
    }
}

/// Resolves when an invocation is cancelled, or has no time left.
async fn end_of(cancellation: &CancellationToken, time: Option<Duration>) -> StopReason {
    match time {
        Some(time) => tokio::select! {
            () = cancellation.cancelled() => StopReason::Cancelled,
            () = tokio::time::sleep(time) => StopReason::LimitDuration,
        },
        None => {
            cancellation.cancelled().await;
            StopReason::Cancelled
        }
    }
}

/// False for an invocation that was told to end: nobody goes on then.
fn may_go_on(stop_reason: &StopReason) -> bool {
    !matches!(stop_reason, StopReason::Cancelled | StopReason::LimitDuration | StopReason::Interrupt)
}

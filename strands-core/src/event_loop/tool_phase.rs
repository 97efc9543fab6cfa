//! The tools of one turn: concurrent up to the agent's cap, each with exactly one result, in the order of the calls.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use futures_core::Stream;
use futures_util::{StreamExt, stream};
use serde_json::Value;
use tokio::sync::mpsc;

use super::call_outcome::{Answer, CallOutcome};
use super::driver::Driver;
use super::emitter::Emitter;
use super::recorded;
use super::stop::Stop;
use super::turn_calls::{Start, TurnCalls};
use crate::hook::{AfterTools, BeforeTools};
use crate::journal::JournalStep;
use crate::message::{Message, Role, ToolResult, ToolUse};
use crate::models::StopReason;
use crate::outcome::AgentError;
use crate::run::{CallStatus, PendingTools, Run};
use crate::tool::ToolEvent;
use crate::tool_runner::{EVENTS_AHEAD, ToolCalls, announced, received};

/// The error result of a call that was cut short.
const CANCELLED: &str = "Tool execution cancelled";

/// A call without a result, by its position in the turn.
type OpenCall = (usize, Arc<ToolUse>);

/// The tool calls that are being made, each by its outcome.
type Running<'a> = Pin<Box<dyn Stream<Item = CallOutcome> + Send + 'a>>;

/// Reason for the end of a turn's tool calls.
#[derive(Default)]
struct Performed {
    stopped: Option<StopReason>,
    /// The first failure of a hook, of the session or of a journal.
    failure: Option<AgentError>,
}

impl Performed {
    /// True if no further call is to be made.
    fn is_over(&self) -> bool {
        self.stopped.is_some() || matches!(self.failure, Some(AgentError::Session(_) | AgentError::Journal(_)))
    }
}

/// Message from a tool call in progress.
enum Heard {
    Ended(CallOutcome),
    AllEnded,
    Stopped(StopReason),
    Starting(Start),
}

/// The ends of the channels from running calls.
struct Channels {
    events: Option<mpsc::Receiver<ToolEvent>>,
    starts: Option<mpsc::Receiver<Start>>,
}

impl Driver<'_> {
    /// Runs the tools that the state machine waits for. Returns [`StopReason::Interrupt`] if a human is asked,
    /// [`StopReason::ToolUse`] if the loop goes on, and otherwise why it ends.
    pub(super) async fn run_tools(&mut self, stop: &mut Stop<'_>) -> Result<StopReason, AgentError> {
        let denied = self.before_tools(stop).await?;
        let mut performed = Performed::default();
        if let Some(reason) = denied {
            for (position, call) in self.open_calls() {
                self.answered(position, ToolResult::error(&call.tool_use_id, &*reason));
            }
        } else {
            self.ran_tools = true;
            performed = self.perform(stop).await;
        }
        let Performed { stopped, failure } = performed;
        if let Some(failure @ (AgentError::Session(_) | AgentError::Journal(_))) = failure {
            // What is under way is not for this attempt to say.
            return Err(failure);
        }
        let output_failure = self.refused_output();
        let Some(run) = &mut self.work.run else { return Ok(StopReason::EndTurn) };
        if stopped.is_some() {
            run.refuse_open(CANCELLED);
        }
        if run.pending().is_some_and(|pending| pending.is_recorded() && pending.is_complete()) {
            let completed = run.clone();
            self.work.settling(&completed);
        }
        let Some(run) = &mut self.work.run else { return Ok(StopReason::EndTurn) };
        let results = match &stopped {
            Some(reason) => run.end(reason.clone(), CANCELLED),
            None => match run.tools_answered() {
                Some(results) => Some(results),
                None => {
                    if let (Some(pending), Some(calling)) = (run.pending_mut(), self.work.history.messages().last()) {
                        pending.suspend(calling);
                    }
                    return failure.map_or(Ok(StopReason::Interrupt), Err);
                }
            },
        };
        if let Some(mut results) = results {
            self.effects.track(&mut results);
            // Nothing waits in between: whoever drops the invocation can't part the calls from their results.
            let results = self.work.history.push(results);
            self.end_tools(&results, stopped.is_some(), stop).await?;
        }
        let held = self.work.run.as_mut().map(Run::take_prompt).unwrap_or_default();
        if !held.is_empty() && stopped.is_none() {
            self.ask(held);
        }
        match (failure, output_failure) {
            (Some(failure), _) | (None, Some(failure)) => Err(failure),
            (None, None) => Ok(stopped.unwrap_or(StopReason::ToolUse)),
        }
    }

    /// The calls without a result, also those that wait for a human.
    fn open_calls(&self) -> Vec<OpenCall> {
        let pending = self.work.run.as_ref().and_then(Run::pending);
        let calls = pending.into_iter().flat_map(|pending| pending.calls.iter().enumerate());
        let open = calls.filter(|(_, call)| call.result.is_none());
        open.map(|(position, call)| (position, Arc::clone(&call.tool_use))).collect()
    }

    async fn before_tools(&mut self, stop: &mut Stop<'_>) -> Result<Option<String>, AgentError> {
        self.update_context();
        let Some(message) = self.work.history.messages().last() else { return Ok(None) };
        let mut event = BeforeTools { context: &self.context, message, deny: None };
        for hook in self.work.config.hooks() {
            if let Ok(heard) = stop.race_outside(hook.before_tools(&mut event)).await {
                heard.map_err(AgentError::in_hook("before_tools"))?;
            }
        }
        Ok(event.deny)
    }

    /// Makes the calls: those that may run concurrently together, one batch after the other. Calls behind one that waits
    /// for a human wait, too.
    async fn perform(&mut self, stop: &mut Stop<'_>) -> Performed {
        let calls = self.open_calls();
        let (tools, mut channels) = self.tool_calls();
        let concurrency = self.work.config.tool_concurrency;
        let concurrent = |call: &OpenCall| concurrency > 1 && !tools.is_exclusive(&call.1.name);
        let mut performed = Performed::default();
        for batch in calls.chunk_by(|call, next| concurrent(call) && concurrent(next)) {
            let is_ready = |(position, _): &&OpenCall| self.is_open(*position) && !self.waits(*position);
            let mut ready = batch.iter().filter(is_ready).cloned();
            if self.effects.journal.is_some() {
                let ready = ready.collect();
                self.perform_recorded(&tools, ready, &mut channels, &mut performed, stop).await;
            } else if batch.len() == 1 {
                // Most turns call one tool, which needs nothing to run concurrently.
                let Some((position, call)) = ready.next() else { break };
                drop(ready);
                let running = std::pin::pin!(stream::once(tools.call(position, call)));
                self.listen((running, 1), &mut channels, &mut performed, stop).await;
            } else {
                let ready: Vec<OpenCall> = ready.collect();
                let calls = ready.len();
                self.listen((tools.running(ready, concurrency), calls), &mut channels, &mut performed, stop).await;
            }
            self.tell_rest(&mut channels).await;
            if performed.is_over() || batch.iter().any(|(position, _)| self.waits(*position)) {
                break;
            }
        }
        performed
    }

    fn tool_calls(&self) -> (TurnCalls, Channels) {
        let pending = self.work.run.as_ref().and_then(Run::pending);
        let listening = !self.emitter.is_silent();
        let is_journaled = self.effects.journal.is_some();
        let recording = !is_journaled && pending.is_some_and(PendingTools::is_recorded);
        let (events, heard_events) = listening.then(|| mpsc::channel(EVENTS_AHEAD)).unzip();
        let (starts, heard_starts) = recording.then(|| mpsc::channel(EVENTS_AHEAD)).unzip();
        let calls = ToolCalls {
            settings: Arc::clone(&self.work.config.calls),
            tools: self.tools.clone(),
            context: self.context.live(),
            answers: shared_answers(pending),
            events,
        };
        let turn = TurnCalls { calls, starts, output: self.output.kind.clone(), is_journaled };
        (turn, Channels { events: heard_events, starts: heard_starts })
    }

    /// True if a call has no result. In a replay, a call of a later batch may have ended earlier.
    fn is_open(&self, position: usize) -> bool {
        let pending = self.work.run.as_ref().and_then(Run::pending);
        pending.and_then(|pending| pending.calls.get(position)).is_some_and(|call| call.result.is_none())
    }

    /// True if a call waits for a human.
    fn waits(&self, position: usize) -> bool {
        let pending = self.work.run.as_ref().and_then(Run::pending);
        pending.is_some_and(|pending| pending.calls.get(position).is_some_and(|call| pending.waits(call)))
    }

    /// Hears of so many running calls until all have ended, or the invocation has to.
    async fn listen(
        &mut self,
        (mut running, mut calls): (impl Stream<Item = CallOutcome> + Unpin, usize),
        channels: &mut Channels,
        performed: &mut Performed,
        stop: &mut Stop<'_>,
    ) {
        while calls > 0 {
            match channels.hear(&mut running, &self.emitter, stop).await {
                Heard::Ended(outcome) => {
                    calls -= 1;
                    self.take_outcome(outcome, &mut performed.failure);
                }
                Heard::AllEnded => return,
                Heard::Stopped(reason) => {
                    performed.stopped = Some(reason);
                    return;
                }
                Heard::Starting(start) => {
                    if !self.record_starts(start, channels, performed, stop).await {
                        return;
                    }
                }
            }
        }
    }

    /// Records that tools are started, all that ask for it at once, and lets them start. Returns false if they can't.
    async fn record_starts(
        &mut self,
        first: Start,
        channels: &mut Channels,
        performed: &mut Performed,
        stop: &mut Stop<'_>,
    ) -> bool {
        let more = || channels.starts.as_mut().and_then(|starts| starts.try_recv().ok());
        let starts: Vec<Start> = std::iter::once(first).chain(std::iter::from_fn(more)).collect();
        self.set_status(&starts, CallStatus::Started);
        self.count();
        match stop.race(self.work.save_record()).await {
            Ok(Ok(())) => {
                for start in starts {
                    // A call that is gone need not start.
                    let _ = start.recorded.send(());
                }
                return true;
            }
            Ok(Err(error)) => performed.failure = Some(error),
            Err(reason) => performed.stopped = Some(reason),
        }
        // They were not, whatever the session has.
        self.set_status(&starts, CallStatus::Approved);
        false
    }

    fn set_status(&mut self, starts: &[Start], status: CallStatus) {
        for start in starts {
            if let Some(run) = &mut self.work.run {
                run.set_status(start.position, status);
            }
        }
    }

    /// Makes calls by a journal: each of its steps is the next call to end. What is recorded of a turn is a prefix, so the
    /// first step that is not recorded starts all calls that are still open.
    async fn perform_recorded(
        &mut self,
        tools: &TurnCalls,
        mut open: Vec<OpenCall>,
        channels: &mut Channels,
        performed: &mut Performed,
        stop: &mut Stop<'_>,
    ) {
        let Some(journal) = self.effects.journal else { return };
        let concurrency = self.work.config.tool_concurrency;
        let turn = self.work.run.as_ref().map(Run::turns).unwrap_or_default();
        let mut running: Option<Running<'_>> = None;
        let budget = Arc::clone(&self.context.scope().budget);
        // What was spent until now, without the calls that have not ended.
        let mut known = budget.spent();
        while !open.is_empty() {
            let step = self.work.run.as_mut().map(Run::next_tool_step).unwrap_or_default();
            let name = format!("tools/{turn}/{step}");
            let state = self.work.state.clone();
            let version = state.version();
            let (emitter, channels, running, calls) = (&self.emitter, &mut *channels, &mut running, &open);
            let stop = &mut *stop;
            let is_live = AtomicBool::new(false);
            let effect = async {
                is_live.store(true, Ordering::Relaxed);
                let running = running.get_or_insert_with(|| tools.running(calls.clone(), concurrency));
                let ended = loop {
                    match channels.hear(running, emitter, stop).await {
                        Heard::Ended(outcome) => break Ok(outcome),
                        Heard::Stopped(reason) => break Err(reason),
                        // No step is asked for when no call is open.
                        Heard::AllEnded => break Err(StopReason::Cancelled),
                        // A journal records the results alone.
                        Heard::Starting(start) => _ = start.recorded.send(()),
                    }
                };
                let spent = budget.spent().beyond(known);
                recorded::of_call(ended, (state.version() != version).then_some(&state), spent)
            };
            let value = journal.step(JournalStep::new(&name), Box::pin(effect)).await;
            self.is_replay = !is_live.into_inner();
            let ended = value.and_then(|value| recorded::into_call(&name, value, &self.work.state));
            let nested = match &ended {
                Ok(Ok(outcome)) => outcome.nested.as_deref().copied(),
                Ok(Err((_, nested))) => Some(*nested),
                Err(_) => None,
            };
            if let Some(nested) = nested {
                known.add(nested);
                if self.is_replay {
                    budget.charge_all(nested);
                }
            }
            match ended {
                Ok(Ok(outcome)) => {
                    open.retain(|(position, _)| *position != outcome.position);
                    self.take_outcome(outcome, &mut performed.failure);
                }
                Ok(Err((reason, _))) => {
                    performed.stopped = Some(reason);
                    return;
                }
                Err(error) => {
                    performed.failure = Some(error.into());
                    return;
                }
            }
        }
    }

    /// Announces the events that calls have left behind.
    async fn tell_rest(&self, channels: &mut Channels) {
        for _ in 0..EVENTS_AHEAD {
            let Some(Ok(event)) = channels.events.as_mut().map(mpsc::Receiver::try_recv) else { return };
            self.emitter.emit(|| announced(event)).await;
        }
    }

    fn take_outcome(&mut self, outcome: CallOutcome, failure: &mut Option<AgentError>) {
        let CallOutcome { position, call, answer, known, took, hook_failure, nested: _ } = outcome;
        if failure.is_none() {
            *failure = hook_failure.map(|failure| *failure);
        }
        match answer {
            Answer::Result(result) => {
                if known {
                    self.metrics().add_tool_call(&call, !result.is_error(), took);
                }
                self.answered(position, result);
            }
            Answer::Output(value, result) => {
                if let Some(run) = &mut self.work.run {
                    run.output_given(value);
                }
                self.answered(position, result);
            }
            Answer::BadOutput(mistake, result) => {
                self.output.mistaken(mistake);
                self.answered(position, result);
            }
            Answer::Interrupts(interrupts) => {
                if let Some(run) = &mut self.work.run {
                    run.tool_interrupted(position, interrupts);
                }
            }
        }
    }

    fn answered(&mut self, position: usize, result: ToolResult) {
        if let Some(run) = &mut self.work.run {
            run.tool_answered(position, result);
        }
    }

    /// Counts a structured output that did not fit its type; too many end the invocation.
    fn refused_output(&mut self) -> Option<AgentError> {
        if !self.output.take_mistaken() {
            return None;
        }
        let refused = self.work.run.as_mut()?.output_refused();
        refused.err().map(|not_given| self.no_output(&not_given))
    }

    async fn end_tools(
        &mut self,
        results: &Arc<Message>,
        stopped: bool,
        stop: &mut Stop<'_>,
    ) -> Result<(), AgentError> {
        self.update_context();
        let mut event = AfterTools { context: &self.context, results, end_turn: None };
        let mut failure = None;
        for hook in self.work.config.hooks().iter().rev() {
            if let Ok(Err(error)) = stop.race_outside(hook.after_tools(&mut event)).await {
                failure = Some(AgentError::in_hook("after_tools")(error));
                break;
            }
        }
        // A prompt that waits behind the results is still to be answered.
        let has_prompt = self.work.run.as_ref().is_some_and(Run::has_prompt);
        let end_turn = event.end_turn.filter(|_| !stopped && !has_prompt);
        self.added(results, stop).await?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        if let Some(answer) = end_turn {
            self.end_with(Message::new(Role::Assistant, [answer]), stop).await?;
        }
        Ok(())
    }
}

/// The answers of humans to the questions about these calls. Most turns have none.
fn shared_answers(pending: Option<&PendingTools>) -> Arc<BTreeMap<String, Value>> {
    static NONE: LazyLock<Arc<BTreeMap<String, Value>>> = LazyLock::new(Arc::default);
    match pending.map(PendingTools::answers) {
        Some(answers) if !answers.is_empty() => Arc::new(answers.clone()),
        _ => Arc::clone(&NONE),
    }
}

impl TurnCalls {
    /// Makes calls concurrently, up to the agent's cap.
    fn running(&self, calls: Vec<OpenCall>, cap: usize) -> Running<'_> {
        Box::pin(stream::iter(calls).map(|(position, call)| self.call(position, call)).buffer_unordered(cap))
    }
}

impl Channels {
    /// The next that is heard of running calls. Events are announced meanwhile.
    async fn hear(
        &mut self,
        running: &mut (impl Stream<Item = CallOutcome> + Unpin),
        emitter: &Emitter,
        stop: &mut Stop<'_>,
    ) -> Heard {
        loop {
            tokio::select! {
                biased;
                reason = stop.fires() => return Heard::Stopped(reason),
                // In front of the events: a task that a tool left behind may send those without end.
                outcome = running.next() => return outcome.map_or(Heard::AllEnded, Heard::Ended),
                Some(start) = received(&mut self.starts), if self.starts.is_some() => return Heard::Starting(start),
                Some(event) = received(&mut self.events), if self.events.is_some() => {
                    emitter.emit(|| announced(event)).await;
                }
            }
        }
    }
}

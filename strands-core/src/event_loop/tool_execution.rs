//! Execution of the tool calls of a turn: concurrent up to the agent's limit, with events, recorded starts, and the journal
//! of a durable engine.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};

use futures_core::Stream;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::driver::Driver;
use super::emitter::Emitter;
use super::finished_call::{FinishedCall, outcome_unknown};
use super::journal_records::{self, NextCall};
use super::stop_signal::StopSignal;
use super::tool_phase::OpenCall;
use super::turn_calls::{Start, TurnCalls};
use crate::journal::JournalStep;
use crate::models::StopReason;
use crate::outcome::AgentError;
use crate::run::{CallStatus, PendingTools, Run};
use crate::tool::{EVENT_CAPACITY, ToolEventReceiver, ToolEventSender, received};
use crate::tool_runner::{ToolCalls, agent_event};

/// Stream of the running tool calls as they end.
type Running<'a> = Pin<Box<dyn Stream<Item = FinishedCall> + Send + 'a>>;

/// Reason for the early end of a turn's tool calls; empty if all calls that could run have ended.
#[derive(Default)]
pub(super) struct ToolsEnd {
    pub(super) stopped: Option<StopReason>,
    /// The first failure of a hook, of the session or of a journal.
    pub(super) failure: Option<AgentError>,
}

impl ToolsEnd {
    /// Returns true if no further call may be made.
    fn is_over(&self) -> bool {
        self.stopped.is_some() || matches!(self.failure, Some(AgentError::Session(_) | AgentError::Journal(_)))
    }
}

/// Event of running tool calls.
enum CallEvent {
    Ended(FinishedCall),
    AllEnded,
    Stopped(StopReason),
    Starting(Start),
}

/// Receivers of the channels from running calls.
struct Channels {
    events: Option<ToolEventReceiver>,
    starts: Option<mpsc::Receiver<Start>>,
}

impl Driver<'_> {
    /// Makes the calls in batches: concurrent calls together, exclusive ones alone. Calls behind an interrupted one wait for
    /// its response.
    pub(super) async fn execute(&mut self, stop: &mut StopSignal) -> ToolsEnd {
        let calls = self.open_calls();
        let (tools, mut channels) = self.tool_calls();
        let concurrency = self.work.config.tool_concurrency;
        let concurrent = |call: &OpenCall| concurrency > 1 && !tools.is_exclusive(&call.1.name);
        let mut end = ToolsEnd::default();
        for batch in calls.chunk_by(|call, next| concurrent(call) && concurrent(next)) {
            let is_ready = |(position, _): &&OpenCall| self.is_open(*position) && !self.waits(*position);
            let mut ready = batch.iter().filter(is_ready).cloned();
            self.context.scope().budget.set_concurrency(ready.clone().count());
            if self.effects.are_recorded() {
                let ready = ready.collect();
                Box::pin(self.execute_with_journal(&tools, ready, &mut channels, &mut end, stop)).await;
            } else if batch.len() == 1 {
                // Most turns call one tool, which needs no buffer for concurrent futures.
                let Some((position, call)) = ready.next() else { break };
                drop(ready);
                let running = Box::pin(stream::once(tools.call(position, call)));
                self.listen((running, 1), &mut channels, &mut end, stop).await;
            } else {
                let ready: Vec<OpenCall> = ready.collect();
                let calls = ready.len();
                self.listen((tools.running(ready, concurrency), calls), &mut channels, &mut end, stop).await;
            }
            self.emit_remaining(&mut channels).await;
            if end.is_over() || batch.iter().any(|(position, _)| self.waits(*position)) {
                break;
            }
        }
        end
    }

    fn tool_calls(&self) -> (TurnCalls, Channels) {
        let pending = self.work.run.as_ref().and_then(Run::pending);
        let listening = !self.emitter.is_silent();
        let is_journaled = self.effects.are_recorded();
        let recording = pending.is_some_and(PendingTools::is_recorded);
        let (events, event_receiver) = listening.then(ToolEventSender::new).unzip();
        let (starts, start_receiver) = recording.then(|| mpsc::channel(EVENT_CAPACITY)).unzip();
        let calls = ToolCalls {
            settings: Arc::clone(&self.work.config.calls),
            tools: self.tools.clone(),
            context: self.context.live(),
            responses: shared_responses(pending),
            continuations: pending.and_then(PendingTools::continuations).cloned(),
            events,
        };
        let turn = TurnCalls { calls, starts, output: self.output.kind.clone(), is_journaled };
        (turn, Channels { events: event_receiver, starts: start_receiver })
    }

    /// Waits for the given number of running calls, until all have ended or the invocation is stopped. Then they are cancelled
    /// before they are dropped, so that what they do elsewhere ends as well.
    async fn listen(
        &mut self,
        (mut running, mut calls): (Running<'_>, usize),
        channels: &mut Channels,
        end: &mut ToolsEnd,
        stop: &mut StopSignal,
    ) {
        while calls > 0 {
            match channels.next_event(&mut running, &self.emitter, stop).await {
                CallEvent::Ended(outcome) => {
                    calls -= 1;
                    self.take_outcome(outcome, &mut end.failure);
                }
                CallEvent::AllEnded => break,
                CallEvent::Stopped(reason) => {
                    end.stopped = Some(reason);
                    break;
                }
                CallEvent::Starting(start) => {
                    if !Box::pin(self.record_starts(start, channels, end, stop)).await {
                        break;
                    }
                }
            }
        }
        if end.stopped.is_some() {
            self.context.scope().budget.end();
        }
    }

    /// Records all requested starts in one write, and lets the tools start. Returns false if that fails.
    async fn record_starts(
        &mut self,
        first: Start,
        channels: &mut Channels,
        end: &mut ToolsEnd,
        stop: &mut StopSignal,
    ) -> bool {
        let starts = channels.requested_with(first);
        self.set_statuses(&starts, CallStatus::Started);
        self.update_spent();
        match stop.race(self.work.save_record()).await {
            Ok(Ok(())) => {
                starts.into_iter().for_each(Start::allow);
                return true;
            }
            Ok(Err(error)) => end.failure = Some(error),
            Err(reason) => end.stopped = Some(reason),
        }
        // The tools were not started, regardless of the session's content.
        self.set_statuses(&starts, CallStatus::Approved);
        false
    }

    fn set_statuses(&mut self, starts: &[Start], status: CallStatus) {
        for start in starts {
            self.set_status(start.position, status);
        }
    }

    fn set_status(&mut self, position: usize, status: CallStatus) {
        if let Some(run) = &mut self.work.run {
            run.set_status(position, status);
        }
    }

    /// Makes calls with a journal, one step for the next call to end, or for the next approved ones to start. The recorded steps
    /// of a turn are a prefix, so the first step that is not recorded starts all calls that are still open.
    async fn execute_with_journal(
        &mut self,
        tools: &TurnCalls,
        mut open: Vec<OpenCall>,
        channels: &mut Channels,
        end: &mut ToolsEnd,
        stop: &mut StopSignal,
    ) {
        let concurrency = self.work.config.tool_concurrency;
        let turn = self.work.run.as_ref().map(Run::turns).unwrap_or_default();
        let mut running: Option<Running<'_>> = None;
        let budget = Arc::clone(&self.context.scope().budget);
        // Usage so far, without that of open calls.
        let mut counted = budget.spent();
        let watched = self.work.state.watched();
        // Approved calls that an earlier attempt has started, and those that wait for the record of their start.
        let (mut started, mut starting): (Vec<usize>, Vec<Start>) = (Vec::new(), Vec::new());
        while !open.is_empty() {
            let Some(recorder) = &self.effects.recorder else { return };
            let step = self.work.run.as_mut().map(Run::next_tool_step).unwrap_or_default();
            let name = format!("tools/{turn}/{step}");
            let (emitter, channels, running, calls) = (&self.emitter, &mut *channels, &mut running, &open);
            let state = &watched;
            let (started_earlier, newly_started) = (&started, std::mem::take(&mut starting));
            let starting = &mut starting;
            let stop = &mut *stop;
            let effect = async {
                newly_started.into_iter().for_each(Start::allow);
                let next = loop {
                    let calls_running =
                        running.get_or_insert_with(|| tools.continuing(calls, started_earlier, concurrency));
                    match channels.next_event(calls_running, emitter, stop).await {
                        CallEvent::Ended(outcome) => break NextCall::Ended(Box::new(outcome)),
                        CallEvent::Stopped(reason) => {
                            budget.end();
                            // What they have used until then counts.
                            *running = None;
                            let nested = budget.spent_at_most().beyond(counted);
                            break NextCall::Stopped { reason, nested, state: state.changes().map(Box::new) };
                        }
                        // Unreachable: a step is only requested while a call is open.
                        CallEvent::AllEnded => {
                            let nested = budget.spent_at_most().beyond(counted);
                            break NextCall::Stopped { reason: StopReason::Cancelled, nested, state: None };
                        }
                        CallEvent::Starting(start) => {
                            let requested = channels.requested_with(start);
                            let (again, new) =
                                requested.into_iter().partition(|start| started_earlier.contains(&start.position));
                            let again: Vec<Start> = again;
                            again.into_iter().for_each(Start::allow);
                            *starting = new;
                            if !starting.is_empty() {
                                break NextCall::Starting(starting.iter().map(|start| start.position).collect());
                            }
                        }
                    }
                };
                journal_records::of_call(next)
            };
            let input = || open_calls_json(calls);
            let recorded = recorder.record(JournalStep::new(&name).with_input(&input), Box::pin(effect)).await;
            let (next, is_replay) = match recorded {
                Ok(recorded) => (journal_records::into_call(recorded.value), recorded.is_replay),
                Err(error) => {
                    end.failure = Some(error.into());
                    return;
                }
            };
            match next {
                NextCall::Starting(positions) => {
                    for position in &positions {
                        self.set_status(*position, CallStatus::Started);
                    }
                    if is_replay {
                        started.extend(positions);
                    }
                }
                NextCall::Ended(mut call) => {
                    let nested = call.nested.as_deref().copied().unwrap_or_default();
                    counted.add(nested);
                    let state = call.state.take();
                    if is_replay {
                        self.repeat_changes(Some(nested), state.map(|state| *state));
                    }
                    open.retain(|(position, _)| *position != call.position);
                    self.take_outcome(*call, &mut end.failure);
                }
                NextCall::Stopped { reason, nested, state } => {
                    if is_replay {
                        self.repeat_changes(Some(nested), state.map(|state| *state));
                    }
                    end.stopped = Some(reason);
                    return;
                }
            }
        }
    }

    /// Emits the remaining events of ended calls.
    async fn emit_remaining(&self, channels: &mut Channels) {
        // Those in the queue and in the channel. A task left behind by a tool may send them forever.
        for _ in 0..2 * EVENT_CAPACITY {
            let Some(event) = channels.events.as_mut().and_then(ToolEventReceiver::try_next) else { return };
            self.emitter.emit(|| agent_event(event)).await;
        }
    }
}

/// Returns the responses to the interrupts of these calls. Most turns have none.
fn shared_responses(pending: Option<&PendingTools>) -> Arc<BTreeMap<String, Value>> {
    static NONE: LazyLock<Arc<BTreeMap<String, Value>>> = LazyLock::new(Arc::default);
    match pending.map(PendingTools::responses) {
        Some(responses) if !responses.is_empty() => Arc::new(responses.clone()),
        _ => Arc::clone(&NONE),
    }
}

/// Returns open calls as JSON.
fn open_calls_json(calls: &[OpenCall]) -> Value {
    json!(calls.iter().map(|(_, call)| &**call).collect::<Vec<_>>())
}

impl TurnCalls {
    /// Makes calls of which an earlier attempt has started some that were approved.
    fn continuing(&self, calls: &[OpenCall], started: &[usize], limit: usize) -> Running<'_> {
        let (unknown, calls): (Vec<OpenCall>, Vec<OpenCall>) = calls
            .iter()
            .cloned()
            .partition(|(position, call)| started.contains(position) && !self.is_idempotent(&call.name));
        let unknown = unknown.into_iter().map(|(position, call)| outcome_unknown(position, call));
        Box::pin(stream::iter(unknown.collect::<Vec<_>>()).chain(self.running(calls, limit)))
    }

    /// Makes calls concurrently, up to a limit.
    fn running(&self, calls: Vec<OpenCall>, limit: usize) -> Running<'_> {
        Box::pin(stream::iter(calls).map(|(position, call)| self.call(position, call)).buffer_unordered(limit))
    }
}

impl Channels {
    /// Returns a requested start, with all others that are requested by now.
    fn requested_with(&mut self, first: Start) -> Vec<Start> {
        let more = || self.starts.as_mut().and_then(|starts| starts.try_recv().ok());
        std::iter::once(first).chain(std::iter::from_fn(more)).collect()
    }

    /// Waits for the next event of running calls. Tool events are emitted meanwhile.
    async fn next_event(&mut self, running: &mut Running<'_>, emitter: &Emitter, stop: &mut StopSignal) -> CallEvent {
        loop {
            tokio::select! {
                biased;
                reason = stop.stopped() => return CallEvent::Stopped(reason),
                // Before the events, since a task left behind by a tool may send them forever.
                outcome = running.next() => return outcome.map_or(CallEvent::AllEnded, CallEvent::Ended),
                Some(start) = requested(&mut self.starts) => return CallEvent::Starting(start),
                event = received(&mut self.events) => {
                    emitter.emit(|| agent_event(event)).await;
                }
            }
        }
    }
}

/// Returns the next requested start. Waits without an end if there is no channel.
async fn requested(starts: &mut Option<mpsc::Receiver<Start>>) -> Option<Start> {
    match starts {
        Some(starts) => starts.recv().await,
        None => std::future::pending().await,
    }
}

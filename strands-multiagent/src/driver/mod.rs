//! Driver of a run: performs what a state machine decides, with hooks, events, cancellation and saves. Graphs and swarms share it.
//!
//! All nodes are polled by the one task that polls the stream. A node starts only after the session has it as started, and what follows
//! from its end is one write, so that a recorded result is never computed again.

mod attempt;
mod discard;
mod error;
mod node;
mod saves;
mod start;
mod visit_key;

use std::collections::VecDeque;
use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesUnordered;
use serde_json::Value;
use strands_core::models::StopReason;
use strands_core::multiagent::{AfterRun, MultiAgentContext, MultiAgentKind, NodeResult, NodeStatus};
use strands_core::session::SessionError;
use strands_core::{
    AgentError, AgentEvent, AgentResponse, CancellationToken, Continuation, Interrupt, PromptRequest, PromptScope,
    PromptStream,
};
use tokio::time::Instant;

pub(crate) use discard::{discard, discard_continuation};
pub use error::RunError;

use crate::document::DocumentError;
use crate::emitting::{Emitter, Emitting};
use crate::machine::{Ended, Machine, Orchestrator, Phase, RunFailure, Settings, Spent, Work};
use crate::node::NodeError;
use node::{NodeEnd, NodeEnded, NodeRequests, NodeScope, run_node};
use saves::Saves;
use start::{Begun, begin, failed};

/// Time in which nodes end after a stop. Then they are dropped.
const NODE_GRACE: Duration = Duration::from_millis(25);
/// Time after a stop until the response, with the last save.
const STOP_GRACE: Duration = Duration::from_millis(40);

/// A run that has ended, with the machine for a typed response.
pub(crate) struct Finished<M> {
    pub(crate) run: M,
    pub(crate) response: AgentResponse,
}

/// Returns the events of a run.
pub(crate) fn stream<O: Orchestrator>(orchestrator: &Arc<O>, request: PromptRequest) -> PromptStream {
    let orchestrator = Arc::clone(orchestrator);
    let work =
        move |emitter| async move { run(orchestrator, request, emitter).await.map(|finished| finished.response) };
    Box::pin(Emitting::new(work))
}

/// Performs a run to its end.
pub(crate) async fn run<O: Orchestrator>(
    orchestrator: Arc<O>,
    request: PromptRequest,
    emitter: Emitter,
) -> Result<Finished<O::Run>, AgentError> {
    let begun = Box::pin(begin(&orchestrator, request, &emitter)).await?;
    let context = begun.context.clone();
    // Its end cancels what is within, and the hooks after the run are.
    let scope = Arc::clone(&begun.scope);
    let ended = Driver::new(orchestrator.settings(), begun, emitter).perform().await;
    let outcome = ended.as_ref().map(|finished| &finished.response);
    let after = async {
        for hook in orchestrator.settings().hooks.iter().rev() {
            hook.after_run(&mut AfterRun::new(&context, outcome)).await.map_err(in_hook("after_run"))?;
        }
        Ok::<(), AgentError>(())
    };
    let after = tokio::select! {
        biased;
        called = after => called,
        // A run that is cancelled or out of time does not wait for hooks.
        _ = scope.stopped() => Ok(()),
    };
    context.end();
    after.and(ended)
}

/// Driver of one run.
struct Driver<'a, M: Machine> {
    settings: &'a Settings,
    run: M,
    scope: Arc<PromptScope>,
    context: MultiAgentContext,
    emitter: Emitter,
    /// Events that were not emitted yet. The driver never waits for the reader alone, since nodes wait for it as well.
    events: VecDeque<AgentEvent>,
    saves: Saves,
    /// Cancelled when nodes have to stop.
    nodes: CancellationToken,
    running: FuturesUnordered<BoxFuture<'static, NodeEnd<M::Update>>>,
    /// Nodes that are recorded as started by the next save, and by the save in progress.
    next_start: Vec<Work<M::Update>>,
    starting: Vec<Work<M::Update>>,
    /// Reason for which no more nodes start.
    stopped: Option<StopReason>,
    /// Moment of the stop, once nodes have to end.
    stopped_at: Option<Instant>,
    /// Error with which the run ends.
    error: Option<AgentError>,
    /// Error of an agent that did not accept responses to its interrupts. The others go on.
    refusal: Option<AgentError>,
    /// Time of earlier parts of the run.
    elapsed: Duration,
    began: Instant,
    keeps_conversation: bool,
    /// True if an unfinished run has something to go on from.
    has_state: bool,
    requests: Arc<NodeRequests>,
}

/// Event that a driver waits for.
enum Next<U> {
    Stop(StopReason),
    Emitted,
    Saved(Result<(), SessionError>),
    Ended(NodeEnd<U>),
    OutOfTime,
}

impl<'a, M: Machine> Driver<'a, M> {
    fn new(settings: &'a Settings, begun: Begun<M>, emitter: Emitter) -> Self {
        let Begun { run, scope, context, mut saves, keeps_conversation, requests, .. } = begun;
        let Begun { is_as_stored, events, has_state, stopped, .. } = begun;
        if stopped.is_none() && !is_as_stored {
            saves.change();
        }
        Self {
            settings,
            elapsed: run.spent().elapsed,
            run,
            scope,
            context,
            emitter,
            events: events.into(),
            saves,
            nodes: CancellationToken::new(),
            running: FuturesUnordered::new(),
            next_start: Vec::new(),
            starting: Vec::new(),
            stopped,
            stopped_at: None,
            error: None,
            refusal: None,
            began: Instant::now(),
            keeps_conversation,
            has_state,
            requests: Arc::new(requests),
        }
    }

    async fn perform(mut self) -> Result<Finished<M>, AgentError> {
        let scope = Arc::clone(&self.scope);
        let mut stop = Box::pin(async move { scope.stopped().await });
        let mut is_watched = true;
        loop {
            self.start();
            self.save()?;
            if self.is_over() {
                return self.finish();
            }
            let deadline = self.deadline();
            let next = tokio::select! {
                biased;
                reason = &mut stop, if is_watched => Next::Stop(reason),
                () = self.emitter.emit_front(&mut self.events), if !self.events.is_empty() => Next::Emitted,
                // Before the end of a save, so that nodes which end at the same time share the next one.
                Some(ended) = self.running.next() => Next::Ended(ended),
                saved = self.saves.saved() => Next::Saved(saved),
                () = at(deadline) => Next::OutOfTime,
            };
            match next {
                Next::Stop(reason) => {
                    is_watched = false;
                    self.stop(reason);
                }
                Next::Emitted => {}
                Next::Saved(Ok(())) => {
                    let works = std::mem::take(&mut self.starting);
                    self.launch(works);
                }
                Next::Saved(Err(error)) => return Err(error.into()),
                Next::Ended(ended) => self.take(ended),
                Next::OutOfTime if self.running.is_empty() => {
                    // Nothing tells any more that these are saved. They end as stopped, since the run is.
                    let works = std::mem::take(&mut self.starting);
                    self.launch(works);
                    self.saves.abandon();
                }
                Next::OutOfTime => self.running.clear(),
            }
        }
    }

    /// Records ready nodes as started. They run once that is saved.
    fn start(&mut self) {
        if self.stopped.is_some() {
            return;
        }
        let active = self.running.len() + self.starting.len() + self.next_start.len();
        let free = self.settings.concurrency.saturating_sub(active);
        let mut events = Vec::new();
        let works = self.run.start(free, &mut events);
        if !works.is_empty() || !events.is_empty() {
            self.saves.change();
            self.events.extend(events);
            self.next_start.extend(works);
        }
    }

    /// Saves what has changed, unless a save is in progress.
    fn save(&mut self) -> Result<(), AgentError> {
        self.run.spend(self.spent());
        if !self.saves.has_session() {
            let works = std::mem::take(&mut self.next_start);
            self.launch(works);
        } else if self.saves.begin(|stored| self.run.document(stored)).map_err(self.unstorable())? {
            self.starting = std::mem::take(&mut self.next_start);
        }
        Ok(())
    }

    fn unstorable(&self) -> impl FnOnce(DocumentError) -> AgentError + use<M> {
        let name = Arc::clone(&self.settings.name);
        move |source| failed(&name, RunError::NotStored { source })
    }

    /// Runs nodes that are recorded as started, or lets them wait until the run is resumed.
    fn launch(&mut self, works: Vec<Work<M::Update>>) {
        for work in works {
            if let Some(reason) = &self.stopped {
                let mut result = NodeResult::new(NodeStatus::Stopped);
                result.stop_reason = Some(reason.clone());
                self.run.finish(Ended::without_effect(work.key, result));
                self.saves.change();
                continue;
            }
            let scope = Arc::new(self.scope.part(self.nodes.child_token()));
            let node = NodeScope {
                context: self.context.of_node(&scope),
                scope,
                hooks: self.settings.hooks.clone(),
                emitter: self.emitter.clone(),
                requests: Arc::clone(&self.requests),
            };
            self.running.push(run_node(work, node).boxed());
        }
        self.scope.set_concurrency(self.running.len());
    }

    /// Starts no more nodes, and cancels those that are running.
    fn stop(&mut self, reason: StopReason) {
        self.stopped.get_or_insert(reason);
        self.stopped_at.get_or_insert_with(Instant::now);
        self.nodes.cancel();
        let works = std::mem::take(&mut self.next_start);
        self.launch(works);
    }

    /// Records the end of a node.
    fn take(&mut self, end: NodeEnd<M::Update>) {
        match end {
            NodeEnd::Ended(end) => {
                let NodeEnded { ended, event, error, refusal } = *end;
                if ended.result.status == NodeStatus::Stopped {
                    // A limit ends the run for all nodes.
                    let reason = self.scope.limit_reached().or_else(|| ended.result.stop_reason.clone());
                    self.stopped.get_or_insert(reason.unwrap_or(StopReason::Cancelled));
                }
                self.events.push_back(event);
                self.events.extend(self.run.finish(ended));
                if let Some(error) = error {
                    self.error.get_or_insert(error);
                    self.stop(StopReason::Cancelled);
                }
                self.refusal = self.refusal.take().or(refusal);
                self.scope.set_concurrency(self.running.len());
            }
            NodeEnd::Fatal { error, not_begun } => {
                if let Some(key) = not_begun {
                    let result = NodeResult::new(NodeStatus::Stopped);
                    self.events.extend(self.run.finish(Ended::without_effect(key, result)));
                }
                self.error.get_or_insert(error);
                self.stop(StopReason::Cancelled);
            }
        }
        self.saves.change();
    }

    /// Returns the moment at which a stopped run drops its nodes, or then its saves, if it still waits for some.
    fn deadline(&self) -> Option<Instant> {
        let grace = match (self.running.is_empty(), self.saves.is_settled()) {
            (false, _) => NODE_GRACE,
            (true, false) => STOP_GRACE,
            (true, true) => return None,
        };
        self.stopped_at?.checked_add(grace)
    }

    /// Returns true once nothing is running, all is saved and emitted, and no more can run.
    fn is_over(&self) -> bool {
        let is_quiet = self.running.is_empty() && self.next_start.is_empty() && self.starting.is_empty();
        let is_done = || self.stopped.is_some() || !matches!(self.run.phase(), Phase::Active);
        is_quiet && self.saves.is_settled() && self.events.is_empty() && is_done()
    }

    fn spent(&self) -> Spent {
        let elapsed = self.elapsed.saturating_add(self.began.elapsed());
        Spent { usage: self.scope.usage(), turns: self.scope.turns(), elapsed }
    }

    fn finish(mut self) -> Result<Finished<M>, AgentError> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let (message, output) = self.run.response();
        let (stop_reason, interrupts) = match (self.stopped.take(), self.run.phase()) {
            (Some(reason), _) => (reason, Vec::new()),
            (None, Phase::Interrupted(interrupts)) => match self.refusal.take() {
                Some(source) => return Err(self.suspended(source, interrupts)?),
                None => (StopReason::Interrupt, interrupts),
            },
            (None, Phase::Failed { node, error }) => return Err(self.failure(node, error)),
            (None, Phase::Limited(reason)) => (reason, Vec::new()),
            (None, Phase::Active | Phase::Completed) => (StopReason::EndTurn, Vec::new()),
        };
        let is_unfinished = stop_reason != StopReason::EndTurn;
        let mut response = AgentResponse::new(message, stop_reason);
        (response.usage, response.turns) = (self.scope.usage(), self.scope.turns());
        response.interrupts = interrupts;
        response.output = match is_unfinished {
            false => self.requested_output(output, &response)?,
            true => output,
        };
        if is_unfinished && self.has_state || self.keeps_conversation {
            response.continuation = self.continuation()?;
        }
        Ok(Finished { run: self.run, response })
    }

    /// Returns the state with which the run goes on, unless that is in a session.
    fn continuation(&mut self) -> Result<Option<Continuation>, AgentError> {
        if self.saves.has_session() {
            return Ok(None);
        }
        self.run.spend(self.spent());
        let document = self.run.document(None).map_err(self.unstorable())?;
        Ok(Some(Continuation::nested(document)))
    }

    /// Returns the error of a run that is still suspended, since an agent did not accept responses. What others did with theirs is in
    /// its state.
    fn suspended(&mut self, source: AgentError, interrupts: Vec<Interrupt>) -> Result<AgentError, AgentError> {
        let continuation = self.continuation()?;
        Ok(AgentError::Suspended { source: Box::new(source), interrupts, continuation })
    }

    /// Returns the output of a run that has ended, as the type that was requested, if one was: that of the last node, or its text as
    /// JSON. The members of a swarm are asked for it themselves.
    fn requested_output(&self, output: Option<Value>, response: &AgentResponse) -> Result<Option<Value>, AgentError> {
        if self.requests.asked.output_schema().is_none() || self.settings.kind == MultiAgentKind::Swarm {
            return Ok(output);
        }
        let value = output.unwrap_or_else(|| {
            let text = response.text();
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        });
        self.requests.asked.read_output(&value)
    }

    fn failure(&self, node: Option<Arc<str>>, error: RunFailure) -> AgentError {
        let source = match error {
            RunFailure::Node(error) => error,
            RunFailure::Earlier(text) => Arc::new(NodeError::new(text)),
            RunFailure::Repetition { window, unique } => {
                return failed(&self.settings.name, RunError::Repetition { window, unique });
            }
            RunFailure::Stalled => return failed(&self.settings.name, RunError::Stalled),
        };
        failed(&self.settings.name, RunError::Node { node: node.unwrap_or_else(|| "".into()), source })
    }
}

/// Waits until a moment; forever without one.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Wraps the error of a hook that was called for `event`.
fn in_hook(event: &'static str) -> impl FnOnce(Box<dyn StdError + Send + Sync>) -> AgentError {
    move |source| AgentError::Hook { event, source }
}

/// Returns a random UUID.
pub(crate) fn random_id() -> String {
    uuid::Builder::from_random_bytes(fastrand::u128(..).to_ne_bytes()).into_uuid().to_string()
}

//! One start of a node: hooks, attempts, and the pauses between them.

use std::sync::Arc;
use std::time::Duration;

use strands_core::multiagent::{AfterNode, BeforeNode, MultiAgentContext, NodeHook, NodeResult, NodeStatus};
use strands_core::{AgentError, AgentEvent, Continuation, Interrupt, Prompt, PromptRequest, PromptScope};
use tokio::time::Instant;

use super::attempt::{Attempted, attempt};
use super::in_hook;
use crate::emitting::Emitter;
use crate::machine::{Ended, Work};
use crate::node::NodeError;

/// Maximum number of times in a row that hooks may repeat a node.
const MAX_HOOK_RETRIES: u32 = 8;

/// Parts of the run that a node shares with the others.
pub(super) struct NodeScope {
    pub(super) scope: Arc<PromptScope>,
    pub(super) context: MultiAgentContext,
    pub(super) hooks: Vec<Arc<dyn NodeHook>>,
    pub(super) emitter: Emitter,
    pub(super) requests: Arc<NodeRequests>,
}

/// Settings that the requests of all nodes of a run share.
pub(super) struct NodeRequests {
    /// Start of their idempotency keys: the key of the request of the run, since a run without a session begins anew when it is
    /// repeated, or the id of the run.
    pub(super) run_key: Arc<str>,
    /// Start of the keys of functions, which are the same when a node starts again.
    pub(super) effect_key: Arc<str>,
    /// True if the run is resumed after it was dropped.
    pub(super) is_durable: bool,
    /// True if the run is in a session.
    pub(super) is_stored: bool,
    /// An empty request with the structured output that the run is asked for.
    pub(super) asked: PromptRequest,
}

/// End of one start of a node.
pub(super) enum NodeEnd<U> {
    Ended(Box<NodeEnded<U>>),
    /// An error that ends the run, such as that of a hook.
    Fatal {
        error: AgentError,
        /// Key of the node, if it has made no attempt.
        not_begun: Option<(usize, usize)>,
    },
}

/// End of a node that has made its attempts.
pub(super) struct NodeEnded<U> {
    pub(super) ended: Ended<U>,
    pub(super) event: AgentEvent,
    /// Error of a hook after it, which ends the run.
    pub(super) error: Option<AgentError>,
    /// Error of an agent that did not accept responses to its interrupts. It is still suspended.
    pub(super) refusal: Option<AgentError>,
}

/// Result of one attempt.
struct Outcome<U> {
    result: NodeResult,
    updates: Vec<U>,
    continuation: Option<Continuation>,
    is_suspended: bool,
    is_unchanged: bool,
    error: Option<NodeError>,
    refusal: Option<AgentError>,
}

impl<U> Outcome<U> {
    fn failed(error: NodeError) -> Self {
        let mut result = NodeResult::new(NodeStatus::Failed);
        result.error = Some(error.text());
        Self { error: Some(error), ..Self::without_effect(result) }
    }

    fn without_effect(result: NodeResult) -> Self {
        let (is_suspended, is_unchanged) = (false, false);
        Self { result, updates: Vec::new(), continuation: None, is_suspended, is_unchanged, error: None, refusal: None }
    }
}

/// Runs a node until it ends, is interrupted, or fails for good.
pub(super) async fn run_node<U>(work: Work<U>, node: NodeScope) -> NodeEnd<U> {
    let began = Instant::now();
    let mut attempts = 0;
    loop {
        attempts += 1;
        let attempt_began = Instant::now();
        let number = work.attempt.saturating_add(attempts - 1);
        let from = work.from.clone();
        node.emitter.emit(AgentEvent::NodeStart { node: Arc::clone(&work.node), attempt: number, from }).await;
        let mut outcome = match once(&work, &node, number).await {
            Ok(outcome) => outcome,
            Err(end) => return end,
        };
        let result = &mut outcome.result;
        (result.usage, result.turns) = (node.scope.usage(), node.scope.turns());
        (result.attempts, result.duration) = (attempts, began.elapsed());
        let mut hook_error = None;
        match retry_delay(&work, &node, &outcome.result, outcome.error.as_ref()).await {
            Ok(None) => {}
            Ok(Some(delay)) => {
                let error = outcome.result.error.clone().unwrap_or_default();
                let name = Arc::clone(&work.node);
                node.emitter.emit(AgentEvent::NodeRetry { node: name, attempt: number, delay, error }).await;
                tokio::select! {
                    biased;
                    () = node.scope.cancellation().cancelled() => outcome.result.status = NodeStatus::Stopped,
                    () = tokio::time::sleep(delay) => continue,
                }
            }
            // The node has ended, and does not run again for the sake of a hook.
            Err((error, repeats)) => {
                hook_error = Some(error);
                if repeats {
                    outcome.result.status = NodeStatus::Stopped;
                }
            }
        }
        let event = AgentEvent::NodeEnd {
            node: Arc::clone(&work.node),
            attempt: number,
            status: outcome.result.status.clone(),
            usage: outcome.result.usage,
            duration: attempt_began.elapsed(),
            error: outcome.result.error.clone(),
        };
        let Outcome { result, updates, continuation, is_suspended, is_unchanged, error, refusal } = outcome;
        let ended = Ended { key: work.key, result, updates, continuation, is_suspended, is_unchanged, error };
        return NodeEnd::Ended(Box::new(NodeEnded { ended, event, error: hook_error, refusal }));
    }
}

/// Makes one attempt, with the hooks before it.
async fn once<U>(work: &Work<U>, node: &NodeScope, number: u32) -> Result<Outcome<U>, NodeEnd<U>> {
    let mut prompt = work.prompt.clone();
    let (denial, interrupts) = before(work, node, number, &mut prompt)
        .await
        .map_err(|error| NodeEnd::Fatal { error, not_begun: (number == work.attempt).then_some(work.key) })?;
    if let Some(reason) = denial {
        return Ok(Outcome::failed(NodeError::Denied { reason }));
    }
    if !interrupts.is_empty() {
        let mut result = NodeResult::new(NodeStatus::Interrupted);
        result.interrupts = interrupts;
        return Ok(Outcome::without_effect(result));
    }
    Ok(match attempt(work, node, number, prompt).await {
        Attempted::Completed { result, updates, continuation } => {
            Outcome { updates, continuation, ..Outcome::without_effect(result) }
        }
        Attempted::Interrupted { result, continuation, is_agent } => {
            Outcome { continuation, is_suspended: is_agent, ..Outcome::without_effect(result) }
        }
        Attempted::Stopped { result, continuation } => Outcome { continuation, ..Outcome::without_effect(result) },
        Attempted::Failed(error) => Outcome::failed(error),
        Attempted::Fatal(error) => return Err(NodeEnd::Fatal { error, not_begun: None }),
        Attempted::Refused { error, suspended } => {
            let mut result = NodeResult::new(NodeStatus::Interrupted);
            let is_unchanged = suspended.is_none();
            let (interrupts, continuation) = suspended.unwrap_or_default();
            result.interrupts = interrupts;
            let refusal = Some(error);
            Outcome { continuation, is_suspended: true, is_unchanged, refusal, ..Outcome::without_effect(result) }
        }
    })
}

/// Calls the hooks before an attempt. Returns their denial and their interrupts.
async fn before<U>(
    work: &Work<U>,
    node: &NodeScope,
    number: u32,
    prompt: &mut Prompt,
) -> Result<(Option<String>, Vec<Interrupt>), AgentError> {
    let mut event = BeforeNode::new(&node.context, &work.id, number, prompt, &work.responses);
    if let Some(item) = work.item {
        event = event.of_item(item);
    }
    if !work.is_first {
        event = event.of_visit(&work.visit);
    }
    for hook in &node.hooks {
        hook.before_node(&mut event).await.map_err(in_hook("before_node"))?;
    }
    Ok((event.deny.take(), event.take_interrupts()))
}

/// Calls the hooks after an attempt. Returns the delay before the next one, or `None` if there is none; or the error of a hook, with true
/// if another attempt was planned.
async fn retry_delay<U>(
    work: &Work<U>,
    node: &NodeScope,
    result: &NodeResult,
    error: Option<&NodeError>,
) -> Result<Option<Duration>, (AgentError, bool)> {
    let number = work.attempt.saturating_add(result.attempts.saturating_sub(1));
    // Responses to interrupts are used up, unless the agent starts from its continuation again.
    let may_repeat = !work.policy.runs_once
        && error.is_some_and(NodeError::is_repeatable)
        && (!work.is_resumed || work.continuation.is_some());
    let planned = may_repeat.then(|| work.policy.retry.delay_after(result.attempts, result.duration)).flatten();
    let mut event =
        AfterNode::new(&node.context, &work.id, number, result, error.map(|error| error as _), planned.is_some());
    event.item = work.item;
    let repeats = |retry: bool| retry && may_repeat && (planned.is_some() || result.attempts <= MAX_HOOK_RETRIES);
    for hook in node.hooks.iter().rev() {
        if let Err(error) = hook.after_node(&mut event).await {
            return Err((in_hook("after_node")(error), repeats(event.retry)));
        }
    }
    Ok(repeats(event.retry).then(|| planned.unwrap_or_default()))
}

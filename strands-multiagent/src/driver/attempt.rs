//! One attempt of a node: a prompt of an agent, or a call of a function.

use std::any::Any;
use std::fmt::Write as _;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::{FutureExt, StreamExt};
use strands_core::models::StopReason;
use strands_core::multiagent::{MultiAgentKind, NodeResult, NodeStatus};
use strands_core::{AgentError, AgentEvent, AgentResponse, CancellationToken, Continuation, Interrupt, Prompt};

use super::node::NodeScope;
use super::start::digest;
use super::visit_key::{VisitKey, visit_key};
use crate::machine::{Executor, Returned, Work};
use crate::node::{FunctionCall, NodeError, has_stopped, is_stop};

/// Maximum length of the message of a panic, in bytes.
const MAX_PANIC: usize = 1024;

/// End of an attempt.
pub(super) enum Attempted<U> {
    Completed {
        result: NodeResult,
        updates: Vec<U>,
        continuation: Option<Continuation>,
    },
    Interrupted {
        result: NodeResult,
        continuation: Option<Continuation>,
        is_agent: bool,
    },
    /// The run was cancelled, or has reached a limit.
    Stopped {
        result: NodeResult,
        /// State of a graph or a swarm that was cut off.
        continuation: Option<Continuation>,
    },
    Failed(NodeError),
    /// An error that ends the run, as it is.
    Fatal(AgentError),
    /// The agent is still suspended: it did not accept responses to its interrupts.
    Refused {
        error: AgentError,
        /// Its interrupts and its state, if they have changed.
        suspended: Option<(Vec<Interrupt>, Option<Continuation>)>,
    },
}

/// Makes one attempt, within the timeout of the node.
pub(super) async fn attempt<U>(work: &Work<U>, node: &NodeScope, number: u32, prompt: Prompt) -> Attempted<U> {
    let cancellation = node.scope.cancellation().child_token();
    let running = async {
        match &work.executor {
            Executor::Agent { .. } => prompt_agent(work, node, number, prompt, cancellation.clone()).await,
            Executor::Function { .. } => call_function(work, node, number).await,
        }
    };
    let attempted = match work.policy.timeout {
        Some(after) => {
            let mut running = std::pin::pin!(running);
            match tokio::time::timeout(after, &mut running).await {
                Ok(attempted) => attempted,
                Err(_) => {
                    // Before it is dropped: work elsewhere goes on unless it was cancelled.
                    cancellation.cancel();
                    Attempted::Failed(NodeError::Timeout { after })
                }
            }
        }
        None => running.await,
    };
    match attempted {
        // A consequence of the cancellation.
        Attempted::Failed(_) if node.scope.cancellation().is_cancelled() => stopped(StopReason::Cancelled),
        attempted => attempted,
    }
}

/// Prompts the agent of a node, and forwards its events.
async fn prompt_agent<U>(
    work: &Work<U>,
    node: &NodeScope,
    number: u32,
    prompt: Prompt,
    cancellation: CancellationToken,
) -> Attempted<U> {
    let Executor::Agent { agent, prepare, read } = &work.executor else {
        return Attempted::Failed(NodeError::new("it is no agent"));
    };
    let digest = (agent.is_idempotent() && !node.requests.is_stored).then(|| digest(&prompt));
    let mut request = node.scope.request(prompt).cancel_with(cancellation).inject(node.context.clone());
    // Each member of a swarm may be the last one.
    if node.context.kind() == MultiAgentKind::Swarm {
        request = request.output_of(&node.requests.asked);
    }
    request = prepare(request);
    let repeat = number.saturating_sub(work.attempt);
    let mut key = format!("{}.{}.{}.{repeat}", node.requests.run_key, work.node, work.start);
    if let Some(digest) = digest {
        // A run without a session begins anew when it is repeated, and may come here with another prompt.
        let _ = write!(key, ".{digest}");
    }
    let visit = visit_key(&node.requests.effect_key, &work.node, &work.start).into();
    request = request.inject(VisitKey { of: key.clone(), key: visit });
    request.idempotency_key = Some(key);
    // The scope knows of the other nodes.
    (request.is_durable, request.is_alone) = (node.requests.is_durable, true);
    request.keeps_conversation = work.policy.keeps_conversation;
    request.continuation.clone_from(&work.continuation);
    if work.is_resumed {
        request.resume = work.new_responses.iter().filter_map(|response| response.within_node(&work.node)).collect();
    }
    let mut is_unchanged = work.is_resumed;
    let mut events = node.scope.prompt(&**agent, request);
    let mut last = None;
    while let Some(event) = events.next().await {
        let mut event = match event {
            Ok(event) => event,
            Err(AgentError::Suspended { source, interrupts, continuation }) => {
                let interrupts = at_node(interrupts, &work.node);
                return Attempted::Refused { error: *source, suspended: Some((interrupts, continuation)) };
            }
            // The agent has rejected the request, so that it can be resumed again.
            Err(error) if is_unchanged => return Attempted::Refused { error, suspended: None },
            // No level can do anything about it.
            Err(error @ AgentError::NestedTooDeep { .. }) => return Attempted::Fatal(error),
            Err(error) => return Attempted::Failed(error.into()),
        };
        is_unchanged = false;
        if let AgentEvent::Result { response } = &mut event {
            let continuation = response.continuation.take();
            let mut own = AgentResponse::clone(response);
            own.continuation = continuation;
            last = Some(own);
        }
        node.emitter.emit(event.at_node(Arc::clone(&work.node))).await;
    }
    let Some(response) = last else {
        return Attempted::Failed(AgentError::NoResponse { name: agent.name().to_owned() }.into());
    };
    responded(work, node, response, |result| read(result))
}

/// Returns the end of an agent that has responded.
fn responded<U>(
    work: &Work<U>,
    node: &NodeScope,
    response: AgentResponse,
    read: impl Fn(&NodeResult) -> Result<Vec<U>, NodeError>,
) -> Attempted<U> {
    let AgentResponse { message, stop_reason, interrupts, output, ended_by, continuation, .. } = response;
    let mut result = NodeResult::new(NodeStatus::Completed);
    result.message = message;
    (result.output, result.ended_by) = (output, ended_by);
    result.stop_reason = Some(stop_reason.clone());
    match stop_reason {
        StopReason::Interrupt => {
            result.status = NodeStatus::Interrupted;
            result.interrupts = at_node(interrupts, &work.node);
            Attempted::Interrupted { result, continuation, is_agent: true }
        }
        reason if is_stop(&reason) && has_stopped(&node.scope) => {
            result.status = NodeStatus::Stopped;
            // The conversation of an agent that keeps it is no state of a run that was cut off.
            let continuation = continuation.filter(|_| !work.policy.keeps_conversation);
            Attempted::Stopped { result, continuation }
        }
        reason if is_stop(&reason) => Attempted::Failed(NodeError::Stopped { reason }),
        _ => match read(&result) {
            Ok(updates) => Attempted::Completed { result, updates, continuation },
            Err(error) => Attempted::Failed(error),
        },
    }
}

/// Calls the function of a node.
async fn call_function<U>(work: &Work<U>, node: &NodeScope, number: u32) -> Attempted<U> {
    let Executor::Function { call, read } = &work.executor else {
        return Attempted::Failed(NodeError::new("it is no function"));
    };
    let responses = work.responses.iter().filter_map(|response| response.within_node(&work.node)).collect();
    let function_call = FunctionCall {
        idempotency_key: visit_key(&node.requests.effect_key, &work.node, &work.start),
        id: Arc::clone(&work.id),
        item: work.item,
        name: Arc::clone(&work.node),
        attempt: number,
        visit: Arc::clone(&work.visit),
        scope: Arc::clone(&node.scope),
        responses,
        events: node.emitter.clone(),
    };
    // A function may also panic while it creates its future.
    let running = node.scope.run(async { call(function_call).await });
    match AssertUnwindSafe(running).catch_unwind().await {
        Ok(Ok(Returned { message, output, mut updates })) => {
            let mut result = NodeResult::new(NodeStatus::Completed);
            (result.message, result.output) = (Arc::new(message), output);
            match read(&result) {
                Ok(more) => {
                    updates.extend(more);
                    Attempted::Completed { result, updates, continuation: None }
                }
                Err(error) => Attempted::Failed(error),
            }
        }
        Ok(Err(NodeError::Interrupted(interrupts))) => {
            let mut result = NodeResult::new(NodeStatus::Interrupted);
            result.interrupts = at_node(interrupts, &work.node);
            Attempted::Interrupted { result, continuation: None, is_agent: false }
        }
        Ok(Err(error)) => match error.stop_reason().filter(|_| has_stopped(&node.scope)) {
            Some(reason) => stopped(reason.clone()),
            None => Attempted::Failed(error),
        },
        Err(panic) => Attempted::Failed(NodeError::Panicked { message: message_of(&*panic) }),
    }
}

fn at_node(interrupts: Vec<Interrupt>, node: &str) -> Vec<Interrupt> {
    let outside = |interrupt: Interrupt| {
        let mut interrupt = interrupt.at_node(node);
        interrupt.response = None;
        interrupt
    };
    interrupts.into_iter().map(outside).collect()
}

/// Returns the end of a node that was stopped.
fn stopped<U>(reason: StopReason) -> Attempted<U> {
    let mut result = NodeResult::new(NodeStatus::Stopped);
    result.stop_reason = Some(reason);
    Attempted::Stopped { result, continuation: None }
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let message = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let mut message = message.unwrap_or("no reason given").to_owned();
    message.truncate(message.floor_char_boundary(MAX_PANIC));
    message
}

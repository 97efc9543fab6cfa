//! [`NodeContext`]: access of a function that is a node to the state, to injected values and to agents.

use std::fmt;
use std::sync::Arc;

use futures_util::StreamExt;
use serde::Serialize;
use serde_json::Value;
use strands_core::models::StopReason;
use strands_core::{
    AgentError, AgentEvent, AgentResponse, CancellationToken, Interrupt, InterruptResponse, PromptRequest, PromptScope,
    Promptable,
};

use super::NodeError;
use crate::emitting::Emitter;

/// One call of a function.
#[derive(Clone)]
pub(crate) struct FunctionCall {
    pub(crate) id: Arc<str>,
    pub(crate) item: Option<usize>,
    /// The id, with the index of the item.
    pub(crate) name: Arc<str>,
    pub(crate) attempt: u32,
    /// Text that differs in each visit of the node, of all runs.
    pub(crate) visit: Arc<str>,
    pub(crate) idempotency_key: String,
    pub(crate) scope: Arc<PromptScope>,
    /// Responses to interrupts of this node, with the ids that they have within it.
    pub(crate) responses: Arc<[InterruptResponse]>,
    pub(crate) events: Emitter,
}

/// Access of a function that is a node to the state of the graph, to injected values, and to agents.
pub struct NodeContext<S = ()> {
    pub(crate) call: FunctionCall,
    pub(crate) state: Arc<S>,
}

impl<S> NodeContext<S> {
    /// Returns the id of the node.
    pub fn node(&self) -> &str {
        &self.call.id
    }

    /// Returns the zero-based index of the item of a list that this call is for.
    pub fn item(&self) -> Option<usize> {
        self.call.item
    }

    /// Returns the one-based number of the attempt, over all starts of the node in this run.
    pub fn attempt(&self) -> u32 {
        self.call.attempt
    }

    /// Returns a key for requests with effects, by which a service recognizes a repeated one: of this visit of the node, and its item of a
    /// list. It is the same when the node is repeated, also after a crash, and another one in each iteration of a loop and in each run.
    ///
    /// In a graph that is a node, it is the same in each run of that graph for one visit of the node, also if the node is repeated after a failure
    /// and its agents respond otherwise. In another run without a session, it is made of the
    /// [key of the request](PromptRequest::idempotency_key), or of a random id.
    pub fn idempotency_key(&self) -> &str {
        &self.call.idempotency_key
    }

    /// Returns the state as it was when the node started. [`NodeOutput::update`](super::NodeOutput::update) changes it.
    pub fn state(&self) -> &S {
        &self.state
    }

    /// Returns the injected value of a type.
    pub fn injected<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.call.scope.injected()
    }

    /// Returns a token that is cancelled when the node is cancelled or ends.
    pub fn cancellation(&self) -> &CancellationToken {
        self.call.scope.cancellation()
    }

    /// Prompts an agent, with the injected values, the limits and the cancellation of the run. Its events are forwarded as those of a
    /// node with its name, within this node.
    ///
    /// A response may have interrupts, which the function handles. An agent that is a node itself is resumed by the graph.
    ///
    /// # Errors
    ///
    /// Returns [`NodeError::Agent`] with the error of the agent, and [`NodeError::Stopped`] if the run was cancelled or has reached a
    /// limit meanwhile. Pass that one on: the function then runs again, from its start, when the run goes on. A response that ended by
    /// limits of the agent itself is returned.
    pub async fn prompt(
        &self,
        agent: &dyn Promptable,
        request: impl Into<PromptRequest>,
    ) -> Result<AgentResponse, NodeError> {
        let request: PromptRequest = request.into();
        let name: Arc<str> = agent.name().into();
        let mut events = self.call.scope.prompt(agent, self.call.scope.adopt(request));
        let mut last = None;
        while let Some(event) = events.next().await {
            let event = event?;
            if let AgentEvent::Result { response } = &event {
                last = Some(AgentResponse::clone(response));
            }
            self.call.events.emit(event.at_node(Arc::clone(&name)).at_node(Arc::clone(&self.call.name))).await;
        }
        let response = last.ok_or_else(|| NodeError::from(AgentError::NoResponse { name: name.to_string() }))?;
        let reason = &response.stop_reason;
        // Else the function would go on with a response that was cut off, and would be recorded as completed.
        if is_stop(reason) && has_stopped(&self.call.scope) {
            return Err(NodeError::Stopped { reason: reason.clone() });
        }
        Ok(response)
    }

    /// Raises an interrupt, or returns the response to it. The run ends with the interrupt once all other nodes have ended, and the
    /// function runs again, from its start, when the run is resumed.
    ///
    /// `name` is unique within the node. The id of the interrupt differs each time that the graph reaches the node, in a loop or in
    /// another run.
    ///
    /// # Errors
    ///
    /// Returns the [`NodeError`] to pass on while there is no response, or an error if `reason` can't be serialized to JSON.
    pub fn interrupt(&self, name: &str, reason: impl Serialize) -> Result<Value, NodeError> {
        let id = format!("function:{}:{name}", self.call.visit);
        // All of them are of this visit. Its text is another one if another program has stored the run since.
        let is_of_name = |id: &str| {
            let of_visit = id.strip_prefix("function:").and_then(|rest| rest.split_once(':'));
            of_visit.is_some_and(|(_, of)| of == name)
        };
        let response = self.call.responses.iter().rev().find(|response| is_of_name(&response.interrupt_id));
        if let Some(response) = response {
            return Ok(response.response.clone());
        }
        let reason = serde_json::to_value(reason).map_err(|error| NodeError::Function(error.into()))?;
        Err(NodeError::Interrupted(vec![Interrupt::new(id, name, reason)]))
    }
}

/// Returns true for the stop reason of an agent that was cut off.
pub(crate) fn is_stop(reason: &StopReason) -> bool {
    *reason == StopReason::Cancelled || reason.is_limit()
}

/// Returns true if a scope, or an invocation around it, was cancelled or has reached a limit.
pub(crate) fn has_stopped(scope: &PromptScope) -> bool {
    scope.cancellation().is_cancelled() || scope.limit_reached().is_some()
}

impl<S> fmt::Debug for NodeContext<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeContext")
            .field("node", &self.call.name)
            .field("attempt", &self.call.attempt)
            .finish_non_exhaustive()
    }
}

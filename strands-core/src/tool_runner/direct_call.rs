//! Direct tool calls, made by the program rather than by a model.

use std::collections::BTreeMap;
use std::fmt;
use std::future::{IntoFuture, ready};
use std::sync::Arc;

use futures_core::future::BoxFuture;
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{CallEnd, CallSettings, EndedCall, ToolCalls, agent_event};
use crate::continuation::Continuation;
use crate::depth;
use crate::event::AgentEvent;
use crate::hook::{HookContext, SelectTools};
use crate::injected::InjectedValues;
use crate::interrupt::{Interrupt, InterruptResponse, Suspension, is_of_call};
use crate::limits::Limits;
use crate::message::{ToolResult, ToolUse, random_call_id};
use crate::nesting::{self, Budget, Spent};
use crate::outcome::{AgentError, BuildError};
use crate::scope::{AgentNames, Scope};
use crate::state::AgentState;
use crate::tool::{ToolCatalog, ToolContext, ToolEventReceiver, ToolEventSender, ToolSet, received};

/// Parts of an agent or a runner that a direct call needs.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) names: Arc<AgentNames>,
    pub(crate) settings: Arc<CallSettings>,
    pub(crate) catalog: ToolCatalog,
    /// Fallback if the tool providers can't list their tools.
    pub(crate) known: Option<ToolSet>,
    pub(crate) injected: InjectedValues,
    pub(crate) state: AgentState,
    /// Limits of agents called by the tool.
    pub(crate) limits: Limits,
}

/// A tool call made by the program. It does nothing until it is awaited; dropping it cancels the call.
///
/// Hooks, validation of the arguments, approval, timeouts and panics work as for a model's call. The call is not added to
/// the conversation of an agent.
#[must_use = "a tool call does nothing until it is awaited"]
pub struct ToolCall<'a> {
    caller: Caller,
    tool_use: ToolUse,
    responses: BTreeMap<String, Value>,
    continuation: Option<Continuation>,
    cancellation: CancellationToken,
    listener: Option<Box<dyn FnMut(AgentEvent) + Send + 'a>>,
}

/// Outcome of a [`ToolCall`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ToolCallOutcome {
    /// The tool's result. It is an error result if the tool failed, panicked, timed out or was denied, or if the arguments
    /// don't match its schema.
    Result(ToolResult),
    /// Interrupts to respond to. Make the same call again with the same [`id`](ToolCall::id) and the
    /// [`continuation`](ToolCall::continue_from), and [`resume`](ToolCall::resume) it with the responses.
    Interrupted {
        /// The interrupts.
        interrupts: Vec<Interrupt>,
        /// State with which the tool continues, if it has one. It may contain the conversation of an agent.
        continuation: Option<Continuation>,
    },
    /// The call was cancelled, or reached its time limit.
    Cancelled,
}

impl<'a> ToolCall<'a> {
    pub(crate) fn new(caller: Caller, name: impl Into<String>, input: Value) -> Self {
        Self {
            caller,
            tool_use: ToolUse::new(random_call_id(), name, input),
            responses: BTreeMap::new(),
            continuation: None,
            cancellation: CancellationToken::new(),
            listener: None,
        }
    }

    /// Sets the id of the call. Default: a random one.
    pub fn id(mut self, tool_use_id: impl Into<String>) -> Self {
        self.tool_use.tool_use_id = tool_use_id.into();
        self
    }

    /// Injects a value into this call. It takes precedence over a value of the same type injected into the agent or runner.
    pub fn inject<V: Send + Sync + 'static>(mut self, value: V) -> Self {
        self.caller.injected.insert_for_invocation(value);
        self
    }

    /// Cancels the call when `token` is cancelled.
    pub fn cancel_with(mut self, token: CancellationToken) -> Self {
        self.cancellation = token;
        self
    }

    /// Resumes an interrupted call with responses to its interrupts.
    pub fn resume(mut self, responses: impl IntoIterator<Item = InterruptResponse>) -> Self {
        self.responses.extend(responses.into_iter().map(|response| (response.interrupt_id, response.response)));
        self
    }

    /// Sets the state with which an interrupted call continues, from
    /// [`Interrupted`](ToolCallOutcome::Interrupted).
    pub fn continue_from(mut self, continuation: Option<Continuation>) -> Self {
        self.continuation = continuation;
        self
    }

    /// Sets a function that is called with each event of the call: its start, its progress and its end.
    pub fn on_event(mut self, listener: impl FnMut(AgentEvent) + Send + 'a) -> Self {
        self.listener = Some(Box::new(listener));
        self
    }

    async fn run(self) -> Result<ToolCallOutcome, AgentError> {
        let Self { caller, tool_use, responses, continuation, cancellation, mut listener } = self;
        caller.check_input(&tool_use, &responses)?;
        let parent = nesting::current();
        nesting::check_depth(parent.as_ref()).map_err(AgentError::nested_too_deep)?;
        let cancellation = cancellation.child_token();
        let _cancel_on_return = cancellation.clone().drop_guard();
        let deadline = caller.limits.time().and_then(|time| Instant::now().checked_add(time));
        let budget = Arc::new(Budget::new(parent, caller.limits, Some(cancellation), deadline, Spent::default()));
        let tools = tokio::select! {
            biased;
            () = stop_requested(&budget) => return Ok(ToolCallOutcome::Cancelled),
            listed = caller.list() => listed?,
        };
        caller.check_injected_values(&tools, &tool_use.name)?;
        let Caller { names, settings, mut injected, state, .. } = caller;
        budget.continue_trace(&mut injected);
        let scope = Scope::new(names, state, injected, Arc::clone(&budget), None);
        let (events, mut receiver) = listener.is_some().then(ToolEventSender::new).unzip();
        let context = HookContext::direct(scope);
        let of_call = continuation.clone();
        let continuations = of_call.map(|state| Arc::new(BTreeMap::from([(tool_use.tool_use_id.clone(), state)])));
        let calls = ToolCalls { settings, tools, context, responses: Arc::new(responses), continuations, events };
        let mut running = std::pin::pin!(calls.call(Arc::new(tool_use), &budget, || ready(())));
        let mut deliver = |event| {
            if let Some(listener) = &mut listener {
                listener(agent_event(event));
            }
        };
        let ended = loop {
            tokio::select! {
                biased;
                () = stop_requested(&budget) => return Ok(ToolCallOutcome::Cancelled),
                ended = &mut running => break ended,
                event = received(&mut receiver) => deliver(event),
            }
        };
        while let Some(event) = receiver.as_mut().and_then(ToolEventReceiver::try_next) {
            deliver(event);
        }
        match ended {
            EndedCall { hook_failure: Some(source), end: CallEnd::StillSuspended(suspension), .. } => {
                let Suspension { interrupts, continuation: new } = suspension.unwrap_or_default();
                Err(AgentError::Suspended { source, interrupts, continuation: new.or(continuation) })
            }
            EndedCall { hook_failure: Some(failure), .. } => Err(*failure),
            // With the failure above.
            EndedCall { end: CallEnd::StillSuspended(_), .. } => Ok(ToolCallOutcome::Cancelled),
            EndedCall { end: CallEnd::Result(result), .. } => Ok(ToolCallOutcome::Result(result)),
            EndedCall { end: CallEnd::Suspended(suspension), .. } => {
                // A hook has interrupted the call, and the tool has not run.
                let continuation = suspension.continuation.or(continuation);
                Ok(ToolCallOutcome::Interrupted { interrupts: suspension.interrupts, continuation })
            }
        }
    }
}

impl Caller {
    pub(super) async fn list(&self) -> Result<ToolSet, AgentError> {
        match (self.catalog.list().await, &self.known) {
            (Ok(listing), _) => Ok(listing.tools().clone()),
            (Err(_), Some(known)) => Ok(known.clone()),
            (Err(error), None) => Err(BuildError::from(error).into()),
        }
    }

    /// Lists the tools that hooks do not hide.
    pub(super) async fn select(&self) -> Result<ToolSet, AgentError> {
        let tools = self.list().await?;
        if self.settings.hooks.is_empty() {
            return Ok(tools);
        }
        let budget = Arc::new(Budget::new(nesting::current(), self.limits, None, None, Spent::default()));
        let scope =
            Scope::new(Arc::clone(&self.names), self.state.clone(), self.injected.clone(), Arc::clone(&budget), None);
        let context = HookContext::direct(scope);
        let mut event = SelectTools { context: &context, tools: &tools, hidden: Vec::new() };
        for hook in &self.settings.hooks {
            nesting::inside(&budget, hook.select_tools(&mut event))
                .await
                .map_err(AgentError::in_hook("select_tools"))?;
        }
        let hidden = event.hidden;
        Ok(tools.changed(&hidden, &[])?)
    }

    /// Applies the checks that a call and its responses pass in a conversation.
    fn check_input(&self, tool_use: &ToolUse, responses: &BTreeMap<String, Value>) -> Result<(), AgentError> {
        let too_deep = |what: &str| AgentError::JsonTooDeep { what: what.to_owned() };
        depth::check(&tool_use.input).map_err(|_| too_deep("the tool call's arguments"))?;
        responses.values().try_for_each(depth::check).map_err(|_| too_deep("a response"))?;
        match responses.keys().find(|id| !is_of_call(id, &tool_use.tool_use_id)) {
            Some(id) => Err(AgentError::UnknownInterrupt { id: id.clone() }),
            None => Ok(()),
        }
    }

    fn check_injected_values(&self, tools: &ToolSet, tool: &str) -> Result<(), AgentError> {
        let required = tools.get(tool).map(|tool| tool.requires()).unwrap_or_default();
        let missing = required.iter().find(|key| !ToolContext::has_built_in(key) && !self.injected.contains(key));
        match missing {
            Some(key) => Err(AgentError::MissingInjectedValue { tool: tool.to_owned(), ty: key.type_name() }),
            None => Ok(()),
        }
    }
}

/// Waits until the call, or an outer invocation, is cancelled or has no time left.
async fn stop_requested(budget: &Budget) {
    match budget.deadline() {
        Some(deadline) => tokio::select! {
            () = budget.ended() => {}
            () = tokio::time::sleep_until(deadline) => {}
        },
        None => budget.ended().await,
    }
}

impl<'a> IntoFuture for ToolCall<'a> {
    type Output = Result<ToolCallOutcome, AgentError>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for ToolCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolCall").field("tool_use", &self.tool_use).finish_non_exhaustive()
    }
}

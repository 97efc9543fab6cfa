//! A direct tool call: made by the program rather than by a model.

use std::collections::BTreeMap;
use std::fmt;
use std::future::{IntoFuture, ready};
use std::sync::Arc;

use futures_core::future::BoxFuture;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{CallEnd, CallSettings, EVENTS_AHEAD, EndedCall, ToolCalls, announced};
use crate::depth;
use crate::event::AgentEvent;
use crate::hook::HookContext;
use crate::injected::InjectedValues;
use crate::interrupt::{Interrupt, InterruptResponse};
use crate::limits::Limits;
use crate::message::{ToolResult, ToolUse, random_call_id};
use crate::nesting::{self, Budget, Spent};
use crate::outcome::{AgentError, BuildError};
use crate::scope::{AgentNames, Scope};
use crate::state::AgentState;
use crate::tool::{ToolCatalog, ToolContext, ToolSet};

/// Everything that a direct call needs of an agent or a runner.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) names: Arc<AgentNames>,
    pub(crate) settings: Arc<CallSettings>,
    pub(crate) catalog: ToolCatalog,
    /// The tools to go on with if the tool providers can't be asked.
    pub(crate) known: Option<ToolSet>,
    pub(crate) injected: InjectedValues,
    pub(crate) state: AgentState,
    /// Limits of agents that the tool calls.
    pub(crate) limits: Limits,
}

/// A tool call that the program makes. Nothing happens before it is awaited; dropping it ends the call.
///
/// Hooks, the validation of the arguments, approval, timeouts and panics are those of a model's call. The conversation of
/// an agent does not learn of it.
#[must_use = "a tool call does nothing until it is awaited"]
pub struct ToolCall<'a> {
    caller: Caller,
    tool_use: ToolUse,
    answers: BTreeMap<String, Value>,
    cancellation: CancellationToken,
    listener: Option<Box<dyn FnMut(AgentEvent) + Send + 'a>>,
}

/// Outcome of a [`ToolCall`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ToolCallOutcome {
    /// The tool's result. It is an error result if the tool failed or panicked, took too long, or was not allowed to run,
    /// and if the arguments don't fit its schema.
    Result(ToolResult),
    /// Questions for a human. Make the same call again with the same [`id`](ToolCall::id), and
    /// [`resume`](ToolCall::resume) it with the answers.
    Interrupted(Vec<Interrupt>),
    /// The call was cancelled, or has reached its limit of time.
    Cancelled,
}

impl<'a> ToolCall<'a> {
    pub(crate) fn new(caller: Caller, name: impl Into<String>, input: Value) -> Self {
        Self {
            caller,
            tool_use: ToolUse::new(random_call_id(), name, input),
            answers: BTreeMap::new(),
            cancellation: CancellationToken::new(),
            listener: None,
        }
    }

    /// Sets the id of the call. Default: a random one.
    pub fn id(mut self, tool_use_id: impl Into<String>) -> Self {
        self.tool_use.tool_use_id = tool_use_id.into();
        self
    }

    /// Injects a value into this call, in front of one of the same type that was injected earlier.
    pub fn inject<V: Send + Sync + 'static>(mut self, value: V) -> Self {
        self.caller.injected.insert_for_invocation(value);
        self
    }

    /// Cancels the call when `token` is cancelled.
    pub fn cancel_with(mut self, token: CancellationToken) -> Self {
        self.cancellation = token;
        self
    }

    /// Brings humans' answers to the questions of an earlier attempt of this call.
    pub fn resume(mut self, answers: impl IntoIterator<Item = InterruptResponse>) -> Self {
        self.answers.extend(answers.into_iter().map(|answer| (answer.interrupt_id, answer.response)));
        self
    }

    /// Calls a function with each event of the call: its start, its progress and its end.
    pub fn on_event(mut self, listener: impl FnMut(AgentEvent) + Send + 'a) -> Self {
        self.listener = Some(Box::new(listener));
        self
    }

    async fn run(self) -> Result<ToolCallOutcome, AgentError> {
        let Self { caller, tool_use, answers, cancellation, mut listener } = self;
        caller.check_input(&tool_use, &answers)?;
        let parent = nesting::current();
        nesting::check_depth(parent.as_ref()).map_err(AgentError::nested_too_deep)?;
        let cancellation = cancellation.child_token();
        let _ends_what_the_tool_left = cancellation.clone().drop_guard();
        let deadline = caller.limits.time().and_then(|time| Instant::now().checked_add(time));
        let budget = Arc::new(Budget::new(parent, caller.limits, cancellation, deadline, Spent::default()));
        let tools = tokio::select! {
            biased;
            () = out_of_time(&budget) => return Ok(ToolCallOutcome::Cancelled),
            listed = caller.list() => listed?,
        };
        caller.check_injected_values(&tools, &tool_use.name)?;
        let Caller { names, settings, injected, state, .. } = caller;
        let scope = Scope::new(names, state, injected, Arc::clone(&budget), None);
        let (events, mut heard) = listener.is_some().then(|| mpsc::channel(EVENTS_AHEAD)).unzip();
        let context = HookContext::direct(Arc::new(scope));
        let calls = ToolCalls { settings, tools, context, answers: Arc::new(answers), events };
        let mut running = std::pin::pin!(calls.call(Arc::new(tool_use), &budget, || ready(())));
        let mut hear = |event| {
            if let Some(listener) = &mut listener {
                listener(announced(event));
            }
        };
        let ended = loop {
            tokio::select! {
                biased;
                () = out_of_time(&budget) => return Ok(ToolCallOutcome::Cancelled),
                ended = &mut running => break ended,
                Some(event) = received(&mut heard) => hear(event),
            }
        };
        while let Some(Ok(event)) = heard.as_mut().map(mpsc::Receiver::try_recv) {
            hear(event);
        }
        match ended {
            EndedCall { hook_failure: Some(failure), .. } => Err(*failure),
            EndedCall { end: CallEnd::Result(result), .. } => Ok(ToolCallOutcome::Result(result)),
            EndedCall { end: CallEnd::Interrupts(interrupts), .. } => Ok(ToolCallOutcome::Interrupted(interrupts)),
        }
    }
}

impl Caller {
    async fn list(&self) -> Result<ToolSet, AgentError> {
        match (self.catalog.list().await, &self.known) {
            (Ok(listing), _) => Ok(listing.tools().clone()),
            (Err(_), Some(known)) => Ok(known.clone()),
            (Err(error), None) => Err(BuildError::from(error).into()),
        }
    }

    /// Checks what a model's call and its answers are checked for when they join a conversation.
    fn check_input(&self, tool_use: &ToolUse, answers: &BTreeMap<String, Value>) -> Result<(), AgentError> {
        let too_deep = |what: &str| AgentError::JsonTooDeep { what: what.to_owned() };
        depth::check(&tool_use.input).map_err(|_| too_deep("the tool call's arguments"))?;
        answers.values().try_for_each(depth::check).map_err(|_| too_deep("an answer"))?;
        let of_call = format!(":{}:", tool_use.tool_use_id);
        match answers.keys().find(|id| !id.contains(&of_call)) {
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

/// Resolves when the call is cancelled or has no time left, or an invocation that it is nested in.
async fn out_of_time(budget: &Budget) {
    match budget.deadline() {
        Some(deadline) => tokio::select! {
            () = budget.ended() => {}
            () = tokio::time::sleep_until(deadline) => {}
        },
        None => budget.ended().await,
    }
}

/// The next event; none ever without a channel.
pub(crate) async fn received<T>(channel: &mut Option<mpsc::Receiver<T>>) -> Option<T> {
    match channel {
        Some(channel) => channel.recv().await,
        None => None,
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

//! Context of a running tool.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use serde::Serialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::events::{ToolEvent, ToolEventSender};
use super::{ToolError, ToolPermit};
use crate::continuation::Continuation;
use crate::event::AgentEvent;
use crate::injected::{InjectedKey, InjectedValues};
use crate::interrupt::{Interrupt, InterruptResponse};
use crate::message::ToolUse;
use crate::nesting::Budget;
use crate::scope::Scope;
use crate::state::AgentState;

/// Context of a tool call: the call, injected values, the agent's state, progress events and interrupts. Cheap to clone.
#[derive(Clone)]
pub struct ToolContext {
    pub(super) parts: Arc<ContextParts>,
}

pub(crate) struct ContextParts {
    pub(crate) tool_use: Arc<ToolUse>,
    pub(crate) scope: Arc<Scope>,
    /// The budget of nested agents.
    pub(crate) budget: Arc<Budget>,
    /// The token of the call, created on first use since most tools don't need it.
    pub(crate) cancellation: OnceLock<CancellationToken>,
    /// `None` without a listener.
    pub(crate) progress: Option<ToolEventSender>,
    pub(crate) responses: Arc<BTreeMap<String, Value>>,
    /// States of tools that continue, by the id of their call.
    pub(crate) continuations: Option<Arc<BTreeMap<String, Continuation>>>,
    /// One-based number of the attempt.
    pub(crate) attempt: u32,
    /// Admission by the tool's limiter: a call counts until all clones of its context are gone.
    pub(crate) _permit: ToolPermit,
}

/// The context of a running call. A clone that outlives the call is cancelled.
pub(crate) struct RunningCall(ToolContext);

impl RunningCall {
    pub(crate) fn new(parts: ContextParts) -> Self {
        Self(ToolContext::new(parts))
    }

    pub(crate) fn context(&self) -> &ToolContext {
        &self.0
    }

    /// Cancels the call, if anything looks at that.
    pub(crate) fn cancel(&self) {
        let parts = &self.0.parts;
        if parts.cancellation.get().is_some() || Arc::strong_count(parts) > 1 {
            self.0.cancellation().cancel();
        }
    }
}

impl Drop for RunningCall {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl ToolContext {
    pub(crate) fn new(parts: ContextParts) -> Self {
        Self { parts: Arc::new(parts) }
    }

    /// Returns the id of the call.
    pub fn tool_use_id(&self) -> &str {
        &self.parts.tool_use.tool_use_id
    }

    /// Returns the name of the called tool.
    pub fn tool_name(&self) -> &str {
        &self.parts.tool_use.name
    }

    /// Returns the id of the agent whose model made the call.
    pub fn agent_id(&self) -> &str {
        &self.parts.scope.agent.id
    }

    /// Returns the id of the invocation, a random UUID that all its tool calls, hooks and events share.
    pub fn invocation_id(&self) -> &str {
        self.parts.scope.invocation_id()
    }

    /// Returns the id of the agent's session, if it has one.
    pub fn session_id(&self) -> Option<&str> {
        self.parts.scope.agent.session_id.as_deref()
    }

    /// Returns the one-based number of the attempt: above 1 if the call failed before and is repeated, as the
    /// [policy](crate::ToolPolicy::with_retries) of the tool allows. All attempts have the same
    /// [`idempotency_key`](Self::idempotency_key).
    pub fn attempt(&self) -> u32 {
        self.parts.attempt
    }

    /// Returns the arguments as the model generated them.
    pub fn input(&self) -> &Value {
        &self.parts.tool_use.input
    }

    /// Returns the injected value of a type, also if it was injected in an `Arc`.
    ///
    /// This context, the call's `CancellationToken` and the agent's [`AgentState`] are available without being injected.
    ///
    /// # Errors
    ///
    /// Returns [`ToolError`] if no `T` was injected.
    pub fn injected<T: Send + Sync + 'static>(&self) -> Result<&T, ToolError> {
        self.parts.scope.injected.get().or_else(|| self.built_in()).ok_or_else(|| self.missing::<T>())
    }

    /// Returns a value that each context has without injection.
    fn built_in<T: 'static>(&self) -> Option<&T> {
        let requested = TypeId::of::<T>();
        let value: &dyn Any = if requested == TypeId::of::<Self>() {
            self
        } else if requested == TypeId::of::<CancellationToken>() {
            self.cancellation()
        } else if requested == TypeId::of::<AgentState>() {
            self.state()
        } else {
            return None;
        };
        value.downcast_ref()
    }

    /// Returns true for types that are available without injection.
    pub(crate) fn has_built_in(key: &InjectedKey) -> bool {
        key.is::<Self>() || key.is::<CancellationToken>() || key.is::<AgentState>()
    }

    /// Returns the injected value in an `Arc`, to use beyond the call.
    ///
    /// # Errors
    ///
    /// Returns [`ToolError`] if no `T` was injected.
    pub fn injected_arc<T: Send + Sync + 'static>(&self) -> Result<Arc<T>, ToolError> {
        self.parts.scope.injected.get_arc().ok_or_else(|| self.missing::<T>())
    }

    fn missing<T>(&self) -> ToolError {
        ToolError::new(format!(
            "tool `{}` needs a `{}` that the program did not inject",
            self.tool_name(),
            std::any::type_name::<T>()
        ))
    }

    /// Returns the call's cancellation token. It is cancelled with the invocation, and when the tool's timeout elapses.
    pub fn cancellation(&self) -> &CancellationToken {
        self.parts.cancellation.get_or_init(|| self.parts.scope.budget.cancellation().child_token())
    }

    /// Returns the agent's state: JSON values that outlive the invocation.
    pub fn state(&self) -> &AgentState {
        &self.parts.scope.state
    }

    /// Reports progress to the listener of the invocation's stream. Waits while the listener is behind, and returns at once
    /// without a listener.
    ///
    /// A call that is repeated by the policy of its tool has one start and one end, and reports the progress of all
    /// [attempts](Self::attempt).
    ///
    /// # Errors
    ///
    /// Returns [`ToolError`] if `data` can't be serialized to JSON.
    pub async fn progress(&self, data: impl Serialize) -> Result<(), ToolError> {
        if let Some(listener) = &self.parts.progress {
            // The listener may be gone.
            let _ = listener.channel().send(self.progress_event(&data)?).await;
        }
        Ok(())
    }

    /// Reports [`progress`](Self::progress) from a sync tool, which runs where blocking is allowed.
    ///
    /// # Errors
    ///
    /// Returns [`ToolError`] if `data` can't be serialized to JSON.
    ///
    /// # Panics
    ///
    /// Panics in async code, as [`tokio::sync::mpsc::Sender::blocking_send`] does.
    pub fn blocking_progress(&self, data: impl Serialize) -> Result<(), ToolError> {
        if let Some(listener) = &self.parts.progress {
            let _ = listener.channel().blocking_send(self.progress_event(&data)?);
        }
        Ok(())
    }

    fn progress_event(&self, data: &impl Serialize) -> Result<ToolEvent, ToolError> {
        let data = serde_json::to_value(data).map_err(ToolError::from_source)?;
        Ok(ToolEvent::Progress { tool_use: Arc::clone(&self.parts.tool_use), data })
    }

    /// Forwards an event of a nested agent to the listener of the invocation's stream, as an event of the node `name`. Waits
    /// while the listener is behind, and returns at once without a listener.
    ///
    /// # Examples
    ///
    /// ```
    /// use strands::{AgentBuilder, AgentEvent, StreamExt, ToolContext, ToolError, tool};
    ///
    /// /// Asks an expert.
    /// #[tool(crate = strands_core)]
    /// async fn ask_expert(question: String, expert: &AgentBuilder, ctx: &ToolContext) -> Result<String, ToolError> {
    ///     let agent = expert.clone().build().await.map_err(ToolError::from_source)?;
    ///     let mut events = agent.into_stream(question);
    ///     let mut text = String::new();
    ///     while let Some(event) = events.next().await {
    ///         let event = event.map_err(ToolError::from_source)?;
    ///         if let AgentEvent::Result { response } = &event {
    ///             text = response.text();
    ///         }
    ///         ctx.forward("expert", event).await;
    ///     }
    ///     Ok(text)
    /// }
    /// ```
    pub async fn forward(&self, name: &str, event: AgentEvent) {
        if let Some(listener) = &self.parts.progress {
            // The listener may be gone.
            let _ = listener.channel().send(ToolEvent::Forwarded(Box::new(event.at_node(name)))).await;
        }
    }

    /// Returns true if a durable engine records the call, so that it is made again if the invocation is dropped.
    pub(crate) fn is_journaled(&self) -> bool {
        self.parts.scope.is_journaled
    }

    /// Returns true if the invocation resumes with responses to interrupts, of this call or others.
    pub fn is_resumed(&self) -> bool {
        !self.parts.responses.is_empty()
    }

    /// Returns the state of this call from when it was suspended with
    /// [`ToolError::interrupts`](crate::ToolError::interrupts). The tool continues with it. `None` for a call from its start.
    pub fn continuation(&self) -> Option<&Continuation> {
        self.parts.continuations.as_ref()?.get(self.tool_use_id())
    }

    /// Returns true in a call made by the program, and not by a model.
    pub(crate) fn is_direct(&self) -> bool {
        self.parts.scope.is_direct
    }

    /// Returns the responses to interrupts that agents have raised within this call, with the ids within the agent.
    pub(crate) fn nested_responses(&self) -> impl Iterator<Item = InterruptResponse> {
        let prefix = Interrupt::nested_prefix(self.tool_use_id());
        self.parts
            .responses
            .iter()
            .filter_map(move |(id, response)| Some(InterruptResponse::new(id.strip_prefix(&prefix)?, response.clone())))
    }

    /// Interrupts the invocation until a human responds.
    ///
    /// Returns the response if there is one. Otherwise it returns an error for the tool to pass on with `?`: the invocation
    /// ends with [`StopReason::Interrupt`](crate::models::StopReason::Interrupt), and `resume` with the response calls the
    /// tool again from its start. Call it before any side effects.
    ///
    /// `name` identifies the interrupt within the call; `reason` is shown to the human.
    ///
    /// # Errors
    ///
    /// Returns the [`ToolError`] to pass on while there is no response, or an error if `reason` can't be serialized to JSON.
    ///
    /// # Examples
    ///
    /// ```
    /// use strands::{ToolContext, ToolError};
    ///
    /// fn delete(path: &str, ctx: &ToolContext) -> Result<String, ToolError> {
    ///     let response = ctx.interrupt("approval", format!("delete {path}?"))?;
    ///     Ok(if response == "yes" { format!("deleted {path}") } else { format!("kept {path}") })
    /// }
    /// ```
    pub fn interrupt(&self, name: &str, reason: impl Serialize) -> Result<Value, ToolError> {
        let id = Interrupt::tool_call_id(self.tool_use_id(), name);
        if let Some(response) = self.parts.responses.get(&id) {
            return Ok(response.clone());
        }
        let reason = serde_json::to_value(reason).map_err(ToolError::from_source)?;
        Err(ToolError::interrupt(Interrupt::new(id, name, reason)))
    }
}

impl ToolContext {
    /// Returns the injected values of the call.
    pub(crate) fn injected_values(&self) -> &InjectedValues {
        &self.parts.scope.injected
    }

    /// Returns the budget of an agent that this tool calls, also from a spawned task: it ends with the call.
    pub(crate) fn budget(&self) -> Arc<Budget> {
        Arc::new(Budget::part(&self.parts.budget, self.cancellation().clone()))
    }
}

impl std::fmt::Debug for ToolContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ToolContext")
            .field("tool_name", &self.tool_name())
            .field("tool_use_id", &self.tool_use_id())
            .finish_non_exhaustive()
    }
}

/// A value that a tool takes owned from its context: the type of a `#[inject]` argument.
pub trait FromContext: Sized {
    /// Takes the value from the context.
    ///
    /// # Errors
    ///
    /// Returns [`ToolError`] if the context does not have the value.
    fn from_context(ctx: &ToolContext) -> Result<Self, ToolError>;

    /// Returns the key of the injected value that it reads.
    ///
    /// `build()` fails if that value was not injected, and warns of injected values that no tool reads. The key of
    /// [`ToolContext`] stands for any value. Default: none.
    fn requires() -> Option<InjectedKey> {
        None
    }
}

impl<T: Send + Sync + 'static> FromContext for Arc<T> {
    fn from_context(ctx: &ToolContext) -> Result<Self, ToolError> {
        ctx.injected_arc()
    }

    fn requires() -> Option<InjectedKey> {
        Some(InjectedKey::of::<T>())
    }
}

impl FromContext for CancellationToken {
    fn from_context(ctx: &ToolContext) -> Result<Self, ToolError> {
        Ok(ctx.cancellation().clone())
    }
}

impl FromContext for AgentState {
    fn from_context(ctx: &ToolContext) -> Result<Self, ToolError> {
        Ok(ctx.state().clone())
    }
}

impl FromContext for ToolContext {
    fn from_context(ctx: &ToolContext) -> Result<Self, ToolError> {
        Ok(ctx.clone())
    }

    fn requires() -> Option<InjectedKey> {
        Some(InjectedKey::of::<Self>())
    }
}

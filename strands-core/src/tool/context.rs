//! Context of a running tool.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::ToolError;
use crate::event::AgentEvent;
use crate::injected::InjectedKey;
use crate::interrupt::Interrupt;
use crate::message::{ToolResult, ToolUse};
use crate::nesting::Budget;
use crate::scope::Scope;
use crate::state::AgentState;

/// Context of a running tool: its call, the values that the program lends, the agent's state, the stream of events,
/// and a human. Cheap to clone.
#[derive(Clone)]
pub struct ToolContext {
    parts: Arc<ContextParts>,
}

pub(crate) struct ContextParts {
    pub(crate) tool_use: Arc<ToolUse>,
    pub(crate) scope: Arc<Scope>,
    /// The budget of agents that the tool calls.
    pub(crate) budget: Arc<Budget>,
    /// The token of the call, made when somebody asks for it: most tools never do.
    pub(crate) cancellation: OnceLock<CancellationToken>,
    /// `None` when nobody listens.
    pub(crate) progress: Option<mpsc::Sender<ToolEvent>>,
    pub(crate) answers: Arc<BTreeMap<String, Value>>,
}

/// Something that a listener hears of a call while it is made.
#[derive(Debug)]
pub(crate) enum ToolEvent {
    Start { tool_use: Arc<ToolUse> },
    Progress { tool_use: Arc<ToolUse>, data: Value },
    End { tool_use: Arc<ToolUse>, result: ToolResult, duration: Duration },
    Forwarded(Box<AgentEvent>),
}

/// The context of a call for as long as it runs. Whoever keeps the context for longer finds it cancelled.
pub(crate) struct RunningCall(ToolContext);

impl RunningCall {
    pub(crate) fn new(parts: ContextParts) -> Self {
        Self(ToolContext::new(parts))
    }

    pub(crate) fn context(&self) -> &ToolContext {
        &self.0
    }
}

impl Drop for RunningCall {
    fn drop(&mut self) {
        let parts = &self.0.parts;
        if parts.cancellation.get().is_some() || Arc::strong_count(parts) > 1 {
            self.0.cancellation().cancel();
        }
    }
}

impl ToolContext {
    pub(crate) fn new(parts: ContextParts) -> Self {
        Self { parts: Arc::new(parts) }
    }

    /// The id of the call.
    pub fn tool_use_id(&self) -> &str {
        &self.parts.tool_use.tool_use_id
    }

    /// The name that the tool was called by.
    pub fn tool_name(&self) -> &str {
        &self.parts.tool_use.name
    }

    /// Returns the id of the agent whose model has made the call.
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

    /// The arguments as the model wrote them.
    pub fn input(&self) -> &Value {
        &self.parts.tool_use.input
    }

    /// Returns a value that the program has injected, or what an injected `Arc` holds. Of the types that the context has
    /// itself it returns its own, if none was injected: this context, the call's `CancellationToken` and the agent's
    /// [`AgentState`].
    ///
    /// # Errors
    ///
    /// Returns [`ToolError`] if no `T` was injected.
    pub fn injected<T: Send + Sync + 'static>(&self) -> Result<&T, ToolError> {
        self.parts.scope.injected.get().or_else(|| self.own()).ok_or_else(|| self.missing::<T>())
    }

    /// Returns what the context has itself.
    fn own<T: 'static>(&self) -> Option<&T> {
        let asked = TypeId::of::<T>();
        let own: &dyn Any = if asked == TypeId::of::<Self>() {
            self
        } else if asked == TypeId::of::<CancellationToken>() {
            self.cancellation()
        } else if asked == TypeId::of::<AgentState>() {
            self.state()
        } else {
            return None;
        };
        own.downcast_ref()
    }

    /// Returns true if contexts have values of this type themselves, so that none has to be injected.
    pub(crate) fn has_own(key: &InjectedKey) -> bool {
        key.is::<Self>() || key.is::<CancellationToken>() || key.is::<AgentState>()
    }

    /// The same, to keep beyond the call.
    ///
    /// # Errors
    ///
    /// [`ToolError`] when nobody injected a `T`.
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

    /// Cancelled when the invocation is, and when the tool's time is up.
    pub fn cancellation(&self) -> &CancellationToken {
        self.parts.cancellation.get_or_init(|| self.parts.scope.budget.cancellation().child_token())
    }

    /// The agent's state: JSON values that outlive the invocation.
    pub fn state(&self) -> &AgentState {
        &self.parts.scope.state
    }

    /// Tells whoever streams the invocation how far the tool is. Waits while the listener is behind; returns at once
    /// when nobody listens.
    ///
    /// # Errors
    ///
    /// [`ToolError`] when `data` can't be JSON.
    pub async fn progress(&self, data: impl Serialize) -> Result<(), ToolError> {
        if let Some(listener) = &self.parts.progress {
            // A listener that has gone is nobody listening.
            let _ = listener.send(self.say(&data)?).await;
        }
        Ok(())
    }

    /// [`progress`](Self::progress) for tools that are not async, which run where blocking is allowed.
    ///
    /// # Errors
    ///
    /// [`ToolError`] when `data` can't be JSON.
    ///
    /// # Panics
    ///
    /// In async code, as [`tokio::sync::mpsc::Sender::blocking_send`] does.
    pub fn blocking_progress(&self, data: impl Serialize) -> Result<(), ToolError> {
        if let Some(listener) = &self.parts.progress {
            let _ = listener.blocking_send(self.say(&data)?);
        }
        Ok(())
    }

    fn say(&self, data: &impl Serialize) -> Result<ToolEvent, ToolError> {
        let data = serde_json::to_value(data).map_err(ToolError::from_source)?;
        Ok(ToolEvent::Progress { tool_use: Arc::clone(&self.parts.tool_use), data })
    }

    /// Passes an event of a nested agent on to whoever streams the invocation, as one of the node `name`. Waits while the
    /// listener is behind; returns at once when nobody listens.
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
            // A listener that has gone is nobody listening.
            let _ = listener.send(ToolEvent::Forwarded(Box::new(event.at_node(name)))).await;
        }
    }

    /// Asks a human. Returns the answer where there is one; otherwise returns an error that the tool passes on with `?`,
    /// the invocation ends with [`StopReason::Interrupt`](crate::models::StopReason::Interrupt), and the tool is called
    /// again, from its start, when `resume` brings the answer. So ask before you change anything.
    ///
    /// `name` tells the questions of one call apart; `reason` is what the human is shown.
    ///
    /// # Errors
    ///
    /// The [`ToolError`] to pass on while there is no answer, or one that says that `reason` can't be JSON.
    ///
    /// # Examples
    ///
    /// ```
    /// use strands::{ToolContext, ToolError};
    ///
    /// fn delete(path: &str, ctx: &ToolContext) -> Result<String, ToolError> {
    ///     let answer = ctx.interrupt("approval", format!("delete {path}?"))?;
    ///     Ok(if answer == "yes" { format!("deleted {path}") } else { format!("kept {path}") })
    /// }
    /// ```
    pub fn interrupt(&self, name: &str, reason: impl Serialize) -> Result<Value, ToolError> {
        let id = Interrupt::tool_call_id(self.tool_use_id(), name);
        if let Some(answer) = self.parts.answers.get(&id) {
            return Ok(answer.clone());
        }
        let reason = serde_json::to_value(reason).map_err(ToolError::from_source)?;
        Err(ToolError::interrupt(Interrupt::new(id, name, reason)))
    }
}

impl ToolContext {
    /// The budget of an agent that this tool calls, also from a task of its own: it ends with the call.
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

/// A value that a tool takes from its context and owns: the type of a `#[inject]` argument.
pub trait FromContext: Sized {
    /// Takes it.
    ///
    /// # Errors
    ///
    /// [`ToolError`] when the context does not have it.
    fn from_context(ctx: &ToolContext) -> Result<Self, ToolError>;

    /// Returns the injected value that it reads. `build()` fails if there is none, and warns of injected values that
    /// nothing reads. The key of [`ToolContext`] stands for any value. Default: none.
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

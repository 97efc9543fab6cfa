//! Context of a hook's event: the agent, the invocation and injected values.

use std::fmt;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::scope::Scope;
use crate::state::AgentState;
use crate::trace_context::TraceContext;

/// Context of an event: the agent, the invocation and injected values.
///
/// One hook can serve any number of agents at the same time: everything that differs between them is here. Cheap to
/// clone for work that outlives the event.
///
/// # Examples
///
/// A hook that authorizes a tool call by the user of the request:
///
/// ```
/// use async_trait::async_trait;
/// use strands::hook::{BeforeToolCall, Hook, HookResult};
///
/// struct User {
///     is_manager: bool,
/// }
///
/// struct ManagersApprove;
///
/// #[async_trait]
/// impl Hook for ManagersApprove {
///     async fn before_tool_call(&self, event: &mut BeforeToolCall<'_>) -> HookResult {
///         let is_manager = event.context.injected::<User>().is_some_and(|user| user.is_manager);
///         if event.tool_use.name == "approve" && !is_manager {
///             event.deny = Some("only managers can approve".into());
///         }
///         Ok(())
///     }
/// }
/// ```
#[derive(Clone)]
pub struct HookContext {
    scope: Arc<Scope>,
    cycle: u32,
    is_replay: bool,
}

impl HookContext {
    pub(crate) fn new(scope: Arc<Scope>, cycle: u32) -> Self {
        Self { scope, cycle, is_replay: false }
    }

    /// Creates the context of a direct tool call.
    pub(crate) fn direct(mut scope: Scope) -> Self {
        scope.is_direct = true;
        Self::new(Arc::new(scope), 0)
    }

    pub(crate) fn set_cycle(&mut self, cycle: u32) {
        self.cycle = cycle;
    }

    pub(crate) fn set_replay(&mut self, is_replay: bool) {
        self.is_replay = is_replay;
    }

    /// Returns the context for an event within an effect, which a replay never repeats.
    pub(crate) fn live(&self) -> Self {
        Self { is_replay: false, ..self.clone() }
    }

    /// Returns the context for an event that is replayed.
    pub(crate) fn replayed(&self) -> Self {
        Self { is_replay: true, ..self.clone() }
    }

    /// Returns the context with another handle of the agent's state.
    pub(crate) fn with_state(&self, state: AgentState) -> Self {
        Self { scope: Arc::new(self.scope.with_state(state)), ..self.clone() }
    }

    pub(crate) fn scope(&self) -> &Arc<Scope> {
        &self.scope
    }

    /// Returns the agent's id.
    pub fn agent_id(&self) -> &str {
        &self.scope.agent.id
    }

    /// Returns the agent's display name.
    pub fn agent_name(&self) -> &str {
        &self.scope.agent.name
    }

    /// Returns the id of the invocation: a random UUID that all its events and tool calls share. An invocation that
    /// resumes another one has its own id; a replay has the id of the first attempt.
    pub fn invocation_id(&self) -> &str {
        self.scope.invocation_id()
    }

    /// Returns the one-based number of the model call that the event belongs to; 0 before the first one.
    pub fn cycle(&self) -> u32 {
        self.cycle
    }

    /// Returns the id of the agent's session, if it has one.
    pub fn session_id(&self) -> Option<&str> {
        self.scope.agent.session_id.as_deref()
    }

    /// Returns the agent's state.
    pub fn state(&self) -> &AgentState {
        &self.scope.state
    }

    /// Returns the injected value of a type, from the invocation or else from the agent.
    pub fn injected<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.scope.injected.get()
    }

    /// Returns a value that hooks keep for the invocation, which is created on the first call with this type.
    ///
    /// It is dropped at the end of the invocation, also if the invocation is dropped midway, so that a hook with data per
    /// invocation needs no map that has to be cleaned up. Each direct tool call is an invocation of its own.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use strands::async_trait;
    /// use strands::hook::{BeforeToolCall, Hook, HookResult};
    ///
    /// struct AtMostThreeCalls;
    ///
    /// #[derive(Default)]
    /// struct Calls(AtomicU32);
    ///
    /// #[async_trait]
    /// impl Hook for AtMostThreeCalls {
    ///     async fn before_tool_call(&self, event: &mut BeforeToolCall<'_>) -> HookResult {
    ///         if event.context.local(Calls::default).0.fetch_add(1, Ordering::Relaxed) >= 3 {
    ///             event.deny = Some("no more than three tool calls".into());
    ///         }
    ///         Ok(())
    ///     }
    /// }
    /// ```
    pub fn local<T: Send + Sync + 'static>(&self, create: impl FnOnce() -> T) -> Arc<T> {
        self.scope.locals.get_or_insert_with(create)
    }

    /// Sets the position of the invocation in a distributed trace, for agents that its tools and hooks call, and for the
    /// invocation that resumes this one if it is interrupted. It is stored with the interrupts. Default: the injected
    /// [`TraceContext`].
    pub fn set_trace(&self, trace: TraceContext) {
        self.scope.budget.set_trace(trace);
    }

    /// Returns the position in a trace of the interrupted invocation that this one resumes, possibly in another process.
    pub fn suspended_trace(&self) -> Option<&TraceContext> {
        self.scope.suspended_trace.as_ref()
    }

    /// Returns a token that is cancelled when the invocation is cancelled or ends.
    pub fn cancellation(&self) -> &CancellationToken {
        self.scope.budget.cancellation()
    }

    /// Returns true for a tool call made by the program, with [`Agent::call_tool`](crate::Agent::call_tool) or a
    /// [`ToolRunner`](crate::ToolRunner), rather than a model.
    pub fn is_direct(&self) -> bool {
        self.scope.is_direct
    }

    /// Returns true if a durable engine replays the steps before this event, so that hooks already saw it in an earlier attempt.
    ///
    /// Events around a model call or a tool call are never replayed. For the others, see
    /// [`Journal::is_replaying`](crate::Journal::is_replaying). False without a journal.
    pub fn is_replay(&self) -> bool {
        self.is_replay
    }
}

impl fmt::Debug for HookContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HookContext")
            .field("agent_id", &self.agent_id())
            .field("invocation_id", &self.invocation_id())
            .field("cycle", &self.cycle)
            .finish_non_exhaustive()
    }
}

//! Scope of an invocation: the agent, the state and injected values that its tools and hooks can access, and its budget.

use std::any::{Any, TypeId};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::injected::InjectedValues;
use crate::message::{id_of, random_uuid};
use crate::nesting::Budget;
use crate::state::AgentState;
use crate::trace_context::TraceContext;

/// Names and description of an agent.
#[derive(Clone, Debug, Default)]
pub(crate) struct AgentNames {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) session_id: Option<String>,
}

/// Scope of one invocation, shared by its hooks and tool calls.
pub(crate) struct Scope {
    pub(crate) agent: Arc<AgentNames>,
    pub(crate) state: AgentState,
    pub(crate) injected: InjectedValues,
    pub(crate) budget: Arc<Budget>,
    /// Values of hooks.
    pub(crate) locals: Locals,
    /// Trace of the invocation that this one resumes.
    pub(crate) suspended_trace: Option<TraceContext>,
    /// Created on first use, unless a journal supplies it.
    invocation_id: OnceLock<Arc<str>>,
    /// True if a durable engine records the invocation, and repeats it after a crash.
    pub(crate) is_journaled: bool,
    /// Id of the run that this invocation resumes. `None` for its own id.
    pub(crate) run_id: Option<Arc<str>>,
    /// True in a tool call made by the program.
    pub(crate) is_direct: bool,
}

impl Scope {
    /// Creates a scope with this invocation id, or with a random one.
    pub(crate) fn new(
        agent: Arc<AgentNames>,
        state: AgentState,
        injected: InjectedValues,
        budget: Arc<Budget>,
        invocation_id: Option<String>,
    ) -> Self {
        let invocation_id = invocation_id.map_or_else(OnceLock::new, |id| OnceLock::from(Arc::from(id)));
        let (locals, suspended_trace, run_id) = (Locals::default(), None, None);
        let (is_journaled, is_direct) = (false, false);
        Self { agent, state, injected, budget, locals, suspended_trace, invocation_id, is_journaled, run_id, is_direct }
    }

    /// Returns the scope of one tool call, with more injected values.
    pub(crate) fn with_injected(&self, added: InjectedValues) -> Self {
        let mut injected = self.injected.clone();
        injected.add_for_invocation(added);
        Self {
            agent: Arc::clone(&self.agent),
            state: self.state.clone(),
            injected,
            budget: Arc::clone(&self.budget),
            locals: Locals::default(),
            suspended_trace: None,
            invocation_id: OnceLock::from(Arc::clone(self.invocation_id())),
            is_journaled: self.is_journaled,
            run_id: self.run_id.clone(),
            is_direct: self.is_direct,
        }
    }

    /// Returns the scope with another handle of the agent's state. Hooks have the same values in both.
    pub(crate) fn with_state(&self, state: AgentState) -> Self {
        let locals = self.locals.share();
        let suspended_trace = self.suspended_trace.clone();
        Self { state, locals, suspended_trace, ..self.with_injected(InjectedValues::default()) }
    }

    pub(crate) fn invocation_id(&self) -> &Arc<str> {
        self.invocation_id.get_or_init(|| id_of(random_uuid()).into())
    }

    /// Returns the id of the first invocation of the run, which those that resume it share.
    pub(crate) fn run_id(&self) -> &Arc<str> {
        self.run_id.as_ref().unwrap_or_else(|| self.invocation_id())
    }
}

/// Values that hooks keep for the invocation, by type. Empty, without an allocation, until a hook uses one.
#[derive(Default)]
pub(crate) struct Locals(OnceLock<Arc<Mutex<LocalValues>>>);

type LocalValues = Vec<(TypeId, Arc<dyn Any + Send + Sync>)>;

impl Locals {
    /// Returns the value of a type, which is created if there is none.
    pub(crate) fn get_or_insert_with<T: Send + Sync + 'static>(&self, create: impl FnOnce() -> T) -> Arc<T> {
        if let Some(value) = self.get() {
            return value;
        }
        // Not under the lock, since the function may ask for other values.
        let created = Arc::new(create());
        let mut values = self.0.get_or_init(Arc::default).lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = find(&values) {
            return value;
        }
        values.push((TypeId::of::<T>(), Arc::<T>::clone(&created)));
        created
    }

    fn get<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        find(&self.0.get()?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the same values, for another scope.
    fn share(&self) -> Self {
        Self(OnceLock::from(Arc::clone(self.0.get_or_init(Arc::default))))
    }

    /// Drops all values, at the end of the invocation.
    pub(crate) fn clear(&self) {
        let Some(values) = self.0.get() else { return };
        let values = std::mem::take(&mut *values.lock().unwrap_or_else(PoisonError::into_inner));
        drop(values);
    }
}

fn find<T: Send + Sync + 'static>(values: &[(TypeId, Arc<dyn Any + Send + Sync>)]) -> Option<Arc<T>> {
    let (_, value) = values.iter().find(|(id, _)| *id == TypeId::of::<T>())?;
    Arc::clone(value).downcast().ok()
}

//! Scope of an invocation: the agent, the state and injected values that its tools and hooks can access, and its budget.

use std::sync::{Arc, OnceLock};

use crate::injected::InjectedValues;
use crate::message::{id_of, random_uuid};
use crate::nesting::Budget;
use crate::state::AgentState;

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
    /// Created on first use, unless a journal supplies it.
    invocation_id: OnceLock<Arc<str>>,
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
        Self { agent, state, injected, budget, invocation_id }
    }

    pub(crate) fn invocation_id(&self) -> &Arc<str> {
        self.invocation_id.get_or_init(|| id_of(random_uuid()).into())
    }
}

//! Immutable configuration shared by all agents of one builder.

use std::sync::Arc;

use crate::conversation::ConversationManager;
use crate::hook::Hook;
use crate::injected::{InjectedKey, InjectedValues};
use crate::limits::Limits;
use crate::message::SystemBlock;
use crate::models::RetryPolicy;
use crate::scope::AgentNames;
use crate::tool_runner::CallSettings;

/// Configuration of an agent.
pub(crate) struct AgentConfig {
    pub(crate) names: Arc<AgentNames>,
    /// Text that plugins append to each system prompt.
    pub(crate) plugin_system: Vec<SystemBlock>,
    pub(crate) injected: InjectedValues,
    /// Types of values that each prompt injects.
    pub(crate) injected_per_prompt: Vec<InjectedKey>,
    pub(crate) calls: Arc<CallSettings>,
    pub(crate) conversation: Arc<dyn ConversationManager>,
    pub(crate) retry: RetryPolicy,
    pub(crate) limits: Limits,
    pub(crate) tool_concurrency: usize,
    pub(crate) max_response_bytes: usize,
    pub(crate) conflict_retries: u32,
}

impl AgentConfig {
    pub(crate) fn agent_id(&self) -> &str {
        &self.names.id
    }

    pub(crate) fn hooks(&self) -> &[Arc<dyn Hook>] {
        &self.calls.hooks
    }

    /// Returns a system prompt with the text of plugins appended.
    pub(crate) fn with_plugins(&self, system: &Arc<[SystemBlock]>) -> Arc<[SystemBlock]> {
        if self.plugin_system.is_empty() {
            return Arc::clone(system);
        }
        system.iter().chain(&self.plugin_system).cloned().collect()
    }
}

//! The configuration that all agents of one builder share, and that never changes.

use std::sync::Arc;
use std::time::Duration;

use crate::conversation::ConversationManager;
use crate::hook::Hook;
use crate::message::SystemBlock;
use crate::model::RetryPolicy;
use crate::run::Limits;
use crate::tool::{HostKey, HostValues, ToolSet};

/// The configuration that all agents of one builder share.
pub(crate) struct AgentConfig {
    pub(crate) agent_id: String,
    pub(crate) name: String,
    pub(crate) system: Vec<SystemBlock>,
    pub(crate) tools: ToolSet,
    pub(crate) host: HostValues,
    pub(crate) host_per_prompt: Vec<(String, HostKey)>,
    pub(crate) hooks: Vec<Arc<dyn Hook>>,
    pub(crate) conversation: Arc<dyn ConversationManager>,
    pub(crate) retry: RetryPolicy,
    pub(crate) limits: Limits,
    pub(crate) tool_concurrency: usize,
    pub(crate) tool_timeout: Option<Duration>,
    pub(crate) redact_tool_errors: bool,
    pub(crate) max_response_bytes: usize,
    pub(crate) conflict_retries: u32,
}

impl AgentConfig {
    /// True if a tool may run again although it may have run before.
    pub(crate) fn is_idempotent(&self, tool: &str) -> bool {
        self.tools.get(tool).is_some_and(|tool| tool.spec().annotations.idempotent == Some(true))
    }
}

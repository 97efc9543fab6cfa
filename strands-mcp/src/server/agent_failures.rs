//! Failures of agents, whose texts are not for clients.

use std::error::Error as StdError;

use async_trait::async_trait;
use strands_core::hook::{AfterToolCall, Hook, HookResult};
use strands_core::message::ToolResult;
use strands_core::{AgentError, ErrorChain};

/// Result of a call whose agent has failed.
const FAILED: &str = "the agent failed within the server; its log has the reason";

/// A hook that logs failures of agents, and hides them from clients: their texts may tell about the program, such as accounts and
/// addresses.
pub(super) struct AgentFailures;

#[async_trait]
impl Hook for AgentFailures {
    async fn after_tool_call(&self, event: &mut AfterToolCall<'_>) -> HookResult {
        if let Some(error) = event.error.filter(|error| is_of_agent(*error)) {
            let name = &event.tool_use.name;
            tracing::error!(target: "strands_mcp", name, error = %ErrorChain::new(error), "the agent of a tool failed");
            *event.result = ToolResult::error(&event.tool_use.tool_use_id, FAILED);
        }
        Ok(())
    }
}

fn is_of_agent(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<AgentError>() {
            return true;
        }
        next = error.source();
    }
    false
}

//! A tool of a server, for agents.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use strands_core::{Tool, ToolContext, ToolError, ToolOutput, ToolPolicy, ToolSpec};

use super::mcp_client::Caller;

/// A tool of a server.
pub(super) struct McpTool {
    caller: Arc<Caller>,
    own_name: String,
    spec: ToolSpec,
}

impl McpTool {
    pub(super) fn new(caller: Arc<Caller>, own_name: String, spec: ToolSpec) -> Self {
        Self { caller, own_name, spec }
    }

    /// Returns the server's own name of the tool.
    pub(super) fn own_name(&self) -> &str {
        &self.own_name
    }

    /// Returns the spec as it was listed.
    pub(super) fn known_spec(&self) -> &ToolSpec {
        &self.spec
    }
}

#[async_trait]
impl Tool for McpTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn policy(&self) -> ToolPolicy {
        ToolPolicy::new().with_unsupported_schema(true)
    }

    async fn call(&self, ctx: &ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        self.caller.agent_call(&self.own_name, &self.spec, ctx, input).await
    }
}

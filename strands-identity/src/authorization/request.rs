//! Requests to an authorizer.

use serde_json::Value;
use strands_core::hook::HookContext;
use strands_core::{ToolAnnotations, ToolSpec};

use crate::Identity;

/// A tool call to decide about.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AuthorizationRequest<'a> {
    /// The identity for which the agent works.
    pub identity: &'a Identity,
    /// The tool.
    pub tool: &'a ToolSpec,
    /// Id of the call.
    pub tool_use_id: &'a str,
    /// The valid arguments.
    pub input: &'a Value,
    /// The agent, the session, the invocation, its state and its injected values.
    pub context: &'a HookContext,
}

impl<'a> AuthorizationRequest<'a> {
    /// Creates a request.
    pub fn new(
        identity: &'a Identity,
        tool: &'a ToolSpec,
        tool_use_id: &'a str,
        input: &'a Value,
        context: &'a HookContext,
    ) -> Self {
        Self { identity, tool, tool_use_id, input, context }
    }

    /// Returns the tool's annotations.
    pub fn annotations(&self) -> &'a ToolAnnotations {
        &self.tool.annotations
    }
}

/// A tool that the model may see.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ToolRequest<'a> {
    /// The identity for which the agent works.
    pub identity: &'a Identity,
    /// The tool.
    pub tool: &'a ToolSpec,
    /// The agent, the session, the invocation, its state and its injected values.
    pub context: &'a HookContext,
}

impl<'a> ToolRequest<'a> {
    /// Creates a request.
    pub fn new(identity: &'a Identity, tool: &'a ToolSpec, context: &'a HookContext) -> Self {
        Self { identity, tool, context }
    }

    /// Returns the tool's annotations.
    pub fn annotations(&self) -> &'a ToolAnnotations {
        &self.tool.annotations
    }
}

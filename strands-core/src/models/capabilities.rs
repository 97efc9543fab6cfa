//! Capabilities of a model, from which the agent chooses the method for structured output.

use serde::{Deserialize, Serialize};

/// Capabilities of a model.
///
/// They may change: after the server rejects a feature, the same model reports that it lacks it, and agents use the
/// structured-output fallback.
///
/// ```
/// use strands::models::ModelCapabilities;
///
/// const OURS: ModelCapabilities = ModelCapabilities::new().with_structured_output(true);
/// assert!(OURS.tool_choice && OURS.structured_output);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct ModelCapabilities {
    /// Support for forced tool calls: the model follows
    /// [`ModelRequest::tool_choice`](super::ModelRequest::tool_choice). Default: true.
    pub tool_choice: bool,
    /// Support for native structured output: the model follows
    /// [`ModelRequest::output_schema`](super::ModelRequest::output_schema). Default: false.
    pub structured_output: bool,
    /// Tools that run on the provider's servers are enabled. An agent without tools lets the model respond first and
    /// requests the JSON afterwards. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub server_tools: bool,
}

impl ModelCapabilities {
    /// Creates the capabilities that most providers have.
    pub const fn new() -> Self {
        Self { tool_choice: true, structured_output: false, server_tools: false }
    }

    /// Sets support for forced tool calls.
    #[must_use]
    pub const fn with_tool_choice(mut self, followed: bool) -> Self {
        self.tool_choice = followed;
        self
    }

    /// Sets support for native structured output.
    #[must_use]
    pub const fn with_structured_output(mut self, followed: bool) -> Self {
        self.structured_output = followed;
        self
    }

    /// Sets if tools that run on the provider's servers are enabled.
    #[must_use]
    pub const fn with_server_tools(mut self, enabled: bool) -> Self {
        self.server_tools = enabled;
        self
    }
}

impl Default for ModelCapabilities {
    fn default() -> Self {
        Self::new()
    }
}

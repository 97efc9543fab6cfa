//! Capabilities of a model's provider, by which the agent picks the way to ask for structured output.

use serde::{Deserialize, Serialize};

/// Capabilities of a model.
///
/// A provider may learn from a refusal: then the same model reports other capabilities from there on, and agents ask in
/// another way.
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
    /// The model can be made to call a tool: [`ModelRequest::tool_choice`](super::ModelRequest::tool_choice) is
    /// followed. Default: true.
    pub tool_choice: bool,
    /// The model can be made to answer in JSON of a given schema:
    /// [`ModelRequest::output_schema`](super::ModelRequest::output_schema) is followed. Default: false.
    pub structured_output: bool,
    /// The provider has tools of its own that it may use before it answers. An agent without tools lets it answer first
    /// and asks for the JSON then. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub server_tools: bool,
}

impl ModelCapabilities {
    /// Creates the capabilities that most providers have.
    pub const fn new() -> Self {
        Self { tool_choice: true, structured_output: false, server_tools: false }
    }

    /// Sets if the model can be made to call a tool.
    #[must_use]
    pub const fn with_tool_choice(mut self, followed: bool) -> Self {
        self.tool_choice = followed;
        self
    }

    /// Sets if the model can be made to answer in JSON of a given schema.
    #[must_use]
    pub const fn with_structured_output(mut self, followed: bool) -> Self {
        self.structured_output = followed;
        self
    }

    /// Sets if the provider has tools of its own to use.
    #[must_use]
    pub const fn with_server_tools(mut self, some: bool) -> Self {
        self.server_tools = some;
        self
    }
}

impl Default for ModelCapabilities {
    fn default() -> Self {
        Self::new()
    }
}

//! What a model's provider can be asked for, so that the agent picks the best way to get it.

/// What a model's provider can be asked for.
///
/// ```
/// use strands_core::model::ModelCapabilities;
///
/// const OURS: ModelCapabilities = ModelCapabilities::new().with_structured_output(true);
/// assert!(OURS.tool_choice && OURS.structured_output);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModelCapabilities {
    /// The model can be made to call a tool: [`ModelRequest::tool_choice`](super::ModelRequest::tool_choice) is
    /// followed. Default: true.
    pub tool_choice: bool,
    /// The model can be made to answer in JSON of a given schema:
    /// [`ModelRequest::output_schema`](super::ModelRequest::output_schema) is followed. Default: false.
    pub structured_output: bool,
}

impl ModelCapabilities {
    /// What most providers can be asked for.
    pub const fn new() -> Self {
        Self { tool_choice: true, structured_output: false }
    }

    /// Whether the model can be made to call a tool.
    #[must_use]
    pub const fn with_tool_choice(mut self, followed: bool) -> Self {
        self.tool_choice = followed;
        self
    }

    /// Whether the model can be made to answer in JSON of a given schema.
    #[must_use]
    pub const fn with_structured_output(mut self, followed: bool) -> Self {
        self.structured_output = followed;
        self
    }
}

impl Default for ModelCapabilities {
    fn default() -> Self {
        Self::new()
    }
}

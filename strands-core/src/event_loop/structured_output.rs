//! Structured output of an invocation: the output mode (native, forced tool, offered tool) and its fallback.

use serde_json::Value;

use super::code_fence::unfenced;
use super::partial_output::PartialOutput;
use crate::message::{ContentBlock, Message};
use crate::models::{Model, ModelCapabilities, OutputSchema, ToolSpecs};
use crate::output_type::OutputType;
use crate::run::OutputTool;
use crate::{depth, lenient_json};

/// State of the structured output of an invocation.
#[derive(Default)]
pub(super) struct StructuredOutput {
    pub(super) kind: Option<OutputType>,
    /// Schema for the provider, in native mode.
    native: Option<Box<OutputSchema>>,
    /// The agent's tools with the output's tool.
    specs: ToolSpecs,
    /// True if the provider can't force the call of that tool.
    cannot_force_tool: bool,
    /// Validation error of the last output.
    error: String,
    has_new_error: bool,
}

impl StructuredOutput {
    pub(super) fn new(kind: OutputType, native: Option<OutputSchema>, capabilities: ModelCapabilities) -> Self {
        let native = native.map(Box::new);
        Self { kind: Some(kind), native, cannot_force_tool: !capabilities.tool_choice, ..Self::default() }
    }

    /// Returns the tool whose arguments are the output.
    pub(super) fn tool(&self) -> Option<&OutputTool> {
        self.kind.as_ref().map(OutputType::tool)
    }

    /// Returns a reader of partial outputs for one response. The text of the response is the output if `is_requested` in
    /// native mode.
    pub(super) fn partial(&self, is_requested: bool) -> Option<PartialOutput> {
        let kind = self.kind.clone()?;
        Some(PartialOutput::new(kind, is_requested && self.native.is_some()))
    }

    /// Returns true if the first response is to be the output, since there are no tools to call before.
    pub(super) fn is_first_response(&self, specs: &ToolSpecs, model: &dyn Model) -> bool {
        specs.is_empty() && !model.capabilities().server_tools
    }

    /// Returns the schema for the provider, in native mode.
    pub(super) fn schema(&self) -> Option<&OutputSchema> {
        self.native.as_deref()
    }

    /// Returns true in forced-tool mode.
    pub(super) fn is_forced_tool(&self) -> bool {
        self.native.is_none() && !self.cannot_force_tool
    }

    /// Sets the validation error of the output tool's arguments.
    pub(super) fn set_error(&mut self, error: String) {
        self.error = error;
        self.has_new_error = true;
    }

    /// Returns true once after each validation error.
    pub(super) fn take_new_error(&mut self) -> bool {
        std::mem::take(&mut self.has_new_error)
    }

    /// Returns the validation error of a native output, as text for the model to correct it.
    pub(super) fn correction(&self) -> Option<ContentBlock> {
        let is_needed = self.native.is_some() && !self.error.is_empty();
        is_needed.then(|| ContentBlock::text(format!("The previous response does not fit: {}", self.error)))
    }

    /// Returns the output in the text of a response, if it has one.
    pub(super) fn in_text(&mut self, message: &Message) -> Option<Value> {
        if message.tool_uses().next().is_some() {
            return None;
        }
        let kind = self.kind.as_ref()?;
        let read = lenient_json::from_str::<Value>(unfenced(&message.text())).map_err(|error| error.to_string());
        let stored = |value: Value| depth::check(&value).map(|()| value).map_err(|error| format!("it {error}"));
        match read.and_then(stored).and_then(|value| kind.read(&value)) {
            Ok(value) => Some(value),
            Err(error) => {
                if self.native.is_some() {
                    self.error = error;
                }
                None
            }
        }
    }

    /// Leaves native mode: the output is requested by its tool from here on. Returns the schema if native mode was in use.
    pub(super) fn disable_native(&mut self, capabilities: ModelCapabilities) -> Option<OutputSchema> {
        let schema = self.native.take()?;
        self.cannot_force_tool |= !capabilities.tool_choice;
        Some(*schema)
    }

    /// Leaves forced-tool mode, for native mode if there is a schema, or else for an offered tool. Returns false if that was
    /// done before.
    pub(super) fn disable_forced_tool(&mut self, native: Option<OutputSchema>) -> bool {
        if std::mem::replace(&mut self.cannot_force_tool, true) {
            return false;
        }
        self.native = native.map(Box::new);
        true
    }

    /// Returns the agent's tools with the output's tool.
    pub(super) fn specs(&self) -> &ToolSpecs {
        &self.specs
    }

    /// Sets the agent's tools with the output's tool.
    pub(super) fn set_specs(&mut self, specs: ToolSpecs) {
        self.specs = specs;
    }

    /// Returns the validation error of the last output.
    pub(super) fn error(&self) -> &str {
        match self.error.as_str() {
            "" => "it responded without calling the output tool",
            error => error,
        }
    }
}

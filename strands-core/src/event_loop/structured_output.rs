//! The structured output of an invocation. The best way that the model's provider has is tried first; one that it refuses
//! gives way to the next.

use serde_json::Value;

use super::json_text::unfenced;
use super::output_type::OutputType;
use super::partial_output::PartialOutput;
use crate::message::{ContentBlock, Message};
use crate::models::{Model, ModelCapabilities, OutputSchema, ToolSpecs};
use crate::run::OutputTool;
use crate::{depth, lenient_json};

/// State of the structured output of an invocation.
#[derive(Default)]
pub(super) struct StructuredOutput {
    pub(super) kind: Option<OutputType>,
    /// Its schema, while the provider is to follow it.
    native: Option<OutputSchema>,
    /// The tools with the one whose arguments are the output.
    specs: ToolSpecs,
    /// The model can't be made to call that tool.
    is_unforceable: bool,
    mistake: String,
    is_mistaken: bool,
}

impl StructuredOutput {
    pub(super) fn new(kind: OutputType, native: Option<OutputSchema>, able: ModelCapabilities) -> Self {
        Self { kind: Some(kind), native, is_unforceable: !able.tool_choice, ..Self::default() }
    }

    /// The tool whose arguments are the output.
    pub(super) fn tool(&self) -> Option<&OutputTool> {
        self.kind.as_ref().map(OutputType::tool)
    }

    /// Reader of the output in a response that is being streamed. The text of the response is the output if
    /// `is_asked_for` and the provider follows the schema.
    pub(super) fn partial(&self, is_asked_for: bool) -> Option<PartialOutput<'_>> {
        let kind = self.kind.as_ref()?;
        Some(PartialOutput::new(kind, is_asked_for && self.native.is_some()))
    }

    /// True if there is nothing to call before, so that the provider gives the output at once.
    pub(super) fn is_given_at_once(&self, specs: &ToolSpecs, model: &dyn Model) -> bool {
        specs.is_empty() && !model.capabilities().server_tools
    }

    /// The schema that the provider is to hold an answer to, where it can.
    pub(super) fn schema(&self) -> Option<&OutputSchema> {
        self.native.as_ref()
    }

    /// True where the model is made to give the output by a choice of tools.
    pub(super) fn is_forced_by_choice(&self) -> bool {
        self.native.is_none() && !self.is_unforceable
    }

    /// The arguments of the output's tool do not fit its type.
    pub(super) fn mistaken(&mut self, mistake: String) {
        self.mistake = mistake;
        self.is_mistaken = true;
    }

    /// True once after an output that did not fit its type.
    pub(super) fn take_mistaken(&mut self) -> bool {
        std::mem::take(&mut self.is_mistaken)
    }

    /// Error in a response that the provider should have held to the schema, for the model to correct.
    pub(super) fn told_mistake(&self) -> Option<ContentBlock> {
        let told = self.native.is_some() && !self.mistake.is_empty();
        told.then(|| ContentBlock::text(format!("The previous response does not fit: {}", self.mistake)))
    }

    /// The output, where the answer's text is one.
    pub(super) fn in_text(&mut self, message: &Message) -> Option<Value> {
        if message.tool_uses().next().is_some() {
            return None;
        }
        let kind = self.kind.as_ref()?;
        let read = lenient_json::from_str::<Value>(unfenced(&message.text())).map_err(|error| error.to_string());
        let stored = |value: Value| depth::check(&value).map(|()| value).map_err(|error| format!("it {error}"));
        match read.and_then(stored).and_then(|value| kind.read(&value)) {
            Ok(value) => Some(value),
            Err(mistake) => {
                if self.native.is_some() {
                    self.mistake = mistake;
                }
                None
            }
        }
    }

    /// The provider does not follow the schema: the output is asked for by its tool from here on. Returns the schema, if
    /// that was the way in which the output was asked for.
    pub(super) fn refused_schema(&mut self, able: ModelCapabilities) -> Option<OutputSchema> {
        let schema = self.native.take()?;
        self.is_unforceable |= !able.tool_choice;
        Some(schema)
    }

    /// The model can't be made to call the output's tool: the provider is asked to follow the schema, if there is one, or
    /// else the tool is offered. Returns false if that was known.
    pub(super) fn becomes_unforceable(&mut self, native: Option<OutputSchema>) -> bool {
        if std::mem::replace(&mut self.is_unforceable, true) {
            return false;
        }
        self.native = native;
        true
    }

    /// The agent's tools with the one whose arguments are the output.
    pub(super) fn specs(&self) -> &ToolSpecs {
        &self.specs
    }

    /// Sets the agent's tools with the one whose arguments are the output.
    pub(super) fn set_specs(&mut self, specs: ToolSpecs) {
        self.specs = specs;
    }

    /// Error in the last output.
    pub(super) fn mistake(&self) -> &str {
        match self.mistake.as_str() {
            "" => "it answered without calling the output tool",
            mistake => mistake,
        }
    }
}

//! The typed output of an invocation: how it is asked for, and what has become of it. The best way that the model's
//! provider has is tried first; one that it refuses gives way to the next.

use serde_json::Value;

use super::driver::Driver;
use super::run::{OutputNotGiven, Run};
use crate::agent::{AgentError, OutputType};
use crate::message::{ContentBlock, Message};
use crate::model::{ModelError, OutputSchema, ToolSpecs};

/// What is known of the output that an invocation is to end with.
#[derive(Default)]
pub(super) struct TypedOutput {
    pub(super) kind: Option<OutputType>,
    /// Its schema, where the provider itself can hold an answer to it.
    native: Option<OutputSchema>,
    /// The tools with the one whose arguments are the output.
    specs: ToolSpecs,
    /// The provider has refused to make the model call that tool.
    is_unforceable: bool,
    mistake: String,
    is_mistaken: bool,
}

impl TypedOutput {
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

    /// What was wrong with an answer that the provider should have held to the schema, for the model to mend.
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
        let read = serde_json::from_str::<Value>(message.text().trim()).map_err(|error| error.to_string());
        match read.and_then(|value| kind.check(&value).map(|()| value)) {
            Ok(value) => Some(value),
            Err(mistake) => {
                if self.native.is_some() {
                    self.mistake = mistake;
                }
                None
            }
        }
    }
}

impl Driver<'_> {
    /// Prepares to ask for the output. Returns the name of its tool.
    pub(super) fn ask_for(&mut self, kind: Option<OutputType>) -> Result<Option<String>, AgentError> {
        let Some(kind) = kind else { return Ok(None) };
        let (specs, schema) = kind.join(&self.agent.shared.tools)?;
        let name = schema.name.clone();
        let able = self.agent.model.capabilities().structured_output;
        let native = (able && !self.agent.refused_outputs.contains(&name)).then_some(schema);
        if native.is_none() || !self.specs.is_empty() {
            self.specs = specs.clone();
        }
        self.output = TypedOutput { kind: Some(kind), native, specs, ..TypedOutput::default() };
        Ok(Some(name))
    }

    /// True where there is nothing to call before, so that the provider gives the output at once.
    pub(super) fn gives_output_at_once(&self) -> bool {
        self.specs.is_empty() && !self.agent.model.capabilities().server_tools
    }

    /// True where the provider may have refused the way in which the output was asked for, and there is another one: where
    /// it does not hold an answer to the schema the output is what a tool is called with, and where the model can't be
    /// made to call the tool, as some can't while they think, it is offered.
    pub(super) fn asks_for_less(&mut self, error: &ModelError) -> bool {
        // No way of asking makes a model unknown.
        let refused = matches!(error, ModelError::InvalidRequest { details } if details.status() != Some(404));
        if !refused {
            return false;
        }
        let Some(schema) = self.output.native.take() else {
            return !std::mem::replace(&mut self.output.is_unforceable, true);
        };
        self.agent.refused_outputs.insert(schema.name);
        self.specs = self.output.specs.clone();
        true
    }

    pub(super) fn no_output(&self, not_given: &OutputNotGiven) -> AgentError {
        let output = self.agent.run.as_ref().and_then(Run::output_tool).unwrap_or_default().to_owned();
        let reason = match self.output.mistake.as_str() {
            "" => "it answered without calling the output tool".to_owned(),
            mistake => mistake.to_owned(),
        };
        AgentError::InvalidOutput { output, attempts: not_given.attempts, reason }
    }
}

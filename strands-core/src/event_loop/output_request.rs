//! Request for structured output, with a fallback if the provider refuses it.

use super::driver::Driver;
use super::output_type::OutputType;
use super::structured_output::StructuredOutput;
use crate::model::ModelError;
use crate::outcome::AgentError;
use crate::run::{OutputNotGiven, Run};
use crate::tool::ToolSet;

impl Driver<'_> {
    /// Prepares to ask for the output: that of this invocation, or of the one that it resumes.
    pub(super) fn ask_for(&mut self, kind: Option<OutputType>) -> Result<(), AgentError> {
        let suspended = self.work.run.as_ref().filter(|_| self.work.suspended).and_then(Run::output_tool);
        let Some(kind) = kind.or_else(|| suspended.cloned().map(OutputType::stored)) else { return Ok(()) };
        let (specs, schema) = kind.join(&self.tools)?;
        let able = self.work.model.capabilities().structured_output;
        let native = (able && !self.work.refused_outputs.contains(&schema.name)).then_some(schema);
        self.output = StructuredOutput::new(kind, native, specs);
        Ok(())
    }

    /// Offers these tools from the next request on.
    pub(super) fn use_tools(&mut self, tools: ToolSet) -> Result<(), AgentError> {
        if let Some(kind) = &self.output.kind {
            let (specs, _) = kind.join(&tools)?;
            self.output.set_specs(specs);
        }
        let is_given_by_tool = self.output.kind.is_some() && self.output.schema().is_none();
        let has_tools = self.output.kind.is_some() && !tools.specs().is_empty();
        self.specs = if is_given_by_tool || has_tools { self.output.specs() } else { tools.specs() }.clone();
        self.tools = tools;
        Ok(())
    }

    /// Returns true if the provider may have refused the way in which the output was asked for, and there is another one:
    /// if it does not follow the schema, the output is the arguments of a tool, and if the model can't be made to call
    /// the tool, as some can't while they reason, the tool is offered.
    pub(super) fn asks_for_less(&mut self, error: &ModelError) -> bool {
        // No way of asking makes a model unknown.
        let refused = matches!(error, ModelError::InvalidRequest { details } if details.status() != Some(404));
        if !refused {
            return false;
        }
        let Some(schema) = self.output.refused_schema() else { return self.output.becomes_unforceable() };
        self.work.refused_outputs.insert(schema.name);
        self.specs = self.output.specs().clone();
        true
    }

    pub(super) fn no_output(&self, not_given: &OutputNotGiven) -> AgentError {
        let output =
            self.work.run.as_ref().and_then(Run::output_tool).map(|tool| tool.name.clone()).unwrap_or_default();
        let reason = self.output.mistake().to_owned();
        AgentError::InvalidOutput { output, attempts: not_given.attempts, reason }
    }
}

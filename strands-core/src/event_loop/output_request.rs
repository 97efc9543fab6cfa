//! Request for structured output, with a fallback if the provider refuses it.

use serde_json::Value;

use super::driver::Driver;
use super::output_type::OutputType;
use super::recorded;
use super::structured_output::StructuredOutput;
use crate::journal::{JournalError, JournalStep};
use crate::models::{ModelCapabilities, ModelError, OutputSchema, ToolSpecs};
use crate::outcome::AgentError;
use crate::run::{OutputNotGiven, Run};
use crate::tool::ToolSet;

impl Driver<'_> {
    /// Prepares to ask for the output: that of this invocation, or of the one that it resumes.
    pub(super) async fn ask_for(&mut self, kind: Option<OutputType>) -> Result<(), AgentError> {
        let suspended = self.work.suspended_run().and_then(Run::output_tool);
        let Some(kind) = kind.or_else(|| suspended.cloned().map(OutputType::stored)) else { return Ok(()) };
        let schema = kind.schema();
        let able = self.capabilities().await?;
        let native = self.follows(&schema, able).then_some(schema);
        self.output = StructuredOutput::new(kind, native, able);
        Ok(())
    }

    /// Offers these tools from the next request on.
    ///
    /// # Errors
    ///
    /// Returns [`AgentError::OutputType`] if one has the name of the output. Then the old tools stay.
    pub(super) fn use_tools(&mut self, tools: ToolSet) -> Result<(), AgentError> {
        let joined = self.joined(&tools)?;
        self.use_joined(tools, joined);
        Ok(())
    }

    /// Returns these tools with the one whose arguments are the output, if one was asked for.
    pub(super) fn joined(&self, tools: &ToolSet) -> Result<Option<ToolSpecs>, AgentError> {
        self.output.kind.as_ref().map(|kind| kind.join(tools)).transpose()
    }

    pub(super) fn use_joined(&mut self, tools: ToolSet, joined: Option<ToolSpecs>) {
        if let Some(joined) = joined {
            self.output.set_specs(joined);
        }
        let is_given_by_tool = self.output.kind.is_some() && self.output.schema().is_none();
        let has_tools = self.output.kind.is_some() && !tools.specs().is_empty();
        self.specs = if is_given_by_tool || has_tools { self.output.specs() } else { tools.specs() }.clone();
        self.tools = tools;
    }

    /// Reads the model's capabilities. A provider learns from refusals, so that a journal records them.
    async fn capabilities(&self) -> Result<ModelCapabilities, JournalError> {
        let Some(journal) = self.effects.journal else { return Ok(self.work.model.capabilities()) };
        let (calls, tools) = self.work.run.as_ref().map(Run::steps).unwrap_or_default();
        let name = format!("capabilities/{calls}/{tools}");
        let effect = async { recorded::of_capabilities(self.work.model.capabilities()) };
        let value = journal.step(JournalStep::new(&name), Box::pin(effect)).await?;
        recorded::into_capabilities(&name, value)
    }

    /// True if the provider may follow the schema.
    fn follows(&self, schema: &OutputSchema, able: ModelCapabilities) -> bool {
        let is_refused = |(name, refused): &(String, Value)| *name == schema.name && *refused == schema.schema;
        able.structured_output && !self.work.refused_outputs.iter().any(is_refused)
    }

    /// Returns true if the provider may have refused the way in which the output was asked for, and there is another one:
    /// the schema that the provider follows, the forced call of a tool, and the call of a tool that is offered. `able` was
    /// read again after the refusal, since a provider may learn from it.
    pub(super) fn asks_for_less(
        &mut self,
        error: &ModelError,
        able: Option<ModelCapabilities>,
        is_retried: bool,
    ) -> bool {
        let refused = match error {
            // No way of asking makes a model unknown.
            ModelError::InvalidRequest { details } => details.status() != Some(404),
            // Asking for it again did not help.
            ModelError::MalformedOutput { .. } => !is_retried,
            _ => false,
        };
        let Some(able) = able.filter(|_| refused) else { return false };
        if let Some(schema) = self.output.refused_schema(able) {
            self.work.refused_outputs.insert((schema.name, schema.schema));
            self.specs = self.output.specs().clone();
            return true;
        }
        let schema = self.output.kind.as_ref().map(OutputType::schema).filter(|schema| self.follows(schema, able));
        self.output.becomes_unforceable(schema)
    }

    pub(super) fn no_output(&self, not_given: &OutputNotGiven) -> AgentError {
        let output =
            self.work.run.as_ref().and_then(Run::output_tool).map(|tool| tool.spec.name.clone()).unwrap_or_default();
        let reason = self.output.mistake().to_owned();
        AgentError::InvalidOutput { output, attempts: not_given.attempts, reason }
    }
}

//! Request for structured output, with a fallback if the provider rejects it.

use serde_json::Value;

use super::driver::Driver;
use super::structured_output::StructuredOutput;
use crate::journal::{JournalError, JournalStep};
use crate::models::{ModelCapabilities, ModelError, OutputSchema, ToolSpecs};
use crate::outcome::AgentError;
use crate::output_type::OutputType;
use crate::run::{MissingOutput, Run};
use crate::tool::ToolSet;

impl Driver<'_> {
    /// Prepares the request for the output of this invocation, or of the one that it resumes.
    pub(super) async fn prepare_output(&mut self, kind: Option<OutputType>) -> Result<(), AgentError> {
        let suspended = self.work.suspended_run().and_then(Run::output_tool);
        let Some(kind) = kind.or_else(|| suspended.cloned().map(OutputType::stored)) else { return Ok(()) };
        let schema = kind.schema();
        let capabilities = self.capabilities().await?;
        let native = self.supports_schema(&schema, capabilities).then_some(schema);
        self.output = StructuredOutput::new(kind, native, capabilities);
        Ok(())
    }

    /// Sends these tools from the next request on.
    ///
    /// # Errors
    ///
    /// Returns [`AgentError::OutputType`] if a tool has the name of the output. Then the old tools stay.
    pub(super) fn use_tools(&mut self, tools: ToolSet) -> Result<(), AgentError> {
        let joined = self.joined(&tools)?;
        self.use_joined(tools, joined);
        Ok(())
    }

    /// Returns these tools with the output's tool, if an output was requested.
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

    /// Returns the model's capabilities. A journal records them, since they change when a provider rejects a request.
    async fn capabilities(&self) -> Result<ModelCapabilities, JournalError> {
        let Some(recorder) = &self.effects.recorder else { return Ok(self.work.model.capabilities()) };
        let (calls, tools) = self.work.run.as_ref().map(Run::steps).unwrap_or_default();
        let name = format!("capabilities/{calls}/{tools}");
        let capabilities = async { self.work.model.capabilities() };
        Ok(recorder.record(JournalStep::new(&name), Box::pin(capabilities)).await?.value)
    }

    /// Returns true if the provider may support the schema.
    fn supports_schema(&self, schema: &OutputSchema, capabilities: ModelCapabilities) -> bool {
        let is_refused = |(name, refused): &(String, Value)| *name == schema.name && *refused == schema.schema;
        capabilities.structured_output
            && !self.work.refused_outputs.iter().flat_map(|refused| refused.iter()).any(is_refused)
    }

    /// Switches to the next output mode if the provider may have rejected the current one. Returns false if there is none
    /// left. The modes are native, forced tool and offered tool. `capabilities` are those after the error, since a provider
    /// may update them on a rejection.
    pub(super) fn use_next_output_mode(
        &mut self,
        error: &ModelError,
        capabilities: Option<ModelCapabilities>,
        is_retried: bool,
    ) -> bool {
        let is_rejected = match error {
            // An unknown model is no matter of the output mode.
            ModelError::InvalidRequest { details } => details.status() != Some(404),
            // The retries of the same mode are used up.
            ModelError::MalformedOutput { .. } => !is_retried,
            _ => false,
        };
        let Some(capabilities) = capabilities.filter(|_| is_rejected) else { return false };
        if let Some(schema) = self.output.disable_native(capabilities) {
            self.work.refused_outputs.get_or_insert_default().insert((schema.name, schema.schema));
            self.specs = self.output.specs().clone();
            return true;
        }
        let schema = self
            .output
            .kind
            .as_ref()
            .map(OutputType::schema)
            .filter(|schema| self.supports_schema(schema, capabilities));
        self.output.disable_forced_tool(schema)
    }

    pub(super) fn no_output(&self, missing: &MissingOutput) -> AgentError {
        let output =
            self.work.run.as_ref().and_then(Run::output_tool).map(|tool| tool.spec.name.clone()).unwrap_or_default();
        let reason = self.output.error().to_owned();
        AgentError::InvalidOutput { output, attempts: missing.attempts, reason }
    }
}

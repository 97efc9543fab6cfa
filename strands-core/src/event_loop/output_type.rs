//! The type of a structured output: a tool whose arguments are the output, or a schema that the provider itself follows.

use std::sync::Arc;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::model::{OutputSchema, ToolSpecs};
use crate::outcome::AgentError;
use crate::tool::{ToolSet, ToolSpec, check_schema, is_valid_tool_name};

/// The type that an invocation is to end with.
#[derive(Clone)]
pub(crate) struct OutputType {
    spec: Arc<ToolSpec>,
    check: Check,
}

#[derive(Clone, Copy)]
enum Check {
    /// By reading it as the type.
    Type(fn(&Value) -> Result<(), String>),
    /// By the schema alone: the type was named in another process.
    Schema,
}

impl OutputType {
    pub(crate) fn of<T: DeserializeOwned + JsonSchema>() -> Self {
        let check =
            |value: &Value| T::deserialize(value).map(drop).map_err(|error: serde_json::Error| error.to_string());
        Self { spec: Arc::new(spec_of::<T>()), check: Check::Type(check) }
    }

    /// The type of an invocation that was suspended, and goes on without the type.
    pub(super) fn stored(spec: ToolSpec) -> Self {
        Self { spec: Arc::new(spec), check: Check::Schema }
    }

    pub(super) fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    pub(super) fn check(&self, value: &Value) -> Result<(), String> {
        match self.check {
            Check::Type(check) => check(value),
            Check::Schema => check_schema(&self.spec.input_schema, value),
        }
    }

    /// The agent's tools with the one whose arguments are the output, and that output's name and schema.
    pub(super) fn join(&self, tools: &ToolSet) -> Result<(ToolSpecs, OutputSchema), AgentError> {
        let spec = &*self.spec;
        let refuse = |reason: String| Err(AgentError::OutputType { reason });
        if spec.input_schema.get("type").and_then(Value::as_str) != Some("object") {
            return refuse(format!("the JSON schema of `{}` is not an object; wrap it in a struct", spec.name));
        }
        if tools.get(&spec.name).is_some() {
            return refuse(format!(
                "the agent has a tool named `{}`; give the type another `#[schemars(rename)]`",
                spec.name
            ));
        }
        let mut schema = OutputSchema::new(&spec.name, spec.input_schema.clone());
        schema.description = spec.input_schema.get("description").and_then(Value::as_str).map(str::to_owned);
        Ok((tools.specs().with(spec.clone()), schema))
    }
}

fn spec_of<T: JsonSchema>() -> ToolSpec {
    let generator = SchemaSettings::draft2020_12().with(|settings| settings.meta_schema = None).into_generator();
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    let fields = schema.as_object_mut();
    let take =
        |name: &str| fields.as_ref().and_then(|fields| fields.get(name)).and_then(Value::as_str).map(str::to_owned);
    let (title, purpose) = (take("title"), take("description"));
    let mut name: String = title
        .unwrap_or_else(|| T::schema_name().into_owned())
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' })
        .take(64)
        .collect();
    if !is_valid_tool_name(&name) {
        "output".clone_into(&mut name);
    }
    let description = format!(
        "Call this tool last and only once, with the final answer as its arguments.{}{}",
        if purpose.is_some() { " The answer is: " } else { "" },
        purpose.unwrap_or_default()
    );
    ToolSpec::new(name, description, schema)
}

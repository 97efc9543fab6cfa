//! Typed output: a tool whose arguments are the answer, or an answer that the provider itself holds to a schema.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::AgentError;
use crate::model::{OutputSchema, ToolSpecs};
use crate::tool::{ToolSet, ToolSpec, is_valid_tool_name};

/// The type that an invocation is to end with.
#[derive(Clone)]
pub(crate) struct OutputType {
    spec: fn() -> ToolSpec,
    check: fn(&Value) -> Result<(), String>,
}

impl OutputType {
    pub(crate) fn of<T: DeserializeOwned + JsonSchema>() -> Self {
        Self {
            spec: spec_of::<T>,
            check: |value| T::deserialize(value).map(drop).map_err(|error: serde_json::Error| error.to_string()),
        }
    }

    pub(crate) fn check(&self, value: &Value) -> Result<(), String> {
        (self.check)(value)
    }

    /// The agent's tools with the one whose arguments are the output, and that output's name and schema.
    pub(crate) fn join(&self, tools: &ToolSet) -> Result<(ToolSpecs, OutputSchema), AgentError> {
        let spec = (self.spec)();
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
        Ok((tools.specs().with(spec), schema))
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

//! The type of a structured output: a tool whose arguments are the output, or a schema that the provider itself follows.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::models::{OutputSchema, ToolSpecs};
use crate::outcome::AgentError;
use crate::run::OutputTool;
use crate::schema::{restored, wrapping};
use crate::schema_validation::{JsonSchemaError, Validator, read_as};
use crate::tool::{ToolSet, ToolSpec, is_valid_tool_name};

/// The type that an invocation is to end with.
#[derive(Clone)]
pub(crate) struct OutputType {
    tool: Arc<OutputTool>,
    check: Check,
    /// Compiled when it is first needed.
    validator: Arc<OnceLock<Result<Validator, JsonSchemaError>>>,
}

#[derive(Clone, Copy)]
enum Check {
    /// By reading it as the type.
    Type(fn(&Value) -> Result<(), serde_json::Error>),
    /// By the schema alone: the type was named in another process.
    Schema,
}

impl OutputType {
    pub(crate) fn of<T: DeserializeOwned + JsonSchema>() -> Self {
        Self::new(tool_of::<T>(), Check::Type(|value| T::deserialize(value).map(drop)))
    }

    fn new(tool: OutputTool, check: Check) -> Self {
        Self { tool: Arc::new(tool), check, validator: Arc::default() }
    }

    /// The type of an invocation that was suspended, and goes on without the type.
    pub(super) fn stored(tool: OutputTool) -> Self {
        Self::new(tool, Check::Schema)
    }

    pub(super) fn tool(&self) -> &OutputTool {
        &self.tool
    }

    pub(super) fn name(&self) -> &str {
        &self.tool.spec.name
    }

    /// The field that holds the output, if the output is wrapped.
    pub(super) fn key(&self) -> Option<&str> {
        self.tool.is_wrapped.then(|| wrapping::key(&self.tool.spec.input_schema)).flatten()
    }

    /// Returns the output in what the model gave, unwrapped. A model that was asked for a wrapped value may give the bare
    /// one: an object that has the field is wrapped, unless [the type allows that field](Self::is_ambiguous) and the value
    /// of the field does not fit.
    ///
    /// # Errors
    ///
    /// Returns the mistake for the model to correct.
    pub(super) fn read(&self, given: &Value) -> Result<Value, String> {
        let given = &*restored(&self.tool.spec.input_schema, given);
        let Some(key) = self.key() else { return self.fitting(given) };
        // Arguments that were serialized twice are no text.
        if given.as_str().is_some_and(|text| text.trim_start().starts_with('{')) {
            return Err("they are not a valid JSON object".to_owned());
        }
        let Some(inner) = given.get(key) else {
            let is_other = given.as_object().is_some_and(|fields| !fields.is_empty());
            let told = |mistake| if is_other { format!("missing field `{key}`; {mistake}") } else { mistake };
            return self.fitting(given).map_err(told);
        };
        self.fitting(inner).or_else(|mistake| {
            let bare = if self.is_ambiguous() { self.fitting(given).ok() } else { None };
            bare.ok_or(mistake)
        })
    }

    /// Returns a part of the output as the type has it.
    pub(super) fn restored<'v>(&self, part: &'v Value) -> Cow<'v, Value> {
        match (self.key(), &self.tool.spec.input_schema) {
            (None, schema) => restored(schema, part),
            (Some(_), _) => Cow::Borrowed(part),
        }
    }

    /// True if a bare value may have a field of the name that holds a wrapped one: the type has a map.
    pub(super) fn is_ambiguous(&self) -> bool {
        self.tool.is_wrapped && wrapping::is_ambiguous(&self.tool.spec.input_schema)
    }

    /// Returns an output that is unwrapped as the type takes it.
    fn fitting(&self, value: &Value) -> Result<Value, String> {
        match self.check {
            Check::Type(check) => {
                let decode = |value: &Value| check(value).map(|()| value.clone());
                read_as(value, self.key().unwrap_or_default(), false, decode, || self.validator().as_ref().ok())
            }
            Check::Schema => match self.validator() {
                Ok(validator) => {
                    let wrapped = match self.key() {
                        Some(key) => Cow::Owned(json!({key: value})),
                        None => Cow::Borrowed(value),
                    };
                    validator.check(&wrapped).map(|()| value.clone())
                }
                Err(error) => Err(format!("the schema of the output is not supported: {error}")),
            },
        }
    }

    fn validator(&self) -> &Result<Validator, JsonSchemaError> {
        self.validator.get_or_init(|| Validator::new(&self.tool.spec.input_schema))
    }

    /// The agent's tools with the one whose arguments are the output.
    ///
    /// # Errors
    ///
    /// Returns [`AgentError::OutputType`] if the agent has a tool of the same name, and if outputs are to be validated against
    /// a schema that is not supported.
    pub(super) fn join(&self, tools: &ToolSet) -> Result<ToolSpecs, AgentError> {
        let spec = &self.tool.spec;
        if let (Check::Schema, Err(error)) = (self.check, self.validator()) {
            return Err(AgentError::OutputType { reason: format!("the schema of `{}`: {error}", spec.name) });
        }
        if tools.get(&spec.name).is_some() {
            let reason = format!(
                "the agent has a tool named `{}`; rename the tool, or wrap the type in a struct of another name",
                spec.name
            );
            return Err(AgentError::OutputType { reason });
        }
        Ok(tools.specs().with(spec.clone()))
    }

    /// The output's name and schema, for a provider that follows the schema.
    pub(super) fn schema(&self) -> OutputSchema {
        let ToolSpec { name, input_schema, .. } = &self.tool.spec;
        let described = match self.key() {
            Some(key) => input_schema.get("properties").and_then(|fields| fields.get(key)),
            None => Some(input_schema),
        };
        let description = described.and_then(|described| described.get("description")).and_then(Value::as_str);
        let mut schema = OutputSchema::new(name, input_schema.clone());
        schema.description = description.map(str::to_owned);
        schema
    }
}

fn tool_of<T: JsonSchema>() -> OutputTool {
    let generator = SchemaSettings::draft2020_12().with(|settings| settings.meta_schema = None).into_generator();
    let schema = generator.into_root_schema_for::<T>().to_value();
    let text = |name: &str| schema.get(name).and_then(Value::as_str).map(str::to_owned);
    let (title, purpose) = (text("title"), text("description"));
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
    let is_wrapped = !wrapping::is_object(&schema);
    let schema = if is_wrapped { wrapping::wrap(schema) } else { schema };
    OutputTool { spec: ToolSpec::new(name, description, schema), is_wrapped }
}

//! Type of a structured output, and [`StructuredOutput`], the trait of such types: the tool whose arguments are the output, and the schema for providers with native support.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::models::{OutputSchema, ToolSpecs};
use crate::outcome::AgentError;
use crate::run::OutputTool;
use crate::schema::{restore_value, wrapping};
use crate::schema_validation::{JsonSchemaError, Validator, read_as};
use crate::tool::{ToolSet, ToolSpec, tool_name_of};

/// A trait for types of structured output, see [`Invocation::output`](crate::Invocation::output). It is implemented for every
/// type with `Deserialize` and `JsonSchema`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be used as structured output",
    label = "not a structured output type",
    note = "derive both `Deserialize` and `JsonSchema` for `{Self}`: `#[derive(Deserialize, JsonSchema)]`, from `strands::serde` and `strands::schemars`"
)]
pub trait StructuredOutput: DeserializeOwned + JsonSchema {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned + JsonSchema> StructuredOutput for T {}

/// Type of the requested structured output.
#[derive(Clone)]
pub(crate) struct OutputType {
    tool: Arc<OutputTool>,
    check: Check,
    /// Compiled on first use.
    validator: Arc<OnceLock<Result<Validator, JsonSchemaError>>>,
}

#[derive(Clone, Copy)]
enum Check {
    /// Deserializes the type.
    Type(fn(&Value) -> Result<(), serde_json::Error>),
    /// Validates against the schema: the type is unknown, since another process requested it.
    Schema,
}

impl OutputType {
    pub(crate) fn of<T: DeserializeOwned + JsonSchema>() -> Self {
        Self::new(tool_of::<T>(), Check::Type(|value| T::deserialize(value).map(drop)))
    }

    fn new(tool: OutputTool, check: Check) -> Self {
        Self { tool: Arc::new(tool), check, validator: Arc::default() }
    }

    /// Returns the output type of a stored invocation, whose Rust type is unknown.
    pub(crate) fn stored(tool: OutputTool) -> Self {
        Self::new(tool, Check::Schema)
    }

    /// Returns the output type of a schema of an object, whose Rust type is unknown.
    pub(crate) fn of_schema(schema: OutputSchema) -> Self {
        let OutputSchema { name, description, schema, .. } = schema;
        let spec = ToolSpec::new(name, instruction(description), schema);
        Self::stored(OutputTool { spec, is_wrapped: false })
    }

    pub(crate) fn tool(&self) -> &OutputTool {
        &self.tool
    }

    pub(crate) fn name(&self) -> &str {
        &self.tool.spec.name
    }

    /// Returns the field that holds the output, if it is wrapped.
    pub(crate) fn key(&self) -> Option<&str> {
        self.tool.is_wrapped.then(|| wrapping::key(&self.tool.spec.input_schema)).flatten()
    }

    /// Returns the output in a value from the model, unwrapped. A model may return the bare value where a wrapped one was
    /// requested: an object with the field is wrapped, unless [the type allows that field](Self::is_ambiguous) and the
    /// value of the field does not fit.
    ///
    /// # Errors
    ///
    /// Returns a description of the error, for the model to correct.
    pub(crate) fn read(&self, input: &Value) -> Result<Value, String> {
        let input = &*restore_value(&self.tool.spec.input_schema, input);
        let Some(key) = self.key() else { return self.validated(input) };
        // A string that holds an object is arguments that were serialized twice, not text.
        if input.as_str().is_some_and(|text| text.trim_start().starts_with('{')) {
            return Err("they are not a valid JSON object".to_owned());
        }
        let Some(inner) = input.get(key) else {
            let is_other = input.as_object().is_some_and(|fields| !fields.is_empty());
            let describe = |error| if is_other { format!("missing field `{key}`; {error}") } else { error };
            return self.validated(input).map_err(describe);
        };
        self.validated(inner).or_else(|error| {
            let bare = if self.is_ambiguous() { self.validated(input).ok() } else { None };
            bare.ok_or(error)
        })
    }

    /// Returns a partial output in the form of the type.
    pub(crate) fn restored<'v>(&self, part: &'v Value) -> Cow<'v, Value> {
        match (self.key(), &self.tool.spec.input_schema) {
            (None, schema) => restore_value(schema, part),
            (Some(_), _) => Cow::Borrowed(part),
        }
    }

    /// Returns true if a bare value may have a field with the name of the wrapping field, as a map may.
    pub(crate) fn is_ambiguous(&self) -> bool {
        self.tool.is_wrapped && wrapping::is_ambiguous(&self.tool.spec.input_schema)
    }

    /// Returns an unwrapped output if it fits the type.
    fn validated(&self, value: &Value) -> Result<Value, String> {
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

    /// Returns the agent's tools with the output's tool.
    ///
    /// # Errors
    ///
    /// Returns [`AgentError::OutputType`] if the agent has a tool of the same name, or if the schema to validate against is
    /// not supported.
    pub(crate) fn join(&self, tools: &ToolSet) -> Result<ToolSpecs, AgentError> {
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

    /// Returns the output's name and schema, for providers with native support.
    pub(crate) fn schema(&self) -> OutputSchema {
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

/// Returns the self-contained schema of a type.
pub(crate) fn schema_of<T: JsonSchema>() -> Value {
    let generator = SchemaSettings::draft2020_12().with(|settings| settings.meta_schema = None).into_generator();
    generator.into_root_schema_for::<T>().to_value()
}

fn tool_of<T: JsonSchema>() -> OutputTool {
    let schema = schema_of::<T>();
    let text = |name: &str| schema.get(name).and_then(Value::as_str).map(str::to_owned);
    let (title, purpose) = (text("title"), text("description"));
    let name = tool_name_of(&title.unwrap_or_else(|| T::schema_name().into_owned()));
    let name = name.unwrap_or_else(|| "output".to_owned());
    let is_wrapped = !wrapping::is_object(&schema);
    let schema = if is_wrapped { wrapping::wrap(schema) } else { schema };
    OutputTool { spec: ToolSpec::new(name, instruction(purpose), schema), is_wrapped }
}

/// Returns the description of the output's tool, for the model.
fn instruction(purpose: Option<String>) -> String {
    format!(
        "Call this tool last and only once, with the final output as its arguments.{}{}",
        if purpose.is_some() { " The output is: " } else { "" },
        purpose.unwrap_or_default()
    )
}

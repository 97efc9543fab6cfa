//! Builder of a tool's spec, which runs on first use.

use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value};

use super::argument::{Argument, WholeInput, generator};
use super::check::Check;
use crate::tool::{ToolAnnotations, ToolSpec};

/// Description, default and example of an argument, beside its type.
#[derive(Debug, Default)]
pub struct ArgumentDocs {
    description: Option<String>,
    default: Option<Value>,
    example: Option<Value>,
}

impl ArgumentDocs {
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn describe(mut self, text: impl Into<String>) -> Self {
        self.description = Some(text.into());
        self
    }

    #[must_use]
    pub fn default_value(mut self, value: Option<Value>) -> Self {
        self.default = value;
        self
    }

    #[must_use]
    pub fn example(mut self, value: Option<Value>) -> Self {
        self.example = value;
        self
    }
}

/// Builds a [`ToolSpec`].
#[derive(Debug)]
pub struct SpecBuilder {
    spec: ToolSpec,
    generator: SchemaGenerator,
    properties: Map<String, Value>,
    required: Vec<Value>,
    whole: Option<Map<String, Value>>,
}

impl SpecBuilder {
    pub fn new(name: &str, description: impl Into<String>) -> Self {
        Self {
            spec: ToolSpec::new(name, description, Value::Null),
            generator: generator(),
            properties: Map::new(),
            required: Vec::new(),
            whole: None,
        }
    }

    #[must_use]
    pub fn annotations(mut self, annotations: ToolAnnotations) -> Self {
        self.spec.annotations = annotations;
        self
    }

    #[must_use]
    pub fn strict(mut self, strict: bool) -> Self {
        self.spec.strict = strict;
        self
    }

    /// Sets the schema of the output.
    #[must_use]
    pub fn output(mut self, schema: Value) -> Self {
        self.spec.output_schema = Some(schema);
        self
    }

    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "generated code has no other use for it")]
    pub fn argument<T>(self, argument: Argument<T>, docs: ArgumentDocs) -> Self {
        let optional = argument.is_optional();
        self.property(argument.name, argument.schema, optional, argument.checks, docs)
    }

    fn property(
        mut self,
        name: &str,
        schema: fn(&mut SchemaGenerator) -> Schema,
        optional: bool,
        checks: [Option<Check>; 3],
        docs: ArgumentDocs,
    ) -> Self {
        let mut property = object(schema(&mut self.generator));
        if optional {
            remove_null(&mut property);
        } else {
            self.required.push(name.into());
        }
        for check in checks.iter().flatten() {
            check.add_to_schema(&mut property);
        }
        if let Some(description) = docs.description {
            property.insert("description".to_owned(), description.into());
        }
        // A default of null adds nothing: the argument is not in `required`.
        if let Some(default) = docs.default.filter(|default| !default.is_null()) {
            property.insert("default".to_owned(), default);
        }
        if let Some(example) = docs.example {
            property.insert("examples".to_owned(), Value::Array(vec![example]));
        }
        self.properties.insert(name.to_owned(), Value::Object(property));
        self
    }

    /// Sets one type for the whole input.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "generated code has no other use for it")]
    pub fn whole_input<T>(mut self, whole: WholeInput<T>, docs: ArgumentDocs) -> Self {
        let mut schema = whole_input_schema(whole.schema, &mut self.generator);
        if let Some(description) = docs.description {
            schema.insert("description".to_owned(), description.into());
        }
        self.whole = Some(schema);
        self
    }

    pub fn build(mut self) -> ToolSpec {
        let mut schema = self.whole.unwrap_or_else(|| {
            let mut schema = Map::new();
            schema.insert("type".to_owned(), "object".into());
            schema.insert("properties".to_owned(), Value::Object(self.properties));
            if !self.required.is_empty() {
                schema.insert("required".to_owned(), Value::Array(self.required));
            }
            schema.insert("additionalProperties".to_owned(), false.into());
            schema
        });
        add_definitions(&mut schema, &mut self.generator);
        self.spec.input_schema = Value::Object(schema);
        self.spec
    }
}

/// Returns the schema of the type of a whole input. It has the type `object` in any case.
pub(super) fn whole_input_schema(
    schema: fn(&mut SchemaGenerator) -> Schema,
    generator: &mut SchemaGenerator,
) -> Map<String, Value> {
    let mut schema = object(schema(generator));
    schema.shift_remove("title");
    schema.entry("type").or_insert_with(|| "object".into());
    add_definitions(&mut schema, generator);
    schema
}

/// Returns a self-contained schema, with the `$defs` that it refers to.
pub(super) fn stand_alone(schema: fn(&mut SchemaGenerator) -> Schema, generator: &mut SchemaGenerator) -> Value {
    let mut schema = object(schema(generator));
    schema.shift_remove("title");
    add_definitions(&mut schema, generator);
    Value::Object(schema)
}

fn add_definitions(schema: &mut Map<String, Value>, generator: &mut SchemaGenerator) {
    let definitions = generator.take_definitions(true);
    if !definitions.is_empty() {
        schema.insert("$defs".to_owned(), Value::Object(definitions));
    }
}

fn object(mut schema: Schema) -> Map<String, Value> {
    std::mem::take(schema.ensure_object())
}

/// Removes `null`, which schemars adds for an `Option`: an optional argument need not be nullable.
fn remove_null(schema: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_mut_slice() {
            let only = only.take();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    let Some(Value::Array(choices)) = schema.get_mut("anyOf") else { return };
    choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
    if let [Value::Object(only)] = choices.as_mut_slice() {
        let only = std::mem::take(only);
        schema.shift_remove("anyOf");
        schema.extend(only);
    }
}

/// Joins a doc comment that has expressions in it, such as `include_str!`.
pub fn doc_text(parts: &[&str]) -> String {
    parts.join("\n").trim().to_owned()
}

//! Each dialect with what its provider refuses, and the checks of one schema.

use jsonschema::Validator;
use serde_json::{Map, Value};
use strands_core::schema::{SchemaDialect, restored};

use crate::acceptance;

type Refusals = fn(&Value) -> Vec<String>;

/// Dialect, refusals of arguments, refusals of schemas that a model is held to.
pub(crate) const DIALECTS: [(SchemaDialect, Refusals, Refusals); 6] = [
    (SchemaDialect::OPENAI, acceptance::openai_arguments, acceptance::openai_held),
    (SchemaDialect::ANTHROPIC, acceptance::anthropic_arguments, acceptance::anthropic_held),
    (SchemaDialect::BEDROCK, acceptance::anthropic_arguments, acceptance::bedrock_held),
    (SchemaDialect::GEMINI, acceptance::gemini, acceptance::gemini),
    (SchemaDialect::LLAMACPP, acceptance::llamacpp, acceptance::llamacpp),
    (SchemaDialect::OLLAMA, acceptance::ollama_arguments, acceptance::llamacpp),
];

pub(crate) fn validator(schema: &Value) -> Validator {
    jsonschema::validator_for(schema).unwrap_or_else(|error| panic!("{error}: {schema:#}"))
}

/// Checks that every provider accepts the schema, and that what fits it still does. Returns the mistakes.
///
/// Closing the objects of a union leaves no value that fits two of them: those `instances` are for arguments alone.
pub(crate) fn mistakes(name: &str, schema: &Value, instances: &[Value], fit_one_branch: bool) -> Vec<String> {
    let mut mistakes = Vec::new();
    let original = validator(schema);
    for (dialect, of_arguments, of_held) in &DIALECTS {
        let mut check = |form: &str, written: &Value, refusals: Vec<String>, instances: &[Value]| {
            let requires_all = form == "held" && dialect.name() == "openai";
            let at = format!("{name}, {} {form}", dialect.name());
            mistakes.extend(refusals.into_iter().map(|refusal| format!("{at}: {refusal} in {written}")));
            let takes = validator(written);
            for instance in instances {
                let given = as_written(instance, schema, written, requires_all);
                if let Err(error) = takes.validate(&given) {
                    mistakes.push(format!("{at}: {given} does not fit: {error} in {written}"));
                }
                let back = restored(schema, &given).into_owned();
                if without_nulls(&back) != without_nulls(instance) || !original.is_valid(&back) {
                    mistakes.push(format!("{at}: {instance} came back as {back} from {given}"));
                }
            }
        };
        let arguments = dialect.arguments(schema);
        check("arguments", &arguments, of_arguments(&arguments), instances);
        assert_eq!(arguments, dialect.arguments(schema), "{name}: the same bytes for the same schema");
        if let Ok(held) = dialect.strict(schema) {
            check("held", &held, of_held(&held), if fit_one_branch { instances } else { &[] });
        }
    }
    mistakes
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let some = fields.iter().filter(|(_, value)| !value.is_null());
            some.map(|(name, value)| (name.clone(), without_nulls(value))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        value => value.clone(),
    }
}

/// An instance as a model gives it that is held to the written schema: with `null` for what it has to name, and with the
/// names that it knows.
fn as_written(instance: &Value, schema: &Value, written: &Value, requires_all: bool) -> Value {
    let mut given = instance.clone();
    if let Value::Object(fields) = &mut given {
        let known = written["properties"].as_object().cloned().unwrap_or_default();
        let own: Map<String, Value> = std::mem::take(fields);
        for (name, value) in own {
            // A name that was replaced stands in the title.
            let stand_in =
                known.iter().find(|(_, schema)| schema["title"] == name.as_str()).map(|(name, _)| name.clone());
            let is_declared = known.contains_key(&name) || schema["properties"].get(&name).is_none();
            fields.insert(if is_declared { name } else { stand_in.unwrap_or(name) }, value);
        }
    }
    if requires_all {
        fill(&mut given, written, written, 0);
    }
    given
}

/// Adds `null` for each property that is required and missing, where it fits.
fn fill(value: &mut Value, schema: &Value, root: &Value, depth: usize) {
    if depth > 40 {
        return;
    }
    if let Some(target) = schema["$ref"].as_str().and_then(|reference| root.pointer(reference.strip_prefix('#')?)) {
        fill(value, target, root, depth + 1);
    }
    let branches = schema["anyOf"].as_array().cloned().unwrap_or_default();
    for branch in branches {
        let mut filled = value.clone();
        fill(&mut filled, &branch, root, depth + 1);
        if fits(&filled, &branch, root) {
            *value = filled;
            break;
        }
    }
    match value {
        Value::Object(fields) => {
            for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                if !fields.contains_key(name) && fits(&Value::Null, &schema["properties"][name], root) {
                    fields.insert(name.to_owned(), Value::Null);
                }
            }
            for (name, value) in fields.iter_mut() {
                fill(value, &schema["properties"][name], root, depth + 1);
            }
        }
        Value::Array(items) => {
            items.iter_mut().for_each(|item| fill(item, &schema["items"], root, depth + 1));
        }
        _ => {}
    }
}

/// True if a value fits a part of a schema.
fn fits(value: &Value, part: &Value, root: &Value) -> bool {
    let Value::Object(part) = part else { return false };
    let mut whole = part.clone();
    whole.insert("$defs".to_owned(), root["$defs"].as_object().cloned().unwrap_or_default().into());
    validator(&Value::Object(whole)).is_valid(value)
}

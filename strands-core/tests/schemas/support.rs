//! Checks of one schema against every dialect and the restrictions of its provider.

use jsonschema::Validator;
use serde_json::{Map, Value};
use strands_core::schema::{SchemaDialect, restore_value};

use crate::restrictions;

type Refusals = fn(&Value) -> Vec<String>;

/// A dialect, the restrictions of arguments, and the restrictions of enforced schemas.
pub(crate) const DIALECTS: [(SchemaDialect, Refusals, Refusals); 6] = [
    (SchemaDialect::OPENAI, restrictions::openai_arguments, restrictions::openai_strict),
    (SchemaDialect::ANTHROPIC, restrictions::anthropic_arguments, restrictions::anthropic_strict),
    (SchemaDialect::BEDROCK, restrictions::anthropic_arguments, restrictions::bedrock_strict),
    (SchemaDialect::GEMINI, restrictions::gemini, restrictions::gemini),
    (SchemaDialect::LLAMACPP, restrictions::llamacpp, restrictions::llamacpp),
    (SchemaDialect::OLLAMA, restrictions::ollama_arguments, restrictions::llamacpp),
];

pub(crate) fn validator(schema: &Value) -> Validator {
    jsonschema::validator_for(schema).unwrap_or_else(|error| panic!("{error}: {schema:#}"))
}

/// Checks that every provider accepts the schema, and that valid values still fit. Returns the mistakes.
///
/// With closed branches, no value fits two of them: then pass `instances` for arguments only.
pub(crate) fn mistakes(name: &str, schema: &Value, instances: &[Value], fit_one_branch: bool) -> Vec<String> {
    let mut mistakes = Vec::new();
    let original = validator(schema);
    for (dialect, of_arguments, of_strict) in &DIALECTS {
        let mut check = |form: &str, written: &Value, errors: Vec<String>, instances: &[Value]| {
            let requires_all = form == "strict" && dialect.name() == "openai";
            let at = format!("{name}, {} {form}", dialect.name());
            mistakes.extend(errors.into_iter().map(|error| format!("{at}: {error} in {written}")));
            let takes = validator(written);
            for instance in instances {
                let given = as_generated(instance, schema, written, requires_all);
                if let Err(error) = takes.validate(&given) {
                    mistakes.push(format!("{at}: {given} does not fit: {error} in {written}"));
                }
                let back = restore_value(schema, &given).into_owned();
                if without_nulls(&back) != without_nulls(instance) || !original.is_valid(&back) {
                    mistakes.push(format!("{at}: {instance} came back as {back} from {given}"));
                }
            }
        };
        let arguments = dialect.arguments(schema);
        check("arguments", &arguments, of_arguments(&arguments), instances);
        assert_eq!(arguments, dialect.arguments(schema), "{name}: the same bytes for the same schema");
        if let Ok(strict) = dialect.strict(schema) {
            check("strict", &strict, of_strict(&strict), if fit_one_branch { instances } else { &[] });
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

/// Converts an instance to the rewritten schema, as a model would generate it: with `null` for optional properties that
/// became required, and with replaced names.
fn as_generated(instance: &Value, schema: &Value, written: &Value, requires_all: bool) -> Value {
    let mut given = instance.clone();
    if let Value::Object(fields) = &mut given {
        let known = written["properties"].as_object().cloned().unwrap_or_default();
        let own: Map<String, Value> = std::mem::take(fields);
        for (name, value) in own {
            // The original of a replaced name is in the title.
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

/// Adds `null` for each missing required property that is nullable.
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

/// Returns true if a value fits a part of a schema.
fn fits(value: &Value, part: &Value, root: &Value) -> bool {
    let Value::Object(part) = part else { return false };
    let mut whole = part.clone();
    whole.insert("$defs".to_owned(), root["$defs"].as_object().cloned().unwrap_or_default().into());
    validator(&Value::Object(whole)).is_valid(value)
}

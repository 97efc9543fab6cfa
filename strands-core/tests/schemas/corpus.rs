//! Rewritten schemas of many types and functions.

use serde_json::{Value, json};
use strands_core::schema::SchemaDialect;
use strands_testkit::schemas::{Case, instances, levels_of_references, of_functions, of_types};

use crate::support::{mistakes, validator};

/// Returns values that fit a schema.
fn valid_values(case: &Case) -> Vec<Value> {
    let fits = validator(&case.schema);
    let valid_values: Vec<Value> = instances(&case.schema)
        .into_iter()
        .chain([json!({})])
        .filter(|value| value.is_object() && fits.is_valid(value))
        .collect();
    assert!(!valid_values.is_empty(), "no value fits `{}`: {:#}", case.name, case.schema);
    valid_values
}

/// Returns schemas of types whose root is an object, as for arguments, with each other type as a field.
fn types() -> Vec<Case> {
    let wrapped = |case: Case| {
        let mut schema = case.schema;
        let is_object =
            schema["type"] == "object" || schema.get("oneOf").is_some() && schema["oneOf"][0]["type"] == "object";
        if is_object {
            return Case { name: case.name, schema };
        }
        let definitions = schema.as_object_mut().and_then(|root| root.shift_remove("$defs")).unwrap_or(json!({}));
        let schema =
            json!({"type": "object", "properties": {"value": schema}, "required": ["value"], "$defs": definitions});
        Case { name: format!("field of {}", case.name), schema }
    };
    let refers_to_root = |case: &Case| case.schema.to_string().contains(r##""$ref":"#""##);
    let (recursive, others): (Vec<_>, Vec<_>) = of_types().into_iter().partition(refers_to_root);
    recursive
        .into_iter()
        .filter(|case| case.schema["type"] == "object")
        .chain(others.into_iter().map(wrapped))
        .collect()
}

#[track_caller]
fn assert_accepted(cases: impl IntoIterator<Item = Case>) {
    let mut found: Vec<String> = Vec::new();
    for case in cases {
        found.extend(mistakes(&case.name, &case.schema, &valid_values(&case), true));
    }
    assert!(found.is_empty(), "{} mistakes, such as\n{}", found.len(), found[..found.len().min(12)].join("\n"));
}

#[test]
fn every_provider_accepts_the_schemas_of_types() {
    let types = types();
    assert!(types.len() > 95, "{}", types.len());
    assert_accepted(types);
}

#[test]
fn every_provider_accepts_the_schemas_of_functions() {
    let functions = of_functions();
    assert!(functions.len() > 100, "{}", functions.len());
    assert_accepted(functions);
}

/// Most types have a schema that providers can enforce. Exceptions are maps, values of any type, and the providers' size
/// limits.
#[test]
fn providers_can_enforce_most_types() {
    let types = types();
    let rejected = |dialect: &SchemaDialect| -> Vec<String> {
        types
            .iter()
            .filter_map(|case| Some(format!("{}: {}", case.name, dialect.strict(&case.schema).err()?)))
            .collect()
    };
    let openai = rejected(&SchemaDialect::OPENAI);
    let open = ["can't be distinguished from", "properties of any name", "may be anything", "unknown properties"];
    let unexpected: Vec<_> = openai.iter().filter(|why| !open.iter().any(|open| why.contains(open))).collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
    assert!(openai.len() < 15, "{openai:#?}");
    let anthropic = rejected(&SchemaDialect::ANTHROPIC);
    assert!(anthropic.len() < 32, "{anthropic:#?}");
    assert!(rejected(&SchemaDialect::GEMINI).is_empty());
    assert!(rejected(&SchemaDialect::LLAMACPP).is_empty());
}

/// The work is bounded for any schema.
#[test]
fn rewrites_large_schemas_in_time() {
    let union = |field: &str| json!({"properties": {field: {"type": "string"}}, "anyOf": [{"required": [field]}, {}]});
    let mut nested = union("x");
    for _ in 0..30 {
        nested =
            json!({"properties": {"a": nested.clone()}, "anyOf": [{"required": ["a"]}, union("b"), {"$ref": "#"}]});
    }
    let chain: serde_json::Map<String, Value> = (0..5_000)
        .map(|at| {
            (
                format!("d{at}"),
                json!({"allOf": [{"$ref": format!("#/$defs/d{}", at + 1)}], "required": [format!("r{at}")]}),
            )
        })
        .collect();
    let wide: Vec<Value> = (0..2_000).map(|at| json!({"properties": {format!("p{at}"): {"type": "string"}}})).collect();
    for schema in [
        levels_of_references(9),
        json!({"type": "object", "properties": {"nested": nested}}),
        json!({"type": "object", "properties": {"first": {"$ref": "#/$defs/d0"}}, "$defs": chain}),
        json!({"anyOf": wide, "oneOf": wide}),
        json!({"allOf": wide}),
    ] {
        let began = std::time::Instant::now();
        for (dialect, ..) in &crate::support::DIALECTS {
            let _ = (dialect.arguments(&schema), dialect.strict(&schema));
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(60), "{:?}", began.elapsed());
    }
}

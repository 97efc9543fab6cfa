//! Property tests: arguments that fit a tool's schema are accepted, others are rejected, and none cause a panic.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use strands::serde_json::{Map, Value, json};
use strands::testing::ToolContextBuilder;
use strands::{JsonSchema, Tool, tool};

#[derive(Deserialize, JsonSchema, Serialize)]
struct Leg {
    to: String,
    nights: Option<u8>,
    then: Option<Box<Leg>>,
}

#[derive(Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
enum Units {
    Metric,
    Imperial,
}

/// Takes arguments of many types.
#[allow(clippy::too_many_arguments, reason = "each argument has another type")]
#[tool(inline)]
fn plan(
    #[arg(len = 1..=8)] city: String,
    #[arg(range = -20..=20)] celsius: i8,
    rate: f64,
    sure: bool,
    units: Option<Units>,
    #[arg(default = 3)] days: u32,
    #[arg(len = ..=3)] legs: Vec<Leg>,
    prices: BTreeMap<String, u16>,
    anything: Value,
) -> Value {
    json!([city, celsius, rate, sure, units, days, legs, prices, anything])
}

/// Generates a value that fits a schema.
fn fitting(schema: &Value, root: &Value, depth: usize) -> BoxedStrategy<Value> {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        return fitting(root.pointer(name.trim_start_matches('#')).unwrap(), root, depth);
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return proptest::sample::select(values.clone()).boxed();
    }
    if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
        // The last choice ends a recursion.
        let skip = if depth > 3 { choices.len() - 1 } else { 0 };
        let choices: Vec<_> = choices.iter().skip(skip).map(|choice| fitting(choice, root, depth + 1)).collect();
        return proptest::strategy::Union::new(choices).boxed();
    }
    let kinds = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.clone(),
        Some(kind) => vec![kind.clone()],
        None => return any::<i32>().prop_map(Value::from).boxed(),
    };
    let kinds = kinds.iter().map(|kind| of_kind(kind.as_str().unwrap(), schema, root, depth));
    proptest::strategy::Union::new(kinds.collect::<Vec<_>>()).boxed()
}

fn of_kind(kind: &str, schema: &Value, root: &Value, depth: usize) -> BoxedStrategy<Value> {
    let bound = |name: &str| schema.get(name).and_then(Value::as_u64).map(|bound| bound as usize);
    match kind {
        "null" => Just(Value::Null).boxed(),
        "boolean" => any::<bool>().prop_map(Value::from).boxed(),
        "number" => any::<i32>().prop_map(|number| json!(f64::from(number) / 4.0)).boxed(),
        "integer" => {
            let at = |name: &str, otherwise| schema.get(name).and_then(Value::as_f64).map_or(otherwise, |it| it as i64);
            let numbers = at("minimum", -1_000)..=at("maximum", 1_000);
            // For a schema, 3.0 is an integer too.
            (numbers, any::<bool>()).prop_map(|(n, whole)| if whole { json!(n) } else { json!(n as f64) }).boxed()
        }
        "string" => vec(any::<char>(), bound("minLength").unwrap_or(0)..=bound("maxLength").unwrap_or(12))
            .prop_map(|chars| Value::from(chars.into_iter().collect::<String>()))
            .boxed(),
        "array" => vec(fitting(&schema["items"], root, depth + 1), 0..=bound("maxItems").unwrap_or(3))
            .prop_map(Value::from)
            .boxed(),
        _ => object(schema, root, depth),
    }
}

fn object(schema: &Value, root: &Value, depth: usize) -> BoxedStrategy<Value> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        let values = fitting(&schema["additionalProperties"], root, depth + 1);
        return btree_map(".{0,4}", values, 0..3).prop_map(|map| json!(map)).boxed();
    };
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let mut entries = Just(Map::new()).boxed();
    for (name, property) in properties {
        let value = fitting(property, root, depth + 1);
        let value =
            if required.contains(&name.as_str()) { value.prop_map(Some).boxed() } else { option::of(value).boxed() };
        let name = name.clone();
        entries = (entries, value)
            .prop_map(move |(mut entries, value)| {
                entries.extend(value.map(|value| (name.clone(), value)));
                entries
            })
            .boxed();
    }
    entries.prop_map(Value::Object).boxed()
}

fn any_json() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let names = prop_oneof!["city|celsius|rate|sure|units|days|legs|prices|anything|to|nights|then", ".{0,4}"];
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(names, inner, 0..6).prop_map(|map| json!(map))
        ]
    })
    .boxed()
}

fn run(input: Value) -> Result<strands::ToolOutput, strands::ToolError> {
    let ctx = ToolContextBuilder::new("plan").build();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(Plan.call(&ctx, input))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn accepts_values_that_fit_the_schema(input in fitting(&Plan.spec().input_schema, &Plan.spec().input_schema, 0)) {
        let outcome = run(input.clone());
        prop_assert!(outcome.is_ok(), "{input}: {}", outcome.unwrap_err());
    }

    #[test]
    fn never_panics(input in any_json()) {
        if let Err(error) = run(input) {
            prop_assert!(error.is_invalid_input());
            prop_assert!(!error.to_string().is_empty());
        }
    }
}

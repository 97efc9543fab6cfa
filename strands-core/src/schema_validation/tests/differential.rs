//! Random schemas and values, compared with another validator.

use fastrand::Rng;
use serde_json::{Map, Value, json};

use crate::schema_validation::Validator;

const NAMES: [&str; 4] = ["a", "b", "kind", "x-1"];
const TYPES: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];

fn name(rng: &mut Rng) -> &'static str {
    NAMES[rng.usize(..NAMES.len())]
}

fn scalar(rng: &mut Rng) -> Value {
    match rng.u8(..8) {
        0 => Value::Null,
        1 => rng.bool().into(),
        2 => json!(f64::from(rng.i8(-3..4))),
        3 => json!(f64::from(rng.i8(-6..6)) / 2.0),
        4 | 5 => json!(rng.i8(-3..4)),
        _ => ["", "a", "ab", "é", "kind"][rng.usize(..5)].into(),
    }
}

fn value(rng: &mut Rng, depth: usize) -> Value {
    match rng.u8(..8) {
        0..3 if depth > 0 => (0..rng.usize(..4)).map(|_| value(rng, depth - 1)).collect(),
        3..6 if depth > 0 => {
            Value::Object((0..rng.usize(..4)).map(|_| (name(rng).to_owned(), value(rng, depth - 1))).collect())
        }
        _ => scalar(rng),
    }
}

fn schemas(rng: &mut Rng, depth: usize) -> Value {
    (0..rng.usize(1..4)).map(|_| schema(rng, depth)).collect()
}

fn named_schemas(rng: &mut Rng, depth: usize) -> Value {
    Value::Object((0..rng.usize(..3)).map(|_| (name(rng).to_owned(), schema(rng, depth))).collect())
}

fn keyword(rng: &mut Rng, depth: usize) -> (&'static str, Value) {
    let count = json!(rng.u8(..3));
    let bound = json!(f64::from(rng.i8(-4..5)) / 2.0);
    match rng.u8(..if depth == 0 { 14 } else { 36 }) {
        0 | 1 => ("type", TYPES[rng.usize(..7)].into()),
        2 => ("type", json!([TYPES[rng.usize(..3)], TYPES[rng.usize(3..7)]])),
        3 => ("enum", json!([scalar(rng), value(rng, 1), scalar(rng)])),
        4 => ("const", value(rng, 1)),
        5 => ([("minimum"), ("maximum"), ("exclusiveMinimum"), ("exclusiveMaximum")][rng.usize(..4)], bound),
        6 => ("multipleOf", json!([0.5, 1.0, 2.0, 0.1][rng.usize(..4)])),
        7 => (["minLength", "maxLength"][rng.usize(..2)], count),
        8 => ("pattern", ["^a", "b$", r"^\w*$", "[^a]", "^.{1,2}$"][rng.usize(..5)].into()),
        9 => ("required", json!([name(rng)])),
        10 => (["minProperties", "maxProperties", "minItems", "maxItems"][rng.usize(..4)], count),
        11 => ("uniqueItems", rng.bool().into()),
        12 => ("dependentRequired", json!({name(rng): [name(rng)]})),
        13 => ("$ref", format!("#/$defs/{}", rng.u8(..3)).into()),
        14..17 => ("properties", named_schemas(rng, depth - 1)),
        17 => ("patternProperties", json!({"^x-": schema(rng, depth - 1), "a|b": schema(rng, depth - 1)})),
        18 | 19 => ("additionalProperties", schema(rng, depth - 1)),
        20 => ("propertyNames", schema(rng, depth - 1)),
        21 => ("dependentSchemas", named_schemas(rng, depth - 1)),
        22 => ("items", schema(rng, depth - 1)),
        23 => ("prefixItems", schemas(rng, depth - 1)),
        24 => ("contains", schema(rng, depth - 1)),
        25 => (["minContains", "maxContains"][rng.usize(..2)], count),
        26 => ("not", schema(rng, depth - 1)),
        27 | 28 => (["if", "then", "else"][rng.usize(..3)], schema(rng, depth - 1)),
        29 => ("unevaluatedItems", schema(rng, depth - 1)),
        30 | 31 => ("unevaluatedProperties", schema(rng, depth - 1)),
        _ => (["allOf", "anyOf", "oneOf"][rng.usize(..3)], schemas(rng, depth - 1)),
    }
}

fn schema(rng: &mut Rng, depth: usize) -> Value {
    if rng.u8(..8) == 0 {
        return rng.bool().into();
    }
    let mut keywords: Map<String, Value> = Map::new();
    for _ in 0..rng.usize(1..5) {
        let (keyword, value) = keyword(rng, depth);
        keywords.insert(keyword.to_owned(), value);
    }
    Value::Object(keywords)
}

#[test]
fn agrees_with_another_validator() {
    let (mut compiled, mut fitting, mut total) = (0, 0, 0);
    for seed in 0..1_500 {
        let mut rng = Rng::with_seed(seed);
        let mut root = schema(&mut rng, 3);
        if let Value::Object(root) = &mut root {
            root.insert("$defs".into(), (0..3).map(|id| (id.to_string(), schema(&mut rng, 1))).collect());
        }
        // Cyclic definitions are an error here.
        let Ok(ours) = Validator::new(&root) else { continue };
        let theirs = jsonschema::draft202012::options().should_validate_formats(false).build(&root).unwrap();
        compiled += 1;
        for _ in 0..8 {
            let value = value(&mut rng, 3);
            let fits = theirs.is_valid(&value);
            assert_eq!(ours.check(&value).is_ok(), fits, "seed {seed}: {root} {value}: {:?}", ours.check(&value));
            total += 1;
            fitting += usize::from(fits);
            if !fits {
                assert!(ours.check(&value).is_err_and(|message| !message.is_empty()), "{root} {value}");
                // Converting strings to numbers never adds mistakes, and happens only if there are such strings.
                assert!(ours.with_numbers(&value).is_none(), "{root} {value}");
            }
        }
    }
    assert!(compiled > 1_000 && fitting > total / 5 && fitting < total * 4 / 5, "{compiled} {fitting} {total}");
}

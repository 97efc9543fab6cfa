//! Random schemas: rewriting terminates, and no provider rejects its result.

use fastrand::Rng;
use serde_json::{Map, Value, json};

use crate::support::DIALECTS;

const NAMES: [&str; 5] = ["a", "b", "kind", "x-1", "to day"];

fn several(rng: &mut Rng, depth: usize) -> Value {
    (0..rng.usize(1..4)).map(|_| schema(rng, depth)).collect()
}

fn objects(rng: &mut Rng, depth: usize) -> Value {
    (0..rng.usize(2..4)).map(|_| object(rng, depth)).collect()
}

fn object(rng: &mut Rng, depth: usize) -> Value {
    let named = |rng: &mut Rng| (NAMES[rng.usize(..NAMES.len())].to_owned(), schema(rng, depth));
    let properties: Map<String, Value> = (0..rng.usize(..4)).map(|_| named(rng)).collect();
    let required: Vec<&str> = NAMES.into_iter().filter(|_| rng.u8(..4) == 0).collect();
    let mut object = json!({"type": "object", "properties": properties, "required": required});
    match rng.u8(..6) {
        0 => object["additionalProperties"] = false.into(),
        1 => object["additionalProperties"] = schema(rng, depth),
        _ => {}
    }
    object
}

fn scalar(rng: &mut Rng) -> Value {
    match rng.u8(..8) {
        0 => json!({"type": "string", "format": "date"}),
        1 => json!({"type": "integer", "minimum": 0, "maximum": 9}),
        2 => json!({"type": "number", "exclusiveMinimum": 0}),
        3 => json!({"type": ["string", "null"]}),
        4 => json!({"enum": ["a", 1, null]}),
        5 => json!({"const": "x"}),
        6 => rng.bool().into(),
        _ => json!({"$ref": "#/$defs/B%20b"}),
    }
}

fn schema(rng: &mut Rng, depth: usize) -> Value {
    let Some(below) = depth.checked_sub(1) else { return scalar(rng) };
    let mut made = match rng.u8(..7) {
        0..3 => object(rng, below),
        3 => json!({"type": "array", "items": schema(rng, below)}),
        4 => json!({"type": "array", "prefixItems": several(rng, below), "items": schema(rng, below)}),
        5 => json!({"$ref": "#/$defs/A", "description": "Described."}),
        _ => scalar(rng),
    };
    if let Value::Object(made) = &mut made {
        for keyword in ["anyOf", "oneOf", "allOf"] {
            if rng.u8(..4) == 0 {
                made.insert(keyword.to_owned(), several(rng, below));
            }
        }
    }
    made
}

#[test]
fn rewrites_random_schemas_for_every_provider() {
    for seed in 0..80 {
        let mut rng = Rng::with_seed(seed);
        let mut schema = object(&mut rng, 2);
        for keyword in ["anyOf", "oneOf"] {
            if rng.bool() {
                schema[keyword] = objects(&mut rng, 1);
            }
        }
        schema["allOf"] = json!([{"oneOf": objects(&mut rng, 1)}, {"oneOf": objects(&mut rng, 1)}]);
        schema["$defs"] = json!({"A": object(&mut rng, 1), "B b": object(&mut rng, 0)});
        for (dialect, of_arguments, of_strict) in &DIALECTS {
            let arguments = dialect.arguments(&schema);
            let mut errors = of_arguments(&arguments);
            errors.extend(dialect.strict(&schema).iter().flat_map(of_strict));
            // A definition that is recursive through a union is not distinguished from others.
            errors.retain(|error| !error.contains("a cycle through required properties"));
            assert!(errors.is_empty(), "seed {seed}, {}: {errors:#?} in {schema}", dialect.name());
        }
    }
}

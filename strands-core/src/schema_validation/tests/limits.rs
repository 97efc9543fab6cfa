//! Large and hostile values: validation takes linear time, and rejects values over a limit.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::mistakes;
use crate::schema_validation::Validator;

/// Maximum CPU time of a validation. It takes far less, and would take minutes in quadratic time. CPU time does not depend on
/// the load of the machine.
const MAX_TIME: std::time::Duration = std::time::Duration::from_secs(10);

fn in_time(schema: &Value, value: &Value) -> String {
    let began = cpu_time::ThreadTime::now();
    let mistakes = mistakes(schema, value);
    assert!(began.elapsed() < MAX_TIME, "{:?}", began.elapsed());
    mistakes
}

#[test]
fn checks_all_of_many_items() {
    let schema = json!({"items": {"$ref": "#/$defs/n"}, "$defs": {"n": {"type": "integer", "maximum": 300_000}}});
    let mut items: Vec<_> = (0..300_000).map(Value::from).collect();
    assert_eq!(in_time(&schema, &json!(items)), "");
    items.push("last".into());
    assert_eq!(in_time(&schema, &json!(items)), "`[300000]`: expected integer, got string `last`");
}

#[test]
fn checks_values_up_to_the_nesting_limit() {
    let schema = json!({"$defs": {"tree": {
        "anyOf": [{"type": "null"}, {"type": "object", "properties": {"next": {"$ref": "#/$defs/tree"}, "n": {"type": "integer"}}}],
    }}, "$ref": "#/$defs/tree"});
    let nested =
        |innermost: Value| (1..crate::depth::MAX_DEPTH).fold(innermost, |below, _| json!({"next": below, "n": 1}));
    assert_eq!(in_time(&schema, &nested(json!({"n": 1}))), "");
    let message = in_time(&schema, &nested(json!({"n": "x"})));
    assert!(message.ends_with(".n`: expected integer, got string `x`") && message.len() < 200, "{message}");
    let message = in_time(&schema, &json!({"next": nested(json!({}))}));
    assert_eq!(message, "they nest deeper than 100 levels; make them flatter");
}

#[test]
fn finds_repeated_items_in_linear_time() {
    let schema = json!({"uniqueItems": true});
    let numbers: Vec<_> = (0..200_000).map(Value::from).collect();
    assert_eq!(in_time(&schema, &json!(numbers)), "");
    let objects: Vec<_> = (0..50_000).map(|index| json!({"a": {"b": index}, "c": [index]})).collect();
    assert_eq!(
        in_time(&schema, &json!([objects.clone(), objects])),
        "its items must differ, but [1] is the same as [0]"
    );
}

#[test]
fn nested_alternatives_take_linear_time() {
    // Every level doubles the number of paths to the same schema.
    let mut schema = json!({"$ref": "#/$defs/l0", "$defs": {"l64": {"type": "string"}}});
    for level in 0..64 {
        let below = format!("#/$defs/l{}", level + 1);
        for keyword in ["anyOf", "allOf", "oneOf"].iter().skip(level % 3).take(1) {
            schema["$defs"][format!("l{level}")] = json!({*keyword: [{"$ref": below}, {"allOf": [{"$ref": below}]}]});
        }
    }
    assert_ne!(in_time(&schema, &json!(1)), "");
    let doubled = json!({"anyOf": [{"$ref": "#/$defs/t"}], "$defs": {"t": {"anyOf": [
        {"type": "object", "properties": {"l": {"$ref": "#/$defs/t"}}, "required": ["x"]},
        {"type": "object", "properties": {"l": {"$ref": "#/$defs/t"}}, "required": ["y"]},
        {"type": "object", "properties": {"l": {"$ref": "#/$defs/t"}}, "required": ["z"]},
    ]}}});
    let nested = (0..99).fold(json!({}), |below, _| json!({"l": below}));
    assert_ne!(in_time(&doubled, &nested), "");
}

#[test]
fn bounds_the_steps_of_unevaluated_keywords() {
    let mut schema =
        json!({"$ref": "#/$defs/l0", "unevaluatedProperties": false, "$defs": {"l40": {"properties": {"a": true}}}});
    for level in 0..40 {
        let below = format!("#/$defs/l{}", level + 1);
        schema["$defs"][format!("l{level}")] = json!({"allOf": [{"$ref": below}, {"allOf": [{"$ref": below}]}]});
    }
    assert_eq!(in_time(&schema, &json!({"a": 1})), "they take too many steps to be validated; make them smaller");
}

#[test]
fn rejects_values_that_lead_too_deep_into_the_schema() {
    // 30 schemas around each of 60 values.
    let wrapped = (0..30).fold(json!({"$ref": "#"}), |schema, _| json!({"allOf": [schema]}));
    let schema = json!({"properties": {"next": wrapped}});
    let nested = (0..60).fold(json!({}), |below, _| json!({"next": below}));
    assert_eq!(in_time(&schema, &nested), "they lead too deep into the schema to be validated; make them flatter");
    assert_eq!(in_time(&schema, &json!({"next": {"next": {}}})), "");
}

#[test]
fn the_deepest_walk_fits_a_small_stack() {
    let wrapped = (0..90).fold(json!({"$ref": "#"}), |schema, _| json!({"oneOf": [schema, false]}));
    let schema = json!({"properties": {"next": wrapped}});
    let nested = (0..90).fold(json!({}), |below, _| json!({"next": below}));
    let walk = move || mistakes(&schema, &nested);
    let message = std::thread::Builder::new().stack_size(1 << 20).spawn(walk).unwrap().join().unwrap();
    assert!(message.contains("too deep"), "{message}");
}

#[test]
fn patterns_take_linear_time() {
    let text = "a".repeat(20_000) + "!";
    for pattern in ["^(a+)+$", "(a|a)*b", "^(a|aa)+$", "^[a-z]{0,30000}$"] {
        assert_ne!(in_time(&json!({"pattern": pattern}), &json!(text)), "", "{pattern}");
    }
    let schema = json!({"items": {"pattern": "(a{100}){100}"}});
    let message = in_time(&schema, &json!(vec![text; 100]));
    assert_eq!(message, "they take too many steps to be validated; make them smaller");
}

#[test]
fn bounds_the_length_of_messages() {
    let long = "x".repeat(1_000_000);
    let many: Vec<_> = (0..10_000).map(|index| format!("{long:.100}{index}")).collect();
    let names: serde_json::Map<_, _> = many.iter().map(|name| (name.clone(), json!({"type": "integer"}))).collect();
    let unknown = json!({(long.clone()): 1, "a": long});
    for (schema, value) in [
        (json!({"enum": many}), json!(long)),
        (json!({"properties": names, "additionalProperties": false}), unknown.clone()),
        (json!({"required": many}), json!({})),
        (json!({"const": long}), unknown.clone()),
        (json!({"properties": names}), names.iter().map(|(name, _)| (name.clone(), json!("x"))).collect()),
        (json!({"pattern": format!("^{}$", "y".repeat(10_000))}), json!(long)),
        (json!({"anyOf": many.iter().map(|name| json!({"const": name})).collect::<Vec<_>>()}), json!(long)),
        (json!({"propertyNames": {"maxLength": 3}}), unknown),
    ] {
        let message = in_time(&schema, &value);
        assert!(!message.is_empty() && message.len() < 5_000, "{} bytes: {message:.500}", message.len());
    }
}

#[test]
fn reads_many_numeric_strings() {
    let validator = Validator::new(&json!({"items": {"type": "number"}})).unwrap();
    let items: Vec<_> = (0..50_000).map(|index| index.to_string()).collect();
    let began = cpu_time::ThreadTime::now();
    let read = validator.with_numbers(&json!(items)).unwrap();
    assert!(began.elapsed() < MAX_TIME && read[49_999] == 49_999);
}

#[test]
fn explains_many_alternatives_in_bounded_time() {
    let properties: serde_json::Map<_, _> =
        (0..250).map(|index| (format!("p{index}"), json!({"const": index}))).collect();
    let wide = json!({"type": "object", "properties": properties, "required": ["p0"]});
    let forms = vec![json!({"$ref": "#/$defs/wide"}); 5_000];
    let schema = json!({"items": {"anyOf": forms}, "$defs": {"wide": wide}});
    assert!(in_time(&schema, &json!(vec![json!({}); 100])).len() < 5_000);
    let union = json!({"anyOf": [
        {"title": "A", "type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
        {"title": "B", "type": "object", "properties": {"b": {"type": "integer"}}, "required": ["b"]},
    ]});
    let validator = Validator::new(&json!({"items": union})).unwrap();
    let items: Vec<_> =
        (0..1_000).map(|index| json!({(if index % 2 == 0 { "a" } else { "b" }): index.to_string()})).collect();
    let read = validator.with_numbers(&json!(items)).unwrap();
    assert_eq!(validator.check(&read), Ok(()));
}

#[test]
fn long_names_of_nested_schemas_take_linear_space() {
    let mut schema = json!({"type": "string"});
    for level in 0..40 {
        let mut name = "n".repeat(20_000);
        let _ = write!(name, "{level}");
        schema = json!({"properties": {name: {"allOf": vec![schema, json!({"minLength": 1})]}}});
    }
    assert!(Validator::new(&schema).is_ok());
}

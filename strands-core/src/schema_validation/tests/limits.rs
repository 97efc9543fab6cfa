//! Large and hostile values: time is linear, and what is not validated is refused.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::mistakes;
use crate::schema_validation::Validator;

/// A value is walked in far less than this, and would take minutes if the time were quadratic.
const SOON: std::time::Duration = std::time::Duration::from_secs(10);

fn in_time(schema: &Value, value: &Value) -> String {
    let began = std::time::Instant::now();
    let mistakes = mistakes(schema, value);
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    mistakes
}

#[test]
fn many_items_are_checked_to_the_last() {
    let schema = json!({"items": {"$ref": "#/$defs/n"}, "$defs": {"n": {"type": "integer", "maximum": 300_000}}});
    let mut items: Vec<_> = (0..300_000).map(Value::from).collect();
    assert_eq!(in_time(&schema, &json!(items)), "");
    items.push("last".into());
    assert_eq!(in_time(&schema, &json!(items)), "`[300000]`: expected integer, got string `last`");
}

#[test]
fn values_of_all_levels_are_checked() {
    let schema = json!({"$defs": {"tree": {
        "anyOf": [{"type": "null"}, {"type": "object", "properties": {"next": {"$ref": "#/$defs/tree"}, "n": {"type": "integer"}}}],
    }}, "$ref": "#/$defs/tree"});
    let nested =
        |innermost: Value| (1..crate::depth::MAX_DEPTH).fold(innermost, |below, _| json!({"next": below, "n": 1}));
    assert_eq!(in_time(&schema, &nested(json!({"n": 1}))), "");
    let told = in_time(&schema, &nested(json!({"n": "x"})));
    assert!(told.ends_with(".n`: expected integer, got string `x`") && told.len() < 200, "{told}");
    let told = in_time(&schema, &json!({"next": nested(json!({}))}));
    assert_eq!(told, "they nest deeper than 100 levels; make them flatter");
}

#[test]
fn repeated_items_are_found_in_linear_time() {
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
fn alternatives_inside_alternatives_take_linear_time() {
    // Every level doubles the ways to the same schema.
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
fn ways_that_depend_on_what_was_seen_are_bounded() {
    let mut schema =
        json!({"$ref": "#/$defs/l0", "unevaluatedProperties": false, "$defs": {"l40": {"properties": {"a": true}}}});
    for level in 0..40 {
        let below = format!("#/$defs/l{}", level + 1);
        schema["$defs"][format!("l{level}")] = json!({"allOf": [{"$ref": below}, {"allOf": [{"$ref": below}]}]});
    }
    assert_eq!(in_time(&schema, &json!({"a": 1})), "they take too many steps to be validated; make them smaller");
}

#[test]
fn a_schema_that_leads_too_deep_refuses() {
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
    let told = std::thread::Builder::new().stack_size(1 << 20).spawn(walk).unwrap().join().unwrap();
    assert!(told.contains("too deep"), "{told}");
}

#[test]
fn patterns_take_linear_time() {
    let text = "a".repeat(20_000) + "!";
    for pattern in ["^(a+)+$", "(a|a)*b", "^(a|aa)+$", "^[a-z]{0,30000}$"] {
        assert_ne!(in_time(&json!({"pattern": pattern}), &json!(text)), "", "{pattern}");
    }
    let schema = json!({"items": {"pattern": "(a{100}){100}"}});
    let told = in_time(&schema, &json!(vec![text; 100]));
    assert_eq!(told, "they take too many steps to be validated; make them smaller");
}

#[test]
fn messages_are_bounded() {
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
        let told = in_time(&schema, &value);
        assert!(!told.is_empty() && told.len() < 5_000, "{} bytes: {told:.500}", told.len());
    }
}

#[test]
fn many_numeric_strings_are_read() {
    let validator = Validator::new(&json!({"items": {"type": "number"}})).unwrap();
    let items: Vec<_> = (0..50_000).map(|index| index.to_string()).collect();
    let began = std::time::Instant::now();
    let read = validator.with_numbers(&json!(items)).unwrap();
    assert!(began.elapsed() < SOON && read[49_999] == 49_999);
}

#[test]
fn many_alternatives_are_explained_in_bounded_time() {
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

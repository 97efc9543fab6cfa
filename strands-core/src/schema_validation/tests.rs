//! Tests of keywords, messages, limits and unsupported schemas.

mod differential;
mod limits;
mod messages;
mod unsupported;

use serde_json::{Value, json};

use super::Validator;

/// Returns the mistakes in a value; empty if it fits.
fn mistakes(schema: &Value, value: &Value) -> String {
    let validator = Validator::new(schema).unwrap_or_else(|error| panic!("{schema}: {error}"));
    validator.check(value).err().unwrap_or_default()
}

#[test]
fn checks_each_keyword() {
    for (schema, fits, fits_not) in [
        (json!({"type": "integer"}), json!(3.0), json!(3.5)),
        (json!({"type": ["string", "null"]}), json!(null), json!(1)),
        (json!({"enum": [1, {"a": 2}]}), json!({"a": 2.0}), json!("1")),
        (json!({"const": 1.0}), json!(1), json!(true)),
        (
            json!({"minimum": 18_446_744_073_709_551_615_u64}),
            json!(18_446_744_073_709_551_615_u64),
            json!(18_446_744_073_709_551_614_u64),
        ),
        (json!({"exclusiveMaximum": 3}), json!(2.9), json!(3.0)),
        (json!({"multipleOf": 0.01}), json!(19.99), json!(19.999)),
        (json!({"minLength": 2.0}), json!("😀😀"), json!("😀")),
        (json!({"pattern": r"^\p{L}+$"}), json!("Åse"), json!("R2")),
        (
            json!({"patternProperties": {"^x-": {"type": "string"}}, "additionalProperties": false}),
            json!({"x-a": "b"}),
            json!({"y": 1}),
        ),
        (json!({"patternProperties": {"^x-": {"type": "string"}}}), json!({"x-a": "b", "y": 1}), json!({"x-a": 1})),
        (json!({"propertyNames": {"maxLength": 2}}), json!({"ab": 1}), json!({"abc": 1})),
        (json!({"minProperties": 1, "maxProperties": 1}), json!({"a": 1}), json!({})),
        (json!({"dependentRequired": {"a": ["b"]}}), json!({"a": 1, "b": 2}), json!({"a": 1})),
        (json!({"dependentSchemas": {"a": {"required": ["b"]}}}), json!({"b": 1}), json!({"a": 1})),
        (json!({"dependencies": {"a": ["b"], "c": {"minProperties": 2}}}), json!({"a": 1, "b": 2}), json!({"c": 1})),
        (
            json!({"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {"required": ["c"]}}),
            json!({"c": 1}),
            json!({"a": 1}),
        ),
        (
            json!({"prefixItems": [{"type": "string"}], "items": {"type": "integer"}}),
            json!(["a", 1]),
            json!(["a", "b"]),
        ),
        (json!({"items": [{"type": "string"}], "additionalItems": false}), json!(["a"]), json!(["a", 1])),
        (json!({"contains": {"const": 1}, "maxContains": 1}), json!([1, 2]), json!([1, 1])),
        (json!({"contains": {"const": 1}, "minContains": 0, "maxContains": 0}), json!([]), json!([1])),
        (json!({"uniqueItems": true}), json!([1, "1", [1], {"a": 1}]), json!([{"a": 1, "b": 2}, {"b": 2.0, "a": 1}])),
        (json!({"not": {"type": "string"}}), json!(1), json!("a")),
        (json!({"oneOf": [{"type": "integer"}, {"minimum": 2}]}), json!(1), json!(3)),
        (json!({"$ref": "#/$defs/a%25b~1c", "$defs": {"a%b/c": {"type": "string"}}}), json!("a"), json!(1)),
        (json!({"$ref": "#leg", "$defs": {"l": {"$anchor": "leg", "type": "string"}}}), json!("a"), json!(1)),
        (json!({"$ref": "leg", "$defs": {"l": {"$id": "leg", "type": "string"}}}), json!("a"), json!(1)),
        (json!({"$ref": "#/x-types/a", "x-types": {"a": {"type": "string"}}}), json!("a"), json!(1)),
        (
            json!({"allOf": [{"properties": {"a": true}}], "properties": {"b": true}, "unevaluatedProperties": false}),
            json!({"a": 1, "b": 1}),
            json!({"c": 1}),
        ),
        (json!({"prefixItems": [true], "unevaluatedItems": {"type": "string"}}), json!([1, "a"]), json!([1, 2])),
        (json!({"minimum": 1, "exclusiveMinimum": true}), json!(1.5), json!(1)),
    ] {
        assert_eq!(mistakes(&schema, &fits), "", "{schema} {fits}");
        assert_ne!(mistakes(&schema, &fits_not), "", "{schema} {fits_not}");
    }
}

#[test]
fn rules_ignore_values_of_other_types() {
    let schema = json!({
        "minimum": 1, "minLength": 1, "required": ["a"], "minItems": 1, "pattern": "^a", "contains": {"const": 1},
        "dependentRequired": {"a": ["b"]}, "propertyNames": false, "additionalProperties": false, "uniqueItems": true,
    });
    for value in [json!(null), json!(true)] {
        assert_eq!(mistakes(&schema, &value), "");
    }
    for any in [json!(true), json!({})] {
        assert_eq!(mistakes(&any, &json!([null])), "");
    }
    assert_eq!(mistakes(&json!(false), &json!(null)), "nothing is allowed here");
}

#[test]
fn annotations_and_unknown_keywords_restrict_nothing() {
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#", "$comment": "c", "title": "t", "description": "d",
        "default": 1, "examples": ["a"], "format": "date", "readOnly": true, "deprecated": true, "contentEncoding": "base64",
        "x-order": 1, "nullable": true, "discriminator": {"propertyName": "kind"}, "example": {"$ref": "http://nowhere"},
    });
    assert_eq!(mistakes(&schema, &json!("not a date")), "");
}

#[test]
fn dynamic_references_extend_a_schema() {
    let schema = json!({
        "$id": "https://example.com/strict",
        "$dynamicAnchor": "node",
        "$ref": "tree",
        "unevaluatedProperties": false,
        "$defs": {"tree": {
            "$id": "tree",
            "$dynamicAnchor": "node",
            "properties": {"children": {"items": {"$dynamicRef": "#node"}}},
        }},
    });
    assert_eq!(mistakes(&schema, &json!({"children": [{"children": []}]})), "");
    assert_eq!(
        mistakes(&schema, &json!({"children": [{"kids": []}]})),
        "`children[0].kids`: unknown; expected `children`"
    );
}

//! Schemas that can't be compiled: errors have a place and advice.

use serde_json::json;

use crate::schema_validation::{JsonSchemaErrorKind, Validator};

#[test]
fn unsupported_schemas_are_errors_with_their_place() {
    for (schema, pointer, message) in [
        (json!({"type": "dict"}), "/type", "unknown type `dict` at `/type`; use `object`"),
        (json!({"items": {"type": ["string", "float"]}}), "/items/type", "use `number`"),
        (json!({"type": "Any"}), "/type", "leave `type` out"),
        (json!({"type": 3}), "/type", "expected a type, or a list of types"),
        (
            json!({"properties": {"a/b": {"minLength": -1}}}),
            "/properties/a~1b/minLength",
            "expected a whole number of 0 or more",
        ),
        (json!({"minimum": "3"}), "/minimum", "expected a number"),
        (json!({"multipleOf": 0}), "/multipleOf", "expected a number over 0"),
        (json!({"required": "a"}), "/required", "expected a list of names"),
        (json!({"properties": {"a": {"required": true}}}), "/properties/a/required", "expected a list of names"),
        (json!({"properties": []}), "/properties", "expected an object of schemas"),
        (json!({"properties": {"a": "string"}}), "/properties", "expected an object of schemas"),
        (json!({"anyOf": {"type": "string"}}), "/anyOf", "expected a list of schemas"),
        (json!({"enum": "a"}), "/enum", "expected a list of values"),
        (json!({"uniqueItems": "yes"}), "/uniqueItems", "expected a boolean"),
        (json!({"$recursiveRef": "#"}), "/$recursiveRef", "use `$dynamicRef`"),
        (json!({"divisibleBy": 2}), "/divisibleBy", "use `multipleOf`"),
        (json!({"pattern": "^(?!a)"}), "/pattern", "lookaround can't be matched in linear time"),
        (json!({"patternProperties": {"[": true}}), "/patternProperties", "`[` is not closed"),
        (json!({"$ref": "#/$defs/Missing"}), "/$ref", "reference `#/$defs/Missing` at `/$ref` leads to no schema"),
        (json!({"$ref": "#missing"}), "/$ref", "leads to no schema"),
        (json!({"$ref": "https://example.com/a.json"}), "/$ref", "copy what it refers to under `$defs`"),
        (json!({"$ref": "#/title", "title": "t"}), "/$ref", "no schema at `/$ref`"),
        (json!({"$ref": "#"}), "", "refers to itself without end"),
        (
            json!({"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/a"}]}}}),
            "/$defs/a",
            "refers to itself without end",
        ),
        (json!("object"), "", "no schema at the root of the schema"),
    ] {
        let Err(error) = Validator::new(&schema) else { panic!("{schema} compiles") };
        assert_eq!(error.pointer(), pointer, "{schema}");
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[test]
fn accepts_recursion_through_properties() {
    for schema in [
        json!({"properties": {"next": {"$ref": "#"}}}),
        json!({"anyOf": [{"type": "null"}, {"type": "array", "items": {"$ref": "#"}}]}),
        json!({"allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}], "$defs": {"a": {"items": {"$ref": "#"}}}}),
    ] {
        assert!(Validator::new(&schema).is_ok(), "{schema}");
    }
}

#[test]
fn rejects_schemas_over_the_limits() {
    let deep = (0..300).fold(json!({}), |schema, _| json!({"not": schema}));
    let wide = json!({"allOf": vec![json!({}); 30_000]});
    for schema in [deep, wide] {
        let Err(error) = Validator::new(&schema) else { panic!("compiles") };
        assert!(
            matches!(error.kind(), JsonSchemaErrorKind::TooLarge { .. }) && error.to_string().len() < 200,
            "{error}"
        );
    }
}

#[test]
fn errors_quote_a_bounded_part_of_the_schema() {
    let long = "x".repeat(1_000_000);
    for schema in [
        json!({"type": long}),
        json!({"$ref": long}),
        json!({"pattern": format!("{long}[")}),
        json!({"properties": {long: {"type": "dict"}}}),
    ] {
        let Err(error) = Validator::new(&schema) else { panic!("compiles") };
        assert!(error.to_string().len() < 1_000, "{}", error.to_string().len());
    }
}

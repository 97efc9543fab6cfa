//! Messages for models.

use serde_json::{Value, json};

use super::mistakes;
use crate::schema_validation::Validator;

fn trip() -> Value {
    json!({
        "type": "object",
        "properties": {
            "city": {"type": "string", "minLength": 2, "pattern": "^[A-Z]"},
            "days": {"type": "integer", "minimum": 1, "maximum": 7},
            "units": {"enum": ["C", "F"]},
            "legs": {"type": "array", "items": {"$ref": "#/$defs/Leg"}, "maxItems": 2},
            "budget": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        },
        "required": ["city"],
        "additionalProperties": false,
        "$defs": {"Leg": {"type": "object", "required": ["to"], "properties": {"then": {"$ref": "#/$defs/Leg"}}}},
    })
}

#[test]
fn names_every_mistake_by_its_path() {
    let fits =
        json!({"city": "Oslo", "days": 3.0, "units": "C", "legs": [{"to": "x", "then": {"to": "y"}}], "budget": null});
    assert_eq!(mistakes(&trip(), &fits), "");
    let wrong = json!({"days": 9, "units": "K", "legs": [{}, {"to": 1, "then": {}}], "budget": "much", "when": 1});
    assert_eq!(
        mistakes(&trip(), &wrong),
        "`city`: required; `days`: must be at most 7, got 9; `units` is `K`: expected one of `C`, `F`; \
         `legs[0].to`: required; `legs[1].then.to`: required; \
         `budget`: expected number or null, got string `much`; \
         `when`: unknown; expected one of `city`, `days`, `units`, `legs`, `budget`"
    );
}

#[test]
fn stops_at_a_value_of_the_wrong_type() {
    assert_eq!(mistakes(&trip(), &json!([])), "expected object, got an array");
    assert_eq!(mistakes(&trip(), &json!({"city": 1})), "`city`: expected string, got number 1");
}

#[test]
fn blames_the_number_out_of_range() {
    let schema = json!({"properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}});
    assert_eq!(mistakes(&schema, &json!({"a": 3.0, "b": 2.5})), "`b`: expected integer, got number 2.5");
}

#[test]
fn quotes_names_that_are_not_identifiers() {
    let schema = json!({"additionalProperties": {"additionalProperties": {"type": "integer"}}, "propertyNames": {"maxLength": 3}});
    assert_eq!(mistakes(&schema, &json!({"a.b": {"": "x"}})), "`[\"a.b\"][\"\"]`: expected integer, got string `x`");
    assert_eq!(mistakes(&schema, &json!({"long": {}})), "the name of `long`: takes at most 3 characters, has 4");
}

/// The schema that schemars generates for an enum with `#[serde(tag = "kind")]`.
fn tagged() -> Value {
    json!({"oneOf": [
        {"type": "object", "properties": {"kind": {"type": "string", "const": "card"}, "number": {"type": "integer"}}, "required": ["kind", "number"]},
        {"type": "object", "properties": {"kind": {"type": "string", "const": "iban"}, "iban": {"type": "string"}}, "required": ["kind", "iban"]},
    ]})
}

/// The schema that schemars generates for an enum without attributes.
fn external() -> Value {
    json!({"oneOf": [
        {"type": "string", "enum": ["none", "all"]},
        {"type": "object", "properties": {"circle": {"$ref": "#/$defs/Circle"}}, "required": ["circle"], "additionalProperties": false},
        {"type": "object", "properties": {"square": {"type": "number"}}, "required": ["square"], "additionalProperties": false},
    ], "$defs": {"Circle": {"type": "object", "properties": {"radius": {"type": "number"}}, "required": ["radius"]}}})
}

fn in_p(schema: Value) -> Value {
    let definitions = schema.get("$defs").cloned().unwrap_or(json!({}));
    json!({"properties": {"p": schema}, "$defs": definitions})
}

#[test]
fn mistakes_in_a_union_name_the_alternative_and_the_field() {
    for (schema, value, message) in [
        (tagged(), json!({"kind": "cash"}), "`p.kind` is `cash`: expected one of `card`, `iban`"),
        (tagged(), json!({"number": 1}), "`p.kind`: required; expected one of `card`, `iban`"),
        (tagged(), json!({"kind": 1}), "`p.kind` is `1`: expected one of `card`, `iban`"),
        (tagged(), json!({"kind": "card"}), "`p.number`: required (`p.kind` is `card`)"),
        (
            tagged(),
            json!({"kind": "card", "number": "x"}),
            "`p.number`: expected integer, got string `x` (`p.kind` is `card`)",
        ),
        (tagged(), json!("card"), "`p`: expected object, got string `card`"),
        (
            external(),
            json!("some"),
            "`p` is `some`: expected one of `none`, `all`, `{\"circle\": ..}`, `{\"square\": ..}`",
        ),
        (external(), json!({"circle": {"radius": "1 m"}}), "`p.circle.radius`: expected number, got string `1 m`"),
        (external(), json!({"circle": {}}), "`p.circle.radius`: required"),
        (external(), json!({"oval": 1}), "`p.oval`: unknown; expected one of `circle`, `square`"),
        (external(), json!({}), "`p`: an empty object; expected one of `circle`, `square` as its only property"),
        (external(), json!(3), "`p` is `3`: expected one of `none`, `all`, `{\"circle\": ..}`, `{\"square\": ..}`"),
        (
            json!({"anyOf": [
                {"title": "Range", "type": "object", "properties": {"from": {"type": "integer"}, "to": {"type": "integer"}}, "required": ["from", "to"]},
                {"title": "List", "type": "object", "properties": {"of": {"type": "array"}}, "required": ["of"]},
            ]}),
            json!({"from": 1, "to": "x"}),
            "`p.to`: expected integer, got string `x` (as `Range`, the nearest of 2 alternatives)",
        ),
        (
            json!({"anyOf": [{"type": "integer"}, {"type": "null"}]}),
            json!("x"),
            "`p`: expected integer or null, got string `x`",
        ),
        (
            json!({"anyOf": [{"type": "integer", "minimum": 3}, {"type": "null"}]}),
            json!(1),
            "`p`: must be at least 3, got 1",
        ),
        (
            json!({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}),
            json!(1),
            "`p`: expected string or null, got number 1",
        ),
        (
            json!({"oneOf": [{"title": "A", "type": "object"}, {"title": "B", "type": "object"}]}),
            json!({}),
            "`p`: fits several of the alternatives that the schema allows (`A`, `B`), must fit exactly one",
        ),
    ] {
        assert_eq!(mistakes(&in_p(schema), &json!({"p": value})), message);
    }
}

#[test]
fn distinguishes_flattened_enums_by_their_tag() {
    let mut flattened = tagged();
    flattened["type"] = "object".into();
    flattened["properties"] = json!({"amount": {"type": "integer"}});
    flattened["required"] = json!(["amount"]);
    assert_eq!(mistakes(&flattened, &json!({"amount": 1, "kind": "card", "number": 1})), "");
    assert_eq!(
        mistakes(&flattened, &json!({"kind": "cash"})),
        "`kind` is `cash`: expected one of `card`, `iban`; `amount`: required"
    );
    assert_eq!(mistakes(&flattened, &json!({"amount": 1, "kind": "iban"})), "`iban`: required (`kind` is `iban`)");
    // With `deny_unknown_fields`.
    flattened["unevaluatedProperties"] = false.into();
    let unknown = json!({"amount": 1, "kind": "iban", "iban": "x", "number": 1});
    let message = "`number`: unknown; expected one of `amount`, `kind`, `number`, `iban`";
    assert_eq!(mistakes(&flattened, &unknown), message);
}

#[test]
fn formats_are_explained_and_reject_nothing() {
    let schema = json!({"properties": {
        "when": {"type": "string", "format": "date-time"},
        "until": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
    }});
    let validator = Validator::new(&schema).unwrap();
    let value = json!({"when": "2026-11-28T10:00:00Z", "until": "31 March"});
    assert_eq!(validator.check(&value), Ok(()));
    assert_eq!(validator.explain(&value).unwrap(), "`until` is `31 March`: expected a date, such as `2026-11-28`");
    assert_eq!(
        mistakes(&schema, &json!({"when": 1})),
        "`when`: expected string (a date and time with offset (RFC 3339), such as `2026-11-28T10:00:00Z`), got number 1"
    );
}

#[test]
fn reads_numeric_strings_if_strings_are_not_allowed() {
    let schema = json!({
        "properties": {
            "n": {"type": "integer"},
            "f": {"anyOf": [{"type": "number"}, {"type": "null"}]},
            "either": {"type": ["string", "integer"]},
            "auto": {"anyOf": [{"const": "auto"}, {"type": "integer"}]},
            "pay": tagged(),
            "list": {"items": {"type": "integer"}},
        },
    });
    let validator = Validator::new(&schema).unwrap();
    for (given, read) in [
        (json!({"n": "3"}), Some(json!({"n": 3}))),
        (json!({"n": " -3.0 "}), Some(json!({"n": -3.0}))),
        (json!({"f": "1e3"}), Some(json!({"f": 1e3}))),
        (json!({"auto": "7"}), Some(json!({"auto": 7}))),
        (json!({"list": [1, "2", 3, "4"]}), Some(json!({"list": [1, 2, 3, 4]}))),
        (json!({"pay": {"kind": "card", "number": "42"}}), Some(json!({"pay": {"kind": "card", "number": 42}}))),
        (json!({"either": "3"}), None),
        (json!({"n": 3}), None),
        (json!({"n": "3 km"}), None),
        (json!({"n": "1,000"}), None),
        (json!({"n": "NaN"}), None),
        (json!({"n": ""}), None),
        (json!({"n": "0x10"}), None),
        (json!({"n": "007"}), None),
    ] {
        assert_eq!(validator.with_numbers(&given), read, "{given}");
    }
}

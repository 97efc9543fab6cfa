//! Expected results of rewriting.

use serde_json::{Value, json};
use strands_core::schema::SchemaDialect;

use crate::support::DIALECTS;

#[test]
fn root_unions_become_one_object_for_every_provider() {
    let mode = |mode: &str, confirm: bool| {
        let mut properties = json!({"mode": {"const": mode}, "path": {"type": "string"}});
        let mut required = json!(["mode", "path"]);
        if confirm {
            properties["confirm"] = json!({"type": "boolean"});
            required = json!(["mode", "path", "confirm"]);
        }
        json!({"type": "object", "properties": properties, "required": required})
    };
    let schema =
        json!({"type": "object", "oneOf": [mode("preview", false), mode("apply", true)], "description": "Edits."});
    for (dialect, ..) in &DIALECTS {
        let sent = dialect.arguments(&schema);
        let at = dialect.name();
        assert_eq!(sent["type"], "object", "{at}");
        assert_eq!(sent["properties"]["mode"]["enum"], json!(["preview", "apply"]), "{at}");
        assert_eq!(sent["properties"]["confirm"]["type"], "boolean", "{at}");
        assert_eq!(sent["required"], json!(["mode", "path"]), "{at}");
        assert_eq!(
            sent["description"],
            "Edits.\n\nGive the arguments of one of these forms:\n- mode: \"preview\", path\n- mode: \"apply\", path, confirm",
            "{at}"
        );
    }
}

#[test]
fn keeps_schemas_that_every_provider_accepts() {
    let schema = json!({
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "City."},
            "days": {"type": "integer", "minimum": 1, "maximum": 7},
            "legs": {"type": "array", "items": {"$ref": "#/$defs/Leg"}},
        },
        "required": ["city"],
        "additionalProperties": false,
        "$defs": {"Leg": {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]}},
    });
    for dialect in [
        SchemaDialect::OPENAI,
        SchemaDialect::ANTHROPIC,
        SchemaDialect::BEDROCK,
        SchemaDialect::LLAMACPP,
        SchemaDialect::GEMINI,
    ] {
        assert_eq!(dialect.arguments(&schema), schema, "{}", dialect.name());
    }
}

#[test]
fn rewrites_schemas_that_are_not_supported_for_validation() {
    for (part, expected) in [
        (json!({"type": "string", "pattern": "^(?!x)(.)\\1$"}), json!({"type": "string", "pattern": "^(?!x)(.)\\1$"})),
        (
            json!({"type": "array", "items": [{"type": "str"}], "additionalItems": false}),
            json!({"type": "array", "prefixItems": [{"type": "string"}], "items": false}),
        ),
        (
            json!({"type": "number", "minimum": 0, "exclusiveMinimum": true, "maximum": 9, "exclusiveMaximum": false}),
            json!({"type": "number", "exclusiveMinimum": 0, "maximum": 9}),
        ),
        (json!({"type": "int", "required": true, "minimum": "1"}), json!({"type": "integer"})),
        (json!({"type": ["str", "none", "string"]}), json!({"type": ["string", "null"]})),
        (json!({"type": "any", "enum": "a", "description": 1}), json!({})),
        (
            json!({"type": "object", "properties": {"x": "string"}, "anyOf": []}),
            json!({"type": "object", "properties": {"x": true}}),
        ),
        (json!({"$ref": "https://example.com/other.json"}), json!({})),
        (json!({"$ref": "#/$defs/Missing"}), json!({})),
        (json!("string"), json!(true)),
    ] {
        let properties = json!({"p": part, "q": {"type": "string"}});
        let schema = json!({"type": "object", "properties": properties, "required": ["q"]});
        let sent = SchemaDialect::ANTHROPIC.arguments(&schema);
        assert_eq!(sent["properties"]["p"], expected);
        for dialect in [
            SchemaDialect::OPENAI,
            SchemaDialect::BEDROCK,
            SchemaDialect::LLAMACPP,
            SchemaDialect::GEMINI,
            SchemaDialect::OLLAMA,
        ] {
            let sent = dialect.arguments(&schema);
            assert!(jsonschema::draft202012::meta::is_valid(&sent), "{}: {sent}", dialect.name());
            assert_eq!((&sent["properties"]["q"], &sent["required"]), (&json!({"type": "string"}), &json!(["q"])));
        }
    }
}

fn property(dialect: &SchemaDialect, schema: Value) -> Value {
    let leg = json!({"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]});
    let schema = json!({"type": "object", "properties": {"p": schema}, "required": ["p"], "$defs": {"Leg": leg}});
    dialect
        .strict(&schema)
        .map_or_else(|rejected| json!(rejected.to_string()), |strict| strict["properties"]["p"].clone())
}

#[test]
fn describes_constraints_without_a_keyword() {
    let bounds = json!({"type": "integer", "format": "uint8", "minimum": 0, "maximum": 255, "description": "Years."});
    assert_eq!(
        property(&SchemaDialect::ANTHROPIC, bounds.clone()),
        json!({"type": "integer", "description": "Years.\n\n{format: \"uint8\", minimum: 0, maximum: 255}"})
    );
    assert_eq!(
        property(&SchemaDialect::OPENAI, bounds),
        json!({"type": "integer", "minimum": 0, "maximum": 255, "description": "Years.\n\n{format: \"uint8\"}"})
    );
    let list = json!({"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 3, "uniqueItems": true});
    assert_eq!(
        property(&SchemaDialect::BEDROCK, list),
        json!({"type": "array", "items": {"type": "string"}, "description": "{minItems: 2, maxItems: 3, uniqueItems: true}"})
    );
}

#[test]
fn rewrites_by_the_rules_of_each_provider() {
    let pair =
        json!({"type": "array", "prefixItems": [{"type": "number"}, {"type": "number"}], "minItems": 2, "maxItems": 2});
    let mixed =
        json!({"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}], "minItems": 2, "maxItems": 2});
    let described = json!({"$ref": "#/$defs/Leg", "description": "The first."});
    let nullable = json!({"type": ["string", "null"], "enum": ["a", null]});
    let open = json!({"type": "string", "pattern": "[0-9]+"});
    let openai = |schema: &Value| property(&SchemaDialect::OPENAI, schema.clone());
    assert_eq!(openai(&pair), json!({"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}));
    assert_eq!(
        openai(&mixed),
        json!({"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "number"}]}, "minItems": 2, "maxItems": 2,
            "description": "{prefixItems: [\"string\",\"number\"]}"})
    );
    assert_eq!(openai(&described), json!({"anyOf": [{"$ref": "#/$defs/Leg"}], "description": "The first."}));
    assert_eq!(openai(&nullable), nullable);
    let anthropic = |schema: &Value| property(&SchemaDialect::ANTHROPIC, schema.clone());
    assert_eq!(
        anthropic(&described),
        json!({"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"], "additionalProperties": false,
            "description": "The first."})
    );
    assert_eq!(anthropic(&nullable), json!({"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "null"}]}));
    let gemini = |schema: &Value| property(&SchemaDialect::GEMINI, schema.clone());
    assert_eq!(gemini(&described), json!({"anyOf": [{"$ref": "#/$defs/Leg"}], "description": "The first."}));
    assert_eq!(gemini(&json!({"const": "x"})), json!({"type": "string", "enum": ["x"]}));
    let llamacpp = |schema: &Value| property(&SchemaDialect::LLAMACPP, schema.clone());
    assert_eq!(llamacpp(&open), json!({"type": "string", "description": "{pattern: \"[0-9]+\"}"}));
    assert_eq!(llamacpp(&json!({"type": "array", "items": true}))["items"]["type"][0], "string");
    assert_eq!(llamacpp(&json!({"$ref": "#"})), json!({"$ref": "#/$defs/Root"}));
}

#[test]
fn errors_state_the_reason() {
    for (schema, why) in [
        (json!({"type": "object", "additionalProperties": {"type": "string"}}), "`p` may have properties of any name"),
        (json!({"type": "object"}), "`p` is an object of unknown properties"),
        (json!({"description": "Anything."}), "`p` may be anything"),
        (json!({"type": "array"}), "`p` may be anything"),
    ] {
        for dialect in [SchemaDialect::OPENAI, SchemaDialect::ANTHROPIC, SchemaDialect::BEDROCK] {
            let message = property(&dialect, schema.clone());
            assert!(message.as_str().is_some_and(|message| message.starts_with(why)), "{}: {message}", dialect.name());
        }
    }
    let recursive = json!({"type": "object", "properties": {"next": {"$ref": "#/$defs/N"}}, "$defs": {"N": {"type": "object",
        "properties": {"next": {"$ref": "#/$defs/N"}}}}});
    assert!(SchemaDialect::OPENAI.strict(&recursive).is_ok());
    let rejected = SchemaDialect::BEDROCK.strict(&recursive).unwrap_err();
    assert_eq!(rejected.to_string(), "`next` leads back to itself");
}

/// The schema that schemars generates for a struct with two flattened enums.
#[test]
fn multiplies_two_unions() {
    let branch = |name: &str| json!({"type": "object", "properties": {name: {"type": "string"}}, "required": [name]});
    let union = |first: &str, second: &str| json!({"oneOf": [branch(first), branch(second)]});
    let schema = json!({
        "type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"],
        "allOf": [union("card", "iban"), union("mail", "phone")],
    });
    let beside = json!({"oneOf": [branch("card"), branch("iban")], "allOf": [union("mail", "phone"), {"anyOf": [true, branch("x")]}]});
    for (dialect, ..) in &DIALECTS {
        let sent = dialect.arguments(&schema);
        let names: Vec<_> = sent["properties"].as_object().unwrap().keys().collect();
        assert_eq!(names, ["id", "card", "mail", "phone", "iban"], "{}", dialect.name());
        assert_eq!(sent["required"], json!(["id"]), "{}", dialect.name());
        let field = dialect.arguments(&json!({"type": "object", "properties": {"p": beside}}));
        if dialect.name() != "anthropic" && dialect.name() != "bedrock" {
            assert_eq!(field["properties"]["p"]["anyOf"].as_array().map(Vec::len), Some(8), "{field}");
        }
    }
}

#[test]
fn closed_objects_require_only_declared_properties() {
    let closed = json!({"type": "object", "properties": {"b": {"type": "string"}}, "required": ["a", "b"],
        "additionalProperties": false});
    let sent = SchemaDialect::GEMINI.arguments(&json!({"type": "object", "properties": {"p": closed}}));
    assert_eq!(sent["properties"]["p"]["required"], json!(["b"]));
}

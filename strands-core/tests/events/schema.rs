//! Validation of events by the schema, with an independent validator. The schema is strict enough to detect a renamed
//! field.

use std::sync::LazyLock;

use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::arbitrary::{Fields, any_event, event};
use crate::schema_file::{current, event_types};
use crate::{examples, read, written};

static PUBLISHED: LazyLock<Validator> = LazyLock::new(|| jsonschema::validator_for(&current()).unwrap());

static CLOSED: LazyLock<Validator> = LazyLock::new(|| {
    let mut schema = current();
    close(&mut schema);
    jsonschema::validator_for(&schema).unwrap()
});

/// Forbids fields and kinds of content that are not in the schema.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.get("properties").is_some_and(Value::is_object)
                && members.get("additionalProperties").is_none_or(|others| *others == true)
            {
                members.insert("additionalProperties".into(), json!(false));
            }
            members.values_mut().for_each(close);
        }
        Value::Array(items) => {
            items.retain(|item| item["description"] != "A kind unknown to this release.");
            items.iter_mut().for_each(close);
        }
        _ => {}
    }
}

fn problems(validator: &Validator, json: &Value) -> Vec<String> {
    validator.iter_errors(json).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Fails unless an event is valid by the schema. With `Fields::Known`, unknown fields are invalid, too.
pub(crate) fn assert_fits(fields: Fields, json: &Value) {
    let validator = if fields == Fields::Known { &CLOSED } else { &PUBLISHED };
    assert_eq!(problems(validator, json), [""; 0], "{json:#}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn serialized_events_are_valid(json in any_event(Fields::AndUnknown)) {
        assert_fits(Fields::AndUnknown, &serde_json::from_str(&written(&read(&json))).unwrap());
    }

    #[test]
    fn the_schema_has_every_field(json in any_event(Fields::Known)) {
        assert_fits(Fields::Known, &serde_json::from_str(&written(&read(&json))).unwrap());
    }
}

#[test]
fn accepts_an_event_of_a_later_release() {
    assert_fits(Fields::AndUnknown, &json!({"type": "hologram", "depth": 3}));
    assert_fits(Fields::AndUnknown, &json!({"type": "text_delta", "text": "Hel", "confidence": 0.5}));
    assert!(!PUBLISHED.is_valid(&json!({"depth": 3})));
}

#[test]
fn accepts_an_unknown_kind_of_media_source() {
    let block = json!({"image": {"format": "png", "source": {"stream": {"id": "x"}}}});
    let event = json!({"type": "message", "message": {"role": "user", "content": [block]}});
    assert_fits(Fields::AndUnknown, &event);
}

/// Code generators need a name for each type of event, and a union of the known ones with the discriminator `type`.
#[test]
fn every_known_type_has_a_definition() {
    let schema = current();
    let types = event_types();
    assert_eq!(schema["anyOf"].as_array().unwrap().len(), 2);
    assert_eq!(schema["$defs"]["KnownAgentEvent"]["oneOf"].as_array().unwrap().len(), types.len());
    assert_eq!(schema["$defs"]["TextDeltaEvent"]["properties"]["type"]["const"], "text_delta");
    let unknown = &schema["$defs"]["UnknownAgentEvent"]["properties"]["type"]["not"]["enum"];
    assert_eq!(*unknown, json!(types));
}

/// Calls `check` with each copy of a value in which one field has another name, and with the path of that field.
fn with_a_renamed_field(value: &Value, check: &mut dyn FnMut(&str, Value)) {
    fn paths(value: &Value, at: &str, found: &mut Vec<(String, String)>) {
        match value {
            Value::Object(members) => {
                for (name, inner) in members {
                    found.push((at.to_owned(), name.clone()));
                    paths(inner, &format!("{at}/{name}"), found);
                }
            }
            Value::Array(items) => {
                for (index, inner) in items.iter().enumerate() {
                    paths(inner, &format!("{at}/{index}"), found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    paths(value, "", &mut found);
    for (parent, name) in found {
        let mut renamed = value.clone();
        let members = renamed.pointer_mut(&parent).unwrap().as_object_mut().unwrap();
        let inner = members.shift_remove(&name).unwrap();
        members.insert(format!("{name}_renamed"), inner);
        check(&format!("{parent}/{name}"), renamed);
    }
}

#[test]
fn rejects_a_renamed_field() {
    // Custom JSON of the program: any field is valid.
    let is_free = |path: &str| {
        ["/a", "/data/", "/input/", "/input_params/", "/content/a", "/tool_usage/one"]
            .iter()
            .any(|free| path.ends_with(free))
    };
    // Optional fields: without them the event is valid, with any other fields.
    let is_optional = [
        "/session_id",
        "/assistant",
        "/output",
        "/interrupts",
        "/title",
        "/cacheReadInputTokens",
        "/cacheWriteInputTokens",
    ];
    for json in examples::all() {
        with_a_renamed_field(&json, &mut |path, renamed| {
            if is_free(path) {
                return;
            }
            assert!(!CLOSED.is_valid(&renamed), "{path} can be renamed: {renamed}");
            // Validators of readers detect missing required fields. A renamed kind of content is a kind of a later release.
            let is_kind = path.contains("/content/0/") || path.starts_with("/content/image");
            let is_error_of_node = path == "/error" && renamed["type"] == "node_end";
            if !is_optional.iter().any(|optional| path.ends_with(optional)) && !is_kind && !is_error_of_node {
                assert!(!PUBLISHED.is_valid(&renamed), "{path} can be renamed: {renamed}");
            }
        });
    }
}

#[test]
fn rejects_fields_of_wrong_types() {
    for name in event_types() {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let sample = event(&name, Fields::Known).new_tree(&mut runner).unwrap().current();
        // Tool progress and structured output may be any JSON.
        let is_free = |field: &str| field == "data" || (name == "partial_output" && field == "value");
        for field in sample.as_object().unwrap().keys().filter(|field| !is_free(field)) {
            let mut wrong = sample.clone();
            wrong[field] = json!(true);
            if wrong != sample {
                assert!(!PUBLISHED.is_valid(&wrong), "{wrong}");
            }
        }
    }
}

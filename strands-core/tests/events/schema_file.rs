//! The schema file of the book, generated from the types:
//! `STRANDS_UPDATE_SCHEMA=1 cargo test -p strands-core --test events` writes it.

use std::path::Path;
use std::{env, fs};

use regex_lite::Regex;
use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use serde_json::{Value, json};
use strands_core::AgentEvent;

const FILE: &str = "../docs/src/agent-event.v1.schema.json";

/// The schema of the events, generated from the types.
pub(crate) fn current() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<AgentEvent>();
    RecursiveTransform(first_paragraph).transform(&mut schema);
    let version = AgentEvent::JSON_VERSION;
    let mut root = json!({
        "$schema": schema.remove("$schema"),
        "$id": format!("urn:strands-rs:agent-event:v{version}"),
        "$comment": "Generated from the types of strands-core: STRANDS_UPDATE_SCHEMA=1 cargo test -p strands-core --test events",
        "title": "AgentEvent",
        "description": format!("An event of a running invocation, in version {version} of its JSON. Readers ignore fields and \
            event types that they do not know."),
    });
    let Some(Value::Array(mut events)) = schema.remove("oneOf") else { panic!("an event is one of several types") };
    let unknown = events.pop().unwrap();
    let Some(Value::Object(mut definitions)) = schema.remove("$defs") else { panic!("an event has definitions") };
    // Each type gets a name, which code generators use.
    let mut known = Vec::new();
    for event in events {
        let name = definition_name(event["properties"]["type"]["const"].as_str().unwrap());
        known.push(json!({"$ref": format!("#/$defs/{name}")}));
        assert!(definitions.insert(name.clone(), event).is_none(), "there are two definitions of `{name}`");
    }
    let description = "An event of a type that this release knows, by `type`.";
    definitions.insert("KnownAgentEvent".to_owned(), json!({"description": description, "oneOf": known}));
    definitions.insert("UnknownAgentEvent".to_owned(), unknown);
    definitions.sort_keys();
    let root_members = root.as_object_mut().unwrap();
    root_members.insert(
        "anyOf".to_owned(),
        json!([{"$ref": "#/$defs/KnownAgentEvent"}, {"$ref": "#/$defs/UnknownAgentEvent"}]),
    );
    root_members.insert("$defs".to_owned(), Value::Object(definitions));
    root
}

/// Name of a type's definition: `TextDeltaEvent` for `text_delta`.
fn definition_name(event_type: &str) -> String {
    let words = event_type.split('_').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_ascii_uppercase() + rest
    });
    words.chain(["Event".to_owned()]).collect()
}

/// Keeps the first paragraph of a doc comment, without the links of Rust's documentation.
fn first_paragraph(schema: &mut Schema) {
    if let Some(Value::String(description)) = schema.get_mut("description") {
        let first = description.split("\n\n").next().unwrap().replace('\n', " ");
        let links = Regex::new(r"\[([^\]]*)\]\([^)]*\)|\[(`[^\]]*`)\]").unwrap();
        *description = links.replace_all(&first, "$1$2").into_owned();
    }
}

/// The event types in the generated schema.
pub(crate) fn event_types() -> Vec<String> {
    let schema = current();
    let known = schema["$defs"]["KnownAgentEvent"]["oneOf"].as_array().unwrap();
    let definitions = known.iter().map(|event| {
        let pointer = event["$ref"].as_str().unwrap().strip_prefix('#').unwrap();
        schema.pointer(pointer).unwrap()
    });
    definitions.map(|event| event["properties"]["type"]["const"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_schema_file_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let text = format!("{:#}\n", current());
    if env::var_os("STRANDS_UPDATE_SCHEMA").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let file = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        file == text,
        "{FILE} is not the schema of the types. If the change keeps to the version policy (docs/src/events.md), run \
         STRANDS_UPDATE_SCHEMA=1 cargo test -p strands-core --test events"
    );
}

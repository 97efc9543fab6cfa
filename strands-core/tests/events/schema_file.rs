//! The schema file of the book, which is generated from the types:
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

/// The schema of the events, as the types have it.
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
    schema.remove("title");
    schema.remove("description");
    root.as_object_mut().unwrap().extend(schema.as_object().unwrap().clone());
    root
}

/// Keeps the first paragraph of a doc comment, without the links of Rust's documentation.
fn first_paragraph(schema: &mut Schema) {
    if let Some(Value::String(description)) = schema.get_mut("description") {
        let first = description.split("\n\n").next().unwrap().replace('\n', " ");
        let links = Regex::new(r"\[([^\]]*)\]\([^)]*\)|\[(`[^\]]*`)\]").unwrap();
        *description = links.replace_all(&first, "$1$2").into_owned();
    }
}

/// The event types, by the schema that is derived from them.
pub(crate) fn event_types() -> Vec<String> {
    let schema = current();
    let events = schema["oneOf"].as_array().unwrap();
    let types = events
        .iter()
        .filter_map(|event| event.pointer("/properties/type/const"))
        .map(|name| name.as_str().unwrap().to_owned());
    let types: Vec<_> = types.collect();
    assert_eq!(types.len() + 1, events.len(), "all but the alternative for unknown types have a type");
    types
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

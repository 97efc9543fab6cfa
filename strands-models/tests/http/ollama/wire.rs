//! Differences from the request bodies of the reference client, with reasons.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use strands_core::models::Model;
use strands_testkit::configured;
use strands_testkit::provider::wire::each_value;
use strands_testkit::provider::{Capture, Difference, Referenced, Tuned};

use super::{Ollama, builder};

/// Deliberate differences of our bodies. The same table, with reasons, is in `docs/src/models/ollama.md`.
const DIFFERENCES: &[Difference] = &[
    Difference::unseen("blank-content"),
    Difference::new("one-message", one_message, &["ollama"]),
    Difference::new("compact-json", compact_json, &["ollama"]),
    Difference::new("ids-and-names", ids_and_names, &["ollama"]),
    Difference::new("whole-schemas", whole_schemas, &["ollama"]),
    Difference::new("media-elsewhere", media_elsewhere, &["ollama"]),
    Difference::new("without-streaming", in_one_piece, &["ollama"]),
    Difference::unseen("readable-schemas"),
    Difference::unseen("reasoning-replay"),
    Difference::unseen("other-content"),
    Difference::unseen("documents"),
    Difference::unseen("other-media"),
    Difference::unseen("failed-tools"),
    Difference::unseen("bad-arguments"),
    Difference::unseen("accepted-schemas"),
];

/// Neighbours of a role become one message. A tool's result is one message, too, and no case has two results.
fn one_message(_: &str, request: &mut Value) -> bool {
    let Some(messages) = request["body"]["messages"].as_array_mut() else {
        return false;
    };
    let before = messages.len();
    let mut merged: Vec<Value> = Vec::new();
    for message in messages.drain(..) {
        let Some(last) = merged.last_mut().filter(|last| last["role"] == message["role"]) else {
            merged.push(message);
            continue;
        };
        for (name, value) in message.as_object().unwrap() {
            match (name.as_str(), last.get_mut(name)) {
                ("role", _) => {}
                (_, None) => last[name] = value.clone(),
                (_, Some(Value::Array(list))) => list.extend(value.as_array().unwrap().clone()),
                (_, Some(text)) => *text = json!(format!("{}\n{}", text.as_str().unwrap(), value.as_str().unwrap())),
            }
        }
    }
    let changed = merged.len() != before;
    *messages = merged;
    changed
}

/// Every line of a tool's result that is JSON, without spaces.
fn compact_json(_: &str, request: &mut Value) -> bool {
    let mut changed = false;
    for message in request["body"]["messages"].as_array_mut().into_iter().flatten() {
        if message["role"] == "tool" && message["content"].is_string() {
            let text = message["content"].as_str().unwrap().to_owned();
            let lines = text.lines().map(|line| match serde_json::from_str::<Value>(line) {
                Ok(json @ Value::Object(_)) => json.to_string(),
                _ => line.to_owned(),
            });
            let compact = lines.collect::<Vec<_>>().join("\n");
            changed |= compact != text;
            message["content"] = json!(compact);
        }
    }
    changed
}

fn ids_and_names(case: &str, request: &mut Value) -> bool {
    let id = if case == "35_agent_tool_turn" { "tooluse_rig_0001" } else { "tooluse_01" };
    let mut changed = false;
    let mut called = Value::Null;
    for message in request["body"]["messages"].as_array_mut().into_iter().flatten() {
        for call in message.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten() {
            call["id"] = json!(id);
            called = call["function"]["name"].clone();
            changed = true;
        }
        if message["role"] == "tool" {
            message["tool_call_id"] = json!(id);
            message["tool_name"] = called.clone();
            changed = true;
        }
    }
    changed
}

/// Schema keywords that the types of the reference client omit.
fn whole_schemas(_: &str, request: &mut Value) -> bool {
    let mut changed = false;
    each_value(&mut request["body"]["tools"], &mut |value| {
        let Some(name) = value.get("name").and_then(Value::as_str).map(str::to_owned) else {
            return;
        };
        let parameters = &mut value["parameters"];
        match name.as_str() {
            "plan_trip" => {
                let properties = &mut parameters["properties"];
                properties["legs"]["minItems"] = json!(1);
                properties["budget"] = json!({"anyOf": [{"type": "number"}, {"type": "null"}], "default": null});
                properties["tags"]["default"] = json!([]);
                properties["traveller"] = json!({"type": "object", "properties": {"name": {"type": "string"},
                    "age": {"type": "integer", "minimum": 0}}, "required": ["name"], "additionalProperties": false});
            }
            "PersonInfo" => {
                parameters["title"] = json!("PersonInfo");
                parameters["description"] = json!("Information about a person.");
                parameters["properties"]["name"]["title"] = json!("Name");
                parameters["properties"]["age"]["title"] = json!("Age");
            }
            "get_weather" if parameters["properties"]["options"].is_object() => {
                parameters["properties"]["options"]["default"] = Value::Null;
            }
            _ => return,
        }
        changed = true;
    });
    changed
}

fn media_elsewhere(case: &str, request: &mut Value) -> bool {
    if case != "24_s3_location" {
        return false;
    }
    let notes = ["An image", "A document"]
        .map(|medium| format!("\n[{medium} that can't be shown to this model: it is stored elsewhere.]"));
    request["body"]["messages"][0]["content"] = json!(format!("Look{}", notes.concat()));
    true
}

fn in_one_piece(case: &str, request: &mut Value) -> bool {
    if case != "30_non_streaming" {
        return false;
    }
    request["body"]["stream"] = json!(false);
    true
}

#[async_trait]
impl Referenced for Ollama {
    fn captures(&self) -> &'static str {
        "ollama"
    }

    fn at_least(&self) -> usize {
        26
    }

    fn differences(&self) -> &'static [Difference] {
        DIFFERENCES
    }

    fn page(&self) -> &'static str {
        include_str!("../../../../docs/src/models/ollama.md")
    }

    async fn configured(&self, server: &str, capture: &Capture) -> Arc<dyn Model> {
        let tuned = Tuned { whole: self.is_whole(capture), ..Tuned::default() };
        let mut builder = configured!(builder(server, tuned), capture;
            max_tokens = count("max_tokens"),
            temperature = number("temperature"),
            top_p = number("top_p"),
            stop_sequences = texts("stop_sequences"),
        );
        if capture.config["keep_alive"] == "5m" {
            builder = builder.keep_alive(Duration::from_secs(300));
        }
        for (name, value) in capture.config["options"].as_object().into_iter().flatten() {
            builder = builder.option(name, value.clone());
        }
        Arc::new(builder.build().unwrap())
    }
}

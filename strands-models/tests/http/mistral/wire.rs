//! Intended differences between our bodies for Mistral and the reference client's, and option names.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use strands_core::models::Model;
use strands_testkit::configured;
use strands_testkit::provider::wire::each_value as each;
use strands_testkit::provider::{Capture, Difference, Referenced};

use super::{Mistral, builder};
use crate::chat_completions::{compact_json, elsewhere, in_one_piece};

const SEEN: &[&str] = &["mistral"];

/// `docs/src/models/mistral.md` has the same table, with the reasons.
const DIFFERENCES: &[Difference] = &[
    Difference::unseen("blank-content"),
    Difference::new("call-ids", call_ids, SEEN),
    Difference::new("tool-names", |_, request| without(request, "messages", "name"), SEEN),
    Difference::new("call-index", call_index, SEEN),
    Difference::new("prefix", |_, request| without(request, "messages", "prefix"), SEEN),
    Difference::new("empty-content", empty_content, SEEN),
    Difference::new("compact-json", compact_json, SEEN),
    Difference::new("tool-choice", tool_choice, SEEN),
    Difference::new("several-texts", several_texts, SEEN),
    Difference::new("documents", documents, SEEN),
    Difference::new("media-in-results", media_in_results, SEEN),
    Difference::new("media-elsewhere", media_elsewhere, SEEN),
    Difference::new("guard-content", guard_content, SEEN),
    Difference::new("citations", citations, SEEN),
    Difference::new("in-one-piece", in_one_piece, SEEN),
    Difference::unseen("sounds"),
    Difference::unseen("failed-tools"),
    Difference::unseen("after-results"),
    Difference::unseen("reasoning-replay"),
    Difference::unseen("bad-arguments"),
    Difference::unseen("strict-tools"),
    Difference::unseen("schema-properties"),
    Difference::unseen("accepted-schemas"),
];

#[async_trait]
impl Referenced for Mistral {
    fn captures(&self) -> &'static str {
        "mistral"
    }

    fn at_least(&self) -> usize {
        26
    }

    fn differences(&self) -> &'static [Difference] {
        DIFFERENCES
    }

    fn page(&self) -> &'static str {
        include_str!("../../../../docs/src/models/mistral.md")
    }

    async fn configured(&self, server: &str, capture: &Capture) -> Arc<dyn Model> {
        let builder = configured!(builder(server).streaming(!Referenced::is_whole(self, capture)), capture;
            temperature = number("temperature"),
            top_p = number("top_p"),
            max_tokens = count("max_tokens"),
        );
        Arc::new(builder.build().unwrap())
    }
}

fn without(request: &mut Value, list: &str, field: &str) -> bool {
    let mut changed = false;
    for item in request["body"][list].as_array_mut().into_iter().flatten() {
        changed |= item.as_object_mut().unwrap().shift_remove(field).is_some();
    }
    changed
}

fn call_ids(_: &str, request: &mut Value) -> bool {
    let mut changed = false;
    each(&mut request["body"]["messages"], &mut |value| {
        for field in ["id", "tool_call_id"] {
            if let Some(id) = value.get(field).and_then(Value::as_str) {
                assert_eq!(id, "tooluse_01");
                value[field] = json!("qQO6qnif7");
                changed = true;
            }
        }
    });
    changed
}

fn call_index(_: &str, request: &mut Value) -> bool {
    let mut changed = false;
    each(&mut request["body"]["messages"], &mut |value| {
        if value.get("function").is_some() {
            changed |= value.as_object_mut().unwrap().shift_remove("index").is_some();
        }
    });
    changed
}

fn empty_content(_: &str, request: &mut Value) -> bool {
    let mut changed = false;
    for message in request["body"]["messages"].as_array_mut().unwrap() {
        if message.get("tool_calls").is_some() && message["content"] == "" {
            message.as_object_mut().unwrap().shift_remove("content");
            changed = true;
        }
    }
    changed
}

fn tool_choice(case: &str, request: &mut Value) -> bool {
    let named = |name: &str| json!({"type": "function", "function": {"name": name}});
    let body = &mut request["body"];
    let choice = match case {
        "11a_tool_choice_any" => json!("any"),
        "11b_tool_choice_tool" => named("get_weather"),
        "11c_tool_choice_auto" => json!("auto"),
        "11d_structured_output_agent" if body["messages"].as_array().unwrap().len() > 1 => named("PersonInfo"),
        _ => return false,
    };
    body["tool_choice"] = choice;
    true
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

/// Adds parts to the first message that the reference leaves out.
fn with(request: &mut Value, parts: impl IntoIterator<Item = Value>) -> bool {
    let content = &mut request["body"]["messages"][0]["content"];
    *content = json!([text(content.as_str().unwrap())]);
    content.as_array_mut().unwrap().extend(parts);
    true
}

fn documents(case: &str, request: &mut Value) -> bool {
    match case {
        "07_document_block" => {
            let pdf = "data:application/pdf;base64,JVBERi0xLjQKMSAwIG9iajw8L1R5cGUvQ2F0YWxvZz4+ZW5kb2JqCnRyYWlsZXI8PC9Sb290IDEgMCBSPj4KJSVFT0YK";
            with(request, [json!({"type": "document_url", "document_url": pdf, "document_name": "report.pdf"})])
        }
        "16_document_text_formats" => {
            let notes = text("<document name=\"notes.md\">\n# Überschrift\ntext\n</document>");
            with(request, [notes, text("<document name=\"table.csv\">\na,b\n1,2\n\n</document>")])
        }
        _ => false,
    }
}

fn media_in_results(case: &str, request: &mut Value) -> bool {
    if case != "15_image_in_tool_result" {
        return false;
    }
    let content = &mut request["body"]["messages"][2]["content"];
    let image = "data:image/jpeg;base64,iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAEElEQVR4nGP4z8AARAwQCgAf7gP9i18U1AAAAABJRU5ErkJggg==";
    *content = json!([text(content.as_str().unwrap()), {"type": "image_url", "image_url": image}]);
    true
}

fn media_elsewhere(case: &str, request: &mut Value) -> bool {
    case == "24_s3_location" && with(request, elsewhere())
}

fn guard_content(case: &str, request: &mut Value) -> bool {
    if case != "26_guard_content_block" {
        return false;
    }
    let content = &mut request["body"]["messages"][0]["content"];
    *content = json!([text("check me"), text(content.as_str().unwrap())]);
    true
}

fn citations(case: &str, request: &mut Value) -> bool {
    if case != "27_citations_content" {
        return false;
    }
    let said = json!({"role": "assistant", "content": "The sky is blue."});
    request["body"]["messages"].as_array_mut().unwrap().insert(1, said);
    true
}

fn several_texts(case: &str, request: &mut Value) -> bool {
    if case != "09_cache_point" {
        return false;
    }
    request["body"]["messages"][1]["content"] = json!([text("Long reusable context"), text("What now?")]);
    true
}

//! Intended differences between our bodies for llama.cpp's server and the reference client's, and option names.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use strands_core::models::Model;
use strands_testkit::configured;
use strands_testkit::provider::wire::empty_tools;
use strands_testkit::provider::{Capture, Difference, Referenced};

use super::{LlamaCpp, builder};
use crate::chat_completions::{compact_json, elsewhere, image_format, in_one_piece, plain_text};

const SEEN: &[&str] = &["llamacpp"];

/// `docs/src/models/llamacpp.md` has the same table, with the reasons.
const DIFFERENCES: &[Difference] = &[
    Difference::unseen("blank-content"),
    Difference::new("empty-tools", empty_tools, SEEN),
    Difference::new("empty-content", empty_content, SEEN),
    Difference::new("compact-json", compact_json, SEEN),
    Difference::new("text-results", text_results, SEEN),
    Difference::new("image-format", image_format, SEEN),
    Difference::new("tool-choice", tool_choice, SEEN),
    Difference::new("documents", documents, SEEN),
    Difference::new("media-in-results", media_in_results, SEEN),
    Difference::new("media-elsewhere", media_elsewhere, SEEN),
    Difference::new("without-streaming", in_one_piece, SEEN),
    Difference::unseen("content-from-elsewhere"),
    Difference::unseen("parameters"),
    Difference::unseen("failed-tools"),
    Difference::unseen("reasoning-replay"),
    Difference::unseen("bad-arguments"),
    Difference::unseen("strict-tools"),
    Difference::unseen("schema-properties"),
    Difference::unseen("accepted-schemas"),
    Difference::new("plain-text", plain_text, SEEN),
];

#[async_trait]
impl Referenced for LlamaCpp {
    fn captures(&self) -> &'static str {
        "llamacpp"
    }

    fn at_least(&self) -> usize {
        26
    }

    fn differences(&self) -> &'static [Difference] {
        DIFFERENCES
    }

    fn page(&self) -> &'static str {
        include_str!("../../../../docs/src/models/llamacpp.md")
    }

    async fn configured(&self, server: &str, capture: &Capture) -> Arc<dyn Model> {
        let builder = configured!(builder(server).streaming(!Referenced::is_whole(self, capture)), capture;
            temperature = number("temperature"),
            repeat_penalty = number("repeat_penalty"),
            max_tokens = count("max_tokens"),
        );
        Arc::new(builder.build().unwrap())
    }
}

fn messages(request: &mut Value) -> &mut Vec<Value> {
    request["body"]["messages"].as_array_mut().unwrap()
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn empty_content(_: &str, request: &mut Value) -> bool {
    let mut changed = false;
    for message in messages(request) {
        if message.get("tool_calls").is_some() && message["content"] == json!([]) {
            message.as_object_mut().unwrap().shift_remove("content");
            changed = true;
        }
    }
    changed
}

fn text_results(_: &str, request: &mut Value) -> bool {
    let mut changed = false;
    for message in messages(request).iter_mut().filter(|message| message["role"] == "tool") {
        let parts = message["content"].as_array().unwrap().iter();
        if let Some(texts) = parts.map(|part| part["text"].as_str()).collect::<Option<Vec<_>>>() {
            message["content"] = json!(texts.join("\n"));
            changed = true;
        }
    }
    changed
}

fn tool_choice(case: &str, request: &mut Value) -> bool {
    let body = &mut request["body"];
    let (choice, only) = match case {
        "11a_tool_choice_any" => ("required", None),
        "11b_tool_choice_tool" => ("required", Some("get_weather")),
        "11c_tool_choice_auto" => ("auto", None),
        "11d_structured_output_agent" if body["messages"].as_array().unwrap().len() > 1 => ("required", None),
        _ => return false,
    };
    if let Some(name) = only {
        body["tools"].as_array_mut().unwrap().retain(|tool| tool["function"]["name"] == name);
    }
    body["tool_choice"] = json!(choice);
    true
}

fn documents(case: &str, request: &mut Value) -> bool {
    let parts = match case {
        "07_document_block" => vec![text("[A document that can't be shown to this model: it reads no files.]")],
        "16_document_text_formats" => vec![
            text("<document name=\"notes.md\">\n# Überschrift\ntext\n</document>"),
            text("<document name=\"table.csv\">\na,b\n1,2\n\n</document>"),
        ],
        _ => return false,
    };
    let content = messages(request)[0]["content"].as_array_mut().unwrap();
    content.truncate(1);
    content.extend(parts);
    true
}

fn media_in_results(case: &str, request: &mut Value) -> bool {
    if case != "15_image_in_tool_result" {
        return false;
    }
    let messages = messages(request);
    let image = messages[2]["content"].as_array_mut().unwrap().pop().unwrap();
    let note = "Tool successfully returned an image. The image is being provided in the following user message.";
    messages[2]["content"].as_array_mut().unwrap().push(text(note));
    messages.push(json!({"role": "user", "content": [image]}));
    true
}

fn media_elsewhere(case: &str, request: &mut Value) -> bool {
    if case != "24_s3_location" {
        return false;
    }
    messages(request)[0]["content"].as_array_mut().unwrap().extend(elsewhere());
    true
}

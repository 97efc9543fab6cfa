//! Differences from the reference client: request bodies, and names of options.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use strands_core::models::Model;
use strands_testkit::configured;
use strands_testkit::provider::wire::each_value as each;
use strands_testkit::provider::{Capture, Difference, Referenced};

use super::{Gemini, builder};

const SEEN: &[&str] = &["gemini"];

/// The same table, with reasons, is in `docs/src/models/gemini.md`.
const DIFFERENCES: &[Difference] = &[
    Difference::unseen("blank-content"),
    Difference::new("names-of-fields", names_of_fields, SEEN),
    Difference::new("empty-config", empty_config, SEEN),
    Difference::new("whole-numbers", whole_numbers, SEEN),
    Difference::new("base64", base64, SEEN),
    Difference::new("file-types", file_types, SEEN),
    Difference::new("media-elsewhere", media_elsewhere, SEEN),
    Difference::new("media-in-results", media_in_results, SEEN),
    Difference::new("without-streaming", in_one_piece, SEEN),
    Difference::unseen("failed-tools"),
    Difference::unseen("results-first"),
    Difference::unseen("redacted-reasoning"),
    Difference::unseen("guard-content"),
    Difference::unseen("citations"),
    Difference::unseen("audio"),
    Difference::unseen("server-tool-content"),
    Difference::unseen("signatures-in-place"),
    Difference::unseen("calls-of-others"),
    Difference::unseen("bad-arguments"),
    Difference::unseen("cached-content"),
    Difference::unseen("native-schemas"),
    Difference::unseen("accepted-schemas"),
];

#[async_trait]
impl Referenced for Gemini {
    fn captures(&self) -> &'static str {
        "gemini"
    }

    fn at_least(&self) -> usize {
        25
    }

    fn differences(&self) -> &'static [Difference] {
        DIFFERENCES
    }

    fn page(&self) -> &'static str {
        include_str!("../../../../docs/src/models/gemini.md")
    }

    async fn configured(&self, server: &str, capture: &Capture) -> Arc<dyn Model> {
        let builder = configured!(builder(server).streaming(!Referenced::is_whole(self, capture)), capture;
            temperature = number("temperature"),
            top_p = number("top_p"),
            top_k = count("top_k"),
            max_tokens = count("max_output_tokens"),
            stop_sequences = texts("stop_sequences"),
        );
        Arc::new(builder.build().unwrap())
    }
}

/// The API reads both spellings.
fn names_of_fields(_: &str, request: &mut Value) -> bool {
    let mut changed = false;
    each(&mut request["body"], &mut |value| {
        let Some(fields) = value.as_object_mut() else { return };
        for (theirs, ours) in [("parameters_json_schema", "parametersJsonSchema"), ("mime_type", "mimeType")] {
            if let Some(value) = fields.shift_remove(theirs) {
                fields.insert(ours.to_owned(), value);
                changed = true;
            }
        }
    });
    changed
}

fn empty_config(_: &str, request: &mut Value) -> bool {
    let body = request["body"].as_object_mut().unwrap();
    let empty = body.get("generationConfig") == Some(&json!({}));
    if empty {
        body.shift_remove("generationConfig");
    }
    empty
}

fn whole_numbers(_: &str, request: &mut Value) -> bool {
    let Some(top_k) = request.pointer_mut("/body/generationConfig/topK") else { return false };
    let written = *top_k == json!(40.0);
    if written {
        *top_k = json!(40);
    }
    written
}

fn base64(_: &str, request: &mut Value) -> bool {
    let mut changed = false;
    each(&mut request["body"], &mut |value| {
        if let Some(data) = value.get("inlineData").and_then(|inline| inline["data"].as_str()) {
            let standard = data.replace('-', "+").replace('_', "/");
            changed |= standard != data;
            value["inlineData"]["data"] = json!(standard);
        }
    });
    changed
}

fn file_types(case: &str, request: &mut Value) -> bool {
    let mut changed = false;
    each(&mut request["body"], &mut |value| {
        if value.get("mimeType") == Some(&json!("application/octet-stream")) {
            assert_eq!(case, "16_document_text_formats");
            value["mimeType"] = json!("text/markdown");
            changed = true;
        }
    });
    changed
}

fn media_elsewhere(case: &str, request: &mut Value) -> bool {
    if case != "24_s3_location" {
        return false;
    }
    let parts = request["body"]["contents"][0]["parts"].as_array_mut().unwrap();
    for medium in ["An image", "A document"] {
        parts.push(json!({"text": format!("[{medium} that can't be shown to this model: it is stored elsewhere.]")}));
    }
    true
}

/// The reference writes the medium into the JSON of the result, where the model sees its letters.
fn media_in_results(case: &str, request: &mut Value) -> bool {
    if case != "15_image_in_tool_result" {
        return false;
    }
    let parts = &mut request["body"]["contents"][2]["parts"];
    let output = &mut parts[0]["functionResponse"]["response"]["output"];
    let image = output[1]["inline_data"].take();
    let note = "Tool successfully returned an image. The image is being provided with this result.";
    output[1] = json!({"text": note});
    parts.as_array_mut().unwrap().push(json!({"inlineData": image}));
    true
}

fn in_one_piece(case: &str, request: &mut Value) -> bool {
    if case != "30_non_streaming" {
        return false;
    }
    let path = request["path"].as_str().unwrap().replace(":streamGenerateContent", ":generateContent");
    request["path"] = json!(path);
    request["query"] = json!({});
    true
}

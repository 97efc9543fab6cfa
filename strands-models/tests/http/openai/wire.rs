//! Where OpenAI's bodies differ from the reference client's, and how its options are named there.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use strands_core::model::Model;
use strands_testkit::provider::wire::each_value as each;
use strands_testkit::provider::{Capture, Difference, Referenced};

use super::{Api, chat, responses};

/// The same table, with the reasons, stands in `docs/src/models/openai.md`.
const DIFFERENCES: &[Difference] = &[
    Difference::new("empty-tools", empty_tools, &["openai"]),
    Difference::new("compact-json", compact_json, &["openai", "openai_responses"]),
    Difference::new("image-format", image_format, &["openai"]),
    Difference::new("file-names", file_names, &["openai"]),
    Difference::new("file-types", file_types, &["openai", "openai_responses"]),
    Difference::new("media-elsewhere", media_elsewhere, &["openai", "openai_responses"]),
    Difference::unseen("guard-content"),
    Difference::unseen("citations"),
    Difference::unseen("other-media"),
    Difference::unseen("failed-tools"),
    Difference::unseen("documents-in-results"),
    Difference::unseen("encrypted-reasoning"),
    Difference::unseen("reasoning-replay"),
    Difference::unseen("order-of-blocks"),
    Difference::new("responses-in-one-piece", in_one_piece, &["openai_responses"]),
    Difference::unseen("bad-arguments"),
    Difference::unseen("strict-tools"),
    Difference::unseen("schema-properties"),
];

#[async_trait]
impl Referenced for Api {
    fn captures(&self) -> &'static str {
        match self {
            Self::Chat => "openai",
            Self::Responses => "openai_responses",
        }
    }

    fn at_least(&self) -> usize {
        25
    }

    fn differences(&self) -> &'static [Difference] {
        DIFFERENCES
    }

    fn page(&self) -> &'static str {
        include_str!("../../../../docs/src/models/openai.md")
    }

    async fn configured(&self, server: &str, capture: &Capture) -> Arc<dyn Model> {
        macro_rules! configured {
            ($builder:expr) => {{
                let mut builder = $builder.model_id(&capture.model_id).streaming(!Referenced::is_whole(self, capture));
                if let Some(temperature) = capture.number("temperature") {
                    builder = builder.temperature(temperature);
                }
                if let Some(top_p) = capture.number("top_p") {
                    builder = builder.top_p(top_p);
                }
                builder
            }};
        }
        match self {
            Self::Chat => {
                let mut builder = configured!(chat(server));
                if let Some(tokens) = capture.count("max_tokens") {
                    builder = builder.max_tokens(tokens);
                }
                if let Some(sequences) = capture.texts("stop") {
                    builder = builder.stop_sequences(sequences);
                }
                Arc::new(builder.build().unwrap())
            }
            Self::Responses => {
                let mut builder = configured!(responses(server));
                if let Some(tokens) = capture.count("max_output_tokens") {
                    builder = builder.max_output_tokens(tokens);
                }
                Arc::new(builder.build().unwrap())
            }
        }
    }
}

fn empty_tools(_: &str, request: &mut Value) -> bool {
    let body = &mut request["body"];
    let empty = body["tools"].as_array().is_some_and(Vec::is_empty);
    if empty {
        body.as_object_mut().unwrap().shift_remove("tools");
    }
    empty
}

/// Every text in a body that is JSON, or whose last line is, written without spaces.
fn compact_json(_: &str, request: &mut Value) -> bool {
    let mut changed = false;
    each(&mut request["body"], &mut |value| {
        if let Value::String(text) = value {
            let lines = text.split('\n').map(|line| match serde_json::from_str::<Value>(line) {
                Ok(json @ (Value::Object(_) | Value::Array(_))) => json.to_string(),
                _ => line.to_owned(),
            });
            let compact = lines.collect::<Vec<_>>().join("\n");
            changed |= compact != *text;
            *text = compact;
        }
    });
    changed
}

fn image_format(_: &str, request: &mut Value) -> bool {
    let mut changed = false;
    each(&mut request["body"], &mut |value| {
        if let Some(image) = value.get_mut("image_url").and_then(Value::as_object_mut) {
            changed |= image.shift_remove("format").is_some();
        }
    });
    changed
}

fn file_names(_: &str, request: &mut Value) -> bool {
    let mut changed = false;
    each(&mut request["body"], &mut |value| {
        let name = value.get("filename").and_then(Value::as_str).unwrap_or_default();
        let end = match name {
            "report" => "pdf",
            "notes" => "md",
            "table" => "csv",
            _ => return,
        };
        value["filename"] = json!(format!("{name}.{end}"));
        changed = true;
    });
    changed
}

fn file_types(_: &str, request: &mut Value) -> bool {
    let mut changed = false;
    each(&mut request["body"], &mut |value| {
        if let Some(data) = value.get("file_data").and_then(Value::as_str)
            && let Some(data) = data.strip_prefix("data:application/octet-stream;")
        {
            value["file_data"] = json!(format!("data:text/markdown;{data}"));
            changed = true;
        }
    });
    changed
}

fn media_elsewhere(case: &str, request: &mut Value) -> bool {
    if case != "24_s3_location" {
        return false;
    }
    let body = &mut request["body"];
    let (list, kind) = if body.get("input").is_some() { ("input", "input_text") } else { ("messages", "text") };
    let content = body[list][0]["content"].as_array_mut().unwrap();
    for medium in ["image", "document"] {
        content.push(
            json!({"type": kind, "text": format!("[{} that can't be shown to this model: it is stored elsewhere.]",
            if medium == "image" { "An image" } else { "A document" })}),
        );
    }
    true
}

fn in_one_piece(case: &str, request: &mut Value) -> bool {
    let body = &mut request["body"];
    let differs = case == "30_non_streaming" && body["stream"] == true;
    if differs {
        body["stream"] = json!(false);
    }
    differs
}

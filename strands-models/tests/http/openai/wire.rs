//! Intended differences between our bodies for OpenAI and the reference client's, and option names.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use strands_core::models::Model;
use strands_testkit::configured;
use strands_testkit::provider::wire::{each_value as each, empty_tools};
use strands_testkit::provider::{Capture, Difference, Referenced};

use super::{Api, chat, responses};
use crate::chat_completions::{compact_json, elsewhere, image_format, in_one_piece, plain_text};

/// `docs/src/models/openai.md` has the same table, with the reasons.
const DIFFERENCES: &[Difference] = &[
    Difference::unseen("blank-content"),
    Difference::unseen("call-ids"),
    Difference::unseen("generated-images"),
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
    Difference::new("responses-without-streaming", in_one_piece, &["openai_responses"]),
    Difference::unseen("bad-arguments"),
    Difference::unseen("strict-tools"),
    Difference::new("best-effort-tools", best_effort_tools, &["openai_responses"]),
    Difference::unseen("schema-properties"),
    Difference::unseen("accepted-schemas"),
    Difference::new("plain-text", plain_text, &["openai"]),
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
        let streaming = !Referenced::is_whole(self, capture);
        match self {
            Self::Chat => {
                let builder = configured!(chat(server).streaming(streaming), capture;
                    temperature = number("temperature"),
                    top_p = number("top_p"),
                    max_tokens = count("max_tokens"),
                    stop_sequences = texts("stop"),
                );
                Arc::new(builder.build().unwrap())
            }
            Self::Responses => {
                let builder = configured!(responses(server).streaming(streaming), capture;
                    temperature = number("temperature"),
                    top_p = number("top_p"),
                    max_tokens = count("max_output_tokens"),
                );
                Arc::new(builder.build().unwrap())
            }
        }
    }
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

fn best_effort_tools(_: &str, request: &mut Value) -> bool {
    let body = &mut request["body"];
    if body.get("input").is_none() {
        return false;
    }
    let tools = body.get_mut("tools").and_then(Value::as_array_mut);
    let functions = tools.into_iter().flatten().filter(|tool| tool["type"] == "function");
    functions.map(|function| function["strict"] = json!(false)).count() > 0
}

fn media_elsewhere(case: &str, request: &mut Value) -> bool {
    if case != "24_s3_location" {
        return false;
    }
    let body = &mut request["body"];
    let (list, kind) = if body.get("input").is_some() { ("input", "input_text") } else { ("messages", "text") };
    let notes = elsewhere().map(|mut note| {
        note["type"] = json!(kind);
        note
    });
    body[list][0]["content"].as_array_mut().unwrap().extend(notes);
    true
}

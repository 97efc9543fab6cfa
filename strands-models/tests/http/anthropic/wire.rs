//! Differences from the reference client: request bodies, and names of options.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use strands_core::models::Model;
use strands_testkit::configured;
use strands_testkit::provider::wire::{each_value as each, empty_tools};
use strands_testkit::provider::{Capture, Difference, Referenced};

use super::{Anthropic, model};

/// The same table, with reasons, is in `docs/src/models/anthropic.md`.
const DIFFERENCES: &[Difference] = &[
    Difference::new("empty-tools", empty_tools, &["anthropic"]),
    Difference::new("compact-json", compact_json, &["anthropic"]),
    Difference::new("media-elsewhere", media_elsewhere, &["anthropic"]),
    Difference::new("without-streaming", in_one_piece, &["anthropic"]),
    Difference::unseen("own-content"),
    Difference::unseen("citations"),
    Difference::new("cited-documents", cited_documents, &["anthropic"]),
    Difference::unseen("other-media"),
    Difference::unseen("guard-content"),
    Difference::unseen("four-cache-points"),
    Difference::unseen("blank-text"),
    Difference::unseen("trailing-reasoning"),
    Difference::unseen("foreign-ids"),
    Difference::unseen("bad-arguments"),
    Difference::unseen("forced-choice"),
    Difference::unseen("stale-reasoning"),
    Difference::unseen("output-schema"),
    Difference::unseen("strict-tools"),
    Difference::unseen("accepted-schemas"),
];

#[async_trait]
impl Referenced for Anthropic {
    fn captures(&self) -> &'static str {
        "anthropic"
    }

    fn at_least(&self) -> usize {
        26
    }

    fn differences(&self) -> &'static [Difference] {
        DIFFERENCES
    }

    fn page(&self) -> &'static str {
        include_str!("../../../../docs/src/models/anthropic.md")
    }

    async fn configured(&self, server: &str, capture: &Capture) -> Arc<dyn Model> {
        // Every capture was made with this bound.
        let builder = model(server).streaming(!Referenced::is_whole(self, capture)).max_tokens(4_096);
        let builder = configured!(builder, capture;
            temperature = number("temperature"),
            stop_sequences = texts("stop_sequences"),
        );
        Arc::new(builder.build().unwrap())
    }
}

/// JSON of a tool result, without spaces.
fn compact_json(_: &str, request: &mut Value) -> bool {
    let mut changed = false;
    each(&mut request["body"], &mut |value| {
        if let Some(text) = value.get("text").and_then(Value::as_str)
            && let Ok(json @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str::<Value>(text)
        {
            let compact = json!(json.to_string());
            changed |= value["text"] != compact;
            value["text"] = compact;
        }
    });
    changed
}

fn media_elsewhere(case: &str, request: &mut Value) -> bool {
    if case != "24_s3_location" {
        return false;
    }
    let content = request["body"]["messages"][0]["content"].as_array_mut().unwrap();
    for medium in ["An image", "A document"] {
        let note = format!("[{medium} that can't be shown to this model: it is stored elsewhere.]");
        content.push(json!({"type": "text", "text": note}));
    }
    true
}

fn cited_documents(case: &str, request: &mut Value) -> bool {
    if case != "16_document_text_formats" {
        return false;
    }
    let table = &mut request["body"]["messages"][0]["content"][2];
    table["context"] = json!("ctx");
    table["citations"] = json!({"enabled": true});
    true
}

fn in_one_piece(case: &str, request: &mut Value) -> bool {
    let differs = case == "30_non_streaming";
    if differs {
        request["body"]["stream"] = json!(false);
    }
    differs
}

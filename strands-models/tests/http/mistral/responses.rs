//! Responses of Mistral that differ from those of other providers.

use serde_json::{Value, json};
use strands_core::message::{ContentBlock, ReasoningContent};
use strands_core::metrics::Usage;
use strands_core::models::{StopReason, Turn};

use super::plain;
use crate::chat_completions::{call, delta, finish, read_turn};

async fn answer(chunks: &[Value]) -> Turn {
    read_turn(plain, chunks).await
}

fn parts(parts: Value) -> Value {
    delta(&json!({ "content": parts }))
}

#[tokio::test]
async fn reads_content_parts_of_every_kind() {
    let thinking = |text: &str, signature: Option<&str>| json!({"type": "thinking", "signature": signature, "thinking": [{"type": "text", "text": text}]});
    let turn = answer(&[
        parts(json!([thinking("let me ", None)])),
        parts(json!([thinking("see", Some("sig")), thinking("again", None)])),
        parts(json!([{"type": "text", "text": "It is so."}, {"type": "reference", "reference_ids": [3, "four"]}])),
        parts(json!([{"type": "tool_file", "tool": "image_generation", "file_id": "f-1"}])),
        parts(json!(" Really.")),
        finish("stop"),
    ])
    .await;
    let [first, second, ContentBlock::Citations(cited), ContentBlock::Provider(file), last] = &turn.message.content[..]
    else {
        panic!("{:?}", turn.message);
    };
    let thought = |text: &str, signature: Option<&str>| {
        ContentBlock::Reasoning(ReasoningContent::text(text, signature.map(str::to_owned)))
    };
    assert_eq!((first, second), (&thought("let me see", Some("sig")), &thought("again", None)));
    assert_eq!(cited.content[0].text, "It is so.");
    assert_eq!(cited.citations[0].location, Some(json!({"reference": {"ids": [3, "four"]}})));
    assert_eq!((&file.provider[..], &file.content["file_id"]), ("mistral", &json!("f-1")));
    assert_eq!(last, &ContentBlock::text(" Really."));
    assert_eq!(turn.message.metadata.unwrap().provider.as_deref(), Some("mistral"));
}

#[tokio::test]
async fn separates_calls_by_their_index() {
    let piece = |index: usize, id: &str, name: &str, arguments: &str| {
        delta(&json!({"tool_calls": [{"index": index, "id": id, "function": {"name": name, "arguments": arguments}}]}))
    };
    let turn = answer(&[
        piece(0, "D681PevKs", "f", "{\"x\":"),
        piece(1, "E681PevKs", "g", "{}"),
        piece(0, "null", "", "1}"),
        finish("tool_calls"),
    ])
    .await;
    let calls: Vec<_> =
        turn.message.tool_uses().map(|call| (&call.tool_use_id[..], &call.name[..], &call.input)).collect();
    assert_eq!(calls, [("D681PevKs", "f", &json!({"x": 1})), ("E681PevKs", "g", &json!({}))]);
}

#[tokio::test]
async fn reads_finish_reasons() {
    for (reason, expected) in [
        ("stop", StopReason::EndTurn),
        ("length", StopReason::MaxTokens),
        ("model_length", StopReason::MaxTokens),
        ("something_new", StopReason::EndTurn),
    ] {
        let turn = answer(&[delta(&json!({"content": "well"})), finish(reason)]).await;
        assert_eq!(turn.stop_reason, expected, "{reason}");
    }
    let turn = answer(&[call("D681PevKs", Some("f"), "{}"), finish("tool_calls")]).await;
    assert_eq!(turn.stop_reason, StopReason::ToolUse);
}

#[tokio::test]
async fn counts_audio_and_cached_tokens() {
    let mut last = finish("stop");
    last["usage"] = json!({"prompt_tokens": 11, "completion_tokens": 15, "total_tokens": 401,
        "prompt_tokens_details": {"audio_tokens": 375, "cached_tokens": 9}});
    let turn = answer(&[delta(&json!({"content": "well"})), last.clone()]).await;
    assert_eq!(turn.usage, Usage::new(377, 15).with_cache(Some(9), None).with_total(401));
    assert_eq!(turn.message.metadata.unwrap().provider_usage.as_deref(), Some(&last["usage"]));
}

//! What answers of Mistral's mean where they are not what others send.

use serde_json::{Value, json};
use strands_core::message::{ContentBlock, ReasoningContent};
use strands_core::metrics::Usage;
use strands_core::models::{StopReason, Turn};

use super::plain;
use crate::chat_completions::{call, delta, finish, heard};

async fn answer(chunks: &[Value]) -> Turn {
    heard(plain, chunks).await
}

fn parts(parts: Value) -> Value {
    delta(&json!({ "content": parts }))
}

#[tokio::test]
async fn content_may_come_in_parts_of_many_kinds() {
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
async fn calls_are_told_apart_by_their_index() {
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
async fn what_the_finish_reasons_mean() {
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
async fn sounds_and_the_cache_are_counted() {
    let mut last = finish("stop");
    last["usage"] = json!({"prompt_tokens": 11, "completion_tokens": 15, "total_tokens": 401,
        "prompt_tokens_details": {"audio_tokens": 375, "cached_tokens": 9}});
    let turn = answer(&[delta(&json!({"content": "well"})), last.clone()]).await;
    assert_eq!(turn.usage, Usage::new(377, 15).with_cache(Some(9), None).with_total(401));
    assert_eq!(turn.message.metadata.unwrap().provider_usage, Some(last["usage"].clone()));
}

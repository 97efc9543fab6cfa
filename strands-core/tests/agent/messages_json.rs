//! Messages as JSON: all blocks, and fields of newer versions or other languages, round trip unchanged.

use serde_json::{Value, json};
use strands_core::message::{ContentBlock, ImageBlock, ImageFormat, MediaSource, Message, Role, SystemBlock};

/// Deserializes and serializes a message with this block. Fails unless the JSON is the same.
fn goes_round(block: &Value) -> ContentBlock {
    let json = json!({"role": "assistant", "content": [block]});
    let message: Message = serde_json::from_value(json.clone()).unwrap_or_else(|error| panic!("{block}: {error}"));
    assert_eq!(serde_json::to_value(&message).unwrap(), json);
    // From text, too: a type that borrows from its input must work with both.
    let again: Message = serde_json::from_str(&json.to_string()).unwrap();
    assert_eq!(again, message);
    again.content[0].clone()
}

fn bytes() -> Value {
    json!({"__bytes_encoded__": true, "data": "AAECgP8="})
}

fn every_block() -> Vec<Value> {
    let mut blocks = vec![
        json!({"text": "hello"}),
        json!({"text": ""}),
        json!({"text": "日本語 \u{0} \u{1F600} \"quoted\""}),
        json!({"toolUse": {"toolUseId": "a", "name": "look", "input": {"b": [1, 2.5, null, {"c": true}]}}}),
        json!({"toolUse": {"toolUseId": "a", "name": "look", "input": {}, "reasoningSignature": "sig"}}),
        json!({"toolUse": {"toolUseId": "a", "name": "look", "input": "{not json"}}),
        json!({"reasoningContent": {"reasoningText": {"text": "hm", "signature": "sig"}}}),
        json!({"reasoningContent": {"reasoningText": {"text": "hm"}}}),
        json!({"reasoningContent": {"redactedContent": bytes()}}),
        json!({"cachePoint": {"type": "default"}}),
        json!({"cachePoint": {"type": "default", "ttl": "1h"}}),
        json!({"guardContent": {"text": {"text": "look at this", "qualifiers": ["grounding_source", "query"]}}}),
        json!({"guardContent": {"text": {"text": "look at this"}}}),
        json!({"citationsContent": {
            "citations": [
                {"location": {"documentChar": {"documentIndex": 0, "start": 1, "end": 2}}, "sourceContent": [{"text": "q"}], "title": "t"},
                {"location": {"documentPage": {"documentIndex": 0, "start": 1, "end": 2}}},
                {"location": {"documentChunk": {"documentIndex": 0, "start": 1, "end": 2}}},
                {"location": {"searchResultLocation": {"searchResultIndex": 0, "start": 1, "end": 2}}},
                {"location": {"web": {"url": "https://example.com", "domain": "example.com"}}},
            ],
            "content": [{"text": "cited"}],
        }}),
        json!({"document": {
            "format": "pdf", "name": "n", "source": {"bytes": bytes()}, "citations": {"enabled": true}, "context": "c",
        }}),
        json!({"document": {"name": "n", "source": {"location": {"type": "s3", "uri": "s3://b/k", "bucketOwner": "1"}}}}),
    ];
    let media = [
        ("image", vec!["png", "jpeg", "gif", "webp"]),
        ("video", vec!["flv", "mkv", "mov", "mpeg", "mpg", "mp4", "three_gp", "webm", "wmv"]),
        (
            "audio",
            vec![
                "mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "x-aac", "m4a", "mpeg", "mpga", "pcm",
                "webm",
            ],
        ),
    ];
    for (kind, formats) in media {
        for format in formats {
            blocks.push(json!({kind: {"format": format, "source": {"bytes": bytes()}}}));
        }
        blocks.push(json!({kind: {"format": "brand-new", "source": {"location": {"type": "s3", "uri": "s3://b/k"}}}}));
        blocks.push(json!({kind: {"format": "mp4", "source": {"location": {"type": "own", "shelf": 7}}}}));
    }
    for format in ["pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md", "epub"] {
        blocks.push(json!({"document": {"format": format, "name": "n", "source": {"bytes": bytes()}}}));
    }
    for content in [
        json!([{"text": "ok"}]),
        json!([{"json": {"a": [1]}}, {"json": null}]),
        json!([{"image": {"format": "png", "source": {"bytes": bytes()}}}]),
        json!([{"document": {"format": "pdf", "name": "n", "source": {"bytes": bytes()}}}]),
        json!([{"video": {"format": "mp4", "source": {"bytes": bytes()}}}]),
        json!([{"hologram": {"depth": 3}}, {"text": "with more", "beside": 1}]),
        json!([]),
    ] {
        blocks.push(json!({"toolResult": {"toolUseId": "a", "status": "success", "content": content}}));
        blocks.push(json!({"toolResult": {"toolUseId": "a", "status": "error", "content": content}}));
    }
    blocks
}

#[test]
fn all_blocks_round_trip() {
    for block in every_block() {
        let read = goes_round(&block);
        assert!(!matches!(read, ContentBlock::Unknown(_)), "{block}");
    }
}

#[test]
fn unknown_blocks_round_trip_unchanged() {
    for block in [json!({"hologram": {"depth": 3}}), json!({"a": 1, "b": 2}), json!({}), json!({"toolResult2": null})] {
        assert!(matches!(goes_round(&block), ContentBlock::Unknown(_)), "{block}");
    }
}

#[test]
fn unknown_fields_of_blocks_round_trip() {
    for block in every_block() {
        // Next to the key that names the kind.
        let mut beside = block.clone();
        beside["somethingNew"] = json!({"deep": [1, null]});
        goes_round(&beside);
        // Inside the payload, if it is an object.
        let (kind, _) = block.as_object().unwrap().iter().next().unwrap();
        let mut inside = block.clone();
        if let Some(payload) = inside[kind].as_object_mut() {
            payload.insert("somethingNew".into(), json!("kept"));
            goes_round(&inside);
            inside["andBeside"] = json!(1);
            goes_round(&inside);
        }
    }
}

#[test]
fn unknown_fields_of_messages_round_trip() {
    let json = json!({
        "role": "user",
        "content": [{"text": "hi"}],
        "metadata": {
            "usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3, "cacheReadInputTokens": 4, "cacheWriteInputTokens": 5},
            "metrics": {"latencyMs": 6, "timeToFirstByteMs": 7},
            "custom": {"pinned": true},
            "new": [1],
        },
        "tracking_id": "c0ffee00-0000-4000-8000-000000000000",
        "novel": {"a": null},
    });
    let message: Message = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(serde_json::to_value(&message).unwrap(), json);
    assert_eq!(message.role, Role::User);
}

#[test]
fn bytes_are_read_in_both_forms_and_written_in_the_form_of_strands() {
    let plain = json!({"image": {"format": "png", "source": {"bytes": "AAECgP8="}}});
    let read: ContentBlock = serde_json::from_value(plain).unwrap();
    let written = ContentBlock::Image(ImageBlock::new(ImageFormat::Png, MediaSource::from(vec![0, 1, 2, 128, 255])));
    assert_eq!(read, written);
    let json = serde_json::to_value(&written).unwrap();
    assert_eq!(json, json!({"image": {"format": "png", "source": {"bytes": bytes()}}}));
}

#[test]
fn errors_of_message_json_name_the_path() {
    for (block, place) in [
        (json!({"text": 1}), "in content block `text`"),
        (json!({"toolUse": {"name": "x"}}), "in content block `toolUse`: missing field `toolUseId`"),
        (json!({"image": {"format": "png", "source": {"bytes": "not base64!"}}}), "bytes are not base64"),
        (json!({"toolResult": {"toolUseId": "a", "content": [{"text": []}]}}), "in tool result `text`"),
    ] {
        let error = serde_json::from_value::<ContentBlock>(block).unwrap_err();
        assert!(error.to_string().contains(place), "{error}");
    }
    for not_a_message in [json!({"role": "system", "content": []}), json!({"content": []}), json!([])] {
        serde_json::from_value::<Message>(not_a_message).unwrap_err();
    }
}

#[test]
fn system_blocks_round_trip() {
    for json in [json!({"text": "Be brief."}), json!({"cachePoint": {"type": "default", "ttl": "5m"}})] {
        let block: SystemBlock = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(serde_json::to_value(block).unwrap(), json);
    }
}

#[test]
fn text_joins_the_text_blocks() {
    let message: Message = serde_json::from_value(json!({"role": "assistant", "content": [
        {"text": "one"},
        {"reasoningContent": {"reasoningText": {"text": "hidden"}}},
        {"citationsContent": {"content": [{"text": "two"}], "citations": []}},
        {"toolUse": {"toolUseId": "a", "name": "look", "input": {}}},
    ]}))
    .unwrap();
    assert_eq!(message.text(), "one\ntwo");
}

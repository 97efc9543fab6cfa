//! Sample messages and JSON values: every kind of content, deep nesting, Unicode.

use fastrand::Rng;
use serde_json::{Map, Value, json};

use crate::depth::MAX_DEPTH;
use crate::message::Message;
use crate::session::AgentRecord;

/// Text with characters that are easily lost: control characters, quotes, line separators, and supplementary planes.
pub(super) const UNICODE: &str = "naïve — 日本語 🦀👩‍👩‍👧 \u{202e}rtl\u{2028}\u{0} \\ \" \r\n\t \u{fffd} e\u{301}";

/// Returns JSON with the deepest nesting that a value in a conversation may have.
pub(super) fn nested() -> Value {
    (0..MAX_DEPTH).fold(json!(UNICODE), |value, level| {
        if level % 2 == 0 { json!([value]) } else { Value::Object(Map::from_iter([("in".to_owned(), value)])) }
    })
}

/// Returns one message for each kind of content, with unknown fields.
pub(super) fn every_kind() -> Vec<Message> {
    let bytes = json!({"__bytes_encoded__": true, "data": "AAEC/w=="});
    let blocks = [
        json!({"text": UNICODE}),
        json!({"text": "", "beside": {"of": ["another", "version"]}}),
        json!({"image": {"format": "png", "source": {"bytes": bytes}}}),
        json!({"image": {"format": "avif", "source": {"location": {"type": "s3", "uri": "s3://bucket/key"}}}}),
        json!({"document": {"format": "pdf", "name": "a", "source": {"bytes": bytes}, "citations": {"enabled": true}}}),
        json!({"video": {"format": "mp4", "source": {"bytes": bytes}, "new": 1}}),
        json!({"audio": {"format": "mp3", "source": {"bytes": bytes}}}),
        json!({"toolUse": {"toolUseId": "1", "name": "look", "input": nested(), "reasoningSignature": "c2ln"}}),
        json!({"toolUse": {"toolUseId": "2", "name": "look", "input": "{not json"}}),
        json!({"toolResult": {"toolUseId": "1", "status": "success", "content": [
            {"text": UNICODE}, {"json": nested()}, {"image": {"format": "gif", "source": {"bytes": bytes}}}, {"new": [1]},
        ]}}),
        json!({"toolResult": {"toolUseId": "2", "status": "error", "content": []}}),
        json!({"reasoningContent": {"reasoningText": {"text": UNICODE, "signature": "c2ln"}}}),
        json!({"reasoningContent": {"redactedContent": bytes}}),
        json!({"cachePoint": {"type": "default", "ttl": "1h"}}),
        json!({"guardContent": {"text": {"text": "a", "qualifiers": ["query"]}}}),
        json!({"citationsContent": {
            "citations": [{"location": {"web": {"url": "https://example.com"}}, "title": "a"}], "content": [{"text": "b"}],
        }}),
        json!({"text": "", "providerContent": {"provider": "some", "content": {"numbers": numbers()}}}),
        json!({"kindOfTomorrow": {"a": [null, true, {"b": {}}]}}),
    ];
    let metadata = json!({
        "usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3},
        "metrics": {"latencyMs": 4},
        "provider": "some",
        "providerUsage": {"tokens": 5},
        "custom": {"pinned": true, "nested": nested()},
        "new": "field",
    });
    let role = |at: usize| if at.is_multiple_of(2) { "user" } else { "assistant" };
    let message = |(at, block): (usize, Value)| {
        json!({
            "role": role(at), "content": [block], "metadata": metadata, "tracking_id": format!("id-{at}"), "new": {"a": 1},
        })
    };
    // A test checks that all of them deserialize.
    blocks.into_iter().enumerate().map(message).filter_map(|json| serde_json::from_value(json).ok()).collect()
}

pub(super) fn numbers() -> Value {
    json!([0, -1, u64::MAX, i64::MIN, 0.1, 1e300, 5e-324, 9_007_199_254_740_993_u64])
}

/// Returns messages of alternating roles, with these texts.
pub(super) fn conversation(texts: &[&str]) -> Vec<Message> {
    let message = |(at, text): (usize, &&str)| {
        if at.is_multiple_of(2) { Message::user(*text) } else { Message::assistant(*text) }
    };
    texts.iter().enumerate().map(message).collect()
}

/// Returns random text of at most `most` words.
pub(super) fn words(rng: &mut Rng, most: usize) -> String {
    let words = ["alpha", "bravo", "delta", "漢字", "🦀", "x\"y", "line\n", "42", "{}"];
    let count = rng.usize(1..=most.max(1));
    let picked: Vec<&str> = (0..count).filter_map(|_| rng.choice(words)).collect();
    picked.join(" ")
}

/// Returns a record with a value in every field that the loop writes. A store may drop unknown fields.
pub(super) fn full_record(agent_id: &str) -> AgentRecord {
    let object = |value: Value| Map::from_iter([("value".to_owned(), value), ("numbers".to_owned(), numbers())]);
    let mut record = AgentRecord::new(agent_id);
    record.state = object(nested());
    record.conversation_manager_state = object(json!({"__name__": "Some", "removed_message_count": 3}));
    record.internal_state.interrupt_state = object(json!({"activated": false}));
    record.internal_state.model_state = object(json!(UNICODE));
    record.internal_state.run =
        Some(json!({"version": 1, "pending": {"results": [{"content": [{"json": nested()}]}]}}));
    record
}

/// Returns a record of an agent that is not suspended, as the loop writes it. A store may add the fields to an empty
/// `interrupt_state` that Strands requires for reading a session.
pub(super) fn plain_record(agent_id: &str) -> AgentRecord {
    let mut record = AgentRecord::new(agent_id);
    let fields = [("interrupts", json!({})), ("context", json!({})), ("activated", json!(false))];
    record.internal_state.interrupt_state = fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_deserialize_as_messages() {
        let messages = every_kind();
        assert_eq!(messages.len(), 18);
        for message in messages {
            let json = serde_json::to_string(&message).unwrap();
            assert_eq!(serde_json::from_str::<Message>(&json).unwrap(), message);
        }
    }
}

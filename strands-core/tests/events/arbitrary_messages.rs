//! Arbitrary messages, with every kind of content block.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::strategy::Union;
use serde_json::{Map, Value, json};

use crate::arbitrary::{Fields, Json, json_value, list, object, opt, req, text, unknown, word};

pub(crate) fn message(fields: Fields) -> Json {
    object(
        fields,
        vec![
            req("role", word(&["user", "assistant"])),
            req("content", list(block(fields))),
            opt("metadata", metadata(fields)),
            opt("tracking_id", text()),
        ],
    )
}

fn metadata(fields: Fields) -> Json {
    object(
        fields,
        vec![
            opt("usage", usage()),
            opt("metrics", model_metrics()),
            opt("provider", text()),
            // Null is serialized as an absent field.
            opt("providerUsage", vec(json_value(), 0..2).prop_map(Value::from)),
            opt("custom", btree_map("[a-z]{1,4}", json_value(), 1..3).prop_map(Map::from_iter)),
        ],
    )
}

pub(crate) fn usage() -> Json {
    object(
        Fields::Known,
        vec![
            req("inputTokens", any::<u64>()),
            req("outputTokens", any::<u64>()),
            req("totalTokens", any::<u64>()),
            opt("cacheReadInputTokens", any::<u64>()),
            opt("cacheWriteInputTokens", any::<u64>()),
        ],
    )
}

fn model_metrics() -> Json {
    object(Fields::Known, vec![req("latencyMs", any::<u64>()), opt("timeToFirstByteMs", any::<u64>())])
}

/// A block that a model may generate.
pub(crate) fn generated_medium(fields: Fields) -> Json {
    Union::new([
        keyed("image", medium(fields, &["png", "jpeg", "tiff"]), fields),
        keyed("document", document(fields), fields),
        keyed("video", medium(fields, &["mp4", "three_gp", "vhs"]), fields),
        keyed("audio", medium(fields, &["mp3", "x-aac", "tape"]), fields),
    ])
    .boxed()
}

fn block(fields: Fields) -> Json {
    let provider = (provider_content(fields), unknown(fields))
        .prop_map(|(content, others)| joined(json!({"text": "", "providerContent": content}), others));
    let mut kinds = vec![
        keyed("text", text().prop_map(Value::from).boxed(), fields),
        keyed("image", medium(fields, &["png", "jpeg", "tiff"]), fields),
        keyed("document", document(fields), fields),
        keyed("video", medium(fields, &["mp4", "three_gp", "vhs"]), fields),
        keyed("audio", medium(fields, &["mp3", "x-aac", "tape"]), fields),
        keyed("toolUse", tool_use(fields), fields),
        keyed("toolResult", tool_result(fields), fields),
        keyed("reasoningContent", reasoning(fields), fields),
        keyed("cachePoint", object(fields, vec![req("type", text()), opt("ttl", text())]), fields),
        keyed("guardContent", guard_content(fields), fields),
        keyed("citationsContent", citations(fields), fields),
        provider.boxed(),
    ];
    if fields == Fields::AndUnknown {
        kinds.push(unknown(fields).prop_map(Value::from).boxed());
    }
    Union::new(kinds).boxed()
}

/// An object with one key, and unknown fields next to it.
fn keyed(key: &'static str, payload: Json, fields: Fields) -> Json {
    (payload, unknown(fields)).prop_map(move |(payload, others)| joined(json!({key: payload}), others)).boxed()
}

fn joined(mut value: Value, others: Map<String, Value>) -> Value {
    value.as_object_mut().unwrap().extend(others);
    value
}

pub(crate) fn tool_use(fields: Fields) -> Json {
    object(
        fields,
        vec![
            req("toolUseId", text()),
            req("name", text()),
            req("input", json_value()),
            opt("reasoningSignature", text()),
        ],
    )
}

pub(crate) fn tool_result(fields: Fields) -> Json {
    let mut parts = vec![
        text().prop_map(|text| json!({"text": text})).boxed(),
        json_value().prop_map(|json| json!({"json": json})).boxed(),
        medium(fields, &["png"]).prop_map(|image| json!({"image": image})).boxed(),
        document(fields).prop_map(|document| json!({"document": document})).boxed(),
        medium(fields, &["mp4"]).prop_map(|video| json!({"video": video})).boxed(),
    ];
    if fields == Fields::AndUnknown {
        parts.push(unknown(fields).prop_map(Value::from).boxed());
        parts.push(keyed("text", text().prop_map(Value::from).boxed(), fields));
    }
    object(
        fields,
        vec![
            req("toolUseId", text()),
            req("status", word(&["success", "error", "unsure"])),
            req("content", list(Union::new(parts).boxed())),
        ],
    )
}

pub(crate) fn provider_content(fields: Fields) -> Json {
    object(fields, vec![req("provider", text()), req("content", json_value())])
}

pub(crate) fn citation(fields: Fields) -> Json {
    object(
        fields,
        vec![
            opt("location", btree_map("[a-z]{1,4}", json_value(), 1..2).prop_map(Map::from_iter)),
            opt("sourceContent", vec(citation_text(fields), 1..3).prop_map(Value::from)),
            opt("title", text()),
        ],
    )
}

fn citation_text(fields: Fields) -> Json {
    object(fields, vec![req("text", text())])
}

fn citations(fields: Fields) -> Json {
    object(fields, vec![req("citations", list(citation(fields))), req("content", list(citation_text(fields)))])
}

fn reasoning(fields: Fields) -> Json {
    let text = object(fields, vec![req("text", text()), opt("signature", text())]);
    object(fields, vec![opt("reasoningText", text), opt("redactedContent", bytes())])
}

fn guard_content(fields: Fields) -> Json {
    let qualifiers = vec(text().prop_map(Value::from), 1..3).prop_map(Value::from);
    let text = object(fields, vec![req("text", text()), opt("qualifiers", qualifiers)]);
    object(fields, vec![opt("text", text), opt("image", medium(fields, &["png"]))])
}

fn document(fields: Fields) -> Json {
    object(
        fields,
        vec![
            opt("format", word(&["pdf", "md", "epub"])),
            req("name", text()),
            req("source", source(fields)),
            opt("citations", object(fields, vec![req("enabled", any::<bool>())])),
            opt("context", text()),
        ],
    )
}

fn medium(fields: Fields, formats: &'static [&'static str]) -> Json {
    object(fields, vec![req("format", word(formats)), req("source", source(fields))])
}

fn source(fields: Fields) -> Json {
    let location = object(fields, vec![req("type", text()), opt("uri", text()), opt("bucketOwner", text())]);
    let mut kinds = vec![
        bytes().prop_map(|bytes| json!({"bytes": bytes})).boxed(),
        location.prop_map(|location| json!({"location": location})).boxed(),
    ];
    if fields == Fields::AndUnknown {
        kinds.push(unknown(fields).prop_map(Value::from).boxed());
        kinds.push(keyed("bytes", bytes(), fields));
    }
    Union::new(kinds).boxed()
}

fn bytes() -> Json {
    word(&["", "AA==", "AAECgP8="]).prop_map(|data| json!({"__bytes_encoded__": true, "data": data})).boxed()
}

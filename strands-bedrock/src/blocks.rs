//! Serialization of content blocks as Converse's JSON. Bedrock rejects unknown fields, so only the fields that it knows are
//! written. Blocks of an unknown kind come from a newer version of Bedrock and are sent unchanged.

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use strands_core::message::{
    CitationText, CitationsContent, ContentBlock, DocumentBlock, GuardContent, ImageBlock, MediaSource,
    ReasoningContent, ToolResult, ToolResultContent, ToolUse,
};
use strands_core::models::CallIdForm;

use crate::content_rules;
use crate::turns::{OutBlock, OutTurn};

/// Form of tool call ids that all models on Bedrock accept. Ids from other providers may have another form.
const CALL_IDS: CallIdForm = CallIdForm::up_to(64).words();

/// Form of tool results for a model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResultStyle {
    pub(crate) status: bool,
    pub(crate) json_as_text: bool,
}

/// One entry of `messages`.
pub(crate) struct TurnJson<'a>(pub(crate) &'a OutTurn<'a>, pub(crate) ResultStyle);

impl Serialize for TurnJson<'_> {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        let mut turn = writer.serialize_map(Some(2))?;
        turn.serialize_entry("role", &self.0.role)?;
        turn.serialize_entry("content", &Blocks(&self.0.content, self.1))?;
        turn.end()
    }
}

struct Blocks<'a>(&'a [OutBlock<'a>], ResultStyle);

impl Serialize for Blocks<'_> {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        writer.collect_seq(self.0.iter().map(|block| BlockJson(block, self.1)))
    }
}

struct BlockJson<'a>(&'a OutBlock<'a>, ResultStyle);

impl Serialize for BlockJson<'_> {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            OutBlock::Plain(block) => plain_block(block, self.1, writer),
            OutBlock::Guarded(block) => single_entry(writer, "guardContent", &GuardedJson(block)),
            OutBlock::CachePoint { kind, ttl } => {
                single_entry(writer, "cachePoint", &CachePointJson(kind, ttl.as_deref()))
            }
            OutBlock::FixedText(text) => single_entry(writer, "text", text),
        }
    }
}

fn single_entry<S: Serializer, T: Serialize + ?Sized>(writer: S, key: &str, value: &T) -> Result<S::Ok, S::Error> {
    let mut map = writer.serialize_map(Some(1))?;
    map.serialize_entry(key, value)?;
    map.end()
}

fn plain_block<S: Serializer>(block: &ContentBlock, style: ResultStyle, writer: S) -> Result<S::Ok, S::Error> {
    match block {
        ContentBlock::Text(text) => single_entry(writer, "text", &text.text),
        ContentBlock::Image(image) => single_entry(writer, "image", &ImageJson(image)),
        ContentBlock::Document(document) => single_entry(writer, "document", &DocumentJson(document)),
        ContentBlock::Video(video) => single_entry(writer, "video", &MediaJson(video.format.as_str(), &video.source)),
        ContentBlock::Audio(audio) => single_entry(writer, "audio", &MediaJson(audio.format.as_str(), &audio.source)),
        ContentBlock::ToolUse(call) => single_entry(writer, "toolUse", &ToolUseJson(call)),
        ContentBlock::ToolResult(result) => single_entry(writer, "toolResult", &ResultJson(result, style)),
        ContentBlock::Reasoning(reasoning) => single_entry(writer, "reasoningContent", &ReasoningJson(reasoning)),
        ContentBlock::CachePoint(point) => {
            single_entry(writer, "cachePoint", &CachePointJson(&point.kind, point.ttl.as_deref()))
        }
        ContentBlock::GuardContent(guarded) => single_entry(writer, "guardContent", &GuardContentJson(guarded)),
        ContentBlock::Citations(citations) => single_entry(writer, "citationsContent", &CitationsJson(citations)),
        ContentBlock::Provider(content) => content.content.serialize(writer),
        ContentBlock::Unknown(fields) => PlainBytes(fields).serialize(writer),
        // A block kind that was added to strands-core later: its stored JSON is the closest form.
        other => other.serialize(writer),
    }
}

/// A cache point. An empty time to live is omitted.
pub(crate) struct CachePointJson<'a>(pub(crate) &'a str, pub(crate) Option<&'a str>);

impl Serialize for CachePointJson<'_> {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        let mut point = writer.serialize_map(None)?;
        point.serialize_entry("type", self.0)?;
        if let Some(ttl) = self.1.filter(|ttl| !ttl.is_empty()) {
            point.serialize_entry("ttl", ttl)?;
        }
        point.end()
    }
}

/// Bytes as base64 text, written without an intermediate copy.
struct BytesJson<'a>(&'a Bytes);

impl Serialize for BytesJson<'_> {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        writer.collect_str(&Base64Display::new(self.0, &STANDARD))
    }
}

struct SourceJson<'a>(&'a MediaSource);

impl Serialize for SourceJson<'_> {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            MediaSource::Bytes(bytes) => single_entry(writer, "bytes", &BytesJson(bytes)),
            MediaSource::Location(location) => {
                let mut fields = Map::new();
                fields.insert("uri".to_owned(), location.uri.clone().into());
                if let Some(owner) = &location.bucket_owner {
                    fields.insert("bucketOwner".to_owned(), owner.clone().into());
                }
                single_entry(writer, "s3Location", &fields)
            }
            other => other.serialize(writer),
        }
    }
}

struct MediaJson<'a>(&'a str, &'a MediaSource);

impl Serialize for MediaJson<'_> {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        let mut media = writer.serialize_map(Some(2))?;
        media.serialize_entry("format", self.0)?;
        media.serialize_entry("source", &SourceJson(self.1))?;
        media.end()
    }
}

struct ImageJson<'a>(&'a ImageBlock);

impl Serialize for ImageJson<'_> {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        MediaJson(self.0.format.as_str(), &self.0.source).serialize(writer)
    }
}

struct DocumentJson<'a>(&'a DocumentBlock);

impl Serialize for DocumentJson<'_> {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        let mut document = writer.serialize_map(None)?;
        document.serialize_entry("name", &self.0.name)?;
        if let Some(format) = &self.0.format {
            document.serialize_entry("format", format)?;
        }
        document.serialize_entry("source", &SourceJson(&self.0.source))?;
        if let Some(citations) = &self.0.citations {
            document.serialize_entry("citations", &Enabled(citations.enabled))?;
        }
        if let Some(context) = &self.0.context {
            document.serialize_entry("context", context)?;
        }
        document.end()
    }
}

struct Enabled(bool);

impl Serialize for Enabled {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        single_entry(writer, "enabled", &self.0)
    }
}

struct ToolUseJson<'a>(&'a ToolUse);

impl Serialize for ToolUseJson<'_> {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        let mut call = writer.serialize_map(Some(3))?;
        call.serialize_entry("toolUseId", &CALL_IDS.apply(&self.0.tool_use_id))?;
        call.serialize_entry("name", &self.0.name)?;
        // Tool calls without a JSON object as arguments never ran. Bedrock accepts only objects here.
        match &self.0.input {
            Value::Object(input) => call.serialize_entry("input", input)?,
            _ => call.serialize_entry("input", &Map::new())?,
        }
        call.end()
    }
}

struct ResultJson<'a>(&'a ToolResult, ResultStyle);

impl Serialize for ResultJson<'_> {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        let mut result = writer.serialize_map(None)?;
        result.serialize_entry("toolUseId", &CALL_IDS.apply(&self.0.tool_use_id))?;
        result.serialize_entry("content", &ResultContents(self.0, self.1))?;
        if self.1.status {
            result.serialize_entry("status", &self.0.status)?;
        }
        result.end()
    }
}

struct ResultContents<'a>(&'a ToolResult, ResultStyle);

impl Serialize for ResultContents<'_> {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        let parts = content_rules::result_parts(self.0);
        writer.collect_seq(parts.iter().map(|part| ResultContentJson(part, self.1)))
    }
}

struct ResultContentJson<'a>(&'a ToolResultContent, ResultStyle);

impl Serialize for ResultContentJson<'_> {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            ToolResultContent::Text(text) => single_entry(writer, "text", text),
            // Bedrock rejects JSON that is not an object.
            ToolResultContent::Json(json) if self.1.json_as_text || !json.is_object() => {
                single_entry(writer, "text", &json_text(json))
            }
            ToolResultContent::Json(json) => single_entry(writer, "json", json),
            ToolResultContent::Image(image) => single_entry(writer, "image", &ImageJson(image)),
            ToolResultContent::Document(document) => single_entry(writer, "document", &DocumentJson(document)),
            ToolResultContent::Video(video) => {
                single_entry(writer, "video", &MediaJson(video.format.as_str(), &video.source))
            }
            ToolResultContent::Unknown(fields) => match known_part(fields) {
                Some(part) => ResultContentJson(&part, self.1).serialize(writer),
                None => PlainBytes(fields).serialize(writer),
            },
            other => other.serialize(writer),
        }
    }
}

/// Returns the part that Bedrock knows, from a part that also has fields of another version.
fn known_part(fields: &Map<String, Value>) -> Option<ToolResultContent> {
    if fields.len() < 2 {
        return None;
    }
    let kind = ["json", "document", "image", "text", "video"].into_iter().find(|kind| fields.contains_key(*kind))?;
    let mut alone = Map::new();
    alone.insert(kind.to_owned(), fields.get(kind)?.clone());
    serde_json::from_value(Value::Object(alone)).ok()
}

struct ReasoningJson<'a>(&'a ReasoningContent);

impl Serialize for ReasoningJson<'_> {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        let mut reasoning = writer.serialize_map(None)?;
        if let Some(text) = &self.0.reasoning_text {
            let mut fields = Map::new();
            fields.insert("text".to_owned(), text.text.clone().into());
            if let Some(signature) = text.signature.as_ref().filter(|s| !s.is_empty()) {
                fields.insert("signature".to_owned(), signature.clone().into());
            }
            reasoning.serialize_entry("reasoningText", &fields)?;
        }
        if let Some(redacted) = &self.0.redacted_content {
            reasoning.serialize_entry("redactedContent", &BytesJson(redacted))?;
        }
        reasoning.end()
    }
}

struct GuardContentJson<'a>(&'a GuardContent);

impl Serialize for GuardContentJson<'_> {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        if let Some(text) = &self.0.text {
            let mut guarded = Map::new();
            guarded.insert("text".to_owned(), text.text.clone().into());
            if !text.qualifiers.is_empty() {
                guarded.insert("qualifiers".to_owned(), text.qualifiers.clone().into());
            }
            return single_entry(writer, "text", &guarded);
        }
        match &self.0.image {
            Some(image) => single_entry(writer, "image", &ImageJson(image)),
            None => writer.collect_map::<&str, &str, _>([]),
        }
    }
}

/// Text or an image, wrapped in `guardContent`.
struct GuardedJson<'a>(&'a ContentBlock);

impl Serialize for GuardedJson<'_> {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            ContentBlock::Text(text) => {
                single_entry(writer, "text", &std::collections::BTreeMap::from([("text", &text.text)]))
            }
            ContentBlock::Image(image) => single_entry(writer, "image", &ImageJson(image)),
            other => other.serialize(writer),
        }
    }
}

struct CitationsJson<'a>(&'a CitationsContent);

impl Serialize for CitationsJson<'_> {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        fn texts(parts: &[CitationText]) -> Vec<Value> {
            parts.iter().map(|part| serde_json::json!({"text": part.text})).collect()
        }
        let citations: Vec<Value> = self
            .0
            .citations
            .iter()
            .map(|citation| {
                let mut fields = Map::new();
                if let Some(location) = &citation.location {
                    fields.insert("location".to_owned(), location.clone());
                }
                if !citation.source_content.is_empty() {
                    fields.insert("sourceContent".to_owned(), texts(&citation.source_content).into());
                }
                if let Some(title) = &citation.title {
                    fields.insert("title".to_owned(), title.clone().into());
                }
                Value::Object(fields)
            })
            .collect();
        let mut block = writer.serialize_map(None)?;
        block.serialize_entry("citations", &citations)?;
        if !self.0.content.is_empty() {
            block.serialize_entry("content", &texts(&self.0.content))?;
        }
        block.end()
    }
}

/// JSON whose stored bytes (`__bytes_encoded__`) are written as base64 text.
struct PlainBytes<'a>(&'a Map<String, Value>);

impl Serialize for PlainBytes<'_> {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        writer.collect_map(self.0.iter().map(|(key, value)| (key, PlainValue(value))))
    }
}

struct PlainValue<'a>(&'a Value);

impl Serialize for PlainValue<'_> {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(fields) if fields.contains_key("__bytes_encoded__") => {
                fields.get("data").unwrap_or(&Value::Null).serialize(writer)
            }
            Value::Object(fields) => PlainBytes(fields).serialize(writer),
            Value::Array(items) => writer.collect_seq(items.iter().map(PlainValue)),
            other => other.serialize(writer),
        }
    }
}

/// Formats JSON as Python's `json.dumps` does, so that a conversation has the same bytes in both SDKs and hits the same
/// cache.
fn json_text(json: &Value) -> String {
    let mut text = Vec::new();
    let mut writer = serde_json::Serializer::with_formatter(&mut text, PythonStyle);
    // Writing to memory can't fail, and a value is always valid JSON.
    let _ = json.serialize(&mut writer);
    String::from_utf8(text).unwrap_or_default()
}

struct PythonStyle;

impl serde_json::ser::Formatter for PythonStyle {
    fn begin_array_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        writer.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> std::io::Result<()> {
        for character in fragment.chars() {
            if character.is_ascii() {
                write!(writer, "{character}")?;
            } else {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use strands_core::message::Message;

    use super::*;
    use crate::capabilities::ReasoningReplay;
    use crate::document_names::DocumentNames;
    use crate::turns::outgoing_turn;

    fn sent(content: &Value, json_as_text: bool) -> Value {
        let message: Message = serde_json::from_value(json!({"role": "user", "content": content})).unwrap();
        let turn = outgoing_turn(&message, ReasoningReplay::All, &mut DocumentNames::default());
        let style = ResultStyle { status: false, json_as_text };
        let mut turn = serde_json::to_value(TurnJson(&turn, style)).unwrap();
        turn["content"].take()
    }

    fn result(content: &Value) -> Value {
        json!([{"toolResult": {"toolUseId": "1", "status": "success", "content": content}}])
    }

    #[test]
    fn sends_only_fields_that_bedrock_knows() {
        let content = json!([
            {"text": "hi", "note": 1},
            {"image": {"format": "jpg", "source": {"bytes": "AQI="}, "alt": "x"}},
            {"video": {"format": "3gp", "source": {"location": {"type": "s3", "uri": "s3://b/k", "etag": "x"}}}},
            {"toolUse": {"toolUseId": "1", "name": "look", "input": [1], "extra": true}},
            {"cachePoint": {"type": "default", "ttl": ""}},
        ]);
        let expected = json!([
            {"text": "hi"},
            {"image": {"format": "jpeg", "source": {"bytes": "AQI="}}},
            {"video": {"format": "three_gp", "source": {"s3Location": {"uri": "s3://b/k"}}}},
            {"toolUse": {"toolUseId": "1", "name": "look", "input": {}}},
            {"cachePoint": {"type": "default"}},
        ]);
        assert_eq!(sent(&content, false), expected);
    }

    #[test]
    fn sends_unknown_block_kinds_unchanged() {
        let content = json!([{"searchResult": {"source": "s", "blob": {"__bytes_encoded__": true, "data": "AQI="}}}]);
        let expected = json!([{"searchResult": {"source": "s", "blob": "AQI="}}]);
        assert_eq!(sent(&content, false), expected);
    }

    #[test]
    fn sends_json_results_as_text_where_needed() {
        let parts = json!([{"json": {"a": [1, 2.5], "b": "é\n"}}, {"json": [1]}, {"json": null}]);
        let text = json!([{"toolResult": {"toolUseId": "1", "content": [
            {"text": r#"{"a": [1, 2.5], "b": "\u00e9\n"}"#}, {"text": "[1]"}, {"text": "null"},
        ]}}]);
        assert_eq!(sent(&result(&parts), true), text);
        let unchanged = sent(&result(&parts), false);
        let contents = &unchanged[0]["toolResult"]["content"];
        assert_eq!(contents[0], parts[0]);
        assert_eq!(contents[1], json!({"text": "[1]"}));
    }

    #[test]
    fn fills_empty_results_and_drops_unknown_fields() {
        let empty = sent(&result(&json!([])), false);
        assert_eq!(empty[0]["toolResult"]["content"], json!([{"text": "[The tool returned nothing.]"}]));
        let annotated = sent(&result(&json!([{"text": "x", "annotations": 1}])), false);
        assert_eq!(annotated[0]["toolResult"]["content"], json!([{"text": "x"}]));
    }
}

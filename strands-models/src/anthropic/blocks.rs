//! Content as Messages takes it. What it does not take leaves a note in its place, so that a conversation can move here
//! from a model that took more.

use std::borrow::Cow;
use std::fmt;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use strands_core::message::{
    ContentBlock, DocumentBlock, DocumentFormat, ImageBlock, MediaLocation, MediaSource, ReasoningContent, ToolResult,
    ToolResultContent,
};
use strands_core::models::CallIdForm;

use super::PROVIDER;
use super::cache::CacheControl;
use super::citations::originals;

/// Ids of calls as Anthropic takes them; calls of other providers may be named otherwise.
const CALL_IDS: CallIdForm = CallIdForm::up_to(64).words();

/// A block on its way, with what the whole request says about it.
#[derive(Debug)]
pub(super) struct Outgoing<'a> {
    pub(super) block: &'a ContentBlock,
    pub(super) mark: Option<CacheControl>,
    /// How many documents the request has.
    pub(super) documents: u64,
}

/// True for what Messages takes in some form.
pub(super) fn is_sent(block: &ContentBlock) -> bool {
    match block {
        ContentBlock::Text(text) => !text.text.trim().is_empty(),
        ContentBlock::Image(_)
        | ContentBlock::Document(_)
        | ContentBlock::Video(_)
        | ContentBlock::Audio(_)
        | ContentBlock::ToolUse(_)
        | ContentBlock::ToolResult(_) => true,
        ContentBlock::Reasoning(reasoning) => signature(reasoning).is_some() || reasoning.redacted_content.is_some(),
        ContentBlock::GuardContent(guarded) => guarded.text.is_some() || guarded.image.is_some(),
        ContentBlock::Citations(cited) => cited.content.iter().any(|part| !part.text.trim().is_empty()),
        ContentBlock::Provider(own) => own.provider == PROVIDER,
        _ => false,
    }
}

/// True for what a model thought, in any form.
pub(super) fn is_thought(block: &ContentBlock) -> bool {
    match block {
        ContentBlock::Reasoning(_) => true,
        ContentBlock::Provider(own) => {
            matches!(own.content.get("type").and_then(Value::as_str), Some("thinking" | "redacted_thinking"))
        }
        _ => false,
    }
}

/// The provider's signature. What others keep in its place is JSON.
fn signature(reasoning: &ReasoningContent) -> Option<&str> {
    let signature = reasoning.reasoning_text.as_ref()?.signature.as_deref()?;
    (!signature.is_empty() && !signature.starts_with('{')).then_some(signature)
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Wire<'a> {
    Text {
        text: Cow<'a, str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        citations: Vec<&'a Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl>,
    },
    Image {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl>,
    },
    Document {
        source: Source<'a>,
        #[serde(skip_serializing_if = "str::is_empty")]
        title: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        context: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        citations: Option<Enabled>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl>,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: &'a str,
        input: Input<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl>,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        content: ResultContent<'a>,
        is_error: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl>,
    },
    Thinking {
        thinking: &'a str,
        signature: &'a str,
    },
    RedactedThinking {
        data: Base64<'a>,
    },
}

#[derive(Serialize)]
struct Enabled {
    enabled: bool,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Source<'a> {
    Base64 { media_type: Cow<'a, str>, data: Base64<'a> },
    Text { media_type: &'static str, data: Cow<'a, str> },
    Url { url: &'a str },
    File { file_id: &'a str },
}

/// Bytes that are written as text without a copy in between.
struct Base64<'a>(&'a Bytes);

impl fmt::Display for Base64<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Base64Display::new(self.0, &STANDARD).fmt(f)
    }
}

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The arguments of a call. One whose arguments were no JSON object never ran, and nothing else is taken.
struct Input<'a>(&'a Value);

impl Serialize for Input<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(fields) => fields.serialize(serializer),
            _ => Map::new().serialize(serializer),
        }
    }
}

impl Wire<'_> {
    fn note(note: &'static str, cache_control: Option<CacheControl>) -> Self {
        Self::Text { text: Cow::Borrowed(note), citations: Vec::new(), cache_control }
    }
}

impl<'a> Wire<'a> {
    fn text(text: impl Into<Cow<'a, str>>, cache_control: Option<CacheControl>) -> Self {
        Self::Text { text: text.into(), citations: Vec::new(), cache_control }
    }

    fn image(image: &'a ImageBlock, cache_control: Option<CacheControl>) -> Self {
        let source = match &image.source {
            MediaSource::Bytes(bytes) => {
                Source::Base64 { media_type: format!("image/{}", image.format).into(), data: Base64(bytes) }
            }
            MediaSource::Location(location) => match elsewhere(location) {
                Some(source) => source,
                None => return Self::note(IMAGE_ELSEWHERE, cache_control),
            },
            _ => return Self::note(IMAGE_ELSEWHERE, cache_control),
        };
        Self::Image { source, cache_control }
    }

    fn document(document: &'a DocumentBlock, cache_control: Option<CacheControl>) -> Self {
        let source = match &document.source {
            MediaSource::Bytes(bytes) => match written(document.format.as_ref(), bytes) {
                Some(source) => source,
                None => return Self::note(DOCUMENT_UNREADABLE, cache_control),
            },
            MediaSource::Location(location) => match elsewhere(location) {
                Some(source) => source,
                None => return Self::note(DOCUMENT_ELSEWHERE, cache_control),
            },
            _ => return Self::note(DOCUMENT_ELSEWHERE, cache_control),
        };
        Self::Document {
            source,
            title: &document.name,
            context: document.context.as_deref(),
            citations: document.citations.as_ref().map(|citations| Enabled { enabled: citations.enabled }),
            cache_control,
        }
    }
}

const IMAGE_ELSEWHERE: &str = "[An image that can't be shown to this model: it is stored elsewhere.]";
const DOCUMENT_ELSEWHERE: &str = "[A document that can't be shown to this model: it is stored elsewhere.]";
const DOCUMENT_UNREADABLE: &str = "[A document that can't be shown to this model: it takes PDF and text.]";
const VIDEO: &str = "[A video that can't be shown to this model.]";
const SOUND: &str = "[An audio clip that can't be played to this model.]";

/// What the provider reads from where it lies: the web, or a file that was given to it before.
fn elsewhere(location: &MediaLocation) -> Option<Source<'_>> {
    let uri = location.uri.as_deref()?;
    if uri.starts_with("https://") || uri.starts_with("http://") {
        return Some(Source::Url { url: uri });
    }
    (location.kind == "file").then_some(Source::File { file_id: uri })
}

/// PDF goes as it is, and text as text.
fn written<'a>(format: Option<&DocumentFormat>, bytes: &'a Bytes) -> Option<Source<'a>> {
    match format {
        Some(DocumentFormat::Doc | DocumentFormat::Docx | DocumentFormat::Xls | DocumentFormat::Xlsx) => None,
        Some(DocumentFormat::Csv | DocumentFormat::Html | DocumentFormat::Md | DocumentFormat::Txt) => {
            Some(Source::Text { media_type: "text/plain", data: String::from_utf8_lossy(bytes) })
        }
        _ if format == Some(&DocumentFormat::Pdf) || bytes.starts_with(b"%PDF") => {
            Some(Source::Base64 { media_type: "application/pdf".into(), data: Base64(bytes) })
        }
        _ => {
            let text = std::str::from_utf8(bytes).ok()?;
            Some(Source::Text { media_type: "text/plain", data: Cow::Borrowed(text) })
        }
    }
}

impl Serialize for Outgoing<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mark = self.mark;
        let wire = match self.block {
            ContentBlock::Text(text) => Wire::text(&text.text, mark),
            ContentBlock::Image(image) => Wire::image(image, mark),
            ContentBlock::Document(document) => Wire::document(document, mark),
            ContentBlock::Video(_) => Wire::note(VIDEO, mark),
            ContentBlock::Audio(_) => Wire::note(SOUND, mark),
            ContentBlock::ToolUse(call) => Wire::ToolUse {
                id: CALL_IDS.apply(&call.tool_use_id),
                name: &call.name,
                input: Input(&call.input),
                cache_control: mark,
            },
            ContentBlock::ToolResult(result) => Wire::ToolResult {
                tool_use_id: CALL_IDS.apply(&result.tool_use_id),
                content: ResultContent(result),
                is_error: result.is_error(),
                cache_control: mark,
            },
            ContentBlock::Reasoning(reasoning) => match (signature(reasoning), &reasoning.redacted_content) {
                (Some(signature), _) => {
                    let words = reasoning.reasoning_text.as_ref().map_or("", |words| &words.text);
                    Wire::Thinking { thinking: words, signature }
                }
                (None, Some(redacted)) => Wire::RedactedThinking { data: Base64(redacted) },
                (None, None) => Wire::note("", None),
            },
            ContentBlock::GuardContent(guarded) => match (&guarded.text, &guarded.image) {
                (Some(text), _) => Wire::text(&text.text, mark),
                (None, Some(image)) => Wire::image(image, mark),
                (None, None) => Wire::note("", None),
            },
            ContentBlock::Citations(cited) => Wire::Text {
                text: match cited.content.as_slice() {
                    [part] => Cow::Borrowed(&part.text),
                    parts => Cow::Owned(parts.iter().map(|part| part.text.as_str()).collect()),
                },
                citations: originals(cited, self.documents),
                cache_control: mark,
            },
            ContentBlock::Provider(own) => return own.content.serialize(serializer),
            _ => Wire::note("", None),
        };
        wire.serialize(serializer)
    }
}

/// What a tool has answered.
struct ResultContent<'a>(&'a ToolResult);

impl Serialize for ResultContent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let parts = self.0.content.iter().filter_map(|content| match content {
            ToolResultContent::Text(text) => Some(Wire::text(text, None)),
            ToolResultContent::Json(json) => Some(Wire::text(json.to_string(), None)),
            ToolResultContent::Image(image) => Some(Wire::image(image, None)),
            ToolResultContent::Document(document) => Some(Wire::document(document, None)),
            ToolResultContent::Video(_) => Some(Wire::note(VIDEO, None)),
            ToolResultContent::Unknown(fields) if !fields.is_empty() => {
                Some(Wire::text(Value::Object(fields.clone()).to_string(), None))
            }
            _ => None,
        });
        serializer.collect_seq(parts)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use strands_core::message::{CitationsContent, DocumentCitations};

    use super::*;

    fn sent(block: &Value) -> Value {
        let block: ContentBlock = serde_json::from_value(block.clone()).unwrap();
        assert!(is_sent(&block), "{block:?}");
        serde_json::to_value(Outgoing { block: &block, mark: None, documents: 0 }).unwrap()
    }

    #[test]
    fn media_go_from_where_they_are() {
        let image = |source: Value| json!({"image": {"format": "png", "source": source}});
        let document =
            |format: &str, source: Value| json!({"document": {"format": format, "name": "d", "source": source}});
        let at = |kind: &str, uri: &str| json!({"location": {"type": kind, "uri": uri}});
        for (block, expected) in [
            (
                image(json!({"bytes": "AAE="})),
                json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAE="}}),
            ),
            (
                image(at("url", "https://a.b/c.png")),
                json!({"type": "image", "source": {"type": "url", "url": "https://a.b/c.png"}}),
            ),
            (image(at("file", "file_1")), json!({"type": "image", "source": {"type": "file", "file_id": "file_1"}})),
            (image(at("s3", "s3://b/k")), json!({"type": "text", "text": IMAGE_ELSEWHERE})),
            (
                document("pdf", json!({"bytes": "AAE="})),
                json!({"type": "document", "title": "d", "source": {"type": "base64", "media_type": "application/pdf", "data": "AAE="}}),
            ),
            (
                document("json", json!({"bytes": "e30="})),
                json!({"type": "document", "title": "d", "source": {"type": "text", "media_type": "text/plain", "data": "{}"}}),
            ),
            (document("docx", json!({"bytes": "e30="})), json!({"type": "text", "text": DOCUMENT_UNREADABLE})),
            (document("zip", json!({"bytes": "//8="})), json!({"type": "text", "text": DOCUMENT_UNREADABLE})),
            (
                document("pdf", at("url", "https://a.b/c.pdf")),
                json!({"type": "document", "title": "d", "source": {"type": "url", "url": "https://a.b/c.pdf"}}),
            ),
        ] {
            assert_eq!(sent(&block), expected);
        }
    }

    #[test]
    fn documents_can_be_cited_and_explained() {
        let mut document = DocumentBlock::new("facts", DocumentFormat::Txt, b"grass".to_vec()).with_citations();
        document.context = Some("from a friend".to_owned());
        assert_eq!(
            sent(&serde_json::to_value(ContentBlock::from(document.clone())).unwrap()),
            json!({"type": "document", "title": "facts", "context": "from a friend", "citations": {"enabled": true},
                "source": {"type": "text", "media_type": "text/plain", "data": "grass"}})
        );
        let off: DocumentCitations = serde_json::from_value(json!({"enabled": false})).unwrap();
        document.citations = Some(off);
        assert_eq!(
            sent(&serde_json::to_value(ContentBlock::from(document)).unwrap())["citations"],
            json!({"enabled": false})
        );
    }

    #[test]
    fn a_program_says_where_a_medium_lies() {
        let source = MediaSource::location("file", "file_1");
        let image = ContentBlock::from(ImageBlock::new(strands_core::message::ImageFormat::Png, source));
        let sent = serde_json::to_value(Outgoing { block: &image, mark: None, documents: 0 }).unwrap();
        assert_eq!(sent["source"], json!({"type": "file", "file_id": "file_1"}));
    }

    #[test]
    fn thoughts_of_others_are_not_sent() {
        let thought = |signature: Option<&str>| {
            ContentBlock::Reasoning(ReasoningContent::text("hm", signature.map(str::to_owned)))
        };
        assert!(is_sent(&thought(Some("EqQBCkYIBxgCKkD="))));
        for signature in [None, Some(""), Some(r#"{"reasoning_item":{}}"#)] {
            assert!(!is_sent(&thought(signature)), "{signature:?}");
        }
    }

    #[test]
    fn results_keep_their_failure_and_their_media() {
        let result = json!({"toolResult": {"toolUseId": "call:1", "status": "error", "content": [
            {"text": "no"}, {"json": {"a": 1}}, {"image": {"format": "gif", "source": {"bytes": "AAE="}}},
            {"document": {"format": "txt", "name": "d", "source": {"bytes": "YQ=="}}}, {"newer": 1}]}});
        let sent = sent(&result);
        assert_eq!(sent["is_error"], true);
        assert_eq!(sent["tool_use_id"], CALL_IDS.apply("call:1").as_ref());
        let kinds: Vec<_> =
            sent["content"].as_array().unwrap().iter().map(|part| part["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["text", "text", "image", "document", "text"]);
    }

    #[test]
    fn text_of_several_parts_is_one() {
        let mut cited = CitationsContent::default();
        cited.content =
            vec![strands_core::message::CitationText::new("a"), strands_core::message::CitationText::new("b")];
        assert_eq!(
            sent(&serde_json::to_value(ContentBlock::from(cited)).unwrap()),
            json!({"type": "text", "text": "ab"})
        );
    }
}

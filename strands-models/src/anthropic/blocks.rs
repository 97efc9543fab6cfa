//! Content blocks in the form of the Messages API. Content of other kinds is replaced with a note, so that a conversation
//! with another model can continue here.

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
use super::citations::originals;
use super::prompt_cache::CacheControl;

/// Form of call ids that Anthropic accepts. Ids of other providers are converted.
const CALL_IDS: CallIdForm = CallIdForm::up_to(64).words();

/// A block to send, with its cache point and the request's document count.
#[derive(Debug)]
pub(super) struct OutgoingBlock<'a> {
    pub(super) block: &'a ContentBlock,
    pub(super) mark: Option<CacheControl>,
    /// Number of documents in the request.
    pub(super) documents: u64,
}

/// True for blocks that are sent in some form.
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
        ContentBlock::Provider(provider) => provider.provider == PROVIDER,
        _ => false,
    }
}

/// True for reasoning in any form.
pub(super) fn is_reasoning(block: &ContentBlock) -> bool {
    match block {
        ContentBlock::Reasoning(_) => true,
        ContentBlock::Provider(provider) => {
            matches!(provider.content.get("type").and_then(Value::as_str), Some("thinking" | "redacted_thinking"))
        }
        _ => false,
    }
}

/// Returns Anthropic's signature. Other providers have JSON in this field.
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

/// Bytes that are serialized as base64 without a copy.
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

/// Arguments of a call. Anthropic accepts only objects, and a call with other arguments never ran.
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
            MediaSource::Location(location) => match remote_source(location) {
                Some(source) => source,
                None => return Self::note(IMAGE_ELSEWHERE, cache_control),
            },
            _ => return Self::note(IMAGE_ELSEWHERE, cache_control),
        };
        Self::Image { source, cache_control }
    }

    fn document(document: &'a DocumentBlock, cache_control: Option<CacheControl>) -> Self {
        let source = match &document.source {
            MediaSource::Bytes(bytes) => match inline_source(document.format.as_ref(), bytes) {
                Some(source) => source,
                None => return Self::note(DOCUMENT_UNREADABLE, cache_control),
            },
            MediaSource::Location(location) => match remote_source(location) {
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
const DOCUMENT_UNREADABLE: &str = "[A document that can't be shown to this model: only PDF and text are supported.]";
const VIDEO: &str = "[A video that can't be shown to this model.]";
const AUDIO: &str = "[An audio clip that can't be played to this model.]";

/// Returns a source that the provider reads itself: a URL, or an uploaded file.
fn remote_source(location: &MediaLocation) -> Option<Source<'_>> {
    let uri = location.uri.as_deref()?;
    if uri.starts_with("https://") || uri.starts_with("http://") {
        return Some(Source::Url { url: uri });
    }
    (location.kind == "file").then_some(Source::File { file_id: uri })
}

/// Returns the source of a PDF or a text document.
fn inline_source<'a>(format: Option<&DocumentFormat>, bytes: &'a Bytes) -> Option<Source<'a>> {
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

impl Serialize for OutgoingBlock<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mark = self.mark;
        let wire = match self.block {
            ContentBlock::Text(text) => Wire::text(&text.text, mark),
            ContentBlock::Image(image) => Wire::image(image, mark),
            ContentBlock::Document(document) => Wire::document(document, mark),
            ContentBlock::Video(_) => Wire::note(VIDEO, mark),
            ContentBlock::Audio(_) => Wire::note(AUDIO, mark),
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
                    let text = reasoning.reasoning_text.as_ref().map_or("", |reasoning| &reasoning.text);
                    Wire::Thinking { thinking: text, signature }
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
            ContentBlock::Provider(provider) => return provider.content.serialize(serializer),
            _ => Wire::note("", None),
        };
        wire.serialize(serializer)
    }
}

/// Content of a tool result.
struct ResultContent<'a>(&'a ToolResult);

impl Serialize for ResultContent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let parts = self.0.content.iter().filter_map(|content| match content {
            ToolResultContent::Text(text) => Some(Wire::text(text, None)),
            ToolResultContent::Json(json) => Some(Wire::text(json.to_string(), None)),
            ToolResultContent::Image(image) => Some(Wire::image(image, None)),
            ToolResultContent::Document(document) => Some(Wire::document(document, None)),
            ToolResultContent::Video(_) => Some(Wire::note(VIDEO, None)),
            ToolResultContent::Audio(_) => Some(Wire::note(AUDIO, None)),
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
        serde_json::to_value(OutgoingBlock { block: &block, mark: None, documents: 0 }).unwrap()
    }

    #[test]
    fn sends_media_from_their_source() {
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
    fn sends_context_and_citations_of_documents() {
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
    fn sends_uploaded_files_by_id() {
        let source = MediaSource::location("file", "file_1");
        let image = ContentBlock::from(ImageBlock::new(strands_core::message::ImageFormat::Png, source));
        let sent = serde_json::to_value(OutgoingBlock { block: &image, mark: None, documents: 0 }).unwrap();
        assert_eq!(sent["source"], json!({"type": "file", "file_id": "file_1"}));
    }

    #[test]
    fn does_not_send_reasoning_of_other_providers() {
        let reasoning = |signature: Option<&str>| {
            ContentBlock::Reasoning(ReasoningContent::text("hm", signature.map(str::to_owned)))
        };
        assert!(is_sent(&reasoning(Some("EqQBCkYIBxgCKkD="))));
        for signature in [None, Some(""), Some(r#"{"reasoning_item":{}}"#)] {
            assert!(!is_sent(&reasoning(signature)), "{signature:?}");
        }
    }

    #[test]
    fn sends_status_and_media_of_tool_results() {
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
    fn joins_cited_text() {
        let mut cited = CitationsContent::default();
        cited.content =
            vec![strands_core::message::CitationText::new("a"), strands_core::message::CitationText::new("b")];
        assert_eq!(
            sent(&serde_json::to_value(ContentBlock::from(cited)).unwrap()),
            json!({"type": "text", "text": "ab"})
        );
    }
}

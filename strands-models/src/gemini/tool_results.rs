//! Tool results in Gemini's form: function responses.

use std::borrow::Cow;
use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use strands_core::message::{ContentBlock, Message, ToolResult, ToolResultContent};
use strands_core::models::outgoing_content;

use super::PROVIDER;
use super::contents::Part;
use super::media::{MediaKind, Medium, NestedMedia, audio_mime, document_mime, image_mime, video_mime};

/// A tool result.
#[derive(Debug, Serialize)]
pub(super) struct FunctionResponse<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    id: &'a str,
    name: Cow<'a, str>,
    response: Response<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<Part<'a>>,
}

/// `output` and `error` are Gemini's field names ([`FunctionResponse`][doc]).
///
/// [doc]: https://ai.google.dev/api/caching#FunctionResponse
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Response<'a> {
    Output(Vec<ResultContent<'a>>),
    Error(Vec<ResultContent<'a>>),
}

/// Content of a tool result, in the form of Strands.
#[derive(Debug)]
enum ResultContent<'a> {
    Text(&'a str),
    Json(&'a Value),
    Unknown(&'a Map<String, Value>),
}

impl Serialize for ResultContent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_map(None)?;
        match self {
            Self::Text(text) => fields.serialize_entry("text", text)?,
            Self::Json(json) => fields.serialize_entry("json", json)?,
            Self::Unknown(unknown) => {
                unknown.iter().try_for_each(|(name, value)| fields.serialize_entry(name, value))?;
            }
        }
        fields.end()
    }
}

/// Appends the results in order, then the media that they can't contain. The calls are in `preceding`.
pub(super) fn append_tool_results<'a>(
    results: impl Iterator<Item = &'a ToolResult>,
    preceding: &'a [Arc<Message>],
    nested: NestedMedia,
    parts: &mut Vec<Part<'a>>,
) {
    let mut separate = Vec::new();
    for result in results {
        let (mut contents, mut nested_parts) = (Vec::with_capacity(result.content.len()), Vec::new());
        for content in &result.content {
            let (medium, kind) = match content {
                ToolResultContent::Text(text) => {
                    contents.push(ResultContent::Text(text));
                    continue;
                }
                ToolResultContent::Json(json) => {
                    contents.push(ResultContent::Json(json));
                    continue;
                }
                ToolResultContent::Image(image) => {
                    (Medium::new(image_mime(&image.format), &image.source), MediaKind::Image)
                }
                ToolResultContent::Document(document) => {
                    (Medium::new(document_mime(document.format.as_ref()), &document.source), MediaKind::Document)
                }
                ToolResultContent::Video(video) => {
                    (Medium::new(video_mime(&video.format), &video.source), MediaKind::Video)
                }
                ToolResultContent::Audio(audio) => {
                    (Medium::new(audio_mime(&audio.format), &audio.source), MediaKind::Audio)
                }
                ToolResultContent::Unknown(fields) => {
                    contents.push(ResultContent::Unknown(fields));
                    continue;
                }
                _ => continue,
            };
            contents.push(ResultContent::Text(if medium.is_some() {
                kind.sent_separately()
            } else {
                kind.stored_elsewhere()
            }));
            if let Some(medium) = medium {
                let target = if nested.accepts(&medium) { &mut nested_parts } else { &mut separate };
                target.push(Part::medium(medium));
            }
        }
        let response = if result.is_error() { Response::Error(contents) } else { Response::Output(contents) };
        let name = tool_name(&result.tool_use_id, preceding);
        parts.push(Part::response(FunctionResponse { id: &result.tool_use_id, name, response, parts: nested_parts }));
    }
    parts.append(&mut separate);
}

/// Returns the tool's name as it is sent in the call, or the call's id if the call is no longer in the conversation.
fn tool_name<'a>(tool_use_id: &'a str, preceding: &'a [Arc<Message>]) -> Cow<'a, str> {
    let calls = preceding.iter().rev().find(|message| message.tool_uses().any(|call| call.tool_use_id == tool_use_id));
    let blocks = calls.into_iter().flat_map(|message| outgoing_content(message, PROVIDER));
    let mut names = blocks.filter_map(|block| match block {
        Cow::Borrowed(ContentBlock::ToolUse(call)) if call.tool_use_id == tool_use_id => {
            Some(Cow::Borrowed(call.name.as_str()))
        }
        Cow::Owned(ContentBlock::ToolUse(call)) if call.tool_use_id == tool_use_id => Some(Cow::Owned(call.name)),
        _ => None,
    });
    names.next().unwrap_or(Cow::Borrowed(tool_use_id))
}

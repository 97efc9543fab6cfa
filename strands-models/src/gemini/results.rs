//! What tools have answered.

use std::borrow::Cow;
use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use strands_core::message::{ContentBlock, Message, ToolResult, ToolResultContent};
use strands_core::models::outgoing_content;

use super::PROVIDER;
use super::contents::Part;
use super::media::{Kind, Medium, NestedMedia, document_mime, image_mime, video_mime};

/// A tool's answer to a call.
#[derive(Debug, Serialize)]
pub(super) struct FunctionResponse<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    id: &'a str,
    name: Cow<'a, str>,
    response: Response<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<Part<'a>>,
}

/// `output` and `error` are the names that Gemini knows ([`FunctionResponse`][doc]).
///
/// [doc]: https://ai.google.dev/api/caching#FunctionResponse
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Response<'a> {
    Output(Vec<Piece<'a>>),
    Error(Vec<Piece<'a>>),
}

/// A piece of an answer, in the form that Strands gives it.
#[derive(Debug)]
enum Piece<'a> {
    Text(&'a str),
    Json(&'a Value),
    Unknown(&'a Map<String, Value>),
}

impl Serialize for Piece<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut piece = serializer.serialize_map(None)?;
        match self {
            Self::Text(text) => piece.serialize_entry("text", text)?,
            Self::Json(json) => piece.serialize_entry("json", json)?,
            Self::Unknown(fields) => fields.iter().try_for_each(|(name, value)| piece.serialize_entry(name, value))?,
        }
        piece.end()
    }
}

/// The answers, in order, and behind them the media that can't stand in them. `before` has the calls.
pub(super) fn results<'a>(
    answers: impl Iterator<Item = &'a ToolResult>,
    before: &'a [Arc<Message>],
    nested: NestedMedia,
    parts: &mut Vec<Part<'a>>,
) {
    let mut beside = Vec::new();
    for result in answers {
        let (mut pieces, mut inside) = (Vec::with_capacity(result.content.len()), Vec::new());
        for content in &result.content {
            let (medium, kind) = match content {
                ToolResultContent::Text(text) => {
                    pieces.push(Piece::Text(text));
                    continue;
                }
                ToolResultContent::Json(json) => {
                    pieces.push(Piece::Json(json));
                    continue;
                }
                ToolResultContent::Image(image) => (Medium::new(image_mime(&image.format), &image.source), Kind::Image),
                ToolResultContent::Document(document) => {
                    (Medium::new(document_mime(document.format.as_ref()), &document.source), Kind::Document)
                }
                ToolResultContent::Video(video) => (Medium::new(video_mime(&video.format), &video.source), Kind::Video),
                ToolResultContent::Unknown(fields) => {
                    pieces.push(Piece::Unknown(fields));
                    continue;
                }
                _ => continue,
            };
            pieces.push(Piece::Text(if medium.is_some() { kind.beside() } else { kind.stored_elsewhere() }));
            if let Some(medium) = medium {
                let place = if nested.takes(&medium) { &mut inside } else { &mut beside };
                place.push(Part::medium(medium));
            }
        }
        let response = if result.is_error() { Response::Error(pieces) } else { Response::Output(pieces) };
        let name = called(&result.tool_use_id, before);
        parts.push(Part::response(FunctionResponse { id: &result.tool_use_id, name, response, parts: inside }));
    }
    parts.append(&mut beside);
}

/// The name under which the tool was called, as the call is sent. A result whose call is gone goes by its id.
fn called<'a>(tool_use_id: &'a str, before: &'a [Arc<Message>]) -> Cow<'a, str> {
    let calls = before.iter().rev().find(|message| message.tool_uses().any(|call| call.tool_use_id == tool_use_id));
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

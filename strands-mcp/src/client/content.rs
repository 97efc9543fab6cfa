//! Conversion of a server's tool results to content for models. Everything in a result becomes content, or a note.

mod media_type;
mod structured;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use rmcp::model::{CallToolResult, ContentBlock, Resource, ResourceContents};
use strands_core::ToolOutput;
use strands_core::message::{self, AudioBlock, DocumentBlock, ImageBlock, ToolResultContent, ToolResultStatus};
use strands_core::models::placeholder;

use super::description::{visible_line, visible_text};
use media_type::{Readable, readable};
use structured::Place;

/// Maximum number of parts of a result.
const MAX_PARTS: usize = 1000;

/// Maximum size of all text of a result, in bytes.
const MAX_TEXT: usize = 8 * 1024 * 1024;

/// Maximum size of all media of a result, in bytes.
const MAX_MEDIA: usize = 32 * 1024 * 1024;

/// Maximum size of a description in a note, in bytes.
const MAX_DESCRIPTION: usize = 8 * 1024;

/// Maximum size of a document's name, in bytes.
const MAX_DOCUMENT_NAME: usize = 200;

/// Note for content of a kind that can't be serialized.
const UNKNOWN: &str = "[Content of an unknown kind.]";

/// Base64 as servers send it: with or without padding.
const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG);

/// Converts a tool result.
///
/// - Images and documents of formats that models read are media; their format is detected from the bytes, since providers
///   reject a request whose media have another format than declared. Other media become a note with their type and size.
/// - Resources are preceded by their URI. Text in binary resources is decoded.
/// - Structured content is JSON, in place of a text block that repeats it.
/// - A result without content becomes a note, since providers reject empty results.
pub(crate) fn tool_output(result: CallToolResult) -> ToolOutput {
    let CallToolResult { content, structured_content, is_error, .. } = result;
    let is_error = is_error == Some(true);
    let place = structured_content.as_ref().map_or(Place::Nowhere, |value| structured::place(value, &content));
    let mut data = structured_content.map(structured::part);
    let mut parts = Parts::default();
    for (at, block) in content.into_iter().enumerate() {
        match data.take_if(|_| place == Place::Instead(at)) {
            Some((size, data)) => parts.push_sized(size, data),
            None => parts.push_block(block),
        }
    }
    if let Some((size, data)) = data.filter(|_| place == Place::Last) {
        parts.push_sized(size, data);
    }
    let status = if is_error { ToolResultStatus::Error } else { ToolResultStatus::Success };
    ToolOutput::new(parts.into_result(is_error)).with_status(status)
}

/// Converts the content of a message of a prompt.
pub(super) fn message_content(block: ContentBlock) -> Vec<message::ContentBlock> {
    let mut parts = Parts::default();
    parts.push_block(block);
    parts.into_message()
}

/// Converts a resource: its text, or its bytes.
pub(super) fn resource_content(
    uri: &str,
    mime_type: Option<&str>,
    data: Result<String, Vec<u8>>,
) -> Vec<message::ContentBlock> {
    let mut parts = Parts::default();
    match data {
        Ok(text) => parts.push_labelled(uri, mime_type, &text),
        Err(bytes) => {
            parts.push_text(resource_label(uri, mime_type));
            parts.push_data(bytes, mime_type, &document_name(uri));
        }
    }
    parts.into_message()
}

/// Content of a result, of limited size.
#[derive(Default)]
struct Parts {
    content: Vec<ToolResultContent>,
    text: usize,
    media: usize,
    /// Number of parts that are left out or truncated, since the result is over a limit.
    left_out: usize,
}

impl Parts {
    fn push_block(&mut self, block: ContentBlock) {
        match block {
            ContentBlock::Text(text) => self.push_text(text.text),
            ContentBlock::Image(image) => self.push_base64(&image.data, Some(&image.mime_type), "image"),
            ContentBlock::Audio(audio) => self.push_base64(&audio.data, Some(&audio.mime_type), "audio"),
            ContentBlock::Resource(embedded) => self.push_resource(embedded.resource),
            ContentBlock::ResourceLink(link) => self.push_text(link_text(&link)),
            // A kind of a later protocol.
            other => self.push_text(serde_json::to_string(&other).unwrap_or_else(|_| UNKNOWN.to_owned())),
        }
    }

    fn push_resource(&mut self, resource: ResourceContents) {
        match resource {
            ResourceContents::TextResourceContents { uri, mime_type, text, .. } => {
                self.push_labelled(&uri, mime_type.as_deref(), &text);
            }
            ResourceContents::BlobResourceContents { uri, mime_type, blob, .. } => {
                self.push_text(resource_label(&uri, mime_type.as_deref()));
                self.push_base64(&blob, mime_type.as_deref(), &document_name(&uri));
            }
            other => self.push_text(serde_json::to_string(&other).unwrap_or_else(|_| UNKNOWN.to_owned())),
        }
    }

    fn push_labelled(&mut self, uri: &str, mime_type: Option<&str>, text: &str) {
        self.push_text(format!("{}\n{text}", resource_label(uri, mime_type)));
    }

    fn push_base64(&mut self, data: &str, mime_type: Option<&str>, name: &str) {
        if decoded_size(data) > MAX_MEDIA - self.media {
            self.left_out += 1;
            return;
        }
        match decoded(data) {
            Some(bytes) => self.push_data(bytes, mime_type, name),
            None => self.push_text(format!("[Data of type `{}` that is not valid base64.]", declared(mime_type))),
        }
    }

    /// Appends a medium, the text of a binary resource, or a note.
    fn push_data(&mut self, bytes: Vec<u8>, mime_type: Option<&str>, name: &str) {
        let size = bytes.len();
        let medium = match readable(mime_type, bytes) {
            Readable::Image(format, bytes) => ImageBlock::new(format, bytes).into(),
            Readable::Audio(format, bytes) => AudioBlock::new(format, bytes).into(),
            Readable::Document(format, bytes) => DocumentBlock::new(name, format, bytes).into(),
            Readable::Text(text) => return self.push_text(text),
            Readable::Nothing => {
                let declared = declared(mime_type);
                let note = format!("[Data of type `{declared}`, {size} bytes, that can't be shown to this model.]");
                return self.push_text(note);
            }
        };
        self.media = self.media.saturating_add(size).min(MAX_MEDIA);
        self.push(medium);
    }

    /// Appends text, at most its beginning that fits.
    fn push_text(&mut self, mut text: String) {
        let size = text.len();
        text.truncate(text.floor_char_boundary(MAX_TEXT - self.text));
        self.left_out += usize::from(text.len() < size);
        if !text.is_empty() || size == 0 {
            self.push_sized(text.len(), ToolResultContent::Text(text));
        }
    }

    /// Appends text or JSON.
    fn push_sized(&mut self, size: usize, part: ToolResultContent) {
        if size > MAX_TEXT - self.text {
            self.left_out += 1;
            return;
        }
        self.text += size;
        self.push(part);
    }

    fn push(&mut self, part: ToolResultContent) {
        if self.content.len() < MAX_PARTS {
            self.content.push(part);
        } else {
            self.left_out += 1;
        }
    }

    /// Returns the content, with a note of the parts that are left out.
    fn with_note(mut self) -> Vec<ToolResultContent> {
        if self.left_out > 0 {
            let note =
                format!("[{} parts of the result are left out or truncated: the result is too large.]", self.left_out);
            self.content.push(note.into());
        }
        self.content
    }

    /// Returns content of a message.
    fn into_message(self) -> Vec<message::ContentBlock> {
        let block = |part| match part {
            ToolResultContent::Text(text) => Some(message::ContentBlock::text(text)),
            ToolResultContent::Image(image) => Some(image.into()),
            ToolResultContent::Audio(audio) => Some(audio.into()),
            ToolResultContent::Document(document) => Some(document.into()),
            _ => None,
        };
        self.with_note().into_iter().filter_map(block).collect()
    }

    /// Returns content of a tool result.
    fn into_result(self, is_error: bool) -> Vec<ToolResultContent> {
        let content = self.with_note();
        let is_blank =
            |part: &ToolResultContent| matches!(part, ToolResultContent::Text(text) if text.trim().is_empty());
        if content.iter().all(is_blank) {
            let note = if is_error { placeholder::EMPTY_ERROR } else { placeholder::EMPTY_RESULT };
            return vec![note.into()];
        }
        content
    }
}

/// Returns a media type for a note.
fn declared(mime_type: Option<&str>) -> String {
    visible_line(mime_type.unwrap_or("unknown"))
}

/// Returns the size of base64 data after decoding, without decoding it.
fn decoded_size(data: &str) -> usize {
    data.trim_end_matches('=').len() / 4 * 3 + data.trim_end_matches('=').len() % 4 * 3 / 4
}

/// Decodes base64, with or without padding or line breaks, of either alphabet.
pub(super) fn decoded(data: &str) -> Option<Vec<u8>> {
    let decode = |data: &str| STANDARD.decode(data).or_else(|_| URL_SAFE.decode(data)).ok();
    decode(data).or_else(|| {
        let without_breaks: String = data.chars().filter(|character| !character.is_ascii_whitespace()).collect();
        decode(&without_breaks)
    })
}

/// Returns the text that precedes an embedded resource.
fn resource_label(uri: &str, mime_type: Option<&str>) -> String {
    let uri = visible_line(uri);
    match mime_type {
        Some(mime_type) => format!("[Resource `{uri}` of type `{}`:]", visible_line(mime_type)),
        None => format!("[Resource `{uri}`:]"),
    }
}

/// Returns the text of a link to a resource.
fn link_text(link: &Resource) -> String {
    let mut text = format!("[Link to resource `{}`: name `{}`", visible_line(&link.uri), visible_line(&link.name));
    let title = link.title.as_deref().map(|title| format!(", title `{}`", visible_line(title)));
    let kind = link.mime_type.as_deref().map(|kind| format!(", type `{}`", visible_line(kind)));
    let size = link.size.map(|size| format!(", {size} bytes"));
    let description =
        link.description.as_deref().map(|text| format!(", description: {}", visible_text(text, MAX_DESCRIPTION)));
    text.extend([title, kind, size, description].into_iter().flatten());
    text.push(']');
    text
}

/// Returns the name of a document: the last segment of its URI.
fn document_name(uri: &str) -> String {
    let path = uri.split(['?', '#']).next().unwrap_or_default();
    let name = path.rsplit(['/', ':']).find(|segment| !segment.is_empty()).unwrap_or("document");
    visible_text(name, MAX_DOCUMENT_NAME)
}

#[cfg(test)]
mod tests;

//! Parts of content blocks.

use a2a::{Part, PartContent};
use serde_json::Value;
use strands_core::message::{ContentBlock, DocumentFormat, MediaSource, UnknownFields};

use super::formats;
use super::{FILE, PART};

/// Returns the parts of a message. Blocks that are not for its reader have none: reasoning, tool calls and their results.
pub(crate) fn parts_of(content: &[ContentBlock]) -> Vec<Part> {
    let mut parts = Vec::new();
    for block in content {
        match block {
            ContentBlock::Text(text) => {
                let remembered = text.unknown.get(PART).and_then(|part| serde_json::from_value(part.clone()).ok());
                parts.extend(remembered.or_else(|| text_part(&text.text)));
            }
            ContentBlock::Citations(cited) => {
                parts.extend(cited.content.iter().filter_map(|text| text_part(&text.text)));
            }
            ContentBlock::Image(image) => {
                parts.extend(file(&image.source, formats::of_image(&image.format), &image.unknown, None));
            }
            ContentBlock::Video(video) => {
                parts.extend(file(&video.source, formats::of_video(&video.format), &video.unknown, None));
            }
            ContentBlock::Audio(audio) => {
                parts.extend(file(&audio.source, formats::of_audio(&audio.format), &audio.unknown, None));
            }
            ContentBlock::Document(document) => {
                let media_type =
                    document.format.as_ref().map_or("application/octet-stream", DocumentFormat::mime_type).to_owned();
                let name = match &document.format {
                    Some(DocumentFormat::Other(_)) | None => document.name.clone(),
                    Some(format) => format!("{}.{format}", document.name),
                };
                parts.extend(file(&document.source, media_type, &document.unknown, Some(name)));
            }
            _ => {}
        }
    }
    parts
}

/// A part without a text says nothing, and some readers reject it.
fn text_part(text: &str) -> Option<Part> {
    (!text.is_empty()).then(|| Part::text(text))
}

/// Returns the part of a file. Its media type and name are those of the part that it was made from, if there was one.
fn file(source: &MediaSource, media_type: String, unknown: &UnknownFields, name: Option<String>) -> Option<Part> {
    let content = match source {
        MediaSource::Bytes(bytes) => PartContent::Raw(bytes.to_vec()),
        MediaSource::Location(location) => PartContent::Url(location.uri.clone()?),
        _ => return None,
    };
    let fact = |name: &str| unknown.get(FILE).map(|facts| facts.get(name).and_then(Value::as_str).map(str::to_owned));
    Some(Part {
        content,
        media_type: fact("mediaType").unwrap_or(Some(media_type)),
        filename: fact("filename").unwrap_or(name),
        metadata: None,
    })
}

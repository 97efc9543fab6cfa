//! Content blocks of parts.

use a2a::{Part, PartContent};
use serde_json::{Value, json};
use strands_core::message::{
    AudioBlock, ContentBlock, DocumentBlock, DocumentFormat, ImageBlock, MediaSource, UnknownFields, VideoBlock,
};

use super::formats::{self, Format};
use super::{FILE, PART};

/// Maximum size of data that is indented, in bytes of JSON.
const MAX_INDENTED: usize = 4 * 1024;
/// Maximum growth of data by its indentation, as a factor. Deeply nested data grows by a multiple of it.
const MAX_GROWTH: usize = 4;
/// Size up to which the growth does not count, in bytes.
const SMALL: usize = 64;

/// Maximum length of the name of a document, in characters.
const MAX_NAME: usize = 100;

/// Returns the content blocks of parts, one for each.
pub(crate) fn blocks_of(parts: Vec<Part>) -> Vec<ContentBlock> {
    parts.into_iter().map(block_of).collect()
}

fn block_of(part: Part) -> ContentBlock {
    match &part.content {
        PartContent::Text(text) => ContentBlock::text(text),
        PartContent::Data(data) => remembering(&part, text_of(data)),
        PartContent::Url(url) => match formats::format_of(part.media_type.as_deref(), part.filename.as_deref()) {
            // Models load these themselves.
            format @ (Format::Image(_) | Format::Document(DocumentFormat::Pdf)) if url.starts_with("https://") => {
                file(format, MediaSource::location("url", url), &part)
            }
            _ => remembering(&part, link(&part, url)),
        },
        PartContent::Raw(bytes) => {
            let format = formats::format_of(part.media_type.as_deref(), part.filename.as_deref());
            file(format, MediaSource::from(bytes.clone()), &part)
        }
    }
}

/// Returns the JSON of data: indented, so that models and people can read it, unless it is large or would become large by that.
fn text_of(data: &Value) -> String {
    let compact = data.to_string();
    if compact.len() > MAX_INDENTED {
        return compact;
    }
    let limit = compact.len().max(SMALL).saturating_mul(MAX_GROWTH);
    match serde_json::to_string_pretty(data) {
        Ok(indented) if indented.len() <= limit => indented,
        _ => compact,
    }
}

/// Returns a text block that stands for a part.
fn remembering(part: &Part, text: String) -> ContentBlock {
    let mut block = ContentBlock::text(text);
    if let (ContentBlock::Text(text), Ok(part)) = (&mut block, serde_json::to_value(part)) {
        text.unknown.insert(PART, part);
    }
    block
}

fn link(part: &Part, url: &str) -> String {
    match (&part.filename, &part.media_type) {
        (Some(name), Some(media_type)) => format!("File {name} ({media_type}): {url}"),
        (Some(name), None) => format!("File {name}: {url}"),
        (None, Some(media_type)) => format!("File ({media_type}): {url}"),
        (None, None) => format!("File: {url}"),
    }
}

fn file(format: Format, source: MediaSource, part: &Part) -> ContentBlock {
    let mut block = match format {
        Format::Image(format) => ContentBlock::Image(ImageBlock::new(format, source)),
        Format::Video(format) => ContentBlock::Video(VideoBlock::new(format, source)),
        Format::Audio(format) => ContentBlock::Audio(AudioBlock::new(format, source)),
        Format::Document(format) => {
            ContentBlock::Document(DocumentBlock::new(document_name(part.filename.as_deref()), format, source))
        }
    };
    let facts = json!({"mediaType": part.media_type, "filename": part.filename});
    if facts.as_object().is_some_and(|facts| facts.values().any(|fact| *fact != Value::Null))
        && let Some(unknown) = unknown_of(&mut block)
    {
        unknown.insert(FILE, facts);
    }
    block
}

fn unknown_of(block: &mut ContentBlock) -> Option<&mut UnknownFields> {
    match block {
        ContentBlock::Image(image) => Some(&mut image.unknown),
        ContentBlock::Document(document) => Some(&mut document.unknown),
        ContentBlock::Video(video) => Some(&mut video.unknown),
        ContentBlock::Audio(audio) => Some(&mut audio.unknown),
        _ => None,
    }
}

/// Returns a name that providers accept: letters, digits, single spaces, hyphens, parentheses and square brackets, without the
/// extension.
fn document_name(filename: Option<&str>) -> String {
    let filename = filename.unwrap_or_default();
    let stem = filename.rsplit_once('.').map_or(filename, |(stem, _)| stem);
    let is_allowed = |char: char| char.is_ascii_alphanumeric() || "-()[]".contains(char);
    let allowed: String = stem.chars().take(MAX_NAME).map(|char| if is_allowed(char) { char } else { ' ' }).collect();
    let words: Vec<&str> = allowed.split_whitespace().collect();
    if words.is_empty() { "document".to_owned() } else { words.join(" ") }
}

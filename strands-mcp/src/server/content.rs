//! Content of tool results in the protocol's kinds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rmcp::model::{CallToolResult, ContentBlock, MetaObject, Resource, ResourceContents};
use serde_json::{Map, Value};
use strands_core::message::{
    AudioFormat, DocumentBlock, DocumentFormat, ImageFormat, MediaSource, ToolResult, ToolResultContent, VideoFormat,
};

use super::output_schema::OutputForm;

/// Converts the content of a result.
pub(super) fn blocks(result: &ToolResult) -> Vec<ContentBlock> {
    result.content.iter().enumerate().map(|(at, content)| block(at, content)).collect()
}

/// Converts a tool result. Its structured content is that of the tool's output schema.
pub(super) fn call_result(
    result: &ToolResult,
    output: Option<&OutputForm>,
    meta: Option<MetaObject>,
) -> CallToolResult {
    let content = blocks(result);
    let mut converted =
        if result.is_error() { CallToolResult::error(content) } else { CallToolResult::success(content) };
    if let Some(output) = output.filter(|_| !result.is_error()) {
        converted.structured_content = output.structured(result);
        if converted.structured_content.is_none() {
            tracing::warn!(
                target: "strands_mcp",
                "a tool with an output schema returned something else: clients may reject the result"
            );
        }
    }
    converted.meta = meta;
    converted
}

/// Converts the content of a result to that of the resource at a URI.
pub(super) fn resource_contents(uri: &str, result: &ToolResult) -> Vec<ResourceContents> {
    let contents = result.content.iter().enumerate().map(|(at, content)| match content {
        ToolResultContent::Json(json) => {
            ResourceContents::text(json.to_string(), uri).with_mime_type("application/json")
        }
        content => match block(at, content) {
            ContentBlock::Text(text) => ResourceContents::text(text.text, uri).with_mime_type("text/plain"),
            ContentBlock::Image(image) => ResourceContents::blob(image.data, uri).with_mime_type(image.mime_type),
            ContentBlock::Audio(audio) => ResourceContents::blob(audio.data, uri).with_mime_type(audio.mime_type),
            ContentBlock::Resource(embedded) => at_uri(embedded.resource, uri),
            _ => ResourceContents::text("[the bytes of this resource are elsewhere]", uri).with_mime_type("text/plain"),
        },
    });
    contents.collect()
}

/// Replaces the URI of contents.
fn at_uri(mut contents: ResourceContents, at: &str) -> ResourceContents {
    if let ResourceContents::TextResourceContents { uri, .. } | ResourceContents::BlobResourceContents { uri, .. } =
        &mut contents
    {
        at.clone_into(uri);
    }
    contents
}

/// Converts the content block at a zero-based index.
fn block(at: usize, content: &ToolResultContent) -> ContentBlock {
    match content {
        ToolResultContent::Text(text) => ContentBlock::text(text),
        ToolResultContent::Json(json) => ContentBlock::text(json.to_string()),
        ToolResultContent::Image(image) => {
            let mime_type = image_type(&image.format);
            match image.source.bytes() {
                Some(bytes) => ContentBlock::image(STANDARD.encode(bytes), mime_type),
                None => elsewhere("image", &image.source, mime_type),
            }
        }
        ToolResultContent::Document(document) => embedded_document(document),
        ToolResultContent::Video(video) => {
            let mime_type = video_type(&video.format);
            match video.source.bytes() {
                Some(bytes) => blob(format!("video:///{at}"), bytes, mime_type),
                None => elsewhere("video", &video.source, mime_type),
            }
        }
        ToolResultContent::Audio(audio) => {
            let mime_type = audio_type(&audio.format);
            match audio.source.bytes() {
                Some(bytes) => ContentBlock::audio(STANDARD.encode(bytes), mime_type),
                None => elsewhere("audio", &audio.source, mime_type),
            }
        }
        ToolResultContent::Unknown(fields) => unsupported(fields),
        _ => ContentBlock::text("[content of a kind that this server does not know was left out]"),
    }
}

fn embedded_document(document: &DocumentBlock) -> ContentBlock {
    let mime_type = document.format.as_ref().map_or("application/octet-stream", DocumentFormat::mime_type);
    let Some(bytes) = document.source.bytes() else { return elsewhere(&document.name, &document.source, mime_type) };
    // A form encodes a space as `+`, a URI does not.
    let name: String = url::form_urlencoded::byte_serialize(document.name.as_bytes()).collect();
    let uri = format!("document:///{}", name.replace('+', "%20"));
    match std::str::from_utf8(bytes) {
        Ok(text) if mime_type.starts_with("text/") => {
            ContentBlock::resource(ResourceContents::text(text, uri).with_mime_type(mime_type))
        }
        _ => blob(uri, bytes, mime_type),
    }
}

fn blob(uri: String, bytes: &[u8], mime_type: &str) -> ContentBlock {
    ContentBlock::resource(ResourceContents::blob(STANDARD.encode(bytes), uri).with_mime_type(mime_type))
}

/// Links a medium that the server does not have.
fn elsewhere(name: &str, source: &MediaSource, mime_type: &str) -> ContentBlock {
    match source {
        MediaSource::Location(location) if location.uri.is_some() => {
            let uri = location.uri.clone().unwrap_or_default();
            ContentBlock::resource_link(Resource::new(uri, name).with_mime_type(mime_type))
        }
        _ => ContentBlock::text(format!("[{name}: its bytes are not available]")),
    }
}

fn unsupported(fields: &Map<String, Value>) -> ContentBlock {
    let kind = fields.keys().next().map_or("unknown", String::as_str);
    ContentBlock::text(format!("[content of the kind `{kind}` was left out: MCP has no such content]"))
}

fn image_type(format: &ImageFormat) -> &str {
    match format {
        ImageFormat::Png => "image/png",
        ImageFormat::Jpeg => "image/jpeg",
        ImageFormat::Gif => "image/gif",
        ImageFormat::Webp => "image/webp",
        _ => "application/octet-stream",
    }
}

fn video_type(format: &VideoFormat) -> &str {
    match format {
        VideoFormat::Flv => "video/x-flv",
        VideoFormat::Mkv => "video/x-matroska",
        VideoFormat::Mov => "video/quicktime",
        VideoFormat::Mpeg | VideoFormat::Mpg => "video/mpeg",
        VideoFormat::Mp4 => "video/mp4",
        VideoFormat::ThreeGp => "video/3gpp",
        VideoFormat::Webm => "video/webm",
        VideoFormat::Wmv => "video/x-ms-wmv",
        _ => "application/octet-stream",
    }
}

fn audio_type(format: &AudioFormat) -> &str {
    match format {
        AudioFormat::Mp3 | AudioFormat::Mpeg | AudioFormat::Mpga => "audio/mpeg",
        AudioFormat::Opus => "audio/opus",
        AudioFormat::Wav => "audio/wav",
        AudioFormat::Aac | AudioFormat::XAac => "audio/aac",
        AudioFormat::Flac => "audio/flac",
        AudioFormat::Mp4 | AudioFormat::M4a => "audio/mp4",
        AudioFormat::Ogg => "audio/ogg",
        AudioFormat::Mkv | AudioFormat::Mka => "audio/x-matroska",
        AudioFormat::Webm => "audio/webm",
        _ => "application/octet-stream",
    }
}

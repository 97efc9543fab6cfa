//! Token estimates for requests of providers that do not count tokens: text by its length, media by typical charges.

use serde_json::Value;

use super::ModelRequest;
use crate::message::{ContentBlock, Message, SystemBlock, ToolResult, ToolResultContent};

/// Tokens of an image: about the charge for the largest image that providers accept.
const IMAGE: u64 = 1_600;
/// Tokens and assumed bytes of a document's page.
const DOCUMENT_PAGE: u64 = 1_500;
const DOCUMENT_PAGE_BYTES: u64 = 50_000;
/// Tokens and assumed bytes of a second of audio or video.
const SECOND: u64 = 300;
const SECOND_BYTES: u64 = 250_000;

/// Returns an estimate of a request's input tokens.
///
/// Counts one token for four characters of text and for two bytes of JSON, as Python Strands does, and media by their size.
pub fn estimate_tokens(request: &ModelRequest<'_>) -> u64 {
    let system: u64 = request.system.iter().map(system_block).sum();
    let tools: u64 =
        request.tools.iter().map(|spec| text(&spec.name) + text(&spec.description) + json(&spec.input_schema)).sum();
    let messages: u64 = request.messages.iter().map(|each| message(each)).sum();
    system + tools + messages
}

/// Returns an estimate of a message's tokens.
pub(crate) fn message(message: &Message) -> u64 {
    message.content.iter().map(block).sum()
}

fn system_block(block: &SystemBlock) -> u64 {
    match block {
        SystemBlock::Text(prompt) => text(prompt),
        SystemBlock::CachePoint(_) => 0,
    }
}

fn block(block: &ContentBlock) -> u64 {
    match block {
        ContentBlock::Text(block) => text(&block.text),
        ContentBlock::Image(_) => IMAGE,
        ContentBlock::Document(document) => pages(document.source.bytes().map(|bytes| bytes.len())),
        ContentBlock::Video(video) => seconds(video.source.bytes().map(|bytes| bytes.len())),
        ContentBlock::Audio(audio) => seconds(audio.source.bytes().map(|bytes| bytes.len())),
        ContentBlock::ToolUse(call) => text(&call.name) + json(&call.input),
        ContentBlock::ToolResult(result) => tool_result(result),
        ContentBlock::Reasoning(reasoning) => {
            reasoning.reasoning_text.as_ref().map_or(0, |reasoning| text(&reasoning.text))
        }
        ContentBlock::CachePoint(_) => 0,
        ContentBlock::GuardContent(guarded) => guarded.text.as_ref().map_or(IMAGE, |guarded| text(&guarded.text)),
        ContentBlock::Citations(citations) => citations.content.iter().map(|part| text(&part.text)).sum(),
        ContentBlock::Provider(block) => json(&block.content),
        ContentBlock::Unknown(fields) => fields.values().map(json).sum(),
    }
}

/// Returns an estimate of a tool result's tokens.
pub(crate) fn tool_result(result: &ToolResult) -> u64 {
    result.content.iter().map(result_content).sum()
}

fn result_content(content: &ToolResultContent) -> u64 {
    match content {
        ToolResultContent::Text(part) => text(part),
        ToolResultContent::Json(value) => json(value),
        ToolResultContent::Image(_) => IMAGE,
        ToolResultContent::Document(document) => pages(document.source.bytes().map(|bytes| bytes.len())),
        ToolResultContent::Video(video) => seconds(video.source.bytes().map(|bytes| bytes.len())),
        ToolResultContent::Audio(audio) => seconds(audio.source.bytes().map(|bytes| bytes.len())),
        ToolResultContent::Unknown(fields) => fields.values().map(json).sum(),
    }
}

pub(crate) fn text(text: &str) -> u64 {
    (text.chars().count() as u64).div_ceil(4)
}

fn json(value: &Value) -> u64 {
    /// A writer that only counts bytes.
    struct Length(u64);

    impl std::io::Write for Length {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let mut length = Length(0);
    // Counting can't fail, and a value is always valid JSON.
    let _ = serde_json::to_writer(&mut length, value);
    length.0.div_ceil(2)
}

fn pages(bytes: Option<usize>) -> u64 {
    bytes.map_or(1, |bytes| (bytes as u64).div_ceil(DOCUMENT_PAGE_BYTES)) * DOCUMENT_PAGE
}

fn seconds(bytes: Option<usize>) -> u64 {
    bytes.map_or(1, |bytes| (bytes as u64).div_ceil(SECOND_BYTES)) * SECOND
}

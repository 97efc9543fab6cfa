//! How many tokens a request has when nobody counts them: text by its length, media by what providers charge for them.

use serde_json::Value;

use super::ModelRequest;
use crate::message::{ContentBlock, Message, SystemBlock, ToolResult, ToolResultContent};

/// What an image costs: providers charge about this for the largest they accept.
const IMAGE: u64 = 1_600;
/// What a page of a document costs, and how many bytes a page is taken to have.
const DOCUMENT_PAGE: u64 = 1_500;
const DOCUMENT_PAGE_BYTES: u64 = 50_000;
/// What a second of sound or video costs, and how many bytes it is taken to have.
const SECOND: u64 = 300;
const SECOND_BYTES: u64 = 250_000;

/// An estimate of a request's input tokens: a token for four characters of text and for two bytes of JSON, as Strands
/// counts, and media by their size, which Strands leaves out.
pub fn estimate_tokens(request: &ModelRequest<'_>) -> u64 {
    let system: u64 = request.system.iter().map(system_block).sum();
    let tools: u64 =
        request.tools.iter().map(|spec| text(&spec.name) + text(&spec.description) + json(&spec.input_schema)).sum();
    let messages: u64 = request.messages.iter().map(|each| message(each)).sum();
    system + tools + messages
}

/// An estimate of one message's tokens.
pub(crate) fn message(message: &Message) -> u64 {
    message.content.iter().map(block).sum()
}

fn system_block(block: &SystemBlock) -> u64 {
    match block {
        SystemBlock::Text(words) => text(words),
        SystemBlock::CachePoint(_) => 0,
    }
}

fn block(block: &ContentBlock) -> u64 {
    match block {
        ContentBlock::Text(words) => text(&words.text),
        ContentBlock::Image(_) => IMAGE,
        ContentBlock::Document(document) => pages(document.source.bytes().map(|bytes| bytes.len())),
        ContentBlock::Video(video) => seconds(video.source.bytes().map(|bytes| bytes.len())),
        ContentBlock::Audio(audio) => seconds(audio.source.bytes().map(|bytes| bytes.len())),
        ContentBlock::ToolUse(call) => text(&call.name) + json(&call.input),
        ContentBlock::ToolResult(result) => tool_result(result),
        ContentBlock::Reasoning(reasoning) => {
            reasoning.reasoning_text.as_ref().map_or(0, |thoughts| text(&thoughts.text))
        }
        ContentBlock::CachePoint(_) => 0,
        ContentBlock::GuardContent(guarded) => guarded.text.as_ref().map_or(IMAGE, |words| text(&words.text)),
        ContentBlock::Citations(citations) => citations.content.iter().map(|part| text(&part.text)).sum(),
        ContentBlock::Provider(own) => json(&own.content),
        ContentBlock::Unknown(fields) => fields.values().map(json).sum(),
    }
}

/// An estimate of a tool result's tokens.
pub(crate) fn tool_result(result: &ToolResult) -> u64 {
    result.content.iter().map(result_content).sum()
}

fn result_content(content: &ToolResultContent) -> u64 {
    match content {
        ToolResultContent::Text(words) => text(words),
        ToolResultContent::Json(value) => json(value),
        ToolResultContent::Image(_) => IMAGE,
        ToolResultContent::Document(document) => pages(document.source.bytes().map(|bytes| bytes.len())),
        ToolResultContent::Video(video) => seconds(video.source.bytes().map(|bytes| bytes.len())),
        ToolResultContent::Unknown(fields) => fields.values().map(json).sum(),
    }
}

pub(crate) fn text(text: &str) -> u64 {
    (text.chars().count() as u64).div_ceil(4)
}

fn json(value: &Value) -> u64 {
    /// Counts what is written instead of keeping it.
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

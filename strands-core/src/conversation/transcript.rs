//! Conversations as plain text, for the model that summarizes them. Every provider accepts text, regardless of tools, media and
//! reasoning the conversation contains.

use std::sync::Arc;

use super::result_truncation::{medium_description, medium_text, truncate};
use crate::message::{ContentBlock, Message, Role, ToolResult, ToolResultContent};

/// Returns the messages as text. With `short`, long tool results are truncated.
pub(super) fn transcript<'a>(messages: impl IntoIterator<Item = &'a Arc<Message>>, short: bool) -> String {
    let mut lines = Vec::new();
    for message in messages {
        let speaker = match message.role {
            Role::User => "User",
            Role::Assistant => "Assistant",
        };
        lines.extend(message.content.iter().filter_map(|block| block_text(speaker, block, short)));
    }
    lines.join("\n\n")
}

fn block_text(speaker: &str, block: &ContentBlock, short: bool) -> Option<String> {
    let text = match block {
        ContentBlock::Text(text) => text.text.clone(),
        ContentBlock::Citations(cited) => cited.content.iter().map(|part| part.text.as_str()).collect(),
        ContentBlock::GuardContent(guarded) => guarded.text.as_ref()?.text.clone(),
        ContentBlock::Image(image) => medium_description("image", image.format.as_str(), &image.source),
        ContentBlock::Video(video) => medium_description("video", video.format.as_str(), &video.source),
        ContentBlock::Audio(audio) => medium_description("audio", audio.format.as_str(), &audio.source),
        ContentBlock::Document(document) => {
            let format = document.format.as_ref().map_or("file", |format| format.as_str());
            format!("{} {}", document.name, medium_description("document", format, &document.source))
        }
        ContentBlock::ToolUse(call) => {
            return Some(format!("{speaker} called the tool `{}` with {}", call.name, call.input));
        }
        ContentBlock::ToolResult(result) => return Some(tool_result(result, short)),
        // Reasoning, cache points and provider-specific content mean nothing to other models.
        ContentBlock::Reasoning(_)
        | ContentBlock::CachePoint(_)
        | ContentBlock::Provider(_)
        | ContentBlock::Unknown(_) => return None,
    };
    Some(format!("{speaker}: {text}"))
}

fn tool_result(result: &ToolResult, short: bool) -> String {
    let mut result = result.clone();
    if short {
        truncate(&mut result);
    }
    let part = |part: &ToolResultContent| match part {
        ToolResultContent::Text(text) => Some(text.clone()),
        ToolResultContent::Json(json) => Some(json.to_string()),
        part => medium_text(part),
    };
    let parts: Vec<String> = result.content.iter().filter_map(part).collect();
    let outcome = if result.is_error() { "The tool failed" } else { "The tool returned" };
    format!("{outcome}: {}", parts.join("\n"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::message::{ImageBlock, ImageFormat, ToolUse};

    #[test]
    fn describes_tools_and_media_as_text() {
        let messages = [
            Message::new(
                Role::User,
                [
                    ContentBlock::text("what is this?"),
                    ContentBlock::Image(ImageBlock::new(ImageFormat::Png, vec![0; 7])),
                ],
            ),
            Message::new(Role::Assistant, [ToolUse::new("1", "look", json!({"at": "it"}))]),
            Message::new(Role::User, [ContentBlock::ToolResult(ToolResult::error("1", "too dark"))]),
        ];
        assert_eq!(
            transcript(&messages.map(Arc::new), false),
            "User: what is this?\n\nUser: [image: png, 7 bytes]\n\nAssistant called the tool `look` with {\"at\":\"it\"}\n\n\
             The tool failed: too dark"
        );
    }
}

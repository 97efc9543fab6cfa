//! A conversation as one text, for a model that is to say what was said: whatever tools, media and thoughts it has, every
//! provider takes a text.

use std::sync::Arc;

use super::results::{cut, medium, medium_in_words};
use crate::message::{ContentBlock, Message, Role, ToolResult, ToolResultContent};

/// The messages as text. With `short`, long tool results are cut.
pub(super) fn transcript<'a>(messages: impl IntoIterator<Item = &'a Arc<Message>>, short: bool) -> String {
    let mut lines = Vec::new();
    for message in messages {
        let speaker = match message.role {
            Role::User => "User",
            Role::Assistant => "Assistant",
        };
        lines.extend(message.content.iter().filter_map(|block| said(speaker, block, short)));
    }
    lines.join("\n\n")
}

fn said(speaker: &str, block: &ContentBlock, short: bool) -> Option<String> {
    let words = match block {
        ContentBlock::Text(text) => text.text.clone(),
        ContentBlock::Citations(cited) => cited.content.iter().map(|part| part.text.as_str()).collect(),
        ContentBlock::GuardContent(guarded) => guarded.text.as_ref()?.text.clone(),
        ContentBlock::Image(image) => medium_in_words("image", image.format.as_str(), &image.source),
        ContentBlock::Video(video) => medium_in_words("video", video.format.as_str(), &video.source),
        ContentBlock::Audio(audio) => medium_in_words("audio", audio.format.as_str(), &audio.source),
        ContentBlock::Document(document) => {
            let format = document.format.as_ref().map_or("file", |format| format.as_str());
            format!("{} {}", document.name, medium_in_words("document", format, &document.source))
        }
        ContentBlock::ToolUse(call) => {
            return Some(format!("{speaker} called the tool `{}` with {}", call.name, call.input));
        }
        ContentBlock::ToolResult(result) => return Some(answered(result, short)),
        // Thoughts, cache points and what only one provider understands say nothing to others.
        ContentBlock::Reasoning(_)
        | ContentBlock::CachePoint(_)
        | ContentBlock::Provider(_)
        | ContentBlock::Unknown(_) => return None,
    };
    Some(format!("{speaker}: {words}"))
}

fn answered(result: &ToolResult, short: bool) -> String {
    let mut result = result.clone();
    if short {
        cut(&mut result);
    }
    let piece = |piece: &ToolResultContent| match piece {
        ToolResultContent::Text(text) => Some(text.clone()),
        ToolResultContent::Json(json) => Some(json.to_string()),
        piece => medium(piece),
    };
    let pieces: Vec<String> = result.content.iter().filter_map(piece).collect();
    let how = if result.is_error() { "The tool failed" } else { "The tool answered" };
    format!("{how}: {}", pieces.join("\n"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::message::{ImageBlock, ImageFormat, ToolUse};

    #[test]
    fn tools_and_media_are_words() {
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

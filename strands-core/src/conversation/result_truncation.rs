//! Truncation of large tool results to their beginning and end. The manager's state lists the truncated results, so that
//! they are truncated again after a session has restored the whole results.

use std::error::Error as StdError;

use serde::Deserialize;
use serde_json::Value;

use super::Conversation;
use crate::message::{ContentBlock, MediaSource, Message, ToolResult, ToolResultContent};
use crate::models::estimate;

/// Key of the truncated results in the manager's state.
const TRUNCATED: &str = "truncated_results";

/// Characters that are retained at each end of a text.
const RETAINED_CHARACTERS: usize = 200;

/// Minimum length of a text to be truncated, in characters. A truncated text with its note is shorter.
const MIN_CHARACTERS: usize = 2 * RETAINED_CHARACTERS + 64;

/// Parts that are retained at each end of a result.
const RETAINED_PARTS: usize = 4;

/// Minimum size of a result to be considered, in tokens.
const MIN_TOKENS: u64 = MIN_CHARACTERS as u64 / 8;

/// A truncated result, as stored in the manager's state.
#[derive(Deserialize)]
struct Truncated {
    /// Number of the message in the whole conversation.
    message: u64,
    tool_use_id: String,
}

/// Amounts removed by a truncation.
#[derive(Debug, Default)]
pub(super) struct Truncation {
    results: usize,
    characters: usize,
    pub(super) tokens: u64,
}

impl Truncation {
    pub(super) fn description(&self) -> String {
        let from = match self.results {
            1 => "the largest tool result".to_owned(),
            results => format!("the {results} largest tool results"),
        };
        match self.characters {
            0 => format!("removed the media from {from}"),
            characters => format!("removed {characters} characters from {from}"),
        }
    }
}

/// Truncates the largest results, except pinned ones, until about `tokens` are removed. Returns `None` if there is nothing
/// to truncate.
pub(super) fn truncate_largest(
    conversation: &mut Conversation<'_>,
    pinned: &[bool],
    tokens: u64,
) -> Option<Truncation> {
    let mut sizes = sizes(conversation, pinned);
    sizes.sort_by_key(|(size, ..)| std::cmp::Reverse(*size));
    let mut total = Truncation::default();
    let mut truncated = stored(conversation).unwrap_or_default();
    for (_, at, id) in sizes {
        if total.tokens >= tokens.max(1) {
            break;
        }
        let Some((message, characters, saved)) =
            conversation.messages().get(at).and_then(|message| truncate_in(message, &id))
        else {
            continue;
        };
        total.results += 1;
        total.characters += characters;
        total.tokens += saved;
        truncated.extend(conversation.number(at).map(|message| Truncated { message, tool_use_id: id }));
        conversation.replace(at, message);
    }
    if total.tokens == 0 {
        return None;
    }
    store(conversation, &truncated);
    Some(total)
}

/// Returns the estimated tokens of the largest result that may be truncated.
pub(super) fn largest(conversation: &Conversation<'_>, pinned: &[bool]) -> u64 {
    sizes(conversation, pinned).into_iter().map(|(size, ..)| size).max().unwrap_or(0)
}

/// Returns the results that may be truncated: tokens, index of the message, and id.
fn sizes(conversation: &Conversation<'_>, pinned: &[bool]) -> Vec<(u64, usize, String)> {
    let unpinned =
        conversation.messages().iter().enumerate().filter(|(at, _)| !pinned.get(*at).copied().unwrap_or(false));
    let sizes = unpinned.flat_map(|(at, message)| message.tool_results().map(move |result| (at, result)));
    let sizes = sizes.map(|(at, result)| (estimate::tool_result(result), at, result.tool_use_id.clone()));
    sizes.filter(|(size, ..)| *size > MIN_TOKENS).collect()
}

/// Returns the message with this result truncated, and the numbers of characters and tokens that this saves.
fn truncate_in(message: &Message, id: &str) -> Option<(Message, usize, u64)> {
    let mut message = Message::clone(message);
    let result = message.content.iter_mut().find_map(|content| match content {
        ContentBlock::ToolResult(result) if result.tool_use_id == id => Some(result),
        _ => None,
    })?;
    let before = estimate::tool_result(result);
    let characters = truncate(result);
    let saved = before.checked_sub(estimate::tool_result(result)).filter(|saved| *saved > 0)?;
    Some((message, characters, saved))
}

/// Truncates a result to its first and last parts, and each of those to its beginning and end. Returns the number of removed
/// characters.
pub(super) fn truncate(result: &mut ToolResult) -> usize {
    let mut removed = 0;
    for part in &mut result.content {
        let replacement = match &*part {
            ToolResultContent::Text(text) => truncate_middle(text),
            ToolResultContent::Json(json) => truncate_middle(&json.to_string()),
            part => medium_text(part).map(|text| (text, 0)),
        };
        if let Some((text, characters)) = replacement {
            *part = ToolResultContent::Text(text);
            removed += characters;
        }
    }
    let parts = result.content.len();
    if parts > 2 * RETAINED_PARTS + 1 {
        let middle = RETAINED_PARTS..parts - RETAINED_PARTS;
        let note = format!("... [truncated: {} parts removed] ...", middle.len());
        let removed_parts = result.content.splice(middle, [ToolResultContent::Text(note)]);
        removed += removed_parts.map(|part| text_length(&part)).sum::<usize>();
    }
    removed
}

/// Returns the text that replaces a medium, or `None` for other content.
pub(super) fn medium_text(part: &ToolResultContent) -> Option<String> {
    let (kind, format, source) = match part {
        ToolResultContent::Image(image) => ("image", image.format.as_str(), &image.source),
        ToolResultContent::Video(video) => ("video", video.format.as_str(), &video.source),
        ToolResultContent::Audio(audio) => ("audio", audio.format.as_str(), &audio.source),
        ToolResultContent::Document(document) => {
            let format = document.format.as_ref().map_or("file", |format| format.as_str());
            ("document", format, &document.source)
        }
        _ => return None,
    };
    Some(medium_description(kind, format, source))
}

pub(super) fn medium_description(kind: &str, format: &str, source: &MediaSource) -> String {
    match source {
        MediaSource::Bytes(bytes) => format!("[{kind}: {format}, {} bytes]", bytes.len()),
        MediaSource::Location(location) => match &location.uri {
            Some(uri) => format!("[{kind}: {format}, at {uri}]"),
            None => format!("[{kind}: {format}]"),
        },
        MediaSource::Unknown(_) => format!("[{kind}: {format}]"),
    }
}

fn text_length(part: &ToolResultContent) -> usize {
    match part {
        ToolResultContent::Text(text) => text.chars().count(),
        ToolResultContent::Json(json) => json.to_string().chars().count(),
        _ => 0,
    }
}

/// Returns a long text without its middle, and the number of removed characters.
fn truncate_middle(text: &str) -> Option<(String, usize)> {
    // A text has at most as many characters as bytes.
    let length = if text.len() <= MIN_CHARACTERS { 0 } else { text.chars().count() };
    let removed = length.checked_sub(2 * RETAINED_CHARACTERS).filter(|_| length > MIN_CHARACTERS)?;
    let head: String = text.chars().take(RETAINED_CHARACTERS).collect();
    let tail: String = text.chars().skip(RETAINED_CHARACTERS + removed).collect();
    Some((format!("{head}... [truncated: {removed} chars removed] ...{tail}"), removed))
}

fn stored(conversation: &Conversation<'_>) -> Result<Vec<Truncated>, serde_json::Error> {
    conversation.state_value(TRUNCATED).map_or_else(|| Ok(Vec::new()), Vec::deserialize)
}

fn store(conversation: &mut Conversation<'_>, truncated: &[Truncated]) {
    let entry = |each: &Truncated| serde_json::json!({"message": each.message, "tool_use_id": each.tool_use_id});
    let entries: Vec<Value> = truncated.iter().map(entry).collect();
    if entries.is_empty() {
        conversation.state().shift_remove(TRUNCATED);
    } else {
        conversation.state().insert(TRUNCATED.to_owned(), Value::Array(entries));
    }
}

/// Removes results from the state whose messages have been removed.
pub(super) fn forget_removed(conversation: &mut Conversation<'_>) {
    let Ok(mut truncated) = stored(conversation) else { return };
    let before = truncated.len();
    truncated.retain(|each| index_of(conversation, each).is_some());
    if truncated.len() < before {
        store(conversation, &truncated);
    }
}

fn index_of(conversation: &Conversation<'_>, truncated: &Truncated) -> Option<usize> {
    conversation.with_number(truncated.message)
}

/// Truncates results again after a session was restored.
pub(super) fn restored(conversation: &mut Conversation<'_>) -> Result<(), Box<dyn StdError + Send + Sync>> {
    for each in stored(conversation)? {
        let Some(at) = index_of(conversation, &each) else { continue };
        let truncated = conversation.messages().get(at).and_then(|message| truncate_in(message, &each.tool_use_id));
        if let Some((message, ..)) = truncated {
            conversation.replace(at, message);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::message::{ImageBlock, ImageFormat, ToolResultStatus};

    fn result(content: impl IntoIterator<Item = impl Into<ToolResultContent>>) -> ToolResult {
        ToolResult::new("1", ToolResultStatus::Success, content)
    }

    #[test]
    fn truncates_text_json_and_media_once() {
        let image = ImageBlock::new(ImageFormat::Png, vec![0; 5_000]);
        let mut long = result([
            ToolResultContent::Text("é".repeat(1_000)),
            ToolResultContent::Json(json!({"rows": vec![1; 1_000]})),
            ToolResultContent::Image(image),
            ToolResultContent::Json(json!({"small": true})),
        ]);
        assert!(truncate(&mut long) > 600);
        let [ToolResultContent::Text(text), ToolResultContent::Text(rows), ToolResultContent::Text(image), small] =
            &*long.content
        else {
            panic!("{:?}", long.content)
        };
        assert_eq!(*text, format!("{0}... [truncated: 600 chars removed] ...{0}", "é".repeat(200)));
        assert!(rows.starts_with(r#"{"rows":[1,1"#), "{rows}");
        assert_eq!(image, "[image: png, 5000 bytes]");
        assert_eq!(*small, ToolResultContent::Json(json!({"small": true})));
        let once = long.clone();
        assert_eq!(truncate(&mut long), 0);
        assert_eq!(long, once);
    }

    #[test]
    fn retains_the_first_and_last_parts() {
        let mut many = result((0..100).map(|n| format!("part {n}")));
        truncate(&mut many);
        assert_eq!(many.content.len(), 9);
        assert_eq!(many.content[4], "... [truncated: 92 parts removed] ...".into());
        assert_eq!(many.content[8], "part 99".into());
        let once = many.clone();
        truncate(&mut many);
        assert_eq!(many, once);
    }
}

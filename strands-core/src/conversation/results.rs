//! Long tool results, cut to their beginning and their end. What was cut is remembered, so that a session which brings
//! the whole result back shows the model the same as before.

use std::error::Error as StdError;

use serde::Deserialize;
use serde_json::Value;

use super::Conversation;
use crate::message::{ContentBlock, MediaSource, Message, ToolResult, ToolResultContent};
use crate::models::estimate;

/// The state's name for the results that were cut.
const TRUNCATED: &str = "truncated_results";

/// How many characters of a long text stay at each end of it.
const KEPT_AT_EACH_END: usize = 200;

/// How many characters a text must have to be cut: what was cut once, with the note in its middle, is not cut again.
const LONG: usize = 2 * KEPT_AT_EACH_END + 64;

/// How many pieces of a result stay at each end of it.
const PIECES_AT_EACH_END: usize = 4;

/// How many tokens a result must have to be worth looking at.
const WORTH_A_LOOK: u64 = LONG as u64 / 8;

/// A result that was cut.
#[derive(Deserialize)]
struct Truncated {
    /// The number of its message.
    message: u64,
    tool_use_id: String,
}

/// What cutting did.
#[derive(Debug, Default)]
pub(super) struct Cut {
    results: usize,
    characters: usize,
    pub(super) tokens: u64,
}

impl Cut {
    pub(super) fn what(&self) -> String {
        let from = match self.results {
            1 => "the largest tool result".to_owned(),
            results => format!("the {results} largest tool results"),
        };
        match self.characters {
            0 => format!("removed the media from {from}"),
            characters => format!("cut {characters} characters from {from}"),
        }
    }
}

/// Cuts the largest results, wherever they are, until about `tokens` have gone; pinned messages stay. `None`: there was
/// nothing to cut.
pub(super) fn cut_largest(conversation: &mut Conversation<'_>, pinned: &[bool], tokens: u64) -> Option<Cut> {
    let mut sizes = sizes(conversation, pinned);
    sizes.sort_by_key(|(size, ..)| std::cmp::Reverse(*size));
    let mut cut = Cut::default();
    let mut truncated = remembered(conversation).unwrap_or_default();
    for (_, at, id) in sizes {
        if cut.tokens >= tokens.max(1) {
            break;
        }
        let Some((message, characters, saved)) =
            conversation.messages().get(at).and_then(|message| cut_in(message, &id))
        else {
            continue;
        };
        cut.results += 1;
        cut.characters += characters;
        cut.tokens += saved;
        truncated.extend(conversation.number(at).map(|message| Truncated { message, tool_use_id: id }));
        conversation.replace(at, message);
    }
    if cut.tokens == 0 {
        return None;
    }
    remember(conversation, &truncated);
    Some(cut)
}

/// An estimate of the tokens of the largest result that may be cut.
pub(super) fn largest(conversation: &Conversation<'_>, pinned: &[bool]) -> u64 {
    sizes(conversation, pinned).into_iter().map(|(size, ..)| size).max().unwrap_or(0)
}

/// The results that may be cut: tokens, place and id.
fn sizes(conversation: &Conversation<'_>, pinned: &[bool]) -> Vec<(u64, usize, String)> {
    let loose = conversation.messages().iter().enumerate().filter(|(at, _)| !pinned.get(*at).copied().unwrap_or(false));
    let sizes = loose.flat_map(|(at, message)| message.tool_results().map(move |result| (at, result)));
    let sizes = sizes.map(|(at, result)| (estimate::tool_result(result), at, result.tool_use_id.clone()));
    sizes.filter(|(size, ..)| *size > WORTH_A_LOOK).collect()
}

/// The message with this result cut, and how many characters and tokens that saves.
fn cut_in(message: &Message, id: &str) -> Option<(Message, usize, u64)> {
    let mut message = Message::clone(message);
    let result = message.content.iter_mut().find_map(|content| match content {
        ContentBlock::ToolResult(result) if result.tool_use_id == id => Some(result),
        _ => None,
    })?;
    let before = estimate::tool_result(result);
    let characters = cut(result);
    let saved = before.checked_sub(estimate::tool_result(result)).filter(|saved| *saved > 0)?;
    Some((message, characters, saved))
}

/// Cuts a result to its first and last pieces, and those to their beginnings and ends. Returns how many characters went.
pub(super) fn cut(result: &mut ToolResult) -> usize {
    let mut gone = 0;
    for piece in &mut result.content {
        let words = match &*piece {
            ToolResultContent::Text(text) => cut_middle(text),
            ToolResultContent::Json(json) => cut_middle(&json.to_string()),
            piece => medium(piece).map(|words| (words, 0)),
        };
        if let Some((words, cut)) = words {
            *piece = ToolResultContent::Text(words);
            gone += cut;
        }
    }
    let pieces = result.content.len();
    if pieces > 2 * PIECES_AT_EACH_END + 1 {
        let middle = PIECES_AT_EACH_END..pieces - PIECES_AT_EACH_END;
        let note = format!("... [truncated: {} pieces removed] ...", middle.len());
        let removed = result.content.splice(middle, [ToolResultContent::Text(note)]);
        gone += removed.map(|piece| text_length(&piece)).sum::<usize>();
    }
    gone
}

/// A medium in words.
pub(super) fn medium(piece: &ToolResultContent) -> Option<String> {
    let (kind, format, source) = match piece {
        ToolResultContent::Image(image) => ("image", image.format.as_str(), &image.source),
        ToolResultContent::Video(video) => ("video", video.format.as_str(), &video.source),
        ToolResultContent::Document(document) => {
            let format = document.format.as_ref().map_or("file", |format| format.as_str());
            ("document", format, &document.source)
        }
        _ => return None,
    };
    Some(medium_in_words(kind, format, source))
}

pub(super) fn medium_in_words(kind: &str, format: &str, source: &MediaSource) -> String {
    match source {
        MediaSource::Bytes(bytes) => format!("[{kind}: {format}, {} bytes]", bytes.len()),
        MediaSource::Location(location) => match &location.uri {
            Some(uri) => format!("[{kind}: {format}, at {uri}]"),
            None => format!("[{kind}: {format}]"),
        },
        MediaSource::Unknown(_) => format!("[{kind}: {format}]"),
    }
}

fn text_length(piece: &ToolResultContent) -> usize {
    match piece {
        ToolResultContent::Text(text) => text.chars().count(),
        ToolResultContent::Json(json) => json.to_string().chars().count(),
        _ => 0,
    }
}

/// A long text without its middle, and how many characters went.
fn cut_middle(text: &str) -> Option<(String, usize)> {
    // No text has more characters than bytes.
    let length = if text.len() <= LONG { 0 } else { text.chars().count() };
    let gone = length.checked_sub(2 * KEPT_AT_EACH_END).filter(|_| length > LONG)?;
    let head: String = text.chars().take(KEPT_AT_EACH_END).collect();
    let tail: String = text.chars().skip(KEPT_AT_EACH_END + gone).collect();
    Some((format!("{head}... [truncated: {gone} chars removed] ...{tail}"), gone))
}

fn remembered(conversation: &Conversation<'_>) -> Result<Vec<Truncated>, serde_json::Error> {
    conversation.remembered(TRUNCATED).map_or_else(|| Ok(Vec::new()), Vec::deserialize)
}

fn remember(conversation: &mut Conversation<'_>, truncated: &[Truncated]) {
    let entry = |each: &Truncated| serde_json::json!({"message": each.message, "tool_use_id": each.tool_use_id});
    let entries: Vec<Value> = truncated.iter().map(entry).collect();
    if entries.is_empty() {
        conversation.state().shift_remove(TRUNCATED);
    } else {
        conversation.state().insert(TRUNCATED.to_owned(), Value::Array(entries));
    }
}

/// Forgets the results whose messages have gone.
pub(super) fn forget_removed(conversation: &mut Conversation<'_>) {
    let Ok(mut truncated) = remembered(conversation) else { return };
    let before = truncated.len();
    truncated.retain(|each| place(conversation, each).is_some());
    if truncated.len() < before {
        remember(conversation, &truncated);
    }
}

fn place(conversation: &Conversation<'_>, truncated: &Truncated) -> Option<usize> {
    conversation.with_number(truncated.message)
}

/// Cuts again what was cut before a session was restored.
pub(super) fn restored(conversation: &mut Conversation<'_>) -> Result<(), Box<dyn StdError + Send + Sync>> {
    for each in remembered(conversation)? {
        let Some(at) = place(conversation, &each) else { continue };
        let cut = conversation.messages().get(at).and_then(|message| cut_in(message, &each.tool_use_id));
        if let Some((message, ..)) = cut {
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
    fn text_json_and_media_are_cut_and_cut_only_once() {
        let image = ImageBlock::new(ImageFormat::Png, vec![0; 5_000]);
        let mut long = result([
            ToolResultContent::Text("é".repeat(1_000)),
            ToolResultContent::Json(json!({"rows": vec![1; 1_000]})),
            ToolResultContent::Image(image),
            ToolResultContent::Json(json!({"small": true})),
        ]);
        assert!(cut(&mut long) > 600);
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
        assert_eq!(cut(&mut long), 0);
        assert_eq!(long, once);
    }

    #[test]
    fn of_many_pieces_the_first_and_the_last_stay() {
        let mut many = result((0..100).map(|n| format!("piece {n}")));
        cut(&mut many);
        assert_eq!(many.content.len(), 9);
        assert_eq!(many.content[4], "... [truncated: 92 pieces removed] ...".into());
        assert_eq!(many.content[8], "piece 99".into());
        let once = many.clone();
        cut(&mut many);
        assert_eq!(many, once);
    }
}

//! An answer without its secrets. A secret may come in pieces, so what belongs together is looked at as a whole; where it
//! has to change, its pieces become one.

use serde_json::Value;

use super::scrub::Scrubbers;
use crate::models::{BlockDelta, ReasoningDelta, StreamEvent};

/// What pieces are put together by, as [`TurnBuilder`](crate::models::TurnBuilder) does it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Thought,
    Signature,
    ToolInput,
}

/// The pieces of one text.
struct Assembled {
    index: usize,
    kind: Kind,
    text: String,
    /// Where its pieces are among the events.
    pieces: Vec<usize>,
}

/// The events as JSON, without secrets. Pieces stay as they are unless what they are pieces of has to change.
pub(super) fn without_secrets(events: &[StreamEvent], scrubbers: &Scrubbers) -> Vec<Value> {
    let mut changed = vec![Change::None; events.len()];
    for Assembled { kind, text, pieces, .. } in assemble(events) {
        let Some(scrubbed) = scrub(kind, &text, scrubbers) else { continue };
        let mut whole = Some(scrubbed);
        for piece in pieces {
            if let Some(change) = changed.get_mut(piece) {
                *change = whole.take().map_or(Change::Gone, Change::Whole);
            }
        }
    }
    let kept = events.iter().zip(changed).filter_map(|(event, change)| {
        // An event is always valid JSON.
        let json = |event: &StreamEvent| serde_json::to_value(event).unwrap_or_default();
        match change {
            Change::Gone => None,
            Change::Whole(text) => Some(json(&with_text(event.clone(), text))),
            Change::None if piece(event).is_some() => Some(json(event)),
            Change::None => Some(scrubbers.scrubbed(json(event))),
        }
    });
    kept.collect()
}

#[derive(Clone)]
enum Change {
    None,
    /// This is the whole text now.
    Whole(String),
    /// The piece is part of another.
    Gone,
}

fn piece(event: &StreamEvent) -> Option<(usize, Kind, &str)> {
    let StreamEvent::ContentBlockDelta { content_block_index: index, delta } = event else { return None };
    let (kind, text) = match delta {
        BlockDelta::Text(text) => (Kind::Text, text),
        BlockDelta::ReasoningContent(ReasoningDelta::Text(text)) => (Kind::Thought, text),
        BlockDelta::ReasoningContent(ReasoningDelta::Signature(text)) => (Kind::Signature, text),
        BlockDelta::ToolUse(piece) => (Kind::ToolInput, &piece.input),
        _ => return None,
    };
    Some((*index, kind, text))
}

fn with_text(mut event: StreamEvent, whole: String) -> StreamEvent {
    if let StreamEvent::ContentBlockDelta { delta, .. } = &mut event {
        match delta {
            BlockDelta::Text(text)
            | BlockDelta::ReasoningContent(ReasoningDelta::Text(text) | ReasoningDelta::Signature(text)) => {
                *text = whole;
            }
            BlockDelta::ToolUse(piece) => piece.input = whole,
            _ => {}
        }
    }
    event
}

fn assemble(events: &[StreamEvent]) -> Vec<Assembled> {
    let mut all: Vec<Assembled> = Vec::new();
    for (at, event) in events.iter().enumerate() {
        if let StreamEvent::ContentBlockStart { content_block_index: index, start } = event
            && start.tool_use.is_some()
        {
            all.push(Assembled { index: *index, kind: Kind::ToolInput, text: String::new(), pieces: Vec::new() });
        }
        let Some((index, kind, text)) = piece(event) else { continue };
        match all.iter_mut().rev().find(|one| one.index == index && one.kind == kind) {
            Some(one) => {
                one.text.push_str(text);
                one.pieces.push(at);
            }
            None => all.push(Assembled { index, kind, text: text.to_owned(), pieces: vec![at] }),
        }
    }
    all
}

/// The text without secrets, where it has any.
fn scrub(kind: Kind, text: &str, scrubbers: &Scrubbers) -> Option<String> {
    // Arguments that broke off are no JSON.
    let arguments = (kind == Kind::ToolInput).then(|| serde_json::from_str::<Value>(text).ok()).flatten();
    let is_json = arguments.is_some();
    let value = arguments.unwrap_or_else(|| Value::from(text));
    let scrubbed = scrubbers.scrubbed(value.clone());
    if scrubbed == value {
        return None;
    }
    Some(match scrubbed {
        Value::String(text) if !is_json => text,
        scrubbed => scrubbed.to_string(),
    })
}

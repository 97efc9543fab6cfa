//! Removal of secrets from streamed responses. A secret may span several deltas, so the deltas of a block are joined before
//! they are searched. If the text has to change, one delta replaces them.

use serde_json::Value;

use super::scrub::Scrubbers;
use crate::models::{BlockDelta, ReasoningDelta, StreamEvent};

/// Kind of a delta. Deltas of one kind and block are joined, as in [`TurnBuilder`](crate::models::TurnBuilder).
#[derive(Clone, Copy, PartialEq, Eq)]
enum DeltaKind {
    Text,
    Reasoning,
    Signature,
    ToolInput,
}

/// Joined text of a block's deltas.
struct BlockText {
    index: usize,
    kind: DeltaKind,
    text: String,
    /// Positions of the deltas among the events.
    positions: Vec<usize>,
}

/// Returns the events as JSON, without secrets. Deltas are joined only if their text has to change.
pub(super) fn without_secrets(events: &[StreamEvent], scrubbers: &Scrubbers) -> Vec<Value> {
    let mut changed = vec![Change::None; events.len()];
    for BlockText { kind, text, positions, .. } in assemble(events) {
        let Some(scrubbed) = scrub(kind, &text, scrubbers) else { continue };
        let mut whole = Some(scrubbed);
        for position in positions {
            if let Some(change) = changed.get_mut(position) {
                *change = whole.take().map_or(Change::Removed, Change::Whole);
            }
        }
    }
    let scrubbed = events.iter().zip(changed).filter_map(|(event, change)| {
        // An event is always valid JSON.
        let json = |event: &StreamEvent| serde_json::to_value(event).unwrap_or_default();
        match change {
            Change::Removed => None,
            Change::Whole(text) => Some(json(&with_text(event.clone(), text))),
            Change::None if delta_text(event).is_some() => Some(json(event)),
            Change::None => Some(scrubbers.scrubbed(json(event))),
        }
    });
    scrubbed.collect()
}

#[derive(Clone)]
enum Change {
    None,
    /// The delta becomes this text.
    Whole(String),
    /// The delta's text is part of another delta.
    Removed,
}

fn delta_text(event: &StreamEvent) -> Option<(usize, DeltaKind, &str)> {
    let StreamEvent::ContentBlockDelta { content_block_index: index, delta } = event else { return None };
    let (kind, text) = match delta {
        BlockDelta::Text(text) => (DeltaKind::Text, text),
        BlockDelta::ReasoningContent(ReasoningDelta::Text(text)) => (DeltaKind::Reasoning, text),
        BlockDelta::ReasoningContent(ReasoningDelta::Signature(text)) => (DeltaKind::Signature, text),
        BlockDelta::ToolUse(delta) => (DeltaKind::ToolInput, &delta.input),
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
            BlockDelta::ToolUse(delta) => delta.input = whole,
            _ => {}
        }
    }
    event
}

fn assemble(events: &[StreamEvent]) -> Vec<BlockText> {
    let mut all: Vec<BlockText> = Vec::new();
    for (at, event) in events.iter().enumerate() {
        if let StreamEvent::ContentBlockStart { content_block_index: index, start } = event
            && start.tool_use.is_some()
        {
            all.push(BlockText {
                index: *index,
                kind: DeltaKind::ToolInput,
                text: String::new(),
                positions: Vec::new(),
            });
        }
        let Some((index, kind, text)) = delta_text(event) else { continue };
        match all.iter_mut().rev().find(|one| one.index == index && one.kind == kind) {
            Some(one) => {
                one.text.push_str(text);
                one.positions.push(at);
            }
            None => all.push(BlockText { index, kind, text: text.to_owned(), positions: vec![at] }),
        }
    }
    all
}

/// Returns the text without its secrets, or `None` if it has none.
fn scrub(kind: DeltaKind, text: &str, scrubbers: &Scrubbers) -> Option<String> {
    // Incomplete arguments are not JSON.
    let arguments = (kind == DeltaKind::ToolInput).then(|| serde_json::from_str::<Value>(text).ok()).flatten();
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

//! Repair of messages, so that they are valid input for a model: pure functions over a list, which report their changes.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::list::MessageList;
use super::position::Position;
use crate::message::{ContentBlock, Message, Role, ToolResult, original_id};

/// Error result of a call without a result.
pub(crate) const INTERRUPTED: &str = "Tool was interrupted.";

/// Error result of a call that was started, but has an unknown outcome.
pub(crate) const OUTCOME_UNKNOWN: &str =
    "Tool was interrupted after it had started; whether it took effect is unknown. Check before calling it again.";

/// Text of the note between two messages of one role whose intermediate messages were removed.
const GAP: &str = "[Earlier messages left out.]";

/// A repair that was made to restore a conversation. The session keeps the original messages.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Repair {
    /// A tool call had no result, for example because the process was killed. An error result was added.
    ResultAdded {
        /// The tool use id of the call.
        tool_use_id: String,
    },
    /// A tool result without a call was dropped.
    ResultDropped {
        /// The tool use id in the result.
        tool_use_id: String,
    },
    /// An approved tool call was started, but its result was never recorded. An error result about the unknown outcome was
    /// added; the tool does not run again.
    OutcomeUnknown {
        /// The tool use id of the call.
        tool_use_id: String,
    },
    /// An approved tool call was not started, or its tool is idempotent. The tool runs with the next invocation.
    CallPending {
        /// The tool use id of the call.
        tool_use_id: String,
    },
}

/// Makes messages valid input: roles alternate, and calls have results.
pub(super) fn made_valid(messages: impl IntoIterator<Item = (Arc<Message>, Position)>) -> (MessageList, Vec<Repair>) {
    let grouped = grouped(messages);
    let mut list = MessageList::with_capacity(grouped.len());
    let mut repairs = Vec::new();
    for (message, position) in grouped {
        append(&mut list, message, position, &mut repairs);
    }
    for position in list.positions_mut() {
        if *position == Position::New {
            *position = Position::Synthetic;
        }
    }
    (list, repairs)
}

/// Merges consecutive user messages.
pub(super) fn grouped(messages: impl IntoIterator<Item = (Arc<Message>, Position)>) -> Vec<(Arc<Message>, Position)> {
    let mut grouped: Vec<(Arc<Message>, Position)> = Vec::new();
    for (message, position) in messages {
        match grouped.last_mut() {
            Some((last, last_position)) if last.role == Role::User && message.role == Role::User => {
                join((last, last_position), (&message, position), message.content.iter().cloned());
            }
            _ => grouped.push((message, position)),
        }
    }
    grouped
}

/// Inserts a note of the other role between two messages of one role whose intermediate messages were removed, and before
/// an assistant message at the start.
pub(super) fn with_gap_notes(
    messages: impl IntoIterator<Item = (Arc<Message>, Position)>,
) -> Vec<(Arc<Message>, Position)> {
    let mut with_gap_notes: Vec<(Arc<Message>, Position)> = Vec::new();
    for (message, position) in messages.into_iter().filter(|(_, position)| *position != Position::Gap) {
        let parted = match with_gap_notes.last() {
            None => message.role == Role::Assistant && position.number().is_some_and(|number| number > 0),
            Some((last, last_position)) => last.role == message.role && !last_position.is_followed_by(position),
        };
        if parted {
            with_gap_notes.push((gap_note_before(message.role), Position::Gap));
        }
        with_gap_notes.push((message, position));
    }
    with_gap_notes
}

/// Returns a note before a message of this role.
pub(super) fn gap_note_before(role: Role) -> Arc<Message> {
    Arc::new(match role {
        Role::User => Message::assistant(GAP),
        Role::Assistant => Message::user(GAP),
    })
}

/// Returns the messages without gap notes, which are recognized by their text.
pub(crate) fn without_gap_notes(messages: Vec<Arc<Message>>) -> Vec<Arc<Message>> {
    let is_gap_note = |message: &Message| message.tracking_id.is_none() && message.text() == GAP;
    messages.into_iter().filter(|message| !is_gap_note(message)).collect()
}

/// Appends a message so that the conversation stays valid input: it starts with a user message, roles alternate, and tool
/// results follow their calls in order. Results without a call are dropped, and calls without a result get an error result.
/// Calls in the last message stay open, since they can still run.
pub(super) fn append(list: &mut MessageList, message: Arc<Message>, position: Position, repairs: &mut Vec<Repair>) {
    match (list.last_mut(), message.role) {
        // A conversation can't start with an assistant message.
        (None, Role::Assistant) => {}
        (Some((last, last_position)), Role::Assistant) if last.role == Role::Assistant => {
            if let Some(mut results) = interrupted_results(last) {
                repairs.extend(results.tool_results().map(result_added));
                results.track();
                list.push(Arc::new(results), Position::New);
                list.push(message, position);
                return;
            }
            let pinned = last.is_pinned();
            join((&mut *last, last_position), (&message, position), message.content.iter().cloned());
            let last = Arc::make_mut(last);
            last.metadata.clone_from(&message.metadata);
            if pinned {
                last.pin();
            }
        }
        (Some((last, last_position)), Role::User) if last.role == Role::User => {
            // The calls before the last message already have results.
            repairs.extend(message.tool_results().map(result_dropped));
            let content = message.content.iter().filter(|block| !matches!(block, ContentBlock::ToolResult(_)));
            let content: Vec<_> = content.cloned().collect();
            if !content.is_empty() {
                join((last, last_position), (&message, position), content);
            }
        }
        (_, Role::Assistant) => list.push(message, position),
        (last, Role::User) => {
            let calls = || last.iter().flat_map(|(last, _)| last.tool_uses().map(|call| &call.tool_use_id));
            if calls().eq(message.tool_results().map(|result| &result.tool_use_id)) {
                if !message.content.is_empty() {
                    list.push(message, position);
                }
                return;
            }
            let calls: Vec<String> = calls().cloned().collect();
            let content = results_in_order(&calls, &message.content, repairs);
            if !content.is_empty() {
                let mut repaired = Message::clone(&message);
                repaired.content = content;
                list.push(Arc::new(repaired), position);
            }
        }
    }
}

fn result_added(result: &ToolResult) -> Repair {
    Repair::ResultAdded { tool_use_id: result.tool_use_id.clone() }
}

fn result_dropped(result: &ToolResult) -> Repair {
    Repair::ResultDropped { tool_use_id: result.tool_use_id.clone() }
}

/// Returns a message with an error result for each tool call of an assistant message.
pub(crate) fn interrupted_results(message: &Message) -> Option<Message> {
    let results: Vec<_> = message
        .tool_uses()
        .map(|call| ContentBlock::ToolResult(ToolResult::error(&call.tool_use_id, INTERRUPTED)))
        .collect();
    (message.role == Role::Assistant && !results.is_empty()).then(|| Message::new(Role::User, results))
}

/// Merges the content of a message into the preceding message of the same role.
fn join(
    (last, last_position): (&mut Arc<Message>, &mut Position),
    (message, position): (&Message, Position),
    content: impl IntoIterator<Item = ContentBlock>,
) {
    let last = Arc::make_mut(last);
    *last_position = last_position.joined(last.content.len(), position);
    last.content.extend(content);
    if message.is_pinned() {
        last.pin();
    }
}

/// Returns the content with one result for each call, in the order of the calls. The n-th result of an id belongs to the
/// n-th call of that id, since some servers repeat ids. The result of a call that was renamed may have its original id.
fn results_in_order(calls: &[String], content: &[ContentBlock], repairs: &mut Vec<Repair>) -> Vec<ContentBlock> {
    let mut results: HashMap<&str, VecDeque<usize>> = HashMap::new();
    for (at, block) in content.iter().enumerate() {
        if let ContentBlock::ToolResult(result) = block {
            results.entry(&result.tool_use_id).or_default().push_back(at);
        }
    }
    let mut taken = HashSet::new();
    let mut found = |id: &str| results.get_mut(id).and_then(VecDeque::pop_front);
    // Exact ids take precedence over original ones.
    let named: Vec<_> = calls.iter().map(|id| found(id)).collect();
    let mut ordered = Vec::with_capacity(content.len());
    for (id, named) in calls.iter().zip(named) {
        let at = named.or_else(|| original_id(id).and_then(&mut found));
        let result = at.and_then(|at| Some((at, content.get(at)?)));
        let Some((at, ContentBlock::ToolResult(result))) = result else {
            repairs.push(Repair::ResultAdded { tool_use_id: id.clone() });
            ordered.push(ContentBlock::ToolResult(ToolResult::error(id, INTERRUPTED)));
            continue;
        };
        taken.insert(at);
        let mut result = result.clone();
        result.tool_use_id.clone_from(id);
        ordered.push(ContentBlock::ToolResult(result));
    }
    for (at, block) in content.iter().enumerate() {
        match block {
            ContentBlock::ToolResult(result) if !taken.contains(&at) => repairs.push(result_dropped(result)),
            ContentBlock::ToolResult(_) => {}
            block => ordered.push(block.clone()),
        }
    }
    ordered
}

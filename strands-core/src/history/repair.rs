//! Makes messages valid input for a model: pure functions over a list, which report what they changed.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::list::MessageList;
use super::place::Place;
use crate::message::{ContentBlock, Message, Role, ToolResult, original_id};

/// The error result of a call that got no result.
pub(crate) const INTERRUPTED: &str = "Tool was interrupted.";

/// The error result of a call that was started and whose outcome nobody knows.
pub(crate) const OUTCOME_UNKNOWN: &str =
    "Tool was interrupted after it had started; whether it took effect is unknown. Check before calling it again.";

/// Stands between two messages of one role when those between them were removed.
const GAP: &str = "[Earlier messages left out.]";

/// Something that was found, and decided, when a conversation was restored. The session keeps the original messages.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Repair {
    /// A tool call had no result, for example because the process was killed: the model is told that it was interrupted.
    CallAnswered {
        /// The tool use id of the call.
        tool_use_id: String,
    },
    /// A tool result belonged to no call and was left out.
    ResultDropped {
        /// The tool use id in the result.
        tool_use_id: String,
    },
    /// A human approved a tool call and the tool was started, but its result was never recorded. The model is told that
    /// the outcome is unknown; the tool does not run again.
    OutcomeUnknown {
        /// The tool use id of the call.
        tool_use_id: String,
    },
    /// A human approved a tool call, and the tool was not started, or is declared idempotent: it runs with the next
    /// invocation.
    CallPending {
        /// The tool use id of the call.
        tool_use_id: String,
    },
}

/// Makes messages valid input: roles alternate, calls have their results.
pub(super) fn made_whole(messages: impl IntoIterator<Item = (Arc<Message>, Place)>) -> (MessageList, Vec<Repair>) {
    let grouped = grouped(messages);
    let mut list = MessageList::with_capacity(grouped.len());
    let mut repairs = Vec::new();
    for (message, place) in grouped {
        append(&mut list, message, place, &mut repairs);
    }
    for place in list.places_mut() {
        if *place == Place::New {
            *place = Place::Nowhere;
        }
    }
    (list, repairs)
}

/// Joins user messages that follow each other.
pub(super) fn grouped(messages: impl IntoIterator<Item = (Arc<Message>, Place)>) -> Vec<(Arc<Message>, Place)> {
    let mut grouped: Vec<(Arc<Message>, Place)> = Vec::new();
    for (message, place) in messages {
        match grouped.last_mut() {
            Some((last, last_place)) if last.role == Role::User && message.role == Role::User => {
                join((last, last_place), (&message, place), message.content.iter().cloned());
            }
            _ => grouped.push((message, place)),
        }
    }
    grouped
}

/// Puts a note of the other role between messages of one role between which others were removed, and before an
/// assistant message at the beginning.
pub(super) fn bridged(messages: impl IntoIterator<Item = (Arc<Message>, Place)>) -> Vec<(Arc<Message>, Place)> {
    let mut bridged: Vec<(Arc<Message>, Place)> = Vec::new();
    for (message, place) in messages.into_iter().filter(|(_, place)| *place != Place::Gap) {
        let parted = match bridged.last() {
            None => message.role == Role::Assistant && place.number().is_some_and(|number| number > 0),
            Some((last, last_place)) => last.role == message.role && !last_place.is_followed_by(place),
        };
        if parted {
            let note = match message.role {
                Role::User => Message::assistant(GAP),
                Role::Assistant => Message::user(GAP),
            };
            bridged.push((Arc::new(note), Place::Gap));
        }
        bridged.push((message, place));
    }
    bridged
}

/// Returns the messages without notes about removed ones, which are recognized by their text.
pub(crate) fn without_gaps(messages: Vec<Arc<Message>>) -> Vec<Arc<Message>> {
    let is_gap = |message: &Message| message.tracking_id.is_none() && message.text() == GAP;
    messages.into_iter().filter(|message| !is_gap(message)).collect()
}

/// Adds a message so that the conversation stays valid input: it begins with the user, roles alternate, and tool results
/// follow their calls in order. Results without a call are dropped, and calls without a result get an error result. Calls
/// in the last message stay open: they can still run.
pub(super) fn append(list: &mut MessageList, message: Arc<Message>, place: Place, repairs: &mut Vec<Repair>) {
    match (list.last_mut(), message.role) {
        // There is no answer before the first question.
        (None, Role::Assistant) => {}
        (Some((last, last_place)), Role::Assistant) if last.role == Role::Assistant => {
            if let Some(mut results) = unanswered_calls(last) {
                repairs.extend(results.tool_results().map(call_answered));
                results.track();
                list.push(Arc::new(results), Place::New);
                list.push(message, place);
                return;
            }
            let pinned = last.is_pinned();
            join((&mut *last, last_place), (&message, place), message.content.iter().cloned());
            let last = Arc::make_mut(last);
            last.metadata.clone_from(&message.metadata);
            if pinned {
                last.pin();
            }
        }
        (Some((last, last_place)), Role::User) if last.role == Role::User => {
            // The calls before it have their results.
            repairs.extend(message.tool_results().map(result_dropped));
            let said = message.content.iter().filter(|block| !matches!(block, ContentBlock::ToolResult(_)));
            let said: Vec<_> = said.cloned().collect();
            if !said.is_empty() {
                join((last, last_place), (&message, place), said);
            }
        }
        (_, Role::Assistant) => list.push(message, place),
        (last, Role::User) => {
            let calls = || last.iter().flat_map(|(last, _)| last.tool_uses().map(|call| &call.tool_use_id));
            if calls().eq(message.tool_results().map(|result| &result.tool_use_id)) {
                if !message.content.is_empty() {
                    list.push(message, place);
                }
                return;
            }
            let calls: Vec<String> = calls().cloned().collect();
            let content = answer_in_order(&calls, &message.content, repairs);
            if !content.is_empty() {
                let mut repaired = Message::clone(&message);
                repaired.content = content;
                list.push(Arc::new(repaired), place);
            }
        }
    }
}

fn call_answered(result: &ToolResult) -> Repair {
    Repair::CallAnswered { tool_use_id: result.tool_use_id.clone() }
}

fn result_dropped(result: &ToolResult) -> Repair {
    Repair::ResultDropped { tool_use_id: result.tool_use_id.clone() }
}

/// Returns error results for the tool calls of an assistant message.
pub(crate) fn unanswered_calls(message: &Message) -> Option<Message> {
    let results: Vec<_> = message
        .tool_uses()
        .map(|call| ContentBlock::ToolResult(ToolResult::error(&call.tool_use_id, INTERRUPTED)))
        .collect();
    (message.role == Role::Assistant && !results.is_empty()).then(|| Message::new(Role::User, results))
}

/// Adds the content of a message to the message of the same role before it.
fn join(
    (last, last_place): (&mut Arc<Message>, &mut Place),
    (message, place): (&Message, Place),
    content: impl IntoIterator<Item = ContentBlock>,
) {
    let last = Arc::make_mut(last);
    *last_place = last_place.joined(last.content.len(), place);
    last.content.extend(content);
    if message.is_pinned() {
        last.pin();
    }
}

/// Returns the content with the results in the order of the calls, one for each: the n-th result of an id belongs to the
/// n-th call of that id, since some servers repeat ids. A repeated call that got another id here may be answered by the id
/// that it had.
fn answer_in_order(calls: &[String], content: &[ContentBlock], repairs: &mut Vec<Repair>) -> Vec<ContentBlock> {
    let mut results: HashMap<&str, VecDeque<usize>> = HashMap::new();
    for (at, block) in content.iter().enumerate() {
        if let ContentBlock::ToolResult(result) = block {
            results.entry(&result.tool_use_id).or_default().push_back(at);
        }
    }
    let mut taken = HashSet::new();
    let mut found = |id: &str| results.get_mut(id).and_then(VecDeque::pop_front);
    // Those that are answered by name first.
    let named: Vec<_> = calls.iter().map(|id| found(id)).collect();
    let mut ordered = Vec::with_capacity(content.len());
    for (id, named) in calls.iter().zip(named) {
        let at = named.or_else(|| original_id(id).and_then(&mut found));
        let result = at.and_then(|at| Some((at, content.get(at)?)));
        let Some((at, ContentBlock::ToolResult(result))) = result else {
            repairs.push(Repair::CallAnswered { tool_use_id: id.clone() });
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

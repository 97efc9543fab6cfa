//! Trims of a conversation to a window of its newest messages, and their repetition when a session is restored.
//!
//! A trim is a function of the messages. So a session does not need the range of the remaining messages after each
//! invocation: it may have the range of an earlier trim, as long as it has the messages after that.

use std::sync::Arc;

use serde_json::Value;

use super::options::ManagerOptions;
use super::{Conversation, ConversationManager, pins, result_truncation};
use crate::history::{History, Removals};
use crate::message::{Message, Role};

/// Key, in a session, of the window to which the conversation was trimmed after each invocation. Absent if the range of the
/// remaining messages has other reasons.
pub(crate) const WINDOW: &str = "window_size";

/// Name of the manager that repeats trims. The state of other managers may have a value of their own under [`WINDOW`].
pub(crate) const SLIDING_WINDOW: &str = "SlidingWindowConversationManager";

/// Returns the window to store for a history: the next restore trims to it, which leads to the same messages. `None` if the
/// manager does not repeat trims, or if the conversation is longer than the window, such as during an interrupt.
pub(crate) fn window_to_store(manager: &dyn ConversationManager, history: &History) -> Option<usize> {
    let Removals::ToWindow(window) = history.removals() else { return None };
    let is_trimmed = history.newest_in_a_row() <= u64::try_from(window).unwrap_or(u64::MAX);
    (manager.name() == SLIDING_WINDOW && is_trimmed).then_some(window)
}

/// Returns a flag for each message: true if it is to be removed so that about `keep` remain, not counting pinned ones. The
/// rest starts with a prompt and keeps tool calls and results together.
pub(super) fn removable(
    messages: &[Arc<Message>],
    number: impl Fn(usize) -> Option<u64>,
    pins: &[bool],
    keep: usize,
) -> Vec<bool> {
    let pinned = |at: usize| pins.get(at).copied().unwrap_or(false);
    let mut unpinned = (0..messages.len()).filter(|at| !pinned(*at));
    let surplus = unpinned.clone().count().saturating_sub(keep);
    if surplus == 0 {
        return Vec::new();
    }
    let least = unpinned.nth(surplus).unwrap_or(messages.len());
    let before = |start: usize| (0..messages.len()).map(|at| at < start && !pinned(at)).collect::<Vec<_>>();
    let start = messages.iter().enumerate().skip(least).find(|(_, message)| can_start(message)).map(|(at, _)| at);
    if let Some(start) = start {
        return before(start);
    }
    // One long invocation: keep its prompt and remove its oldest tool calls with their results.
    let Some(prompt) = messages.iter().rposition(|message| can_start(message)) else { return Vec::new() };
    let mut removable = before(prompt);
    let removed = removable.iter().filter(|removable| **removable).count();
    let mut surplus = surplus.saturating_sub(removed);
    let mut at = prompt + 1;
    let newest_prompt = pins::newest_prompt(messages, number);
    let stays = |at: usize| pinned(at) || newest_prompt.contains(&at);
    // Keep the newest message, and a call directly before it.
    while surplus > 0 && at + 2 < messages.len() {
        let role = |at: usize| messages.get(at).map(|message| message.role);
        if role(at) == Some(Role::Assistant) && role(at + 1) == Some(Role::User) && !stays(at) && !stays(at + 1) {
            removable.iter_mut().skip(at).take(2).for_each(|removable| *removable = true);
            surplus = surplus.saturating_sub(2);
            at += 1;
        }
        at += 1;
    }
    removable
}

/// Returns true if a conversation may start with this message.
fn can_start(message: &Message) -> bool {
    message.role == Role::User && message.tool_results().next().is_none()
}

/// Repeats the trims that were made after the session got its range of messages. `own` is the window of the manager, if it
/// repeats trims.
pub(super) fn repeat(conversation: &mut Conversation<'_>, options: &ManagerOptions, own: Option<usize>) {
    let window = conversation.state().shift_remove(WINDOW);
    let Some(window) = window.as_ref().and_then(Value::as_u64).and_then(|window| usize::try_from(window).ok()) else {
        return;
    };
    let Remaining { indexes, reduced_at } = Remaining::after_trims(conversation, options, window);
    let removed = conversation.trim_to_window(window, |at| indexes.binary_search(&at).is_err());
    conversation.repeats_trims_to(own.filter(|own| *own == window));
    if removed > 0 {
        reduced_at.into_iter().for_each(|number| conversation.reduced_at(number));
        result_truncation::forget_removed(conversation);
    }
}

/// The messages that remain after a trim at the end of each invocation.
struct Remaining {
    /// In ascending order.
    indexes: Vec<usize>,
    /// Number of the newest message at the last trim.
    reduced_at: Option<u64>,
}

impl Remaining {
    fn after_trims(conversation: &Conversation<'_>, options: &ManagerOptions, window: usize) -> Self {
        let (messages, pins) = (conversation.messages(), options.pins(conversation));
        let is_pinned = |at: usize| pins.get(at).copied().unwrap_or(false);
        let mut remaining = Self { indexes: (0..messages.len()).collect(), reduced_at: None };
        for end in ends_of_invocations(messages) {
            let there: Vec<usize> = remaining.indexes.iter().copied().take_while(|at| *at < end).collect();
            if there.iter().filter(|at| !is_pinned(**at)).count() <= window {
                continue;
            }
            let shown: Vec<Arc<Message>> = there.iter().filter_map(|at| messages.get(*at).cloned()).collect();
            let pinned: Vec<bool> = there.iter().map(|at| is_pinned(*at)).collect();
            let number = |at: usize| there.get(at).and_then(|at| conversation.number(*at));
            let removable = removable(&shown, number, &pinned, window);
            let removed = there.iter().zip(removable).filter(|(_, removable)| *removable);
            let removed: Vec<usize> = removed.map(|(at, _)| *at).collect();
            if !removed.is_empty() {
                remaining.indexes.retain(|at| removed.binary_search(at).is_err());
                remaining.reduced_at = end.checked_sub(1).and_then(|newest| conversation.number(newest));
            }
        }
        remaining
    }
}

/// Returns the indexes after the last messages of invocations: of each next prompt, and the end, unless a call there waits
/// for its result.
fn ends_of_invocations(messages: &[Arc<Message>]) -> impl Iterator<Item = usize> {
    let prompts = messages.iter().enumerate().filter(|(_, message)| can_start(message)).map(|(at, _)| at);
    let is_open = messages.last().is_some_and(|last| last.role == Role::Assistant && last.tool_uses().next().is_some());
    prompts.chain((!is_open).then_some(messages.len()))
}

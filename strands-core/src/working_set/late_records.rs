//! Records that a session may get later: the restore from the stored record leads to the same conversation.

use serde_json::{Map, Value};

use super::restore::{KEPT_MESSAGES, MANAGER_NAME, REMOVED_MESSAGES};
use crate::conversation::{REDUCED_AT, SLIDING_WINDOW, WINDOW};
use crate::session::AgentRecord;

/// Returns true if a restore from the stored record leads to the same agent as from the new one: only trims of a window
/// came between them, and not more than a window of messages, so that a restore does not read many.
pub(super) fn leads_to(stored: &AgentRecord, record: &AgentRecord) -> bool {
    let AgentRecord { agent_id, state, conversation_manager_state, internal_state, unknown } = record;
    only_trimmed(&stored.conversation_manager_state, conversation_manager_state)
        && stored.agent_id == *agent_id
        && stored.state == *state
        && stored.internal_state == *internal_state
        && stored.unknown == *unknown
}

fn only_trimmed(stored: &Map<String, Value>, state: &Map<String, Value>) -> bool {
    let number = |state: &Map<String, Value>, name: &str| state.get(name).and_then(Value::as_u64);
    let windows = number(stored, WINDOW).zip(number(state, WINDOW)).filter(|(stored, now)| stored == now);
    let removed = number(state, REMOVED_MESSAGES).zip(number(stored, REMOVED_MESSAGES));
    let late = removed.and_then(|(now, stored)| now.checked_sub(stored));
    stored.get(MANAGER_NAME).is_some_and(|name| name == SLIDING_WINDOW)
        && late.zip(windows).is_some_and(|(late, (window, _))| late < window)
        && others(stored).count() == others(state).count()
        && others(state).all(|(name, value)| stored.get(name) == Some(value))
}

/// Returns the fields that a trim does not change.
fn others(state: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    state.iter().filter(|(name, _)| ![REMOVED_MESSAGES, KEPT_MESSAGES, REDUCED_AT].contains(&name.as_str()))
}

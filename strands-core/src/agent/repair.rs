//! What had to be mended in a conversation that came back from a session.

use std::collections::HashSet;
use std::sync::Arc;

use crate::message::Message;

/// What had to be mended in a conversation that came back from a session, so that a model takes it as input. The session
/// keeps what was there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Repair {
    /// A tool was called and never answered, as when the process was killed meanwhile: the model reads that it was
    /// interrupted.
    CallAnswered {
        /// The call.
        tool_use_id: String,
    },
    /// A result answered no call and was left out.
    ResultDropped {
        /// The call that it names.
        tool_use_id: String,
    },
}

/// The calls that a conversation has results for.
pub(super) fn answered(messages: &[Arc<Message>]) -> Vec<String> {
    let results = messages.iter().flat_map(|message| message.tool_results());
    results.map(|result| result.tool_use_id.clone()).collect()
}

/// What was mended between a conversation as it was read, by the calls it had results for, and as it is now.
pub(super) fn repairs(read: &[String], now: &[Arc<Message>]) -> Vec<Repair> {
    let now = answered(now);
    let (before, after): (HashSet<_>, HashSet<_>) = (read.iter().collect(), now.iter().collect());
    let added = now.iter().filter(|id| !before.contains(id));
    let dropped = read.iter().filter(|id| !after.contains(id));
    let added = added.map(|id| Repair::CallAnswered { tool_use_id: id.clone() });
    added.chain(dropped.map(|id| Repair::ResultDropped { tool_use_id: id.clone() })).collect()
}

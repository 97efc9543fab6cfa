//! Unique tool-call ids in messages from other sources. Some servers number the calls of each response from zero, so their
//! ids repeat. Calls and their results are renamed together.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::{CallIds, ContentBlock, Message, Role};

/// Id of calls without one, since some providers leave it out.
const UNNAMED: &str = "tooluse";

/// Makes the tool-call ids of a conversation unique, for calls and results alike.
///
/// The newest calls keep their ids; earlier ones with the same id get a number as suffix.
///
/// Agents do this with the messages that they are given. Call it before sending a
/// [`ModelRequest`](crate::models::ModelRequest) of your own if its ids may repeat.
///
/// ```
/// use std::sync::Arc;
/// use strands::message::{Message, Role, ToolResult, ToolResultStatus, ToolUse, make_call_ids_unique};
///
/// let call = || Message::new(Role::Assistant, [ToolUse::new("look:0", "look", serde_json::json!({}))]);
/// let result = || Message::new(Role::User, [ToolResult::new("look:0", ToolResultStatus::Success, ["seen"])]);
/// let mut messages = [Message::user("Look twice."), call(), result(), call(), result()].map(Arc::new);
/// make_call_ids_unique(&mut messages);
/// assert_eq!(messages[1].tool_uses().next().unwrap().tool_use_id, "look:0_2");
/// assert_eq!(messages[2].tool_results().next().unwrap().tool_use_id, "look:0_2");
/// assert_eq!(messages[3].tool_uses().next().unwrap().tool_use_id, "look:0");
/// ```
pub fn make_call_ids_unique(messages: &mut [Arc<Message>]) {
    rename_repeated_earlier(messages);
}

/// Renames calls whose id is taken, in the order of the conversation.
pub(crate) fn rename_repeated(messages: &mut [Arc<Message>], taken: &mut CallIds) {
    for at in 0..messages.len() {
        rename_in(messages, at, taken);
    }
}

/// Renames repeated calls of a whole conversation. The newest calls keep their ids, since a suspended invocation refers to
/// them.
pub(crate) fn rename_repeated_earlier(messages: &mut [Arc<Message>]) -> CallIds {
    let mut taken = CallIds::default();
    for at in (0..messages.len()).rev() {
        rename_in(messages, at, &mut taken);
    }
    taken
}

/// Makes the ids of one message's calls unique. Returns the renamed ids, if any.
pub(crate) fn rename_calls(message: &mut Arc<Message>, taken: &mut CallIds) -> Option<Renamed> {
    let unique = |id: &str, taken: &mut CallIds| match id {
        "" => Some(taken.take(UNNAMED, None).unwrap_or_else(|| UNNAMED.to_owned())),
        id => taken.take(id, None),
    };
    // Most messages do not change and need no copy.
    let calls = message.tool_uses().enumerate();
    let changes = calls.filter_map(|(at, call)| Some((at, unique(&call.tool_use_id, taken)?)));
    let changes: Vec<(usize, String)> = changes.collect();
    if changes.is_empty() {
        return None;
    }
    let mut changes = changes.into_iter().peekable();
    let mut renamed = Renamed::default();
    let calls = Arc::make_mut(message).content.iter_mut().filter_map(|block| match block {
        ContentBlock::ToolUse(call) => Some(call),
        _ => None,
    });
    for (at, call) in calls.enumerate() {
        let before = call.tool_use_id.clone();
        if let Some((_, id)) = changes.next_if(|(changed, _)| *changed == at) {
            call.tool_use_id = id;
        }
        renamed.ids.entry(before).or_default().push_back(call.tool_use_id.clone());
    }
    Some(renamed)
}

/// New ids of a message's calls, by their former ids. The n-th result with an id belongs to the n-th call with it.
#[derive(Default)]
pub(crate) struct Renamed {
    ids: HashMap<String, VecDeque<String>>,
}

impl Renamed {
    fn rename_results(&mut self, message: &mut Message) {
        for block in &mut message.content {
            if let ContentBlock::ToolResult(result) = block
                && let Some(id) = self.ids.get_mut(&result.tool_use_id).and_then(VecDeque::pop_front)
            {
                result.tool_use_id = id;
            }
        }
    }
}

fn rename_in(messages: &mut [Arc<Message>], at: usize, taken: &mut CallIds) {
    let Some((calling, after)) = messages.get_mut(at..).and_then(<[_]>::split_first_mut) else { return };
    if calling.role != Role::Assistant {
        return;
    }
    let Some(mut renamed) = rename_calls(calling, taken) else { return };
    for message in after.iter_mut().take_while(|message| message.role == Role::User) {
        if message.tool_results().next().is_some() {
            renamed.rename_results(Arc::make_mut(message));
        }
    }
}

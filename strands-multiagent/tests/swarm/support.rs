//! Members with scripted models.

use std::sync::Arc;

use strands::message::{Message, Role};
use strands::serde_json::{Value, json};
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{Agent, AgentBuilder, AgentEvent};

/// A template whose turns depend on their zero-based number in the conversation.
pub(crate) fn member(name: &str, turn: impl Fn(usize) -> ScriptedTurn + Send + Sync + 'static) -> AgentBuilder {
    member_of(name, move |messages| turn(messages.iter().filter(|message| message.role == Role::Assistant).count()))
}

/// A template whose turns depend on the messages.
pub(crate) fn member_of(
    name: &str,
    turn: impl Fn(&[Arc<Message>]) -> ScriptedTurn + Send + Sync + 'static,
) -> AgentBuilder {
    let model = ScriptedModel::from_fn(move |request| turn(request.messages));
    Agent::builder().name(name).description(format!("Is {name}.")).model(model)
}

/// A turn that hands over.
pub(crate) fn to(name: &str, message: &str) -> ScriptedTurn {
    with_context(name, message, json!({}))
}

pub(crate) fn with_context(name: &str, message: &str, context: Value) -> ScriptedTurn {
    let arguments = json!({"agent_name": name, "message": message, "context": context});
    ScriptedTurn::tool_use("handoff_to_agent", arguments)
}

/// Names of the members that had turns, in order, from the events of a stream.
pub(crate) fn started(events: &[AgentEvent]) -> Vec<String> {
    let started = |event: &AgentEvent| match event {
        AgentEvent::NodeStart { node, attempt, .. } => Some(format!("{node} {attempt}")),
        _ => None,
    };
    events.iter().filter_map(started).collect()
}

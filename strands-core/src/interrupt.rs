//! Interrupts for humans in the loop: an interrupt suspends the invocation, and a response resumes it, in the same process or
//! much later in another one.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::continuation::Continuation;
use crate::depth;
use crate::message::ToolUse;

/// Start of the ids of interrupts that agents raise within a tool call.
const NESTED: &str = "v1:agent_as_tool:";

/// Start of the ids of interrupts that hooks raise before a tool runs.
const BEFORE_TOOL_CALL: &str = "v1:before_tool_call:";

/// A question for a human that suspends the invocation.
///
/// To resume it, call [`Invocation::resume`](crate::Invocation::resume) with the responses, such as [`respond`](Self::respond)
/// returns.
///
/// JSON: `{"id", "name", "reason", "response"}`. Ids are compatible with Strands, so either side can resume an interrupt of
/// the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
#[doc(alias = "human_in_the_loop", alias = "approval")]
pub struct Interrupt {
    /// Unique id, which is the same each time the same call raises the interrupt.
    pub id: String,
    /// Name, unique among the interrupts of one call.
    pub name: String,
    /// Reason to show to the human.
    #[serde(default)]
    pub reason: Value,
    /// The response, if there is one.
    #[serde(default)]
    pub response: Option<Value>,
}

impl Interrupt {
    /// Creates an interrupt. A reason that nests deeper than 100 levels becomes JSON text.
    pub fn new(id: impl Into<String>, name: impl Into<String>, reason: Value) -> Self {
        let reason = if depth::check(&reason).is_ok() { reason } else { Value::String(reason.to_string()) };
        Self { id: id.into(), name: name.into(), reason, response: None }
    }

    /// Returns the id of an interrupt raised by a tool.
    pub(crate) fn tool_call_id(tool_use_id: &str, name: &str) -> String {
        format!("v1:tool_call:{tool_use_id}:{}", uuid_of(name))
    }

    /// Returns the id of an interrupt raised before a tool runs.
    pub(crate) fn before_tool_call_id(tool_use_id: &str, name: &str) -> String {
        format!("{BEFORE_TOOL_CALL}{tool_use_id}:{}", uuid_of(name))
    }

    /// Returns the start of the ids of interrupts that agents raise within a tool call. The rest is the id within the agent.
    pub(crate) fn nested_prefix(tool_use_id: &str) -> String {
        format!("{NESTED}{}:", quoted(tool_use_id))
    }

    /// Creates the interrupt that a hook raises before a node of a graph, or a member of a swarm, runs. Its id is that of Strands.
    pub fn before_node(node: &str, name: impl Into<String>, reason: Value) -> Self {
        Self::before_visit(node, None, name.into(), reason)
    }

    /// Creates the interrupt before a visit of a node: as [`before_node`](Self::before_node), with another id for each visit.
    pub(crate) fn before_visit(node: &str, visit: Option<&str>, name: String, reason: Value) -> Self {
        let uuid = match visit {
            Some(visit) => uuid_of(&format!("{visit}:{name}")),
            None => uuid_of(&name),
        };
        Self::new(format!("v1:before_node_call:{node}:{uuid}"), name, reason)
    }

    /// Returns the interrupt as that of a node which raised it: with an id that starts with that of the node.
    ///
    /// ```
    /// use strands::Interrupt;
    /// use strands::serde_json::json;
    ///
    /// let inner = Interrupt::new("v1:tool_call:call_1:x", "approval", json!("Pay 100 euros?"));
    /// let outer = inner.clone().at_node("payments");
    /// assert_eq!(outer.id, "v1:node:payments:v1:tool_call:call_1:x");
    /// assert_eq!(outer.innermost_id(), inner.id);
    /// let response = outer.respond(true);
    /// assert_eq!(response.within_node("payments"), Some(inner.respond(true)));
    /// assert_eq!(response.within_node("invoices"), None);
    /// ```
    #[must_use]
    pub fn at_node(self, node: &str) -> Self {
        Self { id: format!("{}{}", node_prefix(node), self.id), ..self }
    }

    /// Returns the id within the agent that raised the interrupt: without those of the nodes, and of the calls of agents, around it.
    pub fn innermost_id(&self) -> &str {
        let mut id = self.id.as_str();
        while let Some((_, inner)) =
            id.strip_prefix(NESTED).or_else(|| id.strip_prefix(NODE)).and_then(|rest| rest.split_once(':'))
        {
            id = inner;
        }
        id
    }

    /// Returns true if the interrupt was raised by a tool call, or within it by an agent that is a tool.
    pub fn is_of_call(&self, tool_use_id: &str) -> bool {
        is_of_call(&self.id, tool_use_id)
    }

    /// Creates a response to this interrupt.
    pub fn respond(&self, response: impl Into<Value>) -> InterruptResponse {
        InterruptResponse { interrupt_id: self.id.clone(), response: response.into() }
    }
}

/// Start of the ids of interrupts of nodes. The id of the node follows, and then the id within it.
const NODE: &str = "v1:node:";

fn node_prefix(node: &str) -> String {
    format!("{NODE}{}:", quoted(node))
}

/// Returns true if an id is of an interrupt that was raised by a tool call. The id of an interrupt that was raised within the
/// call, by an agent with calls of its own, starts with that of the outer call.
pub(crate) fn is_of_call(id: &str, tool_use_id: &str) -> bool {
    // Other ids are those of custom interrupts.
    let Some((_, call)) = id.strip_prefix("v1:").and_then(|rest| rest.split_once(':')) else {
        return id.contains(&format!(":{tool_use_id}:"));
    };
    let starts_with = |call_id: &str| call.strip_prefix(call_id).is_some_and(|rest| rest.starts_with(':'));
    starts_with(tool_use_id) || starts_with(&quoted(tool_use_id))
}

/// Returns true if an id is of an interrupt that was raised before the tool of a call has run, and not by the tool.
pub(crate) fn is_of_hook(id: &str) -> bool {
    id.starts_with(BEFORE_TOOL_CALL)
}

/// Percent-encodes an id as Strands does, so that it has no `:`.
fn quoted(id: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-~".contains(&byte);
    if id.bytes().all(is_plain) {
        return Cow::Borrowed(id);
    }
    let mut quoted = String::with_capacity(3 * id.len());
    for byte in id.bytes() {
        if is_plain(byte) {
            quoted.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(quoted, "%{byte:02X}");
        }
    }
    Cow::Owned(quoted)
}

/// The interrupts that a call waits for, and the state of its tool.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Suspension {
    pub(crate) interrupts: Vec<Interrupt>,
    /// State with which the tool continues, instead of from its start. `None` also if a hook has raised the interrupts: then an
    /// earlier state stays.
    pub(crate) continuation: Option<Continuation>,
}

impl From<Vec<Interrupt>> for Suspension {
    fn from(interrupts: Vec<Interrupt>) -> Self {
        Self { interrupts, continuation: None }
    }
}

fn uuid_of(name: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())
}

/// A response to an [`Interrupt`]. JSON: `{"interruptId", "response"}`.
///
/// Any JSON value is a response, including `null`. For an approval, `true`, `"y"` and `"yes"` (case-insensitive) approve;
/// every other value denies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct InterruptResponse {
    /// Id of the interrupt.
    pub interrupt_id: String,
    /// The response.
    #[serde(default)]
    pub response: Value,
}

impl InterruptResponse {
    /// Creates a response to the interrupt with this id.
    pub fn new(interrupt_id: impl Into<String>, response: impl Into<Value>) -> Self {
        Self { interrupt_id: interrupt_id.into(), response: response.into() }
    }

    /// Returns the response as that to an interrupt within a node, or `None` if the interrupt is not of this node. See
    /// [`Interrupt::at_node`].
    pub fn within_node(&self, node: &str) -> Option<Self> {
        let inner = self.interrupt_id.strip_prefix(&node_prefix(node))?;
        Some(Self { interrupt_id: inner.to_owned(), response: self.response.clone() })
    }
}

/// A tool call with the interrupts that it raised.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct InterruptedCall {
    /// The call, as the model made it. A call by an agent that is a tool itself is that of its model.
    pub tool_use: Arc<ToolUse>,
    /// The calls of agents within which the call was made, outermost first. Empty for a call by the outermost agent.
    pub within: Vec<Arc<ToolUse>>,
    /// Its interrupts, with the responses to them so far.
    pub interrupts: Vec<Interrupt>,
}

impl InterruptedCall {
    /// Returns the id of one of the interrupts as the agent that made the call knows it: without the ids of the calls
    /// [within](Self::within) which it was made. `None` for the interrupt of an agent behind the call: what that says about calls of
    /// its own is not known to be true.
    pub fn id_within<'a>(&self, interrupt: &'a Interrupt) -> Option<&'a str> {
        let mut id = interrupt.id.as_str();
        for call in &self.within {
            id = id.strip_prefix(&Interrupt::nested_prefix(&call.tool_use_id))?;
        }
        (!id.starts_with(NESTED)).then_some(id)
    }
}

/// Returns true if a response approves.
pub(crate) fn grants_approval(response: &Value) -> bool {
    match response {
        Value::Bool(approves) => *approves,
        Value::String(word) => matches!(word.trim().to_ascii_lowercase().as_str(), "y" | "yes"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_within_an_agent_is_that_of_its_own_calls() {
        let [outer, inner] = ["a:1", "b"].map(|id| Arc::new(ToolUse::new(id, "x", Value::Null)));
        let own = Interrupt::before_tool_call_id("b", "sure?");
        let nested = format!("{}{own}", Interrupt::nested_prefix("a:1"));
        let behind = format!("{}{}", Interrupt::nested_prefix("a:1"), Interrupt::nested_prefix("b")) + &own;
        let call = InterruptedCall { tool_use: inner, within: vec![outer], interrupts: Vec::new() };
        let id_within = |id: &str| call.id_within(&Interrupt::new(id, "sure?", Value::Null)).map(str::to_owned);
        assert_eq!(id_within(&nested), Some(own.clone()));
        assert_eq!((id_within(&own), id_within(&behind)), (None, None));
    }

    #[test]
    fn ids_name_the_outermost_call() {
        let inner = Interrupt::tool_call_id("call-1", "sure?");
        let nested = format!("{}{inner}", Interrupt::nested_prefix("call-2"));
        assert!(is_of_call(&inner, "call-1") && is_of_call(&nested, "call-2"));
        assert!(!is_of_call(&nested, "call-1") && !is_of_call(&inner, "call"));
        assert!(is_of_call("mine:call-1:x", "call-1"));
        assert_eq!(Interrupt::new(nested, "sure?", Value::Null).innermost_id(), inner);
        let odd = "a:b/ö";
        assert_eq!(Interrupt::nested_prefix(odd), "v1:agent_as_tool:a%3Ab%2F%C3%B6:");
        assert!(is_of_call(&Interrupt::nested_prefix(odd), odd));
        assert!(is_of_call(&Interrupt::before_tool_call_id(odd, "x"), odd));
    }
}

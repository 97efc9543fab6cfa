//! Trust in a tool after an approval, in the agent's state.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use strands_core::hook::HookContext;

/// Key of the trusted tools in the agent's state, as `HumanInTheLoop` of Strands uses it: a list of names.
const SESSION: &str = "hitl:trusted_tools";
/// Key of the tools that are trusted in one invocation: `{"invocation_id", "tools"}`.
const INVOCATION: &str = "approval:trusted_tools";

/// Calls for which one approval is valid.
///
/// JSON: `"call"`, `"invocation"` or `"session"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Trust {
    /// The approved call.
    #[default]
    Call,
    /// All calls of the tool until the invocation that resumes the agent ends.
    Invocation,
    /// All calls of the tool in the session. It is stored in the agent's state.
    Session,
}

impl Trust {
    /// Records trust in a tool.
    pub(super) fn record(self, context: &HookContext, tool: &str) -> Result<(), serde_json::Error> {
        match self {
            Self::Call => Ok(()),
            Self::Invocation => context.state().update(INVOCATION, |trusted| {
                let id = context.invocation_id();
                if trusted.get("invocation_id").and_then(Value::as_str) != Some(id) {
                    *trusted = json!({"invocation_id": id, "tools": []});
                }
                add(trusted.get_mut("tools"), tool);
            }),
            Self::Session => context.state().update(SESSION, |trusted| {
                if !trusted.is_array() {
                    *trusted = json!([]);
                }
                add(Some(trusted), tool);
            }),
        }
    }

    /// Returns true if a tool is trusted, for at most this long.
    pub(super) fn covers(self, context: &HookContext, tool: &str) -> bool {
        let in_session = || context.state().get(SESSION).is_some_and(|trusted| has(&trusted, tool));
        let in_invocation = || {
            context.state().get(INVOCATION).is_some_and(|trusted| {
                trusted.get("invocation_id").and_then(Value::as_str) == Some(context.invocation_id())
                    && trusted.get("tools").is_some_and(|tools| has(tools, tool))
            })
        };
        (self >= Self::Session && in_session()) || (self >= Self::Invocation && in_invocation())
    }
}

fn has(tools: &Value, tool: &str) -> bool {
    tools.as_array().is_some_and(|tools| tools.iter().any(|trusted| trusted == tool))
}

fn add(tools: Option<&mut Value>, tool: &str) {
    if let Some(tools) = tools
        && !has(tools, tool)
        && let Some(tools) = tools.as_array_mut()
    {
        tools.push(tool.into());
    }
}

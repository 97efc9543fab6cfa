//! The tool with which a member of a swarm hands over to another one. It is added to each prompt of a member, and ends its turn.

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use strands_core::message::ToolUse;
use strands_core::multiagent::{BeforeHandoff, MultiAgentContext, NodeHook};
use strands_core::{InjectedKey, Tool, ToolContext, ToolError, ToolOutput, ToolPolicy, ToolSpec, async_trait};

use super::shared_context::SharedContext;
use crate::node::NodeError;

/// Name of the tool, as in Strands.
pub(super) const TOOL: &str = "handoff_to_agent";

/// Maximum number of bytes of a message.
const MAX_MESSAGE: usize = 32 * 1024;

/// A handoff, as the arguments of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Handoff {
    #[serde(rename = "agent_name")]
    pub(super) to: Arc<str>,
    pub(super) message: String,
    #[serde(default)]
    pub(super) context: Option<Map<String, Value>>,
}

impl Handoff {
    /// Returns the handoff of a call, if it is a call of this tool.
    pub(super) fn of(call: &ToolUse) -> Option<Self> {
        (call.name == TOOL).then(|| Self::deserialize(&call.input).ok()).flatten()
    }
}

/// The tool, for one run of one member.
pub(super) struct HandoffTool {
    spec: ToolSpec,
    from: Arc<str>,
    to: Arc<[Arc<str>]>,
    shared: Arc<SharedContext>,
    shared_limit: usize,
    hooks: Arc<[Arc<dyn NodeHook>]>,
    failure: HookFailure,
}

/// Failure of a hook before a handoff, which fails the member.
#[derive(Clone, Default)]
pub(super) struct HookFailure(Arc<Mutex<Option<NodeError>>>);

impl HookFailure {
    /// Takes the failure.
    pub(super) fn take(&self) -> Option<NodeError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, failure: NodeError) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
    }
}

impl HandoffTool {
    /// Creates the tool of the member `from`, which may hand over to the members `to`.
    pub(super) fn new(
        from: &Arc<str>,
        to: &Arc<[Arc<str>]>,
        shared: &Arc<SharedContext>,
        shared_limit: usize,
        hooks: &Arc<[Arc<dyn NodeHook>]>,
        failure: HookFailure,
    ) -> Self {
        let schema = json!({
            "type": "object",
            "properties": {
                "agent_name": {
                    "type": "string",
                    "enum": to.iter().map(|name| &**name).collect::<Vec<_>>(),
                    "description": "The agent to hand over to.",
                },
                "message": {
                    "type": "string",
                    "description": "What the agent has to do, and why you hand over. It knows nothing of your conversation.",
                },
                "context": {
                    "type": "object",
                    "description": "Facts that all later agents need, by name.",
                },
            },
            "required": ["agent_name", "message"],
        });
        let description = "Hands the task over to another agent, which continues in your place. It must be the only tool called in the \
                           turn, and ends it.";
        Self {
            spec: ToolSpec::new(TOOL, description, schema),
            from: Arc::clone(from),
            to: Arc::clone(to),
            shared: Arc::clone(shared),
            shared_limit,
            hooks: Arc::clone(hooks),
            failure,
        }
    }

    /// Checks the arguments.
    fn check(&self, input: Value) -> Result<Handoff, ToolError> {
        let handoff = Handoff::deserialize(input).map_err(|error| ToolError::invalid_input(error.to_string()))?;
        if !self.to.contains(&handoff.to) {
            let allowed = self.to.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            return Err(ToolError::invalid_input(format!("you can't hand over to this agent, but to {allowed}")));
        }
        if handoff.message.len() > MAX_MESSAGE {
            let len = handoff.message.len();
            return Err(ToolError::invalid_input(format!(
                "the message has {len} bytes, and {MAX_MESSAGE} are allowed"
            )));
        }
        if let Some(values) = &handoff.context {
            let (size, limit) = (self.shared.size_with(&self.from, values), self.shared_limit);
            if size > limit {
                let text = format!(
                    "the context of all agents would have {size} bytes, and {limit} are allowed: hand over less"
                );
                return Err(ToolError::invalid_input(text));
            }
        }
        Ok(handoff)
    }
}

#[async_trait]
impl Tool for HandoffTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn requires(&self) -> &[InjectedKey] {
        &[]
    }

    fn policy(&self) -> ToolPolicy {
        ToolPolicy::new().with_ends_turn(true)
    }

    fn checks_input(&self) -> bool {
        true
    }

    async fn call(&self, ctx: &ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        let handoff = self.check(input)?;
        if !self.hooks.is_empty() {
            let context = ctx.injected::<MultiAgentContext>()?;
            let mut event = BeforeHandoff::new(context, &self.from, &handoff.to, &handoff.message);
            for hook in self.hooks.iter() {
                if let Err(failure) = hook.before_handoff(&mut event).await {
                    self.failure.set(NodeError::from(failure));
                    return Ok(ToolOutput::text("The handoff failed."));
                }
            }
            if let Some(reason) = event.deny {
                return Err(ToolError::new(reason));
            }
        }
        Ok(ToolOutput::text(format!("Handing off to {}: {}", handoff.to, handoff.message)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(limit: usize) -> HandoffTool {
        let to: Arc<[Arc<str>]> = ["writer".into(), "editor".into()].into();
        let mut shared = SharedContext::default();
        shared.add(&"researcher".into(), json!({"facts": "12345"}).as_object().cloned().unwrap());
        HandoffTool::new(
            &"researcher".into(),
            &to,
            &Arc::new(shared),
            limit,
            &Vec::new().into(),
            HookFailure::default(),
        )
    }

    #[test]
    fn refuses_what_the_swarm_does_not_allow() {
        let refused = |input: Value| tool(20).check(input).unwrap_err().to_string();
        assert!(refused(json!({"agent_name": "boss", "message": "x"})).contains("to `writer`, `editor`"));
        assert!(refused(json!({"agent_name": "writer"})).contains("message"));
        let long = "x".repeat(MAX_MESSAGE + 1);
        assert!(refused(json!({"agent_name": "writer", "message": long})).contains("32768 are allowed"));
        let context = json!({"agent_name": "writer", "message": "x", "context": {"more": "123456789"}});
        assert!(refused(context.clone()).contains("27 bytes, and 20 are allowed"));
        let handoff = tool(27).check(context).unwrap();
        assert_eq!((&*handoff.to, handoff.context.map(|context| context.len())), ("writer", Some(1)));
        assert!(tool(20).check(json!({"agent_name": "editor", "message": "x", "context": null})).is_ok());
    }
}

//! An agent as a tool: a new agent for each call, whose events are forwarded as progress.

use std::collections::VecDeque;
use std::error::Error as StdError;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use strands_core::models::StopReason;
use strands_core::{
    Agent, AgentBuilder, AgentEvent, AgentResponse, ErrorChain, Prompt, Snapshot, Tool, ToolContext, ToolError,
    ToolOutput, ToolSpec, TraceContext,
};

use super::call::Continued;
use super::caller::Caller;

/// Maximum number of agents that wait for responses. The oldest are forgotten first.
const MAX_SUSPENDED: usize = 1_000;

/// An agent as a tool, with the prompt as its argument and the text of the response as its result.
///
/// Each call builds a new agent, so that calls don't see each other's conversations. Text and tool calls of the agent are
/// forwarded as progress. If the agent is interrupted, for example for an approval, the tool raises the same interrupt, and
/// the agent continues with the response.
///
/// A suspended agent stays in this process: a response that arrives at another process, or after 1,000 other agents were
/// suspended, gets an error result. If the agent fails, the result is an error without the reason, which is in the log. The agent must not have a session manager, since all calls would share the session.
///
/// # Examples
///
/// ```
/// use strands::mcp::{AgentTool, McpServer};
/// use strands::{Agent, tool, tools, testing::ScriptedModel};
///
/// /// Adds two numbers.
/// #[tool]
/// fn add(a: i64, b: i64) -> i64 {
///     a + b
/// }
///
/// let agent = Agent::builder().model(ScriptedModel::responding("Take the train."));
/// let server = McpServer::new(tools![Add, AgentTool::new("plan_trip", "Plans a trip.", agent)])?;
/// # drop(server);
/// # Ok::<(), strands::ToolSetError>(())
/// ```
pub struct AgentTool {
    spec: ToolSpec,
    builder: AgentBuilder,
    suspended: Mutex<VecDeque<(String, Snapshot)>>,
}

impl AgentTool {
    /// Creates a tool with a name, a description for models, and the builder of its agents.
    pub fn new(name: impl Into<String>, description: impl Into<String>, builder: AgentBuilder) -> Self {
        let schema = json!({
            "type": "object",
            "properties": {"prompt": {"type": "string", "description": "The task, with all that the agent has to know."}},
            "required": ["prompt"],
            "additionalProperties": false,
        });
        Self { spec: ToolSpec::new(name, description, schema), builder, suspended: Mutex::default() }
    }

    /// Returns the agent for a call, and the prompt of its next invocation.
    async fn agent(&self, ctx: &ToolContext, input: &Value) -> Result<(Agent, Prompt), ToolError> {
        let mut agent = self.builder.clone().build().await.map_err(|error| failed(&self.spec.name, &error))?;
        let prompt = input.get("prompt").and_then(Value::as_str).unwrap_or_default();
        let Some(snapshot) = self.suspended(ctx.tool_use_id()) else {
            if ctx.injected::<Continued>().is_ok() {
                return Err(ToolError::new(
                    "the agent that asked is no longer known to this server; call the tool again",
                ));
            }
            return Ok((agent, prompt.into()));
        };
        agent.restore(snapshot).map_err(|error| failed(&self.spec.name, &error))?;
        Ok((agent, Prompt::none()))
    }

    fn suspended(&self, id: &str) -> Option<Snapshot> {
        let suspended = self.suspended.lock().unwrap_or_else(PoisonError::into_inner);
        suspended.iter().find(|(suspended, _)| suspended == id).map(|(_, snapshot)| snapshot.clone())
    }

    fn forget(&self, id: &str) {
        self.suspended.lock().unwrap_or_else(PoisonError::into_inner).retain(|(suspended, _)| suspended != id);
    }

    fn suspend(&self, id: &str, snapshot: Snapshot) {
        let mut suspended = self.suspended.lock().unwrap_or_else(PoisonError::into_inner);
        suspended.retain(|(suspended, _)| suspended != id);
        if suspended.len() >= MAX_SUSPENDED {
            suspended.pop_front();
        }
        suspended.push_back((id.to_owned(), snapshot));
    }
}

#[async_trait]
impl Tool for AgentTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, ctx: &ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        let (mut agent, mut prompt) = self.agent(ctx, &input).await?;
        loop {
            let mut responses = Vec::new();
            for interrupt in agent.interrupts() {
                responses.push(interrupt.respond(ctx.interrupt(&interrupt.id, &interrupt.reason)?));
            }
            let mut invocation = agent.prompt(std::mem::replace(&mut prompt, Prompt::none())).resume(responses);
            if let Ok(trace) = ctx.injected::<TraceContext>() {
                invocation = invocation.inject(trace.clone());
            }
            if let Ok(caller) = ctx.injected::<Caller>() {
                invocation = caller.inject_into_invocation(invocation);
            }
            let response = forwarded(invocation.stream(), ctx, &self.spec.name).await?;
            if response.stop_reason != StopReason::Interrupt {
                self.forget(ctx.tool_use_id());
                return Ok(ToolOutput::text(response.text()));
            }
            self.suspend(ctx.tool_use_id(), agent.snapshot().map_err(|error| failed(&self.spec.name, &error))?);
        }
    }
}

/// Converts an error of an agent. Its text may tell about the program, such as accounts and addresses, so only the log has it.
fn failed(name: &str, error: &(dyn StdError + 'static)) -> ToolError {
    tracing::error!(target: "strands_mcp", name, error = %ErrorChain::new(error), "the agent of a tool failed");
    ToolError::new("the agent failed within the server; its log has the reason")
}

/// Forwards all events, and returns the response.
async fn forwarded(
    mut events: strands_core::AgentStream<'_>,
    ctx: &ToolContext,
    name: &str,
) -> Result<AgentResponse, ToolError> {
    let mut response = None;
    while let Some(event) = events.next().await {
        let event = event.map_err(|error| failed(name, &error))?;
        if let AgentEvent::Result { response: last } = &event {
            response = Some((**last).clone());
        }
        ctx.forward(name, event).await;
    }
    response.ok_or_else(|| ToolError::new("the agent ended without a response"))
}

impl fmt::Debug for AgentTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentTool").field("name", &self.spec.name).finish_non_exhaustive()
    }
}

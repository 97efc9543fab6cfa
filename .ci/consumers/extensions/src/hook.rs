//! A hook for many agents: authorizes tool calls by the user of the request, and writes an audit line for each event.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use strands::hook::*;

/// The user of a request.
#[derive(Clone, Debug)]
pub struct User {
    pub name: String,
    pub tools: Vec<String>,
}

/// Hook that allows the tools that the user may call. Clones share the audit lines.
#[derive(Clone, Debug, Default)]
pub struct Audit(Arc<Mutex<Vec<String>>>);

impl Audit {
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, context: &HookContext, event: &str) -> HookResult {
        let user = context.injected::<User>().map_or("nobody", |user| &user.name);
        let line = format!("{} {} {user}: {event}", context.agent_id(), context.invocation_id());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        Ok(())
    }
}

#[async_trait]
impl Hook for Audit {
    async fn before_invocation(&self, event: &mut BeforeInvocation<'_>) -> HookResult {
        self.add(event.context, "prompted")
    }

    async fn after_invocation(&self, event: &mut AfterInvocation<'_>) -> HookResult {
        self.add(event.context, if event.outcome.is_ok() { "ended" } else { "failed" })
    }

    async fn message_added(&self, event: &MessageAdded<'_>) -> HookResult {
        self.add(event.context, &format!("message of the {:?}", event.message.role))
    }

    async fn before_model_call(&self, event: &mut BeforeModelCall<'_>) -> HookResult {
        self.add(event.context, &format!("model call {}", event.context.cycle()))
    }

    async fn before_tool_call(&self, event: &mut BeforeToolCall<'_>) -> HookResult {
        let user = event.context.injected::<User>();
        let tool = event.tool_use.name.clone();
        if user.is_none_or(|user| !user.tools.contains(&tool)) {
            event.deny = Some(format!("the user is not allowed to call `{tool}`"));
            return self.add(event.context, &format!("denied {tool}"));
        }
        self.add(event.context, &format!("allowed {tool}"))
    }

    async fn after_tool_call(&self, event: &mut AfterToolCall<'_>) -> HookResult {
        let outcome = if event.result.is_error() { "error" } else { "success" };
        self.add(event.context, &format!("{outcome} of {}", event.tool_use.name))
    }
}

//! Diagnostics for operators: `tracing` events about handled failures. They contain names of agents and tools, and kinds of
//! errors, but no content: no prompts, arguments or error texts.

#![cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "unused without the `tracing` feature"))]

use std::time::Duration;

use crate::event::{GuardedContent, GuardrailReport};
use crate::scope::{AgentNames, Scope};
use crate::stop_reason::StopReason;

macro_rules! event {
    ($level:ident, $scope:expr, $($rest:tt)+) => {
        #[cfg(feature = "tracing")]
        tracing::$level!(
            target: "strands",
            agent_id = %$scope.agent.id,
            invocation_id = %$scope.invocation_id(),
            $($rest)+
        )
    };
}

/// Logs that a model call, or an invocation, is about to be retried.
pub(crate) fn retry(scope: &Scope, attempt: u32, delay: Duration, cause: &'static str, discards_output: bool) {
    event!(warn, scope, attempt, delay_ms = millis(delay), cause, discards_output, "retry");
}

/// Logs that the conversation of an agent can't be kept for the next call.
pub(crate) fn context_not_kept(agent: &str) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "strands", agent, "the context of an agent was not kept");
}

/// Logs that a model failed and another one is called.
pub(crate) fn fallback(from: &str, to: &str, cause: &'static str) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "strands", from, to, cause, "fallback");
}

/// Logs that a tool call failed.
pub(crate) fn tool_failed(scope: &Scope, tool: &str, tool_use_id: &str, cause: &'static str) {
    event!(warn, scope, tool, tool_use_id, cause, "tool call failed");
}

/// Logs that a tool call failed, and is about to be repeated.
pub(crate) fn tool_retry(
    scope: &Scope,
    tool: &str,
    tool_use_id: &str,
    attempt: u32,
    delay: Duration,
    cause: &'static str,
) {
    event!(warn, scope, tool, tool_use_id, attempt, delay_ms = millis(delay), cause, "tool retry");
}

/// Logs that the changed tools of a provider could not be listed or used.
pub(crate) fn tool_refresh_failed(scope: &Scope) {
    event!(warn, scope, "tool refresh failed");
}

/// Logs that a guardrail changed or blocked content.
pub(crate) fn guardrail(scope: &Scope, report: &GuardrailReport) {
    let GuardrailReport { guardrail, content, action, count } = report;
    event!(info, scope, guardrail, content = content.as_str(), action = action.as_str(), count, "guardrail");
}

/// Logs that the check of a guardrail failed.
pub(crate) fn guardrail_failed(scope: &Scope, guardrail: &str, content: &GuardedContent, cause: &'static str) {
    event!(error, scope, guardrail, content = content.as_str(), cause, "guardrail failed");
}

/// Logs that a conversation was repaired, when an agent was built or after a dropped invocation.
pub(crate) fn repaired(agent: &AgentNames, repairs: usize) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "strands", agent_id = %agent.id, session_id = agent.session_id, repairs, "repaired");
}

/// Logs that no tool reads an injected value.
pub(crate) fn unread_value(agent: &AgentNames, value: &'static str) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "strands", agent_id = %agent.id, value, "injected value is not read");
}

/// Logs a warning if an invocation ended at a limit.
pub(crate) fn ended(scope: &Scope, stop_reason: &StopReason) {
    if stop_reason.is_limit() {
        event!(warn, scope, limit = stop_reason.as_str(), "limit reached");
    }
}

#[cfg(feature = "tracing")]
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

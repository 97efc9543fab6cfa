//! Diagnostics for operators: `tracing` events about what went wrong and was dealt with. They name agents, tools and kinds
//! of errors, and have no content: no prompt, no arguments, no text of errors.

#![cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "without `tracing` nobody is told"))]

use std::time::Duration;

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

/// A model call, or an invocation, is about to be tried again.
pub(crate) fn retry(scope: &Scope, attempt: u32, delay: Duration, cause: &'static str, discards_output: bool) {
    event!(warn, scope, attempt, delay_ms = millis(delay), cause, discards_output, "retry");
}

/// A model could not respond, and another one is asked.
pub(crate) fn fallback(from: &str, to: &str, cause: &'static str) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "strands", from, to, cause, "fallback");
}

/// A tool call has failed.
pub(crate) fn tool_failed(scope: &Scope, tool: &str, tool_use_id: &str, cause: &'static str) {
    event!(warn, scope, tool, tool_use_id, cause, "tool call failed");
}

/// The changed tools of a provider could not be listed or used.
pub(crate) fn tool_refresh_failed(scope: &Scope) {
    event!(warn, scope, "tool refresh failed");
}

/// A conversation was repaired when an agent was built, or after an invocation that was dropped.
pub(crate) fn repaired(agent: &AgentNames, repairs: usize) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "strands", agent_id = %agent.id, session_id = agent.session_id, repairs, "repaired");
}

/// An injected value is read by no tool.
pub(crate) fn unread_value(agent: &AgentNames, value: &'static str) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "strands", agent_id = %agent.id, value, "injected value is not read");
}

/// An invocation has ended: with a warning if a limit was reached.
pub(crate) fn ended(scope: &Scope, stop_reason: &StopReason) {
    if let StopReason::LimitTurns
    | StopReason::LimitTotalTokens
    | StopReason::LimitOutputTokens
    | StopReason::LimitDuration = stop_reason
    {
        event!(warn, scope, limit = stop_reason.as_str(), "limit reached");
    }
}

#[cfg(feature = "tracing")]
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

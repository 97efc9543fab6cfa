//! Run of a tool whose call is authorized: its limits, its timeout, panics, and retries of transient failures.

use std::any::Any;
use std::error::Error as StdError;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::Value;
use tokio::time::Instant;

use super::calls::{CallPlace, ToolCalls};
use super::execution::Execution;
use crate::depth;
use crate::diagnostics;
use crate::interrupt::Suspension;
use crate::message::ToolUse;
use crate::models::backoff;
use crate::nesting::{self, Surroundings};
use crate::outcome::AgentError;
use crate::tool::{
    ContextParts, MAX_TOOL_RETRIES, RunningCall, Tool, ToolError, ToolErrorKind, ToolEvent, ToolFailure,
    ToolLimiterBusy, ToolOutput, ToolPermit,
};

/// Maximum wait before a retry.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(30);

impl ToolCalls {
    /// Runs a tool, and again after transient failures if its policy has retries. `starting` is awaited once, right before
    /// the first attempt.
    pub(super) async fn run<F: Future<Output = ()>>(
        &self,
        call: &Arc<ToolUse>,
        tool: &Arc<dyn Tool>,
        mut input: Value,
        place: CallPlace<'_>,
        attempts: &mut u32,
        starting: &impl Fn() -> F,
    ) -> Execution {
        let policy = tool.policy();
        let retries = if tool.spec().annotations.is_repeatable() { policy.retries.min(MAX_TOOL_RETRIES) } else { 0 };
        let timeout = policy.timeout.or(self.settings.tool_timeout);
        let CallPlace { scope, budget, surroundings } = place;
        let mut attempt = 1;
        loop {
            let (permit, time_left) = match self.admit(tool, timeout).await {
                Ok(admitted) => admitted,
                Err(ToolLimiterBusy) => {
                    let error = ToolError::new(format!("tool `{}` is busy; call it again later", call.name));
                    return Execution::Failed(error, ToolFailure::Busy);
                }
            };
            if attempt == 1 {
                starting().await;
                self.emit(|| ToolEvent::Start { tool_use: Arc::clone(call) }).await;
            }
            *attempts = attempt;
            let repeated = (attempt <= retries).then(|| input.clone());
            let ctx = RunningCall::new(ContextParts {
                tool_use: Arc::clone(call),
                scope: Arc::clone(scope),
                budget: Arc::clone(budget),
                cancellation: OnceLock::new(),
                progress: self.events.clone(),
                responses: Arc::clone(&self.responses),
                continuations: self.continuations.clone(),
                attempt,
                _permit: permit,
            });
            // A tool may also panic while it creates its future.
            let running = Surroundings::surround(surroundings, async { (**tool).call(ctx.context(), input).await });
            let running = nesting::inside(budget, running);
            let running = AssertUnwindSafe(running).catch_unwind();
            let ended = match time_left {
                Some(time_left) => {
                    let mut running = std::pin::pin!(running);
                    match tokio::time::timeout(time_left, &mut running).await {
                        Ok(ended) => execution(call, ended),
                        Err(_) => {
                            // Before it is dropped: work elsewhere goes on unless it was cancelled.
                            ctx.cancel();
                            timed_out(call, timeout.unwrap_or(time_left))
                        }
                    }
                }
                None => execution(call, running.await),
            };
            match (ended, repeated) {
                (Execution::Failed(error, cause), Some(repeated)) if cause.is_transient(&error) => {
                    drop(ctx);
                    let delay = backoff(policy.retry_delay, MAX_RETRY_DELAY, attempt, fastrand::f64());
                    let scope = self.context.scope();
                    diagnostics::tool_retry(scope, &call.name, &call.tool_use_id, attempt, delay, cause.as_str());
                    // Boxed, since most calls have no retry.
                    Box::pin(tokio::time::sleep(delay)).await;
                    attempt += 1;
                    input = repeated;
                }
                (ended, _) => return ended,
            }
        }
    }

    /// Waits until the limits of a tool admit a call. Returns the time that is left of the timeout.
    async fn admit(
        &self,
        tool: &Arc<dyn Tool>,
        timeout: Option<Duration>,
    ) -> Result<(ToolPermit, Option<Duration>), ToolLimiterBusy> {
        let Some(limiter) = tool.limiter() else { return Ok((None, timeout)) };
        let began = Instant::now();
        let permit = Box::pin(limiter.admit(timeout)).await?;
        Ok((permit, timeout.map(|timeout| timeout.saturating_sub(began.elapsed()))))
    }
}

/// Returns the outcome of a tool that has returned or panicked.
fn execution(call: &ToolUse, ended: Result<Result<ToolOutput, ToolError>, Box<dyn Any + Send>>) -> Execution {
    match ended {
        Ok(Ok(output)) => Execution::Completed(output),
        Ok(Err(ToolError { kind: ToolErrorKind::NotResumed { error, suspension }, .. })) => {
            match suspension.as_deref().map_or(Ok(()), check_depth) {
                Ok(()) => Execution::NotResumed(agent_error(call, error), suspension.map(|suspension| *suspension)),
                Err(error) => Execution::Failed(error, ToolFailure::Error),
            }
        }
        Ok(Err(ToolError { kind: ToolErrorKind::Fatal(error), .. })) => Execution::Fatal(*agent_error(call, error)),
        Ok(Err(error)) => match error.suspension() {
            Some(suspension) => match check_suspension(suspension) {
                Ok(()) => Execution::Interrupted(suspension.clone()),
                Err(error) => Execution::Failed(error, ToolFailure::Error),
            },
            None if error.is_invalid_input() => Execution::Failed(error, ToolFailure::InvalidInput),
            None => Execution::Failed(error, ToolFailure::Error),
        },
        Err(panic) => Execution::Failed(panicked(&call.name, &*panic), ToolFailure::Panic),
    }
}

/// Checks that a suspended call can be stored, and resumed.
fn check_suspension(suspension: &Suspension) -> Result<(), ToolError> {
    if suspension.interrupts.is_empty() {
        return Err(ToolError::new("the tool suspended its call, but raised no interrupt to respond to"));
    }
    check_depth(suspension)
}

fn check_depth(suspension: &Suspension) -> Result<(), ToolError> {
    let checked = suspension.continuation.as_ref().map_or(Ok(()), |state| depth::check(state.value()));
    checked.map_err(|too_deep| ToolError::new(format!("the state of the suspended tool {too_deep}")))
}

fn agent_error(call: &ToolUse, error: Box<dyn StdError + Send + Sync>) -> Box<AgentError> {
    match error.downcast() {
        Ok(error) => error,
        Err(source) => Box::new(AgentError::Promptable { name: call.name.clone(), source }),
    }
}

fn timed_out(call: &ToolUse, timeout: Duration) -> Execution {
    let error = ToolError::new(format!("tool `{}` did not finish within {timeout:?}", call.name));
    Execution::Failed(error, ToolFailure::Timeout)
}

fn panicked(tool: &str, panic: &(dyn Any + Send)) -> ToolError {
    let message = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let text = format!("tool `{tool}` panicked: {}", message.unwrap_or("no reason given"));
    ToolError::from_source(text)
}

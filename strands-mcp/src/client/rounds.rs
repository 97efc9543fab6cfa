//! A call to its end: rounds of input that the server requests, tasks, and the state of an interrupted call.

use std::time::Duration;

use rmcp::model::{CallToolResult, InputRequests, InputRequiredResult, JsonObject};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strands_core::{ToolContext, ToolError, ToolOutput, ToolSpec, TraceContext};
use tokio::time::sleep;

use super::call::{CallRequest, Reply};
use super::content::tool_output;
use super::error::McpError;
use super::input::CallError;
use super::mcp_client::Caller;

/// Rounds of input in one call, as in other SDKs.
pub(super) const MOST_ROUNDS: u32 = 10;
/// Wait before a call is sent again whose response has a state and no requests: the server is busy.
pub(super) const BUSY_DELAY: Duration = Duration::from_millis(100);
/// Field of `_meta` with the idempotency key of a call.
pub(super) const IDEMPOTENCY_KEY: &str = "idempotencyKey";
/// Start of the names of interrupted calls in the agent's state.
const STATE_NAME: &str = "mcp_pending_call:";
/// Maximum number of interrupted calls in the state. The oldest is forgotten first, and starts again: its interrupt may never
/// get a response.
const MAX_PENDING: usize = 1_000;

/// An interrupted call, in the agent's state: the responses continue it, in another process as well.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Pending {
    Input { round: u32, required: InputRequiredResult },
    Visits { round: u32, requests: InputRequests },
    Task { round: u32, id: String },
}

impl Pending {
    /// Takes the state of a call.
    fn take(ctx: &ToolContext) -> Option<Self> {
        let name = state_name(ctx);
        // Most calls were not interrupted, and don't change the state.
        ctx.state().get(&name)?;
        serde_json::from_value(ctx.state().remove(&name)?).ok()
    }

    fn store(&self, ctx: &ToolContext) -> Result<(), serde_json::Error> {
        let names = ctx.state().to_json().into_iter().map(|(name, _)| name);
        let stored: Vec<String> = names.filter(|name| name.starts_with(STATE_NAME)).collect();
        if let (MAX_PENDING.., Some(oldest)) = (stored.len(), stored.first()) {
            ctx.state().remove(oldest);
        }
        ctx.state().set(state_name(ctx), self)
    }
}

/// Returns the name of an interrupted call in the agent's state. Concurrent calls don't share a value.
fn state_name(ctx: &ToolContext) -> String {
    format!("{STATE_NAME}{}", ctx.tool_use_id())
}

/// The next step of a call.
enum Step {
    Send,
    Answer(InputRequiredResult),
    Visit(InputRequests),
    Poll(String),
}

impl Caller {
    /// Calls a tool for an agent.
    pub(super) async fn agent_call(
        &self,
        own_name: &str,
        spec: &ToolSpec,
        ctx: &ToolContext,
        input: Value,
    ) -> Result<ToolOutput, ToolError> {
        let mut request =
            CallRequest::new(&self.shared.server, own_name.to_owned(), input).map_err(ToolError::from_source)?;
        let annotations = spec.annotations;
        request.is_idempotent = annotations.idempotent == Some(true) || annotations.read_only == Some(true);
        request.meta = self.meta(ctx);
        match self.run(request, Some(ctx)).await {
            Ok(result) => Ok(tool_output(result)),
            Err(CallError::Interrupt(interrupt)) => Err(interrupt),
            Err(CallError::Mcp(error)) => Err(for_model(&spec.name, error)),
        }
    }

    /// Calls a tool without an agent.
    pub(super) async fn finish(&self, request: CallRequest) -> Result<CallToolResult, McpError> {
        self.run(request, None).await.map_err(|error| match error {
            CallError::Mcp(error) => error,
            // Only agents are interrupted.
            CallError::Interrupt(_) => self.closed(),
        })
    }

    async fn run(&self, mut request: CallRequest, ctx: Option<&ToolContext>) -> Result<CallToolResult, CallError> {
        let (mut step, mut round) = match ctx.filter(|ctx| ctx.is_resumed()).and_then(Pending::take) {
            Some(Pending::Input { round, required }) => (Step::Answer(required), round),
            Some(Pending::Visits { round, requests }) => (Step::Visit(requests), round),
            Some(Pending::Task { round, id }) => (Step::Poll(id), round),
            None => (Step::Send, 0),
        };
        let tool = request.params.name.clone();
        let key = request.meta.get(IDEMPOTENCY_KEY).and_then(Value::as_str).map(str::to_owned);
        while round <= MOST_ROUNDS {
            // A request with input is another one than the request before it.
            if let Some(key) = key.as_ref().filter(|_| round > 0) {
                request.meta.insert(IDEMPOTENCY_KEY.to_owned(), format!("{key}.{round}").into());
            }
            // Steps after the first one are rare, and boxed so that the future of a call is small.
            step = match step {
                Step::Send => match self.send_call(&request, ctx).await? {
                    Reply::Complete(result) => return Ok(result),
                    Reply::Input(required) => {
                        round += 1;
                        Step::Answer(required)
                    }
                    Reply::Visits(requests) => {
                        round += 1;
                        Step::Visit(requests)
                    }
                    Reply::Task(id) => Step::Poll(id),
                },
                Step::Answer(required) => {
                    let requests = required.input_requests.clone().unwrap_or_default();
                    if requests.is_empty() {
                        sleep(BUSY_DELAY * round).await;
                    }
                    let answers = Box::pin(self.answers(&tool, round, requests, ctx)).await;
                    let answers =
                        self.pending(answers, ctx, || Pending::Input { round, required: required.clone() })?;
                    request.params.input_responses = (!answers.is_empty()).then_some(answers);
                    request.params.request_state = required.request_state;
                    Step::Send
                }
                Step::Visit(requests) => {
                    let answers = Box::pin(self.answers(&tool, round, requests.clone(), ctx)).await;
                    let answers = self.pending(answers, ctx, || Pending::Visits { round, requests })?;
                    let is_accepted = |answer: &Value| answer.get("action").and_then(Value::as_str) == Some("accept");
                    if answers.is_empty() || !answers.values().all(is_accepted) {
                        let reason = "the visit of a web page, which was declined".to_owned();
                        return Err(McpError::InputRequired { server: self.shared.server.clone(), reason }.into());
                    }
                    Step::Send
                }
                Step::Poll(id) => {
                    let polled = Box::pin(self.task_result(&tool, round, &id, ctx)).await;
                    return self.pending(polled, ctx, || Pending::Task { round, id });
                }
            };
        }
        Err(self.unexpected(&format!("it requests input in more than {MOST_ROUNDS} rounds")).into())
    }

    /// Stores the state of a call that is interrupted.
    fn pending<T>(
        &self,
        result: Result<T, CallError>,
        ctx: Option<&ToolContext>,
        pending: impl FnOnce() -> Pending,
    ) -> Result<T, CallError> {
        if let (Err(CallError::Interrupt(_)), Some(ctx)) = (&result, ctx) {
            pending().store(ctx).map_err(|error| self.unexpected(&error.to_string()))?;
        }
        result
    }

    /// Returns the `_meta` of a call: its idempotency key, the position in a trace (SEP-414), and fields of the program.
    fn meta(&self, ctx: &ToolContext) -> JsonObject {
        let mut meta = JsonObject::new();
        meta.insert(IDEMPOTENCY_KEY.to_owned(), ctx.idempotency_key().into());
        if let Ok(trace) = ctx.injected::<TraceContext>() {
            meta.insert("traceparent".to_owned(), trace.traceparent().into());
            if let Some(state) = trace.tracestate() {
                meta.insert("tracestate".to_owned(), state.into());
            }
        }
        if let Some(more) = &self.request_meta {
            meta.extend(more(ctx));
        }
        meta
    }

    pub(super) fn unexpected(&self, reason: &str) -> McpError {
        McpError::Protocol { server: self.shared.server.clone(), reason: reason.to_owned() }
    }
}

/// Returns the error of a call, with advice for the model.
fn for_model(tool: &str, error: McpError) -> ToolError {
    match error {
        // Its text is the server's own.
        McpError::Rejected { code: -32602, message, .. } => ToolError::invalid_input(message),
        error if error.is_outcome_unknown() => ToolError::new(format!(
            "{error}. It is not known whether `{tool}` took effect: check before you call it again."
        )),
        error => ToolError::from_source(error),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use strands_core::AgentState;
    use strands_core::testing::ToolContextBuilder;

    use super::{MAX_PENDING, Pending, STATE_NAME};

    #[test]
    fn interrupted_calls_are_taken_once_and_their_number_is_bounded() {
        let state = AgentState::new();
        state.set("mine", 1).unwrap();
        for id in 0..MAX_PENDING {
            state.set(format!("{STATE_NAME}{id}"), json!({})).unwrap();
        }
        let ctx = ToolContextBuilder::new("work").state(state.clone()).build();
        Pending::Task { round: 1, id: "task".to_owned() }.store(&ctx).unwrap();
        assert_eq!(state.to_json().len(), MAX_PENDING + 1);
        assert!(state.get(&format!("{STATE_NAME}0")).is_none() && state.get(&format!("{STATE_NAME}1")).is_some());
        assert!(matches!(Pending::take(&ctx), Some(Pending::Task { round: 1, id }) if id == "task"));
        assert!(Pending::take(&ctx).is_none());
        assert_eq!(state.to_json().len(), MAX_PENDING);
    }
}

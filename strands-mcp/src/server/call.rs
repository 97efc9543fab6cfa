//! One call of a client: caller's values, progress, cancellation, and questions to the user. A prompt and a resource are
//! calls of functions, too.
#![expect(deprecated, reason = "log messages are deprecated by the protocol, but not removed")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::http::request::Parts;
use rmcp::RoleServer;
use rmcp::model::{
    ClientCapabilities, ErrorCode, ErrorData, InputRequest, InputRequests, InputRequiredResult, InputResponses,
    MetaObject, RequestMetaObject, ServerRequest,
};
use rmcp::service::{PeerRequestOptions, RequestContext, ServiceError};
use serde_json::{Map, Value};
use strands_core::message::ToolResult;
use strands_core::{
    AgentError, Continuation, Interrupt, InterruptResponse, ToolCall, ToolCallOutcome, ToolRunner, TraceContext,
};
use strands_http::Caller;
use uuid::Uuid;

use super::client_state::ClientState;
use super::connection::Connected;
use super::handler::{Shared, is_stateless};
use super::progress::{Notification, Progress, Sent};
use super::question::Question;
use super::request_state::WaitingCall;

/// JSON-RPC error code of a server with too many running calls.
const BUSY: ErrorCode = ErrorCode(-32000);

/// Start of the ids of interrupts that hooks raise before a tool runs.
const BEFORE_TOOL_CALL: &str = "v1:before_tool_call:";

/// Result of a call whose tool's state is not in this process.
const NOT_CONTINUED: &str = "the server no longer has the state of this call; call the tool again";

/// Maximum number of times that one request asks the client.
const MAX_ROUNDS: usize = 32;

/// Time for the last notifications of a call.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Time to tell the client that a question is void.
const CANCEL_TIMEOUT: Duration = Duration::from_millis(25);

/// Key of the token usage in the metadata of results.
const USAGE: &str = "io.github.strands-rs/usage";

/// Returns the caller of a request: anonymous over stdio, and for a server that identifies none.
pub(super) fn caller_of(context: &RequestContext<RoleServer>) -> Caller {
    let caller = context.extensions.get::<Parts>().and_then(|parts| parts.extensions.get::<Caller>());
    caller.cloned().unwrap_or_default()
}

/// Parameters of a call.
pub(super) struct Request {
    /// Name of the function, and the kind of the request that calls it.
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) arguments: Map<String, Value>,
    pub(super) request_state: Option<String>,
    pub(super) input_responses: Option<InputResponses>,
}

/// Outcome of a call.
pub(super) enum Outcome {
    Result(ToolResult, Option<MetaObject>),
    InputRequired(InputRequiredResult),
}

/// A call of a client.
pub(super) struct Call<'a> {
    shared: &'a Shared,
    state: &'a ClientState,
    runner: &'a ToolRunner,
    kind: &'static str,
    context: &'a RequestContext<RoleServer>,
    caller: Caller,
    name: String,
    waiting: WaitingCall,
    /// State with which the tool continues.
    continuation: Option<Continuation>,
    /// True if the call has failed without its tool having run, so that the client may send the same request again.
    is_repeatable: bool,
    /// Results of the client for questions that were not asked yet in this request.
    results: InputResponses,
}

/// Outcome of one round.
enum Round {
    Result(ToolResult, Option<MetaObject>),
    Interrupted { interrupts: Vec<Interrupt>, continuation: Option<Continuation> },
}

impl<'a> Call<'a> {
    /// Makes a call, until it has a result or needs another request of the client.
    pub(super) async fn make(
        shared: &'a Shared,
        state: &'a ClientState,
        runner: &'a ToolRunner,
        request: Request,
        context: &'a RequestContext<RoleServer>,
    ) -> Result<Outcome, ErrorData> {
        if shared.settings.shutdown.is_cancelled() {
            return Err(ErrorData::new(BUSY, "the server is shutting down", None));
        }
        let Ok(_permit) = shared.calls.try_acquire() else {
            return Err(ErrorData::new(BUSY, "the server is busy: too many calls are running", None));
        };
        let caller = caller_of(context);
        let Request { name, kind, arguments, request_state, input_responses } = request;
        let is_continued = request_state.is_some();
        let waiting = match request_state {
            Some(sealed) => {
                let opened = shared.settings.request_states.open(&caller, kind, &name, &sealed);
                let waiting = opened.map_err(|error| {
                    ErrorData::invalid_params(format!("the request state is rejected: {error}"), None)
                })?;
                if waiting.arguments != arguments {
                    return Err(ErrorData::invalid_params(
                        "the arguments differ from those of the first request",
                        None,
                    ));
                }
                waiting
            }
            None => WaitingCall::new(format!("mcp_{}", Uuid::new_v4().simple()), arguments),
        };
        if is_continued && !shared.claims.claim(&waiting.id) {
            return Err(ErrorData::invalid_params("the call was continued before: its request state is used up", None));
        }
        let results = input_responses.unwrap_or_default();
        let continuation = waiting.has_continuation.then(|| shared.continuations.take(&waiting.id)).flatten();
        if waiting.has_continuation && continuation.is_none() {
            // Not claimed, so that each repetition gets this result.
            shared.claims.release(&waiting.id);
            return Ok(Outcome::Result(ToolResult::error(&waiting.id, NOT_CONTINUED), None));
        }
        let is_repeatable = false;
        let mut call =
            Self { shared, state, runner, kind, context, caller, name, waiting, continuation, is_repeatable, results };
        let asked = std::mem::take(&mut call.waiting.asked);
        call.take_answers(&keys(&asked.into_iter().map(Question::new).collect::<Vec<_>>()));
        let outcome = call.until_asked().await;
        if matches!(outcome, Ok(Outcome::InputRequired(_))) || is_continued && call.is_repeatable {
            if let Some(continuation) = call.continuation.take() {
                shared.continuations.keep(&call.waiting.id, continuation);
            }
            if is_continued {
                shared.claims.release(&call.waiting.id);
            }
        }
        outcome
    }

    async fn until_asked(&mut self) -> Result<Outcome, ErrorData> {
        for _ in 0..MAX_ROUNDS {
            match self.round().await? {
                Round::Result(result, meta) => return Ok(Outcome::Result(result, meta)),
                Round::Interrupted { interrupts, continuation } => {
                    let is_of_hook = |id: &str| id.starts_with(BEFORE_TOOL_CALL);
                    if continuation.is_some() && !interrupts.iter().all(|interrupt| is_of_hook(&interrupt.id)) {
                        // The tool has taken the responses to its own interrupts, but not those to hooks before it.
                        self.waiting.responses.retain(|id, _| is_of_hook(id));
                    }
                    self.waiting.has_continuation = continuation.is_some();
                    self.continuation = continuation;
                    if let Some(outcome) = self.ask(interrupts).await? {
                        return Ok(outcome);
                    }
                }
            }
        }
        Ok(self.failed("the tool asked for input too often"))
    }

    /// Runs the tool once.
    async fn round(&mut self) -> Result<Round, ErrorData> {
        let progress = Arc::new(Progress::default());
        let responses =
            self.waiting.responses.iter().map(|(id, response)| InterruptResponse::new(id, response.clone()));
        let mut call = self
            .runner
            .call(self.name.clone(), Value::Object(self.waiting.arguments.clone()))
            .id(self.waiting.id.clone())
            .continue_from(self.continuation.clone())
            .resume(responses);
        if let Some(trace) = trace(&self.context.meta) {
            call = call.inject(trace);
        }
        let listener = Arc::clone(&progress);
        let call = self.caller.inject_into_call(call).on_event(move |event| listener.add(event));
        let outcome = self.unless_cancelled(self.reported(call, &progress)).await?;
        match outcome {
            Ok(ToolCallOutcome::Result(result)) => Ok(Round::Result(result, usage(&progress))),
            Ok(ToolCallOutcome::Interrupted { interrupts, continuation }) => {
                Ok(Round::Interrupted { interrupts, continuation })
            }
            Ok(_) => Ok(Round::Result(ToolResult::error(&self.waiting.id, "the call was cancelled"), None)),
            Err(error) => {
                self.is_repeatable = !matches!(error, AgentError::Hook { event: "after_tool_call", .. });
                let failed = internal(&self.name, &error);
                if let AgentError::Suspended { continuation: Some(continuation), .. } = error {
                    self.continuation = Some(continuation);
                }
                Err(failed)
            }
        }
    }

    /// Runs a tool call while its notifications are sent. Those that remain at its end have a short time.
    async fn reported(&self, call: ToolCall<'static>, progress: &Progress) -> Result<ToolCallOutcome, AgentError> {
        let mut notifications = std::pin::pin!(self.send_notifications(progress));
        let mut call = std::pin::pin!(call.into_future());
        let outcome = tokio::select! {
            biased;
            outcome = &mut call => outcome,
            () = &mut notifications => return call.await,
        };
        progress.end();
        // A client that reads nothing can't keep the call.
        let _ = tokio::time::timeout(FLUSH_TIMEOUT, notifications).await;
        outcome
    }

    /// Sends progress and log messages of the tool, as far as the client asked for them.
    async fn send_notifications(&self, progress: &Progress) {
        let meta = &self.context.meta;
        let log_level = if is_stateless(self.context) { meta.log_level() } else { self.state.log_level() };
        let mut sent = Sent::new(meta.get_progress_token(), log_level);
        if sent.is_unwanted() {
            return;
        }
        while let Some(notification) = progress.next(&mut sent).await {
            let peer = &self.context.peer;
            let sent = match notification {
                Notification::Progress(progress) => peer.notify_progress(progress).await,
                Notification::Log(log) => peer.notify_logging_message(log).await,
            };
            if sent.is_err() {
                return;
            }
        }
    }

    /// Responds to interrupts with results of the client. Returns the outcome of the request if the client has to be asked first.
    async fn ask(&mut self, interrupts: Vec<Interrupt>) -> Result<Option<Outcome>, ErrorData> {
        let questions: Vec<Question> = interrupts.into_iter().map(Question::new).collect();
        if is_stateless(self.context) { self.ask_later(questions) } else { self.ask_now(questions).await }
    }

    /// Takes responses from the request, or returns an outcome that asks for them.
    fn ask_later(&mut self, questions: Vec<Question>) -> Result<Option<Outcome>, ErrorData> {
        let asked = keys(&questions);
        if self.take_answers(&asked) {
            return Ok(None);
        }
        let client = self.client();
        let mut missing = None;
        let mut requests = InputRequests::new();
        for (key, question) in asked {
            match question.missing_capability(&client) {
                Some(capability) => missing = Some(capability),
                None => {
                    self.waiting.asked.push(question.interrupt.clone());
                    requests.insert(key, question.request.clone());
                }
            }
        }
        if let (true, Some(missing)) = (requests.is_empty(), missing) {
            return Err(ErrorData::missing_required_client_capability(missing));
        }
        let state = self.shared.settings.request_states.seal(&self.caller, self.kind, &self.name, &self.waiting);
        let state = state.map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
        Ok(Some(Outcome::InputRequired(InputRequiredResult::new(Some(requests), Some(state)))))
    }

    /// Takes the client's results for questions. Returns true if there was one.
    fn take_answers(&mut self, asked: &[(String, &Question)]) -> bool {
        let mut is_answered = false;
        for (key, question) in asked {
            if let Some(response) = self.results.remove(key).and_then(|result| question.response(&result)) {
                self.waiting.responses.insert(question.interrupt.id.clone(), response);
                is_answered = true;
            }
        }
        is_answered
    }

    /// Asks the client in requests of its own. Returns an error result if that is not possible.
    async fn ask_now(&mut self, questions: Vec<Question>) -> Result<Option<Outcome>, ErrorData> {
        let client = self.client();
        for question in questions {
            if question.missing_capability(&client).is_some() {
                return Ok(Some(self.failed("this tool needs input that the client can't ask its user for")));
            }
            let result = match self.request(&question.request).await? {
                Ok(result) => result,
                Err(error) => {
                    return Ok(Some(
                        self.failed(&format!("the client did not respond to the tool's question: {error}")),
                    ));
                }
            };
            let Some(response) = question.response(&result) else {
                return Ok(Some(self.failed("the client's response to the tool's question is not valid")));
            };
            self.waiting.responses.insert(question.interrupt.id, response);
        }
        Ok(None)
    }

    /// Sends a request to the client and waits for its result. The client is told if nothing waits for it any longer.
    async fn request(&self, request: &InputRequest) -> Result<Result<Value, ServiceError>, ErrorData> {
        let request = match request.clone() {
            InputRequest::Elicitation(request) => ServerRequest::ElicitRequest(request),
            InputRequest::CreateMessage(request) => ServerRequest::CreateMessageRequest(request),
            InputRequest::ListRoots(request) => ServerRequest::ListRootsRequest(request),
            _ => return Ok(Err(ServiceError::UnexpectedResponse)),
        };
        let sent = self.context.peer.send_cancellable_request(request, PeerRequestOptions::no_options());
        let mut handle = match self.unless_cancelled(sent).await? {
            Ok(handle) => handle,
            Err(error) => return Ok(Err(error)),
        };
        let timeout = self.shared.settings.input_timeout;
        let answered = self.unless_cancelled(tokio::time::timeout(timeout, &mut handle.rx)).await;
        if let Ok(Ok(answer)) = answered {
            let result = answer.unwrap_or(Err(ServiceError::TransportClosed));
            return Ok(
                result.and_then(|result| serde_json::to_value(&result).map_err(|_| ServiceError::UnexpectedResponse))
            );
        }
        // A client that reads nothing can't hold up the call.
        let _ = tokio::time::timeout(CANCEL_TIMEOUT, handle.cancel(Some("the call has ended".to_owned()))).await;
        answered.map(|_| Err(ServiceError::Timeout { timeout }))
    }

    fn failed(&self, text: &str) -> Outcome {
        Outcome::Result(ToolResult::error(&self.waiting.id, text), None)
    }

    fn client(&self) -> ClientCapabilities {
        self.context.client_capabilities().unwrap_or_default()
    }

    /// Drops the future when the client cancels the request or is gone.
    async fn unless_cancelled<T>(&self, future: impl Future<Output = T>) -> Result<T, ErrorData> {
        let connected = self.context.extensions.get::<Connected>();
        let gone = async {
            match connected {
                Some(Connected(token)) => token.cancelled().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.context.ct.cancelled() => Err(cancelled()),
            () = gone => Err(cancelled()),
            done = future => Ok(done),
        }
    }
}

/// Returns unique keys for questions: the names of the interrupts, which clients and logs show, where they differ.
fn keys(questions: &[Question]) -> Vec<(String, &Question)> {
    let mut used = BTreeSet::new();
    questions
        .iter()
        .map(|question| {
            let Interrupt { id, name, .. } = &question.interrupt;
            (if used.insert(name) { name.clone() } else { id.clone() }, question)
        })
        .collect()
}

/// Returns the position in a trace that the client sent (SEP-414), unless it is not valid.
fn trace(meta: &RequestMetaObject) -> Option<TraceContext> {
    let trace: TraceContext = meta.get("traceparent")?.as_str()?.parse().ok()?;
    let state = meta.get("tracestate").and_then(Value::as_str).unwrap_or_default();
    Some(trace.clone().with_state(state).unwrap_or(trace))
}

fn usage(progress: &Progress) -> Option<MetaObject> {
    let usage = serde_json::to_value(progress.usage()?).ok()?;
    let mut meta = MetaObject::new();
    meta.insert(USAGE.to_owned(), usage);
    Some(meta)
}

/// The error of a cancelled request, which no client receives.
fn cancelled() -> ErrorData {
    ErrorData::internal_error("the request was cancelled", None)
}

/// Converts an error of a call that is not the tool's. Its text may tell about the program, so only the log has it.
pub(super) fn internal(name: &str, error: &AgentError) -> ErrorData {
    tracing::error!(target: "strands_mcp", name, %error, "a request of an MCP client failed");
    ErrorData::internal_error("the request failed within the server; its log has the reason", None)
}

/// Returns a name from a client, truncated for an error.
pub(super) fn shown(name: &str) -> String {
    const MAX_CHARS: usize = 80;
    name.chars().take(MAX_CHARS).map(|char| if char.is_control() { '\u{fffd}' } else { char }).collect()
}

//! One tool call: its request, progress, timeout, cancellation and repetition.

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CallToolResult, ClientRequest, InputRequests, InputRequiredResult,
    JsonObject, ProgressNotificationParam, RequestMetaObject, ServerResult,
};
use rmcp::service::{PeerRequestOptions, RequestHandle, RoleClient, ServiceError};
use serde_json::{Value, json};
use strands_core::ToolContext;
use tokio::time::{Instant, sleep_until, timeout};

use super::connection::Connection;
use super::error::{McpError, bounded};
use super::failure::Failure;
use super::input::{URL_ELICITATION_REQUIRED, visits};
use super::mcp_client::Caller;
use super::progress::CallProgress;

/// Repetitions of a request that the server did not process.
const MOST_REPETITIONS: u32 = 5;
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

/// Reply to a request of a tool call.
pub(super) enum Reply {
    Complete(CallToolResult),
    /// The server requests input, and then the same request with the responses.
    Input(InputRequiredResult),
    /// The server requires visits of web pages, and then the same request.
    Visits(InputRequests),
    /// The server works on the call as a task with this id.
    Task(String),
}

/// A request of a tool call.
pub(super) struct CallRequest {
    pub(super) params: CallToolRequestParams,
    pub(super) meta: JsonObject,
    /// The tool may run twice.
    pub(super) is_idempotent: bool,
}

impl CallRequest {
    /// Creates a request of a tool that may not run twice.
    ///
    /// # Errors
    ///
    /// Returns [`McpError::Setting`] if the arguments are not a JSON object or `null`.
    pub(super) fn new(server: &str, name: String, arguments: Value) -> Result<Self, McpError> {
        let params = CallToolRequestParams::new(name);
        let params = match arguments {
            Value::Object(arguments) => params.with_arguments(arguments),
            Value::Null => params,
            _ => {
                let reason = "the arguments of a tool are a JSON object".to_owned();
                return Err(McpError::Setting { server: server.to_owned(), reason });
            }
        };
        Ok(Self { params, meta: JsonObject::new(), is_idempotent: false })
    }
}

impl Caller {
    /// Sends the request of a tool call, again if the server did not process it, and returns the response.
    pub(super) async fn send_call(&self, request: &CallRequest, ctx: Option<&ToolContext>) -> Result<Reply, McpError> {
        let mut give_up = self.link.give_up();
        let (mut repetitions, mut was_lost) = (0, false);
        loop {
            let connection = self.link.reconnected(give_up).await?;
            // Connecting has a timeout of its own, and may have waited for a user: a call whose time is over would be sent and
            // cancelled at once.
            let deadline = Instant::now() + self.call_timeout;
            if !connection.responds(deadline).await {
                self.link.discard(&connection);
                continue;
            }
            match self.attempt(&connection, request, deadline, ctx).await {
                Ok(response) => return Ok(response),
                Err(Failure::NotSent(error)) => {
                    self.link.discard(&connection);
                    repetitions += 1;
                    if repetitions > MOST_REPETITIONS || Instant::now() >= give_up {
                        return Err(error);
                    }
                }
                Err(Failure::Unknown(error)) => {
                    if connection.is_closed() {
                        self.link.discard(&connection);
                    }
                    if was_lost || !request.is_idempotent {
                        return Err(error);
                    }
                    was_lost = true;
                    give_up = self.link.give_up();
                }
                Err(Failure::Final(error)) => return Err(error),
            }
        }
    }

    async fn attempt(
        &self,
        connection: &Arc<Connection>,
        request: &CallRequest,
        deadline: Instant,
        ctx: Option<&ToolContext>,
    ) -> Result<Reply, Failure> {
        let call = CallToolRequest::new(request.params.clone());
        let mut options = PeerRequestOptions::no_options();
        if !request.meta.is_empty() {
            let mut meta = RequestMetaObject::default();
            meta.0.0.extend(request.meta.clone());
            options = options.with_meta(meta);
        }
        let sent = connection.peer().send_request_with_option(ClientRequest::CallToolRequest(call), options).await;
        // The connection was closed before.
        let handle = sent.map_err(|error| {
            Failure::NotSent(Failure::of_response(&self.shared.server, self.most_bytes, &error).into_error())
        })?;
        let progress = connection.progress.register(handle.progress_token.clone());
        let response = self.response(connection, handle, progress, deadline, ctx).await;
        match response.map_err(|failure| connection.explained(failure))? {
            Ok(ServerResult::CallToolResult(result)) => Ok(Reply::Complete(result)),
            Ok(ServerResult::InputRequiredResult(required)) => Ok(Reply::Input(required)),
            Ok(ServerResult::CreateTaskResult(created)) => Ok(Reply::Task(created.task.task_id)),
            // A result without content.
            Ok(ServerResult::EmptyResult(_) | ServerResult::TaskAckResult(_)) => {
                Ok(Reply::Complete(CallToolResult::default()))
            }
            Err(requests) => Ok(Reply::Visits(requests)),
            Ok(_) => Err(Failure::Final(self.unexpected("the result is not that of a tool call"))),
        }
    }

    /// Waits for the response, and reports progress meanwhile. Instead of a response, there may be visits that the server
    /// requires.
    async fn response(
        &self,
        connection: &Arc<Connection>,
        handle: RequestHandle<RoleClient>,
        mut progress: CallProgress,
        mut deadline: Instant,
        ctx: Option<&ToolContext>,
    ) -> Result<Result<ServerResult, InputRequests>, Failure> {
        let mut sent = SentRequest { handle: Some(handle), connection: Arc::clone(connection) };
        loop {
            let Some(handle) = &mut sent.handle else { return Err(Failure::Final(self.closed())) };
            tokio::select! {
                biased;
                response = &mut handle.rx => {
                    sent.handle = None;
                    let failed = |error| Failure::of_response(&self.shared.server, self.most_bytes, &error);
                    return match response {
                        Ok(Err(ServiceError::McpError(error))) if error.code.0 == URL_ELICITATION_REQUIRED => {
                            Ok(Err(visits(error)))
                        }
                        Ok(response) => response.map(Ok).map_err(failed),
                        Err(_) => Err(failed(ServiceError::TransportClosed)),
                    };
                }
                // Before the progress, which a server may send without end.
                () = sleep_until(deadline) => {
                    if self.shared.is_answering() || self.link.connector.waits_for_user() {
                        deadline = Instant::now() + self.call_timeout;
                        continue;
                    }
                    connection.suspect();
                    return Err(Failure::Final(McpError::Timeout {
                        server: self.shared.server.clone(),
                        timeout: self.call_timeout,
                    }));
                }
                progress = progress.next() => {
                    if let Some(ctx) = ctx {
                        // It fails only for values that are not JSON.
                        let _ = ctx.progress(progress_event(progress)).await;
                    }
                }
            }
        }
    }

    pub(super) fn closed(&self) -> McpError {
        McpError::Closed { server: self.shared.server.clone() }
    }
}

/// Returns the JSON of a progress event: `{"progress", "total", "message"}`.
fn progress_event(progress: ProgressNotificationParam) -> Value {
    let fields = [
        ("progress", Some(json!(progress.progress))),
        ("total", progress.total.map(|total| json!(total))),
        ("message", progress.message.map(|message| json!(bounded(&message)))),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// A request that the server works on. Dropping it sends `notifications/cancelled`; the connection lives until then.
struct SentRequest {
    handle: Option<RequestHandle<RoleClient>>,
    connection: Arc<Connection>,
}

impl Drop for SentRequest {
    fn drop(&mut self) {
        let (Some(handle), Ok(runtime)) = (self.handle.take(), tokio::runtime::Handle::try_current()) else { return };
        let connection = Arc::clone(&self.connection);
        runtime.spawn(async move {
            let cancelling = handle.cancel(Some("the caller no longer waits for the response".to_owned()));
            let _ = timeout(CANCEL_TIMEOUT, cancelling).await;
            drop(connection);
        });
    }
}

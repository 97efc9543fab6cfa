//! Long-running tasks (SEP-2663): polled, cancelled, and continued by their id.

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{CallToolResult, CancelTaskParams, DetailedTask, GetTaskParams, TaskPayload, UpdateTaskParams};
use serde_json::{Value, json};
use strands_core::{ToolContext, ToolOutput};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::call::{CallRequest, Reply};
use super::connection::Connection;
use super::content::tool_output;
use super::error::{McpError, bounded};
use super::failure::Failure;
use super::input::CallError;
use super::mcp_client::{Caller, McpClient};

const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);
const LEAST_INTERVAL: Duration = Duration::from_millis(50);
const MOST_INTERVAL: Duration = Duration::from_secs(30);
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

/// A submitted call: finished at once, or a task of the server.
#[derive(Debug)]
#[non_exhaustive]
pub enum SubmittedCall {
    /// The server finished the call.
    Finished(ToolOutput),
    /// The server works on the call.
    Task(McpTask),
}

/// A long-running task of a server. Dropping it does not cancel the task.
#[derive(Clone, Debug)]
pub struct McpTask {
    client: McpClient,
    id: String,
}

/// State of a task.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TaskState {
    /// The server works on it. With the server's message, if there is one.
    Working(Option<String>),
    /// The server waits for input. [`McpTask::wait`] responds with the client's callback.
    InputRequired,
    /// It is completed.
    Completed(ToolOutput),
    /// It failed, with the server's message.
    Failed(String),
    /// It was cancelled.
    Cancelled,
}

impl McpClient {
    /// Calls a tool, by the server's own name, without waiting for a task that the server makes of the call.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`call_tool`](Self::call_tool).
    pub async fn submit(&self, name: impl Into<String>, arguments: Value) -> Result<SubmittedCall, McpError> {
        let request = CallRequest::new(self.name(), name.into(), arguments)?;
        let caller = &self.inner.caller;
        match caller.send_call(&request, None).await? {
            Reply::Complete(result) => Ok(SubmittedCall::Finished(tool_output(result))),
            Reply::Task(id) => Ok(SubmittedCall::Task(self.task(id))),
            Reply::Input(_) | Reply::Visits(_) => Err(McpError::InputRequired {
                server: self.name().to_owned(),
                reason: "it does so before the call is submitted; use `call_tool` with a callback".to_owned(),
            }),
        }
    }

    /// Returns a task by its id, for example after a restart.
    pub fn task(&self, id: impl Into<String>) -> McpTask {
        McpTask { client: self.clone(), id: id.into() }
    }
}

impl McpTask {
    /// Returns the id, to be stored.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Requests the state.
    ///
    /// # Errors
    ///
    /// Returns [`McpError`] if the server can't be reached or does not know the task.
    pub async fn state(&self) -> Result<TaskState, McpError> {
        let caller = &self.client.inner.caller;
        let (task, _) = caller.task(&self.id).await?;
        let message = task.task.status_message.as_deref().map(bounded);
        Ok(match task.payload {
            TaskPayload::Working => TaskState::Working(message),
            TaskPayload::InputRequired { .. } => TaskState::InputRequired,
            TaskPayload::Completed { result } => TaskState::Completed(tool_output(caller.result(result)?)),
            TaskPayload::Failed { error } => TaskState::Failed(failure(&error)),
            _ => TaskState::Cancelled,
        })
    }

    /// Waits for the output, at most for the client's task timeout. The task goes on after a timeout.
    ///
    /// # Errors
    ///
    /// Returns [`McpError`] if there is no output: the task failed, was cancelled, or needs input that the client can't give.
    pub async fn wait(&self) -> Result<ToolOutput, McpError> {
        let caller = &self.client.inner.caller;
        let result = caller.poll("", 0, &self.id, &mut AbandonedTask(None), None).await;
        match result {
            Ok(result) => Ok(tool_output(result)),
            Err(CallError::Mcp(error)) => Err(error),
            // Only agents are interrupted.
            Err(CallError::Interrupt(_)) => Err(caller.closed()),
        }
    }

    /// Requests the cancellation. The server may complete the task nevertheless.
    ///
    /// # Errors
    ///
    /// Returns [`McpError`] if the server can't be reached or does not know the task.
    pub async fn cancel(&self) -> Result<(), McpError> {
        let caller = &self.client.inner.caller;
        let connection = caller.link.connection().await?;
        let cancelling = connection.peer().cancel_task(CancelTaskParams::new(&self.id));
        match timeout(caller.call_timeout, cancelling).await {
            Ok(result) => result.map_err(|error| caller.failed(&error)),
            Err(_) => Err(caller.timed_out()),
        }
    }
}

impl Caller {
    /// Waits for the result of a task that belongs to a call, and cancels the task if the call ends before.
    pub(super) async fn task_result(
        &self,
        tool: &str,
        round: u32,
        id: &str,
        ctx: Option<&ToolContext>,
    ) -> Result<CallToolResult, CallError> {
        let connection = self.link.connection().await?;
        let mut abandoned = AbandonedTask(Some((connection, id.to_owned())));
        let result = self.poll(tool, round, id, &mut abandoned, ctx).await;
        if matches!(result, Err(CallError::Interrupt(_))) {
            abandoned.0 = None;
        }
        result
    }

    async fn poll(
        &self,
        tool: &str,
        round: u32,
        id: &str,
        abandoned: &mut AbandonedTask,
        ctx: Option<&ToolContext>,
    ) -> Result<CallToolResult, CallError> {
        let mut deadline = Instant::now() + self.task_timeout;
        let mut shown = None;
        loop {
            let (DetailedTask { task, payload, .. }, connection) = self.task(id).await?;
            abandoned.reconnected(connection);
            if !matches!(payload, TaskPayload::Working | TaskPayload::InputRequired { .. }) {
                // It is finished.
                abandoned.0 = None;
            }
            match payload {
                TaskPayload::Working => {}
                TaskPayload::InputRequired { input_requests } => {
                    let asked = Instant::now();
                    let responses = self.answers(tool, round, input_requests, ctx).await?;
                    // Input of a human does not count.
                    deadline += asked.elapsed();
                    let connection = self.link.connection().await?;
                    let updating = connection.peer().update_task(UpdateTaskParams::new(id, responses));
                    match timeout(self.call_timeout, updating).await {
                        Ok(updated) => updated.map_err(|error| self.failed(&error))?,
                        Err(_) => return Err(self.timed_out().into()),
                    };
                }
                TaskPayload::Completed { result } => return Ok(self.result(result)?),
                TaskPayload::Failed { error } => return Err(self.unexpected(&failure(&error)).into()),
                _ => return Err(self.unexpected("the task was cancelled").into()),
            }
            let message = task.status_message.as_deref().map(bounded);
            if let Some(ctx) = ctx
                && shown != Some(message.clone())
            {
                // It fails only for values that are not JSON.
                let _ = ctx.progress(json!({"task": id, "status": task.status, "message": message})).await;
                shown = Some(message);
            }
            if Instant::now() >= deadline {
                return Err(McpError::Timeout { server: self.shared.server.clone(), timeout: self.task_timeout }.into());
            }
            let interval = task.poll_interval_ms.map_or(DEFAULT_INTERVAL, Duration::from_millis);
            let next = Instant::now() + interval.clamp(LEAST_INTERVAL, MOST_INTERVAL);
            sleep_until(next.min(deadline)).await;
        }
    }

    /// Requests the state of a task, again after a lost connection. Returns the connection, too.
    async fn task(&self, id: &str) -> Result<(DetailedTask, Arc<Connection>), McpError> {
        let deadline = Instant::now() + self.call_timeout;
        loop {
            let connection = self.link.reconnected(deadline).await?;
            let requested = timeout(self.call_timeout, connection.peer().get_task(GetTaskParams::new(id))).await;
            let error = match requested {
                Ok(Ok(result)) => return Ok((result.task, connection)),
                Ok(Err(error)) => error,
                Err(_) => return Err(self.timed_out()),
            };
            match Failure::of_response(&self.shared.server, self.most_bytes, &error) {
                Failure::Final(error) => return Err(error),
                failure if Instant::now() >= deadline => return Err(failure.into_error()),
                Failure::NotSent(_) => self.link.discard(&connection),
                Failure::Unknown(_) if connection.is_closed() => self.link.discard(&connection),
                Failure::Unknown(_) => sleep(DEFAULT_INTERVAL).await,
            }
        }
    }

    fn result(&self, result: rmcp::model::JsonObject) -> Result<CallToolResult, McpError> {
        serde_json::from_value(Value::Object(result))
            .map_err(|error| self.unexpected(&format!("the result of a task is not that of a tool call: {error}")))
    }

    fn failed(&self, error: &rmcp::service::ServiceError) -> McpError {
        Failure::of_response(&self.shared.server, self.most_bytes, error).into_error()
    }

    fn timed_out(&self) -> McpError {
        McpError::Timeout { server: self.shared.server.clone(), timeout: self.call_timeout }
    }
}

fn failure(error: &rmcp::model::JsonObject) -> String {
    let message = error.get("message").and_then(Value::as_str).unwrap_or("the task failed");
    bounded(message)
}

/// A task of a call. Dropping it cancels the task; the connection lives until then.
struct AbandonedTask(Option<(Arc<Connection>, String)>);

impl AbandonedTask {
    fn reconnected(&mut self, connection: Arc<Connection>) {
        if let Some((current, _)) = &mut self.0 {
            *current = connection;
        }
    }
}

impl Drop for AbandonedTask {
    fn drop(&mut self) {
        let (Some((connection, id)), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) else {
            return;
        };
        runtime.spawn(async move {
            let cancelling = connection.peer().cancel_task(CancelTaskParams::new(id));
            let _ = timeout(CANCEL_TIMEOUT, cancelling).await;
        });
    }
}

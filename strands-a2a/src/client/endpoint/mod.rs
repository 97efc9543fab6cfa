//! The endpoint of an agent: requests of the protocol in the form of its transport.

mod http_json;
mod json_rpc;

use std::sync::Arc;

use a2a::{SendMessageRequest, StreamResponse, Task};
use serde_json::Value;
use strands_core::TraceContext;
use url::Url;

use super::error::A2aError;
use super::event_stream::{EventStream, ReadEvent};
use super::http::{Http, Request, check_values};
use super::proto_json::{complete_event, complete_task};
use crate::v03::Method;

/// A transport of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// JSON-RPC 2.0, of protocol 1.0 or 0.3. In agent cards: `JSONRPC`.
    JsonRpc,
    /// HTTP with JSON, of protocol 1.0. In agent cards: `HTTP+JSON`.
    HttpJson,
}

/// A transport with its protocol version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binding {
    JsonRpc,
    JsonRpcV03,
    HttpJson,
}

impl Binding {
    pub(super) fn transport(self) -> Transport {
        match self {
            Self::JsonRpc | Self::JsonRpcV03 => Transport::JsonRpc,
            Self::HttpJson => Transport::HttpJson,
        }
    }

    fn version(self) -> &'static str {
        match self {
            Self::JsonRpc | Self::HttpJson => "1.0",
            Self::JsonRpcV03 => "0.3",
        }
    }
}

/// The endpoint of an agent.
pub(super) struct Endpoint {
    pub(super) http: Arc<Http>,
    pub(super) binding: Binding,
    pub(super) url: Url,
    /// Name of the agent among several at one URL.
    pub(super) tenant: Option<String>,
}

/// The response to a message: one event, or a stream of them.
pub(super) enum Reply {
    Event(Box<StreamResponse>),
    Events(EventStream),
}

/// One request in the form of a transport.
struct Call {
    method: http::Method,
    url: Url,
    body: Option<Value>,
}

impl Endpoint {
    /// Sends a message. The response is a stream if `streams`, but a server may respond with one event in any case.
    pub(super) async fn send(
        &self,
        message: SendMessageRequest,
        streams: bool,
        trace: Option<&TraceContext>,
    ) -> Result<Reply, A2aError> {
        let method = if streams { Method::SendStreamingMessage } else { Method::SendMessage };
        let call = self.call(method, "", serde_json::to_value(message)?)?;
        self.reply(call, streams, trace).await
    }

    /// Returns the events of a task from now on.
    pub(super) async fn subscribe(&self, task_id: &str) -> Result<Reply, A2aError> {
        let call = self.call(Method::SubscribeToTask, task_id, serde_json::json!({"id": task_id}))?;
        self.reply(call, true, None).await
    }

    /// Returns the state of a task.
    pub(super) async fn task(&self, task_id: &str) -> Result<Task, A2aError> {
        self.task_of(Method::GetTask, task_id).await
    }

    /// Cancels a task.
    pub(super) async fn cancel(&self, task_id: &str) -> Result<Task, A2aError> {
        self.task_of(Method::CancelTask, task_id).await
    }

    /// Returns true if a task is gone: it has ended, or the server does not know it.
    pub(super) async fn has_ended(&self, task_id: &str) -> Result<bool, A2aError> {
        match self.task(task_id).await {
            Ok(task) => Ok(task.status.state.is_terminal()),
            Err(error) if error.is_task_not_found() => Ok(true),
            Err(error) => Err(error),
        }
    }

    async fn task_of(&self, method: Method, task_id: &str) -> Result<Task, A2aError> {
        let call = self.call(method, task_id, serde_json::json!({"id": task_id}))?;
        let response = self.http.send(self.request(&call, false, None)).await?;
        let body = self.http.body(response).await?;
        check_values(&body, self.http.max_bytes)?;
        let result = self.result(serde_json::from_slice(&body)?)?;
        let mut task = match self.binding {
            Binding::JsonRpcV03 => crate::v03::client_edge::task_to_v1(result)?,
            Binding::JsonRpc | Binding::HttpJson => result,
        };
        complete_task(&mut task);
        Ok(serde_json::from_value(task)?)
    }

    fn call(&self, method: Method, task_id: &str, params: Value) -> Result<Call, A2aError> {
        match self.binding {
            Binding::JsonRpc => json_rpc::call(self, method, params),
            Binding::JsonRpcV03 => json_rpc::call_v03(self, method, params),
            Binding::HttpJson => http_json::call(self, method, task_id, params),
        }
    }

    fn request<'a>(&self, call: &'a Call, streams: bool, trace: Option<&'a TraceContext>) -> Request<'a> {
        let Call { method, url, body } = call;
        let version = self.binding.version();
        Request { method: method.clone(), url: url.clone(), body: body.as_ref(), version, streams, trace }
    }

    async fn reply(&self, call: Call, streams: bool, trace: Option<&TraceContext>) -> Result<Reply, A2aError> {
        let response = self.http.send(self.request(&call, streams, trace)).await?;
        let content_type = response.headers().get(http::header::CONTENT_TYPE);
        let is_stream = content_type.is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
        let read: ReadEvent = match self.binding {
            Binding::JsonRpc => json_rpc::event,
            Binding::JsonRpcV03 => json_rpc::event_v03,
            Binding::HttpJson => http_json::event,
        };
        if is_stream {
            return Ok(Reply::Events(EventStream::new(Arc::clone(&self.http), response, read)));
        }
        let body = self.http.body(response).await?;
        check_values(&body, self.http.max_bytes)?;
        let text = std::str::from_utf8(&body).map_err(A2aError::protocol)?;
        Ok(Reply::Event(Box::new(read(text)?)))
    }

    fn result(&self, response: Value) -> Result<Value, A2aError> {
        match self.binding {
            Binding::JsonRpc | Binding::JsonRpcV03 => json_rpc::result(response),
            Binding::HttpJson => http_json::result(response),
        }
    }
}

/// Reads an event of protocol 1.0.
fn event_of(mut event: Value) -> Result<StreamResponse, A2aError> {
    complete_event(&mut event);
    Ok(serde_json::from_value(event)?)
}

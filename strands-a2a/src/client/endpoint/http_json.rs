//! HTTP+JSON: each request has its URL.

use a2a::StreamResponse;
use serde_json::{Value, json};

use super::{Call, Endpoint, event_of};
use crate::client::error::A2aError;
use crate::client::http::rejection;
use crate::v03::Method;

pub(super) fn call(endpoint: &Endpoint, method: Method, task_id: &str, params: Value) -> Result<Call, A2aError> {
    let mut url = endpoint.url.clone();
    let cannot_be_a_base = || A2aError::Card { reason: "the URL of the endpoint has no path".to_owned() };
    let mut path = url.path_segments_mut().map_err(|()| cannot_be_a_base())?;
    path.pop_if_empty().extend(&endpoint.tenant);
    let (verb, body) = if method == Method::SendMessage {
        path.push("message:send");
        (http::Method::POST, Some(params))
    } else if method == Method::SendStreamingMessage {
        path.push("message:stream");
        (http::Method::POST, Some(params))
    } else if method == Method::CancelTask {
        path.push("tasks").push(&format!("{task_id}:cancel"));
        (http::Method::POST, Some(json!({})))
    } else if method == Method::SubscribeToTask {
        path.push("tasks").push(&format!("{task_id}:subscribe"));
        (http::Method::GET, None)
    } else {
        path.push("tasks").push(task_id);
        (http::Method::GET, None)
    };
    drop(path);
    Ok(Call { method: verb, url, body })
}

/// Returns the result of a response.
pub(super) fn result(response: Value) -> Result<Value, A2aError> {
    rejection(&response).map_or(Ok(response), Err)
}

pub(super) fn event(text: &str) -> Result<StreamResponse, A2aError> {
    event_of(result(serde_json::from_str(text)?)?)
}

//! Event streams of responses: the call gets to know of an event that is too large.

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use rmcp::model::{ErrorData, JsonRpcMessage, RequestId, ServerJsonRpcMessage};
use serde_json::{Value, json};
use sse_stream::{Error as SseError, Sse};

pub(super) type EventStream = BoxStream<'static, Result<Sse, SseError>>;

/// Key in the data of an error that stands for a response over the limit.
const TOO_LARGE: &str = "strands_response_too_large";

/// Returns the stream of a response, with an error response in place of an event that is too large: the transport only logs
/// that, and the call would not learn why there is no response.
pub(super) fn with_limit_errors(stream: EventStream, request: RequestId) -> EventStream {
    let stream = stream.map(move |event| match event {
        Err(error) if is_too_large(&error) => Ok(too_large(&request)),
        event => event,
    });
    stream.boxed()
}

/// In the words of rmcp, whose type is private.
fn is_too_large(error: &SseError) -> bool {
    matches!(error, SseError::Body(error) if error.to_string().starts_with("SSE event exceeded the maximum size"))
}

fn too_large(request: &RequestId) -> Sse {
    let error = ErrorData::internal_error("the response is too large", Some(json!({ TOO_LARGE: true })));
    let message: ServerJsonRpcMessage = JsonRpcMessage::error(error, Some(request.clone()));
    Sse { data: serde_json::to_string(&message).ok(), ..Sse::default() }
}

/// Returns true if an error stands for a response over the limit.
pub(super) fn is_limit_error(error: &ErrorData) -> bool {
    error.data.as_ref().is_some_and(|data| data.get(TOO_LARGE) == Some(&Value::Bool(true)))
}

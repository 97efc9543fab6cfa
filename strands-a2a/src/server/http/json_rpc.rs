//! The binding JSON-RPC, for both protocol versions.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use futures_util::{StreamExt as _, stream};
use serde_json::{Map, Value, json};

use super::body::JsonBody;
use super::call::{Called, call};
use super::held::held;
use super::proto_names::in_camel_case;
use super::version::Version;
use super::{Http, body, sse};
use crate::server::failure::{Failure, quote};
use crate::v03::{Method, server_edge};

/// Maximum length of the id of a request, in bytes: each event of a stream has it.
const MAX_ID: usize = 256;

/// A request of JSON-RPC.
struct Call {
    id: Value,
    method: String,
    params: Value,
}

pub(super) async fn handle(State(http): State<Arc<Http>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let caller = match http.caller(&parts).await {
        Ok(caller) => caller,
        Err(refused) => return *refused,
    };
    let JsonBody { json, share: _share } = match body::json(&http.core, &caller, &parts, body).await {
        Ok(body) => body,
        Err(failure) => {
            // A body that was not read is an error of HTTP, too.
            let is_too_large = matches!(failure, Failure::BodyTooLarge(_));
            let status = if is_too_large { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::OK };
            return (status, Json(error(&Value::Null, failure.json_rpc()))).into_response();
        }
    };
    let Call { id, method, params } = match parsed(json) {
        Ok(call) => call,
        Err((id, failure)) => return Json(error(&id, failure.json_rpc())).into_response(),
    };
    let called = match Version::of_call(&parts, &method, http.may_lose_version) {
        Ok(Version::V1) => {
            let called = call(&http.core, &caller, &method, in_camel_case(params), false).await;
            called.map(|called| respond(id.clone(), called, false)).map_err(|failure| failure.json_rpc())
        }
        Ok(Version::V03) if !http.serves_v03 => Err(Failure::Version("0.3".to_owned()).json_rpc()),
        Ok(Version::V03) => {
            let called = call_v03(&http, &caller, &method, params).await;
            let called = called.map(|called| respond(id.clone(), called, true));
            match called.map_err(|failure| server_edge::error_to_v03(failure.json_rpc())) {
                // Clients of 0.3 expect a stream.
                Err(failure) if is_streaming(&method) => {
                    let event = error(&id, failure);
                    Ok(sse::response(stream::once(async move { event }).boxed()))
                }
                called => called,
            }
        }
        Err(failure) => Err(failure.json_rpc()),
    };
    called.unwrap_or_else(|failure| Json(error(&id, failure)).into_response())
}

async fn call_v03(http: &Http, caller: &strands_http::Caller, name: &str, params: Value) -> Result<Called, Failure> {
    let method = Method::from_v03(name).ok_or_else(|| Failure::MethodNotFound(quote(name)))?;
    let params =
        server_edge::params_to_v1(method, params).map_err(|error| Failure::InvalidParams(error.to_string()))?;
    let called = call(&http.core, caller, method.v1(), params, true).await?;
    match called {
        Called::Result(result, share) => {
            let result = server_edge::result_to_v03(method, result).map_err(Failure::internal)?;
            Ok(Called::Result(result, share))
        }
        // Event by event.
        stream @ Called::Stream(_) => Ok(stream),
    }
}

/// Reads a request, or returns the id of an invalid one.
fn parsed(json: Value) -> Result<Call, (Value, Failure)> {
    let invalid = |text: &str| Failure::InvalidRequest(text.to_owned());
    let Value::Object(mut fields) = json else {
        return Err((Value::Null, invalid("a request must be a JSON object; batches are not supported")));
    };
    let id = match fields.remove("id") {
        Some(Value::String(id)) if id.len() > MAX_ID => {
            return Err((Value::Null, invalid(&format!("`id` must have at most {MAX_ID} bytes"))));
        }
        Some(id @ (Value::String(_) | Value::Null)) => id,
        Some(Value::Number(number)) if number.is_i64() || number.is_u64() => Value::Number(number),
        Some(_) => return Err((Value::Null, invalid("`id` must be a string, an integer, or null"))),
        // A notification, by JSON-RPC. No method of A2A is one, and clients want to see the error.
        None => Value::Null,
    };
    if fields.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err((id, invalid("`jsonrpc` must be `2.0`")));
    }
    let Some(Value::String(method)) = fields.remove("method") else {
        return Err((id, invalid("`method` must be a string")));
    };
    match fields.remove("params") {
        None => Ok(Call { id, method, params: Value::Null }),
        Some(params @ (Value::Object(_) | Value::Null)) => Ok(Call { id, method, params }),
        Some(_) => Err((id, Failure::InvalidParams("`params` must be an object".to_owned()))),
    }
}

fn respond(id: Value, called: Called, is_v03: bool) -> Response {
    let events = match called {
        Called::Result(value, share) => return held(Json(envelope(&id, "result", value)).into_response(), share),
        Called::Stream(events) => events,
    };
    let events = events.map(move |event| match event {
        Ok(event) if !is_v03 => envelope(&id, "result", event),
        Ok(event) => match server_edge::event_to_v03(event) {
            Ok(event) => envelope(&id, "result", event),
            Err(invalid) => error(&id, Failure::internal(invalid).json_rpc()),
        },
        Err(failure) if is_v03 => error(&id, server_edge::error_to_v03(failure.json_rpc())),
        Err(failure) => error(&id, failure.json_rpc()),
    });
    sse::response(events.boxed())
}

fn is_streaming(method: &str) -> bool {
    matches!(Method::from_v03(method), Some(Method::SendStreamingMessage | Method::SubscribeToTask))
}

fn error(id: &Value, error: Value) -> Value {
    envelope(id, "error", error)
}

fn envelope(id: &Value, kind: &str, value: Value) -> Value {
    let mut fields = Map::new();
    fields.insert("jsonrpc".to_owned(), json!("2.0"));
    fields.insert("id".to_owned(), id.clone());
    fields.insert(kind.to_owned(), value);
    Value::Object(fields)
}

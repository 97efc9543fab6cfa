//! JSON-RPC 2.0: all requests are posted to one URL.

use a2a::StreamResponse;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Call, Endpoint, event_of};
use crate::client::error::A2aError;
use crate::client::http::rejection;
use crate::v03::Method;
use crate::v03::client_edge::{event_to_v1, send_params_to_v03};

pub(super) fn call(endpoint: &Endpoint, method: Method, mut params: Value) -> Result<Call, A2aError> {
    if let (Some(tenant), Value::Object(params)) = (&endpoint.tenant, &mut params) {
        params.insert("tenant".to_owned(), tenant.as_str().into());
    }
    Ok(posted(endpoint, method.v1(), params))
}

pub(super) fn call_v03(endpoint: &Endpoint, method: Method, params: Value) -> Result<Call, A2aError> {
    let params = match method {
        Method::SendMessage | Method::SendStreamingMessage => send_params_to_v03(params)?,
        _ => params,
    };
    Ok(posted(endpoint, method.v03(), params))
}

fn posted(endpoint: &Endpoint, method: &str, params: Value) -> Call {
    let id = Uuid::new_v4().to_string();
    let body = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
    Call { method: http::Method::POST, url: endpoint.url.clone(), body: Some(body) }
}

/// Returns the result of a response.
pub(super) fn result(mut response: Value) -> Result<Value, A2aError> {
    if let Some(error) = rejection(&response) {
        return Err(error);
    }
    let result = response.get_mut("result").map(Value::take).filter(|result| !result.is_null());
    result.ok_or_else(|| A2aError::protocol("a response of JSON-RPC without a result"))
}

pub(super) fn event(text: &str) -> Result<StreamResponse, A2aError> {
    event_of(result(serde_json::from_str(text)?)?)
}

pub(super) fn event_v03(text: &str) -> Result<StreamResponse, A2aError> {
    event_of(event_to_v1(result(serde_json::from_str(text)?)?)?)
}

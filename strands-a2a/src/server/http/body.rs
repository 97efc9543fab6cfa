//! Bodies of requests, within limits of size, time, number of values and depth.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use futures_util::StreamExt as _;
use serde_json::Value;

use crate::json::count_values;
use crate::server::core::Core;
use crate::server::failure::Failure;

/// Maximum nesting of JSON. Records nest it some levels deeper, and are read up to 128 levels.
const MAX_DEPTH: usize = 100;

/// Reads a body of JSON.
pub(super) async fn json(core: &Core, parts: &Parts, body: Body) -> Result<Value, Failure> {
    let media_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    // A page of another origin can send other types without being asked.
    if essence != "application/json" && !essence.ends_with("+json") {
        return Err(Failure::BodyType);
    }
    let limit = core.limits.body_bytes;
    let read = async {
        let mut chunks = body.into_data_stream();
        let mut bytes = Vec::new();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| Failure::InvalidRequest("the body was cut off".to_owned()))?;
            if chunk.len() > limit.saturating_sub(bytes.len()) {
                return Err(Failure::BodyTooLarge(limit));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    };
    let late = |_| Err(Failure::InvalidRequest("the body was not sent in time".to_owned()));
    let bytes = tokio::time::timeout(core.limits.body_timeout, read).await.unwrap_or_else(late)?;
    if count_values(&bytes) > core.limits.body_values {
        let limit = core.limits.body_values;
        return Err(Failure::InvalidRequest(format!(
            "the body has more than {limit} JSON values; send large data as a file"
        )));
    }
    let json = serde_json::from_slice(&bytes).map_err(|_| Failure::Parse)?;
    if depth(&json) > MAX_DEPTH {
        return Err(Failure::InvalidRequest(format!("the body nests deeper than {MAX_DEPTH} levels")));
    }
    Ok(json)
}

/// Returns the nesting of a value, which its parser limits.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

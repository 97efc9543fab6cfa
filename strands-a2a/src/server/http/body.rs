//! Bodies of requests, within limits of size, time, memory, number of values and depth.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use futures_util::StreamExt as _;
use serde_json::Value;
use strands_http::Caller;

use crate::json::count_values;
use crate::server::core::Core;
use crate::server::failure::Failure;
use crate::server::shares::{Exhausted, Share};

/// Maximum nesting of JSON. Records nest it some levels deeper, and are read up to 128 levels.
const MAX_DEPTH: usize = 100;

/// Size of a body that needs no share of the memory for bodies, so that plain messages arrive while large ones fill it.
const SMALL_BODY: usize = 64 * 1024;

/// A body of JSON, with its share of the memory for bodies: hold it until the response.
#[derive(Debug)]
pub(super) struct JsonBody {
    pub(super) json: Value,
    pub(super) share: Option<Share>,
}

/// Reads a body of JSON.
pub(super) async fn json(core: &Core, caller: &Caller, parts: &Parts, body: Body) -> Result<JsonBody, Failure> {
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
        let mut share: Option<Share> = None;
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| Failure::InvalidRequest("the body was cut off".to_owned()))?;
            if chunk.len() > limit.saturating_sub(bytes.len()) {
                return Err(Failure::BodyTooLarge(limit));
            }
            if bytes.len() + chunk.len() > SMALL_BODY {
                let taken = match &mut share {
                    Some(share) => share.grow(chunk.len()),
                    None => core.bodies.take(&caller.key(), chunk.len()).map(|taken| share = Some(taken)),
                };
                taken.map_err(no_memory)?;
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok((bytes, share))
    };
    let late = |_| Err(Failure::InvalidRequest("the body was not sent in time".to_owned()));
    let (bytes, share) = tokio::time::timeout(core.limits.body_timeout, read).await.unwrap_or_else(late)?;
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
    Ok(JsonBody { json, share })
}

fn no_memory(exhausted: Exhausted) -> Failure {
    Failure::Overloaded(match exhausted {
        Exhausted::Total => "too many large requests are processed; send the request again later",
        Exhausted::Caller => {
            "too many of your large requests are processed; send the request again after one has ended"
        }
    })
}

/// Returns the nesting of a value, which its parser limits.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::time::Duration;

    use axum::http::Request;
    use futures_util::{StreamExt as _, stream};
    use http_body_util::BodyExt as _;
    use serde_json::json;
    use strands_core::{PromptRequest, PromptStream, Promptable};
    use tokio::sync::Notify;
    use tower::ServiceExt as _;

    use super::super::{Http, router};
    use super::{Body, CONTENT_TYPE, Caller, SMALL_BODY, json as read};
    use crate::server::A2aServer;
    use crate::server::shares::Shares;

    /// An agent that never ends, and tells when it is prompted.
    struct Endless(Arc<Notify>);

    impl Promptable for Endless {
        fn name(&self) -> &str {
            "endless"
        }

        fn description(&self) -> &str {
            "Never ends."
        }

        fn stream(&self, _: PromptRequest) -> PromptStream {
            self.0.notify_one();
            stream::pending().boxed()
        }
    }

    /// A server with memory for two large bodies of a caller, and for three of all.
    fn http() -> (Http, Arc<Notify>) {
        let prompted = Arc::new(Notify::new());
        let server = A2aServer::builder(Endless(Arc::clone(&prompted)), "https://a.b").build().unwrap();
        let mut http = Arc::into_inner(server.http).unwrap();
        let mut core = Arc::into_inner(http.core).unwrap();
        core.bodies = Shares::new(3 * SMALL_BODY, 2 * SMALL_BODY);
        http.core = Arc::new(core);
        (http, prompted)
    }

    #[tokio::test]
    async fn large_bodies_share_a_memory_and_small_ones_need_none() {
        let (http, _) = http();
        let send = async |caller: &'static str, size: usize| {
            let text = format!("\"{}\"", "x".repeat(size - 2)).into_bytes();
            // A request has many chunks, of which those before the limit are free.
            let chunks: Vec<_> = text.chunks(1_024).map(|chunk| Ok::<_, Infallible>(chunk.to_vec())).collect();
            let request = Request::post("/").header(CONTENT_TYPE, "application/json").body(()).unwrap();
            let (parts, ()) = request.into_parts();
            read(&http.core, &Caller::new(caller), &parts, Body::from_stream(stream::iter(chunks))).await
        };
        let large = send("alice", 3 * SMALL_BODY).await.unwrap();
        assert!(large.json.is_string() && large.share.is_some());
        for (caller, text) in [("alice", "too many of your large requests"), ("bob", "too many large requests")] {
            let refused = send(caller, 3 * SMALL_BODY).await.unwrap_err();
            assert!(refused.to_string().starts_with(text), "{refused}");
            assert!(send(caller, SMALL_BODY).await.unwrap().share.is_none());
        }
        drop(large);
        send("bob", 3 * SMALL_BODY).await.unwrap();
    }

    #[tokio::test]
    async fn a_large_body_counts_until_its_response() {
        for path in ["/", "/message:send"] {
            let (http, prompted) = http();
            let router = router(Arc::new(http));
            let send = |size: usize| {
                let parts = json!([{"text": "x".repeat(size)}]);
                let mut body = json!({"message": {"messageId": "m", "role": "ROLE_USER", "parts": parts}});
                if path == "/" {
                    body = json!({"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": body});
                }
                let request = Request::post(path).header(CONTENT_TYPE, "application/json").header("a2a-version", "1.0");
                router.clone().oneshot(request.body(Body::from(body.to_string())).unwrap())
            };
            let first = tokio::spawn(send(SMALL_BODY));
            prompted.notified().await;
            let refused = tokio::time::timeout(Duration::from_secs(20), send(SMALL_BODY)).await.expect("a refusal");
            let refused = refused.unwrap().into_body().collect().await.unwrap().to_bytes();
            assert!(std::str::from_utf8(&refused).unwrap().contains("OVERLOADED"), "{path}: {refused:?}");
            first.abort();
            assert!(first.await.unwrap_err().is_cancelled());
            let _second = tokio::spawn(send(SMALL_BODY));
            prompted.notified().await;
        }
    }
}

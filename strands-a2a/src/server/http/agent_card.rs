//! The agent card over HTTP, with what caches need.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::Request;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LAST_MODIFIED, VARY};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use chrono::Utc;
use serde_json::Value;
use uuid::Uuid;

use super::Http;
use super::version::Version;

/// Time for which clients may use a card without asking again, in seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// A card as it is sent.
pub(in crate::server) struct CardDocument {
    json: Bytes,
    etag: HeaderValue,
    modified: HeaderValue,
}

impl CardDocument {
    pub(in crate::server) fn new(card: &Value) -> Self {
        let json = Bytes::from(card.to_string());
        // A hash that tells cards apart: nothing depends on its strength.
        let hash = Uuid::new_v5(&Uuid::NAMESPACE_OID, &json).simple().to_string();
        let etag = HeaderValue::try_from(format!("\"{hash}\"")).unwrap_or(HeaderValue::from_static("\"card\""));
        // It is made when the server is.
        let modified = Utc::now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let modified = HeaderValue::try_from(modified).unwrap_or(HeaderValue::from_static(""));
        Self { json, etag, modified }
    }
}

pub(super) async fn get(State(http): State<Arc<Http>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    // A request for an unknown version gets the card all the same: it tells which versions there are.
    let asks_for_v1 = parts.headers.contains_key("a2a-version") && Version::of(&parts) == Ok(Version::V1);
    let CardDocument { json, etag, modified } = if asks_for_v1 { &http.cards.v1 } else { &http.cards.both };
    let caching = [
        (ETAG, etag.clone()),
        (LAST_MODIFIED, modified.clone()),
        (CACHE_CONTROL, MAX_AGE),
        (VARY, HeaderValue::from_static("a2a-version")),
    ];
    if parts.headers.get_all(IF_NONE_MATCH).iter().any(|known| known == etag) {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (caching, [(CONTENT_TYPE, HeaderValue::from_static("application/json"))], json.clone()).into_response()
}

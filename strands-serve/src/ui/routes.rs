//! Routes of the page.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY};
use http::header::{X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tower_http::compression::CompressionLayer;

use super::files::{FILES, File, PAGE, entity_tag};
use super::policy::content_security_policy;
use super::settings::UiSettings;
use crate::http::problem;

/// A file as it is sent.
struct Served {
    path: &'static str,
    content_type: HeaderValue,
    tag: HeaderValue,
    bytes: Bytes,
    policy: HeaderValue,
}

impl Served {
    fn new(file: &File, policy: &HeaderValue) -> Self {
        let bytes = Bytes::from_static(file.bytes);
        let (content_type, tag) = (file.content_type(), entity_tag(&bytes));
        Self { path: file.path, content_type, tag, bytes, policy: policy.clone() }
    }

    fn settings(settings: &UiSettings, policy: &HeaderValue) -> Self {
        let bytes = Bytes::from(settings.to_json());
        let (content_type, tag) = (HeaderValue::from_static("application/json"), entity_tag(&bytes));
        Self { path: "settings.json", content_type, tag, bytes, policy: policy.clone() }
    }

    /// Returns the file, or 304 if the client has it. Clients ask each time, so that all modules are of one version.
    fn response(&self, request: &HeaderMap) -> Response {
        let headers = [
            (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            (CONTENT_SECURITY_POLICY, self.policy.clone()),
            (CONTENT_TYPE, self.content_type.clone()),
            (ETAG, self.tag.clone()),
            (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
            (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
            (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
        ];
        if is_known(request, &self.tag) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        (headers, Body::from(self.bytes.clone())).into_response()
    }
}

/// Returns true if the client has the content with this tag.
fn is_known(request: &HeaderMap, tag: &HeaderValue) -> bool {
    let strong = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let tag = tag.to_str().map(strong).unwrap_or_default();
    let known = request.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    known.flat_map(|value| value.split(',')).any(|known| known.trim() == "*" || strong(known) == tag)
}

/// Returns the routes of the page, which need no identity.
pub(crate) fn router<S: Clone + Send + Sync + 'static>(settings: &UiSettings) -> Router<S> {
    let policy = content_security_policy(settings);
    let page = Arc::new(Served::new(&PAGE, &policy));
    let mut files: Vec<Served> = FILES.iter().map(|file| Served::new(file, &policy)).collect();
    files.push(Served::settings(settings, &policy));
    let files = Arc::new(files);
    let router = Router::new().route("/", get(async move |headers: HeaderMap| page.response(&headers))).route(
        "/ui/{*path}",
        get(async move |path: Result<Path<String>, PathRejection>, headers: HeaderMap| {
            match files.iter().find(|file| path.as_ref().is_ok_and(|Path(path)| path == file.path)) {
                Some(file) => file.response(&headers),
                None => problem::not_found().await.into_response(),
            }
        }),
    );
    router.layer(CompressionLayer::new())
}

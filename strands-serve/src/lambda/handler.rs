//! Handler of one invocation: an event as a request of the router, and the response.

use std::convert::Infallible;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::header::{ACCEPT_ENCODING, CONTENT_TYPE};
use http::{HeaderValue, Request, StatusCode, Uri};
use lambda_http::lambda_runtime::{LambdaEvent, Service as _, StreamResponse, service_fn};
use lambda_http::request::RequestContext;
use lambda_http::{Adapter, Context, RequestExt as _, StreamAdapter};
use tokio::time::Instant;
use tower::ServiceExt as _;

use super::InvocationEnd;
use super::ending::{self, End};
use super::event::Event;
use crate::AgentService;
use crate::http::authentication::GatewaySubject;
use crate::service::host_deadline::with_deadline;

#[derive(Clone)]
pub(super) struct Handler {
    pub(super) service: AgentService,
    pub(super) router: Router,
    pub(super) save_margin: Duration,
    pub(super) prompt_path: &'static str,
    pub(super) on_end: Option<InvocationEnd>,
}

/// Properties of an event besides its request.
pub(super) struct Origin {
    pub(super) subject: Option<String>,
    pub(super) is_direct: bool,
}

impl Handler {
    /// Returns the complete response, after the end of the invocation's work.
    pub(super) async fn buffered(self, event: LambdaEvent<Event>) -> Result<impl serde::Serialize, Infallible> {
        let (Event { request, subject, is_direct }, context) = event.into_parts();
        let respond = service_fn(move |request: lambda_http::Request| {
            let (handler, subject) = (self.clone(), subject.clone());
            async move {
                let (response, end) = handler.respond(request, Origin { subject, is_direct }).await;
                let response = ending::collected(response).await;
                end.wait().await;
                Ok::<_, Infallible>(response)
            }
        });
        Adapter::from(respond).call(LambdaEvent::new(request, context)).await
    }

    /// Returns the response as it arrives. Its end is that of the invocation's work.
    pub(super) async fn streamed(
        self,
        event: LambdaEvent<Event>,
    ) -> Result<StreamResponse<impl futures_util::Stream<Item = Result<bytes::Bytes, axum::Error>> + Unpin>, Infallible>
    {
        let (Event { request, subject, is_direct }, context) = event.into_parts();
        let respond = service_fn(move |request: lambda_http::Request| {
            let (handler, subject) = (self.clone(), subject.clone());
            async move {
                let response = handler.streaming_response(request, Origin { subject, is_direct }).await;
                Ok::<_, Infallible>(response)
            }
        });
        StreamAdapter::from(respond).call(LambdaEvent::new(request, context)).await
    }

    pub(super) async fn streaming_response(self, request: lambda_http::Request, origin: Origin) -> Response {
        let (response, end) = self.respond(request, origin).await;
        response.map(|body| ending::followed_by(body, end))
    }

    async fn respond(self, request: lambda_http::Request, origin: Origin) -> (Response, End) {
        // Those of an earlier invocation whose client was gone before the end of a streamed response.
        self.service.end_turns().await;
        let deadline = request.lambda_context_ref().and_then(deadline);
        let turn_deadline = deadline.map(|deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            deadline - self.save_margin.min(left / 2)
        });
        let end = End::new(self.service.clone(), self.on_end.clone(), deadline);
        let response = match routed(request, origin, self.prompt_path) {
            Some(request) => match with_deadline(turn_deadline, self.router.oneshot(request)).await {
                Ok(response) => response,
            },
            None => status(StatusCode::BAD_REQUEST),
        };
        (response, end)
    }
}

pub(super) fn status(status: StatusCode) -> Response {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}

/// Returns the context of an invocation that has this time.
pub(super) fn context(time: Duration) -> Context {
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + time;
    let mut context = Context::default();
    context.deadline = u64::try_from(deadline.as_millis()).unwrap_or_default();
    context
}

/// Returns the deadline of an invocation. One in the past is none: Lambda ends the process before, and cargo-lambda sends a number
/// that is not a time.
fn deadline(context: &Context) -> Option<Instant> {
    let deadline = UNIX_EPOCH.checked_add(Duration::from_millis(context.deadline))?;
    Instant::now().checked_add(deadline.duration_since(SystemTime::now()).ok()?)
}

/// Returns the request of the router. `None` for a path that is not one.
fn routed(request: lambda_http::Request, origin: Origin, prompt_path: &str) -> Option<Request<Body>> {
    let path = if origin.is_direct { prompt_path.to_owned() } else { path_in_stage(&request) };
    let request_id = request.lambda_context_ref().and_then(|context| HeaderValue::try_from(&context.request_id).ok());
    let (mut parts, body) = request.into_parts();
    parts.uri = match parts.uri.query() {
        Some(query) => Uri::try_from(format!("{path}?{query}")).ok()?,
        None => Uri::try_from(path).ok()?,
    };
    // Binary responses need settings of the gateway, and gateways and browsers don't gain from compression by the function.
    parts.headers.remove(ACCEPT_ENCODING);
    if let Some(id) = request_id.filter(|id| !id.is_empty()) {
        parts.headers.entry("x-request-id").or_insert(id);
    }
    if origin.is_direct {
        parts.headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    }
    if let Some(subject) = origin.subject {
        parts.extensions.insert(GatewaySubject(subject));
    }
    Some(Request::from_parts(parts, Body::from(body.to_vec())))
}

/// Returns the path without the stage of the API.
fn path_in_stage(request: &lambda_http::Request) -> String {
    let path = request.uri().path();
    let (stage, has_stage) = match request.request_context_ref() {
        // Its path never has the stage.
        Some(RequestContext::ApiGatewayV1(context)) => {
            let stage = context.stage.as_deref().unwrap_or("$default");
            (stage, !request.raw_http_path().starts_with(&format!("/{stage}/")))
        }
        Some(RequestContext::ApiGatewayV2(context)) => (context.stage.as_deref().unwrap_or("$default"), true),
        _ => return path.to_owned(),
    };
    let rest = path.strip_prefix('/').and_then(|path| path.strip_prefix(stage)).filter(|_| has_stage);
    rest.filter(|rest| rest.starts_with('/')).unwrap_or(path).to_owned()
}

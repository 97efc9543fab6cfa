//! The binding HTTP+JSON, of protocol 1.0.

use std::sync::Arc;

use a2a::methods;
use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::header::RETRY_AFTER;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use serde_json::{Map, Value, json};

use super::call::{Called, call};
use super::held::held;
use super::proto_names::in_camel_case;
use super::version::Version;
use super::{Http, body, sse};
use crate::server::failure::Failure;

type Shared = State<Arc<Http>>;

pub(super) async fn send(State(http): Shared, request: Request) -> Response {
    handle(&http, methods::SEND_MESSAGE, Params::Body(Map::new()), request).await
}

pub(super) async fn stream(State(http): Shared, request: Request) -> Response {
    handle(&http, methods::SEND_STREAMING_MESSAGE, Params::Body(Map::new()), request).await
}

pub(super) async fn list(State(http): Shared, request: Request) -> Response {
    handle(&http, methods::LIST_TASKS, Params::Query(Map::new()), request).await
}

/// `GET /tasks/{id}`. Clients that can only get may subscribe with `GET /tasks/{id}:subscribe`.
pub(super) async fn get_task(State(http): Shared, Path(id): Path<String>, request: Request) -> Response {
    let (method, id) = match id.strip_suffix(":subscribe") {
        Some(id) => (methods::SUBSCRIBE_TO_TASK, id),
        None => (methods::GET_TASK, id.as_str()),
    };
    handle(&http, method, Params::Query(fields([("id", id)])), request).await
}

/// `POST /tasks/{id}:cancel` and `POST /tasks/{id}:subscribe`.
pub(super) async fn act_on_task(State(http): Shared, Path(id): Path<String>, request: Request) -> Response {
    let (method, id) = match id.rsplit_once(':') {
        Some((id, "cancel")) => (methods::CANCEL_TASK, id),
        Some((id, "subscribe")) => (methods::SUBSCRIBE_TO_TASK, id),
        _ => {
            return failed(&Failure::MethodNotFound(
                "expected `/tasks/{id}:cancel` or `/tasks/{id}:subscribe`".to_owned(),
            ));
        }
    };
    handle(&http, method, Params::Path(fields([("id", id)])), request).await
}

pub(super) async fn create_push_config(State(http): Shared, Path(id): Path<String>, request: Request) -> Response {
    handle(&http, methods::CREATE_PUSH_CONFIG, Params::Body(fields([("taskId", &id)])), request).await
}

pub(super) async fn list_push_configs(State(http): Shared, Path(id): Path<String>, request: Request) -> Response {
    handle(&http, methods::LIST_PUSH_CONFIGS, Params::Query(fields([("taskId", &id)])), request).await
}

pub(super) async fn get_push_config(
    State(http): Shared,
    Path((task, id)): Path<(String, String)>,
    request: Request,
) -> Response {
    handle(&http, methods::GET_PUSH_CONFIG, Params::Path(fields([("taskId", &task), ("id", &id)])), request).await
}

pub(super) async fn delete_push_config(
    State(http): Shared,
    Path((task, id)): Path<(String, String)>,
    request: Request,
) -> Response {
    handle(&http, methods::DELETE_PUSH_CONFIG, Params::Path(fields([("taskId", &task), ("id", &id)])), request).await
}

pub(super) async fn extended_card(State(http): Shared, request: Request) -> Response {
    handle(&http, methods::GET_EXTENDED_AGENT_CARD, Params::Path(Map::new()), request).await
}

/// Parameters of a request, besides those of its path.
enum Params {
    Path(Map<String, Value>),
    Query(Map<String, Value>),
    Body(Map<String, Value>),
}

async fn handle(http: &Arc<Http>, method: &str, params: Params, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let caller = match http.caller(&parts).await {
        Ok(caller) => caller,
        Err(refused) => return *refused,
    };
    let called = async {
        if Version::of(&parts)? != Version::V1 {
            return Err(Failure::Version("0.3".to_owned()));
        }
        // Until the response.
        let _share;
        let params = match params {
            Params::Path(fields) => fields,
            Params::Query(fields) => with_query(fields, &parts)?,
            Params::Body(fields) => {
                let body = body::json(&http.core, &caller, &parts, body).await?;
                _share = body.share;
                with_body(fields, in_camel_case(body.json))?
            }
        };
        call(&http.core, &caller, method, Value::Object(params), false).await
    };
    match called.await {
        Ok(Called::Result(value, share)) => held(Json(value).into_response(), share),
        Ok(Called::Stream(events)) => {
            let events = events.map(|event| event.unwrap_or_else(|failure| failure.http_json()));
            sse::response(events.boxed())
        }
        Err(failure) => failed(&failure),
    }
}

fn failed(failure: &Failure) -> Response {
    let mut response = (failure.status(), Json(failure.http_json())).into_response();
    if failure.is_temporary() && failure.status() != StatusCode::CONFLICT {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

fn fields<const N: usize>(fields: [(&str, &str); N]) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect()
}

/// Adds the parameters of the query, in the types of their fields.
fn with_query(mut fields: Map<String, Value>, parts: &Parts) -> Result<Map<String, Value>, Failure> {
    for (name, value) in url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()) {
        let invalid = |_| Failure::InvalidParams(format!("invalid value of `{name}` in the query"));
        let value = match name.as_ref() {
            "historyLength" | "pageSize" => json!(value.parse::<i32>().map_err(|_| invalid(()))?),
            "includeArtifacts" => json!(value.parse::<bool>().map_err(|_| invalid(()))?),
            "contextId" | "status" | "pageToken" | "statusTimestampAfter" => json!(value),
            // Parameters of the version, of the path, and of later versions.
            _ => continue,
        };
        fields.insert(name.into_owned(), value);
    }
    Ok(fields)
}

/// Adds the fields of the path to those of a body.
fn with_body(path: Map<String, Value>, body: Value) -> Result<Map<String, Value>, Failure> {
    let Value::Object(mut body) = body else {
        return Err(Failure::InvalidParams("the body must be a JSON object".to_owned()));
    };
    for (name, value) in path {
        let is_other = body.get(&name).is_some_and(|known| *known != value && *known != "");
        if is_other {
            return Err(Failure::InvalidParams(format!("`{name}` in the body is not that of the path")));
        }
        body.insert(name, value);
    }
    Ok(body)
}

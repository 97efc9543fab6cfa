//! Responses: `POST /v1/responses`.

mod object;
mod request;
mod stream;

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use http::HeaderMap;
use strands_identity::Identity;

use self::object::{Ended, Item, ResponseObject};
use self::request::ResponsesRequest;
use self::stream::ResponseEvents;
use super::error::ApiError;
use super::session::{self, Asked, Names};
use super::{OpenAiSettings, conversation, turn};
use crate::http::json_body::JsonBody;
use crate::http::{HostState, sse};

pub(super) async fn create(
    State(host): State<HostState>,
    Extension(settings): Extension<Arc<OpenAiSettings>>,
    Extension(identity): Extension<Identity>,
    headers: HeaderMap,
    JsonBody(request): JsonBody<ResponsesRequest>,
) -> Result<Response, ApiError> {
    request.check(&settings)?;
    let names = Names {
        metadata: request.metadata.as_ref(),
        conversation: request.conversation.as_ref().map(request::Conversation::id),
        previous_response_id: request.previous_response_id.as_deref(),
    };
    let asked = Asked::find(&host.service, &identity, &settings, &headers, &names)?;
    let is_stored = request.store.unwrap_or(true) || !matches!(asked, Asked::Nothing);
    let is_in_session = !matches!(asked, Asked::Nothing);
    let prompt = conversation::prompt(request.input.into_messages(), "input", &settings, is_in_session)?;
    let turn = turn::start(&host, identity.clone(), &headers, asked, is_stored, prompt).await?;

    let session_id = turn.session_id().to_owned();
    let object = ResponseObject {
        id: session::response_id(&host.service, &identity, &session_id, turn.run_id()),
        created_at: turn::now(),
        model: settings.model.clone(),
        is_stored,
        previous_response_id: request.previous_response_id,
        conversation: request.conversation.map(request::Conversation::into_id),
        metadata: request.metadata.unwrap_or_default(),
    };
    let response = if request.stream.unwrap_or_default() {
        sse::streamed(turn, ResponseEvents::new(host, object))
    } else {
        let (texts, response) = turn::read(&host, turn).await?;
        let items = texts.into_iter().enumerate().map(|(at, text)| Item::new(&object.id, at, text)).collect::<Vec<_>>();
        Json(object.ended(&items, Ended::of(&response))).into_response()
    };
    Ok(if is_stored { turn::with_session(response, &session_id) } else { response })
}

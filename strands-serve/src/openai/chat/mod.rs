//! Chat Completions: `POST /v1/chat/completions`.

mod request;
mod stream;

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use http::HeaderMap;
use serde_json::json;
use strands_identity::Identity;

use self::request::ChatRequest;
use self::stream::ChatChunks;
use super::error::ApiError;
use super::session::{Asked, Names};
use super::stop::{chat_usage, finish_reason};
use super::{OpenAiSettings, conversation, turn};
use crate::http::json_body::JsonBody;
use crate::http::{HostState, sse};

pub(super) async fn create(
    State(host): State<HostState>,
    Extension(settings): Extension<Arc<OpenAiSettings>>,
    Extension(identity): Extension<Identity>,
    headers: HeaderMap,
    JsonBody(request): JsonBody<ChatRequest>,
) -> Result<Response, ApiError> {
    request.check(&settings)?;
    let names = Names { metadata: request.metadata.as_ref(), conversation: None, previous_response_id: None };
    let asked = Asked::find(&host.service, &identity, &settings, &headers, &names)?;
    let is_named = !matches!(asked, Asked::Nothing);
    let prompt = conversation::prompt(request.messages, "messages", &settings, is_named)?;
    let turn = turn::start(&host, identity, &headers, asked, false, prompt).await?;

    let session_id = turn.session_id().to_owned();
    let completion =
        Completion { id: format!("chatcmpl-{}", turn.run_id()), created: turn::now(), model: settings.model.clone() };
    let response = if request.stream.unwrap_or_default() {
        let with_usage = request.stream_options.and_then(|options| options.include_usage).unwrap_or_default();
        sse::streamed(turn, ChatChunks::new(host, completion, with_usage))
    } else {
        completion.read(&host, turn).await?
    };
    Ok(if is_named { turn::with_session(response, &session_id) } else { response })
}

/// Fields that all chunks of a completion have.
struct Completion {
    id: String,
    created: u64,
    model: String,
}

impl Completion {
    /// Returns the whole completion.
    async fn read(self, host: &HostState, turn: crate::Turn) -> Result<Response, ApiError> {
        let (texts, response) = turn::read(host, turn).await?;
        let Self { id, created, model } = self;
        Ok(Json(json!({
            "id": id,
            "object": "chat.completion",
            "created": created,
            "model": model,
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": texts.join("\n\n"), "refusal": null, "annotations": []},
                "logprobs": null,
                "finish_reason": finish_reason(&response.stop_reason),
                "stop_reason": response.stop_reason,
            }],
            "usage": chat_usage(&response.usage),
        }))
        .into_response())
    }
}

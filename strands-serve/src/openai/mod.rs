//! The HTTP interface of OpenAI for the service, so that existing chat front ends and SDKs are its clients.
//!
//! | request | response |
//! |---|---|
//! | `GET /v1/models`, `GET /v1/models/{id}` | the model: the name of the agent |
//! | `POST /v1/chat/completions` | Chat Completions, streaming and not |
//! | `POST /v1/responses` | Responses, streaming and not |
//!
//! [`HttpHost::openai`](crate::http::HttpHost::openai) adds it to the host, behind the same authentication: the API key of a client is
//! the bearer token. Errors have the shape of OpenAI.
//!
//! # An agent is not a model
//!
//! The agent has its own system prompt and tools, and its conversation is in a session on the server. So the requests mean less than
//! those to a model:
//!
//! - The **prompt** is the last message of the user, or several if they follow each other. Images, audio and files must be in the
//!   request, as data URLs or base64. URLs are not fetched: a client could make the server fetch what only the server can reach.
//! - **Tools** of the client are refused, since the agent would never call them. **Instructions** (system and developer messages) are
//!   ignored, since many front ends send some by default; they can be refused. See [`ClientInput`].
//! - **Sampling parameters** and limits of tokens are ignored. The program that serves the agent decides them. Parameters that change
//!   the shape of the response are refused: `n`, `logprobs`, `response_format`, `background`, and others.
//! - `user` is ignored. It is a claim of the client; the identity comes from the token.
//!
//! # Sessions
//!
//! A client names its conversation with the header `x-session-id` ([`OpenAiSettings::session_header`]), with `metadata.session_id`, or
//! with `conversation` of Responses. The name belongs to the identity: the same name of two users is two sessions. The id of a session
//! from the response header `x-session-id` is a name, too. The earlier messages in the request are then not read: the session has
//! them, with their tool calls, and a client can't change them.
//!
//! With `previous_response_id`, a request continues the session of that response, which must be its newest one. Sessions don't branch.
//!
//! A request **without a name** runs in a new session:
//!
//! - Responses keep it, so that `previous_response_id` continues it, unless `store` is false.
//! - Chat Completions delete it at the end of the turn, since the client resends everything with its next request. So nothing mixes
//!   conversations that begin alike, and editing, branching and regenerating in a front end work. A session whose name is derived from
//!   the first messages would mix them.
//!
//! Earlier messages of such a request can't be verified. They become a part of the user's message, quoted as JSON, and never messages
//! of the assistant: a client gains nothing by forging some that it could not say as the user. Messages of tools are refused.
//! Tool calls of earlier turns are lost to the agent in this mode; name the sessions if that matters.
//!
//! # Approvals
//!
//! If a turn is suspended, the response ends with a text that says what is waiting, with the finish reason `stop`. The session remains,
//! also one without a name, and is resumed by [`AgentService`](crate::AgentService) or the HTTP host. Until then, prompts in it are
//! refused with status 409. A "yes" in the chat approves nothing.
//!
//! # Responses
//!
//! The text is that of all model calls of the turn: in Chat Completions with an empty line between them, in Responses as one message
//! each. `stop_reason` has the agent's own reason beside `finish_reason`, which is `length` for each limit and for a cancelled turn.
//! The id of a completion is `chatcmpl-` and the id of the run. A client that closes the connection cancels the turn at once, unless
//! [`ServiceLimits::disconnect`](crate::ServiceLimits::disconnect) is to finish it.
//!
//! A model call that is retried after its first words can't take them back in Chat Completions: the new text follows after an empty
//! line. In Responses, `response.completed` has the final text.

mod approvals;
mod chat;
mod content;
mod conversation;
mod data_url;
mod error;
mod models;
mod responses;
mod session;
mod settings;
mod stop;
mod texts;
mod turn;

use std::sync::Arc;

use axum::middleware::{from_fn_with_state, map_response};
use axum::routing::{get, post};
use axum::{Extension, Router};
pub(crate) use session::HEADER as SESSION_HEADER;
pub use settings::{ClientInput, OpenAiSettings};

use crate::http::{HostState, authentication, problem};

/// Returns the routes, with the authentication of the host.
pub(crate) fn router(settings: OpenAiSettings, host: &HostState) -> Router<HostState> {
    Router::new()
        .route("/models", get(models::list))
        .route("/models/{id}", get(models::get))
        .route("/chat/completions", post(chat::create))
        .route("/responses", post(responses::create))
        .route_layer(from_fn_with_state(host.clone(), authentication::require))
        .layer(Extension(Arc::new(settings)))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(map_response(error::in_shape_of_openai))
}

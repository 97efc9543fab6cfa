//! An HTTP server that streams the events of an agent: no task and no channel. A client that goes away ends the model call.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::{Router, routing::post};
use futures_util::stream::{Stream, StreamExt};
use strands::AgentBuilder;

use crate::hook::User;

/// Routes `POST /ask`, which streams the events of a new agent as JSON.
pub fn routes(agents: AgentBuilder) -> Router {
    Router::new().route("/ask", post(ask)).with_state(agents)
}

async fn ask(
    State(agents): State<AgentBuilder>,
    headers: HeaderMap,
    prompt: String,
) -> Result<Sse<impl Stream<Item = Result<Event, axum::Error>>>, StatusCode> {
    let user = authenticated(&headers).ok_or(StatusCode::UNAUTHORIZED)?;
    let agent = agents.build().await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let events = agent.into_prompt(prompt).inject(user).stream();
    let events = events.map(|event| match event {
        Ok(event) => Event::default().json_data(&event),
        // As JSON, so that a line break in an error message can't begin an event.
        Err(error) => Event::default().event("failure").json_data(error.to_string()),
    });
    // Comments keep the connection open while a tool works silently.
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

/// Returns the user of a request, who may convert to dollars.
fn authenticated(headers: &HeaderMap) -> Option<User> {
    let name = headers.get("authorization")?.to_str().ok()?.strip_prefix("Bearer ")?;
    Some(User { name: name.to_owned(), tools: vec!["convert_to_usd".to_owned()] })
}

//! A server that streams the events of an agent: axum, server-sent events, and an agent for each request. When a client
//! disconnects, the model call and the tools are cancelled.
//!
//! ```text
//! $ cargo run -p quickstart --bin sse_server -- 127.0.0.1:3000
//! listening on http://127.0.0.1:3000
//! $ curl -N -d 'Read my notes' -H 'Authorization: Bearer ana' http://127.0.0.1:3000/ask
//! ```

use std::net::SocketAddr;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::{Router, routing::post};
use strands::{Agent, AgentBuilder, Stream, StreamExt, tool, tools};
use tokio::net::TcpListener;

/// The user of a request, from its token and never from the model.
struct User(String);

/// Reads the user's notes.
#[tool]
fn read_notes(user: &User) -> String {
    format!("{} has no notes", user.0)
}

/// Responds to a prompt with the events of a new agent.
async fn ask(
    State(template): State<AgentBuilder>,
    headers: HeaderMap,
    prompt: String,
) -> Result<Sse<impl Stream<Item = Result<Event, axum::Error>>>, StatusCode> {
    let user = authenticated(&headers).ok_or(StatusCode::UNAUTHORIZED)?;
    let agent = template.build().await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    // The stream owns its agent, so no task and no channel are needed.
    let events = agent.into_prompt(prompt).inject(user).stream();
    let events = events.map(|event| match event {
        Ok(event) => Event::default().json_data(&event),
        // As JSON, so that a line break in an error message can't start an event.
        Err(error) => Event::default().event("failure").json_data(error.to_string()),
    });
    // Comments keep the connection open while a tool runs without output.
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

fn authenticated(headers: &HeaderMap) -> Option<User> {
    let name = headers.get("authorization")?.to_str().ok()?.strip_prefix("Bearer ")?;
    Some(User(name.to_owned()))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let address: SocketAddr = std::env::args().nth(1).as_deref().unwrap_or("127.0.0.1:3000").parse()?;
    // Models and tools are shared by all requests; building an agent from the template does no I/O.
    let template =
        Agent::builder().model(quickstart::model().await?).tools(tools![ReadNotes]).injected_per_prompt::<User>();
    let routes = Router::new().route("/ask", post(ask)).with_state(template);

    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, routes).await?;
    Ok(())
}

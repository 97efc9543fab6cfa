//! A handler written by hand for one agent: axum, serde_json, and a loop around the model. It sends the same events as
//! the service. It has no limits, no buffer for readers that come back, no cancellation besides the drop of the connection, no
//! hooks, no tools, no metrics, and no lock on a session.

mod sessions;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use axum::routing::post;
use axum::{Json, Router};
use futures_util::{Stream, StreamExt as _, stream};
use serde::{Deserialize, Serialize};

use crate::answer::{Answer, now};
pub(crate) use sessions::Sessions;

#[derive(Deserialize)]
struct Body {
    prompt: String,
    session_id: Option<String>,
    #[serde(default)]
    new_session: bool,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Message {
    role: String,
    content: Vec<Block>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Block {
    text: String,
}

impl Message {
    fn new(role: &str, text: String) -> Self {
        Self { role: role.to_owned(), content: vec![Block { text }] }
    }
}

#[derive(Serialize)]
struct Usage {
    input_tokens: u32,
    output_tokens: u32,
    total_tokens: u32,
}

#[derive(Serialize)]
struct Response<'a> {
    text: &'a str,
    message: &'a Message,
    stop_reason: &'static str,
    usage: Usage,
    session_id: &'a str,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event<'a> {
    Start { version: u32, invocation_id: &'a str, agent_id: &'a str, agent_name: &'a str, session_id: &'a str },
    Message { message: &'a Message },
    CycleStart { cycle: u32 },
    TextDelta { text: &'a str },
    Result { response: Response<'a> },
}

/// A turn that runs: the session with its messages, and the text so far.
struct Turn {
    sessions: Sessions,
    session_id: String,
    invocation_id: String,
    messages: Vec<Message>,
    text: String,
}

pub(crate) fn router(sessions: &str) -> Router {
    let sessions = Sessions::new(sessions);
    Router::new().route("/prompt", post(prompt)).route("/prompt/stream", post(prompt_stream)).with_state(sessions)
}

async fn prompt(
    State(sessions): State<Sessions>,
    headers: HeaderMap,
    Json(body): Json<Body>,
) -> Result<Json<serde_json::Value>, StatusCode> {
    let (mut turn, answer) = Turn::start(sessions, &headers, body).await?;
    let mut texts = std::pin::pin!(answer.texts());
    while let Some(text) = texts.next().await {
        turn.text.push_str(&text);
    }
    let message = turn.end().await;
    Ok(Json(serde_json::to_value(turn.response(&message)).unwrap()))
}

async fn prompt_stream(
    State(sessions): State<Sessions>,
    headers: HeaderMap,
    Json(body): Json<Body>,
) -> Result<Sse<impl Stream<Item = Result<SseEvent, Infallible>>>, StatusCode> {
    let (turn, answer) = Turn::start(sessions, &headers, body).await?;
    let first = [
        Event::Start {
            version: 1,
            invocation_id: &turn.invocation_id,
            agent_id: "default",
            agent_name: "Strands Agents",
            session_id: &turn.session_id,
        },
        Event::Message { message: turn.messages.last().unwrap() },
        Event::CycleStart { cycle: 1 },
    ]
    .map(|event| encoded(&event));
    let texts: Pin<Box<dyn Stream<Item = String> + Send>> = Box::pin(answer.texts());
    let rest = stream::unfold(Some((turn, texts)), async |running| {
        let (mut turn, mut texts) = running?;
        match texts.next().await {
            Some(text) => {
                turn.text.push_str(&text);
                Some((vec![encoded(&Event::TextDelta { text: &text })], Some((turn, texts))))
            }
            None => {
                let message = turn.end().await;
                let events =
                    [Event::Message { message: &message }, Event::Result { response: turn.response(&message) }];
                Some((events.iter().map(encoded).collect(), None))
            }
        }
    });
    let events = stream::iter(first).chain(rest.flat_map(stream::iter));
    Ok(Sse::new(events.map(Ok)).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

fn encoded(event: &Event<'_>) -> SseEvent {
    SseEvent::default().data(serde_json::to_string(event).unwrap())
}

impl Turn {
    async fn start(sessions: Sessions, headers: &HeaderMap, body: Body) -> Result<(Self, Answer), StatusCode> {
        let user = headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let user = user.ok_or(StatusCode::UNAUTHORIZED)?;
        let invocation_id = format!("{user}.{:x}", now());
        let session_id = match body.session_id {
            Some(id) if id.strip_prefix(user).is_some_and(|rest| rest.starts_with('.')) => id,
            Some(_) => return Err(StatusCode::NOT_FOUND),
            None if body.new_session => invocation_id.clone(),
            None => format!("{user}.default"),
        };
        let mut messages = sessions.load(&session_id).await;
        let answer = Answer::to(&body.prompt);
        messages.push(Message::new("user", body.prompt));
        Ok((Self { sessions, session_id, invocation_id, messages, text: String::new() }, answer))
    }

    /// Writes the prompt and the response to the session, and returns the response.
    async fn end(&mut self) -> Arc<Message> {
        let message = Message::new("assistant", self.text.clone());
        let saved = self.messages.len() - 1;
        self.messages.push(message.clone());
        self.sessions.append(&self.session_id, saved, std::mem::take(&mut self.messages)).await;
        Arc::new(message)
    }

    fn response<'a>(&'a self, message: &'a Message) -> Response<'a> {
        let usage = Usage { input_tokens: 10, output_tokens: 5, total_tokens: 15 };
        Response { text: &self.text, message, stop_reason: "end_turn", usage, session_id: &self.session_id }
    }
}

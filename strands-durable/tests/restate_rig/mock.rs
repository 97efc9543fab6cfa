//! Model server of the rig, with the protocol of Chat Completions. It responds by the conversation, as a model does, gives random
//! ids to tool calls, and counts what is begun again although it was recorded. Tools report their starts to it as well.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::plan::{self, Plan};

/// Start of a tool.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ToolStart {
    pub(crate) session: String,
    pub(crate) id: String,
    /// Port of the worker.
    pub(crate) worker: u16,
}

/// Requests of one turn.
#[derive(Default)]
pub(crate) struct Seen {
    /// Number of requests for each response.
    pub(crate) model_calls: HashMap<u32, u32>,
    requests: u32,
}

#[derive(Default)]
pub(crate) struct Log {
    /// By session and one-based number of the turn.
    turns: HashMap<(String, usize), Seen>,
    /// Ids of calls whose results were recorded.
    pub(crate) recorded_results: HashSet<String>,
    /// Responses of first turns that the server has recorded, by session.
    pub(crate) recorded_responses: HashSet<(String, u32)>,
    /// Ports of the workers that have started tools.
    pub(crate) workers: HashSet<u16>,
    /// Number of starts of each tool call.
    pub(crate) tool_starts: HashMap<String, u32>,
    /// Effects that were begun again after they had been recorded.
    pub(crate) repeated: Vec<String>,
    /// Duration of a word, in milliseconds.
    pub(crate) pace: u64,
}

impl Log {
    /// Returns the requests of the first turn of a session.
    pub(crate) fn seen(&self, session: &str) -> &Seen {
        self.turns.get(&(session.to_owned(), 1)).unwrap_or_else(|| panic!("the model has seen nothing of {session}"))
    }

    pub(crate) fn total_model_calls(&self) -> u32 {
        self.turns.values().flat_map(|seen| seen.model_calls.values()).sum()
    }

    pub(crate) fn total_tool_starts(&self) -> u32 {
        self.tool_starts.values().sum()
    }
}

#[derive(Clone, Default)]
pub(crate) struct Mock(Arc<Mutex<Log>>);

impl Mock {
    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap()
    }

    /// Starts the server and returns its URL.
    pub(crate) async fn start(&self) -> String {
        let router = Router::new()
            .route("/v1/chat/completions", post(completion))
            .route("/tool", post(tool))
            .with_state(self.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        url
    }
}

async fn tool(State(mock): State<Mock>, Json(start): Json<ToolStart>) {
    let mut log = mock.log();
    *log.tool_starts.entry(start.id.clone()).or_default() += 1;
    log.workers.insert(start.worker);
    if log.recorded_results.contains(&start.id) {
        log.repeated.push(format!("tool {} of {}", start.id, start.session));
    }
}

/// The last prompt of a conversation, and what followed it.
struct Conversation {
    session: String,
    /// One-based number of the turn.
    turn: usize,
    plan: Plan,
    /// One-based number of the next response.
    response: u32,
    results: Vec<String>,
}

fn conversation(request: &Value) -> Conversation {
    let messages = request["messages"].as_array().unwrap();
    let is_prompt = |message: &&Value| message["role"] == "user";
    let at = messages.iter().rposition(|message| is_prompt(&message)).unwrap();
    let turn = messages.iter().filter(is_prompt).count();
    let content = &messages[at]["content"];
    let prompt = content.as_str().or_else(|| content[0]["text"].as_str()).unwrap();
    let later = &messages[at..];
    let results = later.iter().filter_map(|message| message["tool_call_id"].as_str());
    let responses = later.iter().filter(|message| message["role"] == "assistant").count();
    Conversation {
        session: prompt.split(' ').nth(1).unwrap().to_owned(),
        turn,
        plan: Plan::of(prompt),
        response: u32::try_from(responses).unwrap() + 1,
        results: results.map(str::to_owned).collect(),
    }
}

async fn completion(State(mock): State<Mock>, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap();
    let Conversation { session, turn, plan, response, results } = conversation(&request);
    let pace = {
        let mut log = mock.log();
        let pace = log.pace;
        log.recorded_results.extend(results);
        let is_recorded = turn == 1 && log.recorded_responses.contains(&(session.clone(), response));
        let seen = log.turns.entry((session.clone(), turn)).or_default();
        *seen.model_calls.entry(response).or_default() += 1;
        let newest = seen.model_calls.keys().max().copied().unwrap_or_default();
        seen.requests += 1;
        let requests = seen.requests;
        if newest > response || is_recorded {
            log.repeated.push(format!("model call {response} of {session}, after {newest}"));
        }
        let error = |text: &str| Json(json!({"error": {"message": text, "type": "error"}}));
        match plan {
            Plan::Throttled if requests <= 2 => {
                return (StatusCode::TOO_MANY_REQUESTS, error("slow down")).into_response();
            }
            Plan::Refused => return (StatusCode::UNAUTHORIZED, error("a bad key")).into_response(),
            Plan::Slow if response == 1 => 1_000,
            _ => pace,
        }
    };
    let events = events(&session, plan, response);
    let body = stream::unfold(events.into_iter(), move |mut events| async move {
        let event = events.next()?;
        if pace > 0 {
            tokio::time::sleep(Duration::from_millis(fastrand::u64(0..=2 * pace))).await;
        }
        Some((Ok::<_, Infallible>(event), events))
    });
    ([("content-type", "text/event-stream")], Body::from_stream(body)).into_response()
}

fn events(session: &str, plan: Plan, response: u32) -> Vec<String> {
    let chunk = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        let chunk =
            json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "mock", "choices": [choice]});
        format!("data: {chunk}\n\n")
    };
    let mut separator = "";
    let mut events = vec![chunk(json!({"role": "assistant", "content": ""}), Value::Null)];
    for word in plan::words(session, response) {
        events.push(chunk(json!({"content": format!("{separator}{word}")}), Value::Null));
        separator = " ";
    }
    let calls = plan.calls(response);
    for (index, call) in calls.iter().enumerate() {
        let arguments = json!({"session": session, "number": call.number}).to_string();
        let id = format!("call_{:016x}", fastrand::u64(..));
        let call = json!({"index": index, "id": id, "type": "function", "function": {"name": call.tool, "arguments": arguments}});
        events.push(chunk(json!({"tool_calls": [call]}), Value::Null));
    }
    events.push(chunk(json!({}), json!(if calls.is_empty() { "stop" } else { "tool_calls" })));
    events.push("data: [DONE]\n\n".to_owned());
    events
}

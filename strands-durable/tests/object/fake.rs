//! Ingress of Restate with objects whose turns do what their prompts say.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

/// State of a turn: `watch` returns it unless it is null.
type TurnState = watch::Sender<Value>;

#[derive(Default)]
pub(crate) struct Log {
    /// Requests that have started a turn: key of the object, and input.
    pub(crate) started: Vec<(String, Value)>,
    /// Ids of cancelled turns.
    pub(crate) cancelled: Vec<String>,
    /// Inputs of `answer`.
    pub(crate) responses: Vec<Value>,
    /// The same, of all turns so far.
    pub(crate) answers: Vec<Value>,
    /// Values of `authorization`.
    pub(crate) tokens: Vec<Option<String>>,
    /// Number of requests to fail with this status, without the headers of the ingress.
    pub(crate) broken: (u32, u16),
    /// Number of requests for the limits of a turn.
    pub(crate) granted: usize,
    /// True if `watch` can't be reached.
    pub(crate) is_cut_off: bool,
    is_watched: bool,
    turns: HashMap<String, (String, Arc<TurnState>)>,
}

#[derive(Clone)]
pub(crate) struct Fake {
    log: Arc<Mutex<Log>>,
    /// A permit for each acknowledgement of a turn that starts slowly.
    pub(crate) acknowledgements: Arc<Semaphore>,
    pub(crate) url: String,
}

impl Fake {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let fake = Self { log: Arc::default(), acknowledgements: Arc::new(Semaphore::new(0)), url };
        let router = Router::new().route("/restate/{kind}/{service}/{key}/{handler}", post(handle));
        let router = router.with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        fake
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap()
    }

    /// Returns the state of a turn.
    fn turn(&self, run_id: &str) -> Option<Arc<TurnState>> {
        self.log().turns.values().find(|(id, _)| id == run_id).map(|(_, turn)| Arc::clone(turn))
    }

    /// Lets a turn fail, as after responses of others.
    pub(crate) fn fail(&self, run_id: &str) {
        self.turn(run_id).unwrap().send_replace(failed());
    }

    /// Forgets a turn, as after the time for which the server knows its end.
    pub(crate) fn forget(&self, run_id: &str) {
        self.log().turns.retain(|_, (id, _)| id != run_id);
    }

    /// Waits until something is in the log.
    pub(crate) async fn until(&self, what: impl Fn(&Log) -> bool) {
        let waited = async {
            while !what(&self.log()) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waited).await.expect("not in time");
    }
}

type Target = (String, String, String, String);

async fn handle(
    State(fake): State<Fake>,
    Path((_, service, key, handler)): Path<Target>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let token = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    {
        let mut log = fake.log();
        log.tokens.push(token);
        let (left, status) = log.broken;
        if left > 0 {
            log.broken.0 -= 1;
            return StatusCode::from_u16(status).unwrap().into_response();
        }
    }
    if handler == "watch" && fake.log().is_cut_off {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if service != "Hotels" {
        let error = json!({"code": 404, "message": format!("service '{service}' not found"), "source": "ingress"});
        return (StatusCode::NOT_FOUND, [("x-restate-error-source", "ingress")], Json(error)).into_response();
    }
    let input: Value = serde_json::from_slice(&body).unwrap();
    let output = match &*handler {
        "stream" => return start(&fake, key, headers["idempotency-key"].to_str().unwrap(), input).await,
        "watch" => watch(&fake, &input).await,
        "answer" => answer(&fake, input),
        "granted" => {
            let mut log = fake.log();
            log.granted += 1;
            let number: usize = input["run_id"].as_str().unwrap().trim_start_matches("inv_").parse().unwrap();
            Ok(json!({"limits": log.started[number].1["limits"]}))
        }
        "cancel" => {
            let run_id = input["run_id"].as_str().unwrap().to_owned();
            match fake.turn(&run_id) {
                Some(turn) => {
                    fake.log().cancelled.push(run_id);
                    turn.send_replace(json!({"ended": response("", "cancelled", 0)}));
                    Ok(input)
                }
                None => Err((404, "the run is not one of this session".to_owned())),
            }
        }
        other => panic!("unknown handler {other}"),
    };
    match output {
        Ok(output) => ([("x-restate-id", "inv_handler")], Json(output)).into_response(),
        Err((status, message)) => {
            let headers = [("x-restate-id", "inv_handler"), ("x-restate-error-source", "invocation")];
            let error = json!({"code": status, "message": message, "source": "invocation"});
            (StatusCode::from_u16(status).unwrap(), headers, Json(error)).into_response()
        }
    }
}

fn response(text: &str, stop_reason: &str, turns: u32) -> Value {
    let content = if text.is_empty() { json!([]) } else { json!([{"text": text}]) };
    let usage = json!({"inputTokens": 10 * turns, "outputTokens": turns, "totalTokens": 11 * turns});
    json!({
        "text": text, "message": {"role": "assistant", "content": content}, "stop_reason": stop_reason, "usage": usage,
        "turns": turns, "metrics": {}, "session_id": "s", "run_id": "r",
    })
}

fn waiting(number: u32, refused: Option<&str>) -> Value {
    let interrupt = |id: &str| json!({"id": id, "name": "approval", "reason": {"call": id}});
    let usage = json!({"inputTokens": 10, "outputTokens": 1, "totalTokens": 11});
    let interrupts = [interrupt("a"), interrupt("b")];
    json!({"waiting": {"number": number, "interrupts": interrupts, "refused": refused, "usage": usage, "turns": 1}})
}

/// A turn that has failed after three model calls.
fn failed() -> Value {
    let usage = json!({"inputTokens": 30, "outputTokens": 3, "totalTokens": 33});
    json!({"failed": {"status": 504, "message": "a step took too long", "usage": usage, "turns": 3}})
}

async fn start(fake: &Fake, key: String, idempotency_key: &str, input: Value) -> Response {
    let prompt = input["prompt"][0]["text"].as_str().unwrap().to_owned();
    let (run_id, is_new) = {
        let mut log = fake.log();
        match log.turns.get(idempotency_key) {
            Some((run_id, _)) => (run_id.clone(), false),
            None => {
                let run_id = format!("inv_{}", log.turns.len());
                let mut ended = response(&format!("{prompt}, please"), "end_turn", 3);
                if input["output"]["name"].is_string() {
                    ended["output"] = json!({"euros": 420});
                }
                let state = match &*prompt {
                    "slow" | "starts slowly" => Value::Null,
                    "approve" => waiting(1, None),
                    "blocked" => json!("blocked"),
                    "fail after work" => failed(),
                    "fail" => json!({"failed": [502, "no model ".repeat(10_000)]}),
                    _ => json!({"ended": ended}),
                };
                let turn = (run_id.clone(), Arc::new(watch::Sender::new(state)));
                log.turns.insert(idempotency_key.to_owned(), turn);
                log.started.push((key, input));
                (run_id, true)
            }
        }
    };
    if prompt == "starts slowly" {
        fake.acknowledgements.acquire().await.unwrap().forget();
    }
    let status = if is_new { "Accepted" } else { "PreviouslyAccepted" };
    let accepted = json!({"invocationId": run_id, "status": status});
    (StatusCode::ACCEPTED, [("x-restate-id", run_id)], Json(accepted)).into_response()
}

async fn watch(fake: &Fake, input: &Value) -> Result<Value, (u16, String)> {
    let turn = fake.turn(input["run_id"].as_str().unwrap()).ok_or((404, "not found".to_owned()))?;
    // As that of a turn that has just been sent.
    if !std::mem::replace(&mut fake.log().is_watched, true) {
        return Ok(json!("queued"));
    }
    let mut states = turn.subscribe();
    let state = states.wait_for(|state| !state.is_null()).await.unwrap().clone();
    match state["failed"].as_array() {
        Some(failure) => Err((502, failure[1].as_str().unwrap().to_owned())),
        None => Ok(state),
    }
}

/// Both responses of `bob` end the turn; those of others are refused.
fn answer(fake: &Fake, input: Value) -> Result<Value, (u16, String)> {
    if input["metadata"]["user"] == "nobody" {
        return Err((400, "unknown user".to_owned()));
    }
    let mut log = fake.log();
    let (_, turn) = log.turns.values().next().cloned().unwrap();
    log.answers.push(input.clone());
    log.responses.push(input);
    let given: Vec<&Value> = log.responses.iter().collect();
    let has = |id: &str| given.iter().any(|given| given["responses"].to_string().contains(&format!("\"{id}\"")));
    if has("a") && has("b") {
        let number = turn.borrow()["waiting"]["number"].as_u64().unwrap();
        let user = given.last().unwrap()["metadata"]["user"].as_str().unwrap_or_default().to_owned();
        let state = match &*user {
            "bob" => json!({"ended": response("approved", "end_turn", 3)}),
            "breaker" => failed(),
            user => waiting(u32::try_from(number).unwrap() + 1, Some(&format!("{user} may not approve"))),
        };
        log.responses.clear();
        turn.send_replace(state);
    }
    Ok(json!({"run_id": "inv_0"}))
}

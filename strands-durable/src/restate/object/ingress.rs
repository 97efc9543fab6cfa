//! Requests to the ingress, repeated while the server can't be reached.
//!
//! The client is that of the SDK; its paths are described at <https://docs.restate.dev/services/invocation/http>.

use std::future::Future;
use std::time::Duration;

use hyper::{HeaderMap, StatusCode};
use restate_sdk::context::RequestTarget;
use restate_sdk::ingress::{CallResponse, Client, ClientError, Request};
use restate_sdk::serde::Json;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use strands_core::bytes::Bytes;
use tokio::time::Instant;

use super::super::messages::{RunReference, WaitingTurn, WatchedTurn};
use super::error::{ObjectErrorKind, bounded};
use super::exchange::{Exchange, ExchangeError};
use crate::{Answers, TurnRequest, TurnResponse};

/// Maximum time of a request that does not wait for a turn.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Delay before a failed request is repeated, which doubles with each failure in a row.
const FIRST_DELAY: Duration = Duration::from_millis(50);
const MAX_DELAY: Duration = Duration::from_secs(2);

/// Header of responses that are errors, and its value for those of the ingress itself.
const ERROR_SOURCE: &str = "x-restate-error-source";
const OF_INGRESS: &str = "ingress";

/// The handlers of the objects of a service, over the ingress.
pub(super) struct Ingress {
    pub(super) client: Client<Exchange>,
    pub(super) service: String,
    /// Time without a response after which a request fails.
    pub(super) reconnect_timeout: Duration,
}

/// A turn that has ended or waits.
pub(super) enum Watched {
    Ended(Box<TurnResponse>),
    Waiting(WaitingTurn),
}

/// Failure of one request.
struct Failure {
    kind: ObjectErrorKind,
    /// True if the same request may succeed later.
    is_transient: bool,
}

impl From<ObjectErrorKind> for Failure {
    fn from(kind: ObjectErrorKind) -> Self {
        Self { kind, is_transient: false }
    }
}

/// Error in the body of a response.
#[derive(Deserialize)]
struct ErrorBody {
    message: String,
}

impl Ingress {
    /// Starts a turn, or finds the one that was started with the same idempotency key. Returns the id of its run.
    pub(super) async fn start(
        &self,
        key: &str,
        idempotency_key: &str,
        turn: TurnRequest,
    ) -> Result<String, ObjectErrorKind> {
        let turn = json(&turn)?;
        self.repeated(|| async {
            let request = self.request(key, "stream", Json(turn.clone())).idempotency_key(idempotency_key);
            let sent = in_time(request.send()).await?.map_err(failure)?;
            Ok(sent.invocation_handle().invocation_id().clone())
        })
        .await
    }

    /// Waits until a turn ends, or waits for responses.
    pub(super) async fn watch(&self, key: &str, run_id: &str) -> Result<Watched, ObjectErrorKind> {
        let run = json(&RunReference::new(run_id))?;
        loop {
            let watched = self.repeated(|| async {
                let response = self.request(key, "watch", Json(run.clone())).call().await.map_err(failure)?;
                body(response)
            });
            match watched.await? {
                WatchedTurn::Ended(response) => return Ok(Watched::Ended(response)),
                WatchedTurn::Waiting(waiting) => return Ok(Watched::Waiting(waiting)),
                WatchedTurn::Queued => tokio::time::sleep(FIRST_DELAY).await,
            }
        }
    }

    /// Sends responses to interrupts. Returns false if some of them are to no pending interrupt.
    pub(super) async fn respond(&self, key: &str, responses: &Answers) -> Result<bool, ObjectErrorKind> {
        let responses = json(responses)?;
        let sent: Result<RunReference, ObjectErrorKind> = self
            .repeated(|| async {
                let request = self.request(key, "answer", Json(responses.clone()));
                body(in_time(request.call()).await?.map_err(failure)?)
            })
            .await;
        match sent {
            Ok(_) => Ok(true),
            Err(ObjectErrorKind::Failed { status: 404, .. }) => Ok(false),
            Err(ObjectErrorKind::Failed { status: 400, message }) => Err(ObjectErrorKind::Refused { reason: message }),
            Err(error) => Err(error),
        }
    }

    /// Cancels a turn.
    pub(super) async fn cancel(&self, key: &str, run_id: &str) -> Result<(), ObjectErrorKind> {
        let run = json(&RunReference::new(run_id))?;
        let cancelled: RunReference = self
            .repeated(|| async {
                body(in_time(self.request(key, "cancel", Json(run.clone())).call()).await?.map_err(failure)?)
            })
            .await?;
        drop(cancelled);
        Ok(())
    }

    fn request(&self, key: &str, handler: &str, input: Json<Value>) -> Request<Exchange, Json<Value>, Bytes> {
        let (name, key) = (self.service.clone(), key.to_owned());
        self.client.request(RequestTarget::Object { name, key, handler: handler.to_owned() }, input)
    }

    /// Repeats a request after failures that may pass, until there was no response for the reconnect timeout.
    async fn repeated<T, F>(&self, request: impl Fn() -> F) -> Result<T, ObjectErrorKind>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let mut delay = FIRST_DELAY;
        let mut failing: Option<Instant> = None;
        loop {
            let began = Instant::now();
            let Failure { kind, is_transient } = match request().await {
                Ok(response) => return Ok(response),
                Err(failure) => failure,
            };
            // A request that was cut off late had reached the server.
            if began.elapsed() > REQUEST_TIMEOUT {
                (failing, delay) = (None, FIRST_DELAY);
            }
            let since = *failing.get_or_insert(Instant::now());
            if !is_transient || since.elapsed() >= self.reconnect_timeout {
                return Err(kind);
            }
            tokio::time::sleep(delay.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            delay = delay.saturating_mul(2).min(MAX_DELAY);
        }
    }
}

async fn in_time<T>(request: impl Future<Output = T>) -> Result<T, Failure> {
    tokio::time::timeout(REQUEST_TIMEOUT, request).await.map_err(|_| {
        let reason = format!("no response within {REQUEST_TIMEOUT:?}");
        Failure { kind: ObjectErrorKind::Unreachable { reason }, is_transient: true }
    })
}

fn json<T: serde::Serialize>(value: &T) -> Result<Value, ObjectErrorKind> {
    serde_json::to_value(value).map_err(|_| ObjectErrorKind::Response { reason: "the request is no JSON".to_owned() })
}

/// Returns the output of a handler.
fn body<T: DeserializeOwned>(response: CallResponse<Exchange, Bytes>) -> Result<T, Failure> {
    let response = response.into_raw_http_response();
    if response.status() != StatusCode::OK {
        return Err(of_status(response.status(), response.headers(), response.body()));
    }
    serde_json::from_slice(response.body()).map_err(|error| {
        // The text of the error may quote the conversation.
        let reason = format!("no output of the handler, at line {} column {}", error.line(), error.column());
        ObjectErrorKind::Response { reason }.into()
    })
}

/// Returns the failure of a request that has no output.
fn failure(error: ClientError) -> Failure {
    match error {
        ClientError::Transport { source } => match source.downcast::<ExchangeError>().map(|error| *error) {
            Ok(ExchangeError::Token(source)) => ObjectErrorKind::Token(source).into(),
            Ok(error @ (ExchangeError::InvalidToken | ExchangeError::TooLarge)) => {
                ObjectErrorKind::Response { reason: error.to_string() }.into()
            }
            Ok(ExchangeError::Connection(reason)) => {
                Failure { kind: ObjectErrorKind::Unreachable { reason: bounded(reason) }, is_transient: true }
            }
            Err(_) => ObjectErrorKind::Response { reason: "the exchange failed".to_owned() }.into(),
        },
        error => match error.into_response() {
            Some(response) => of_status(response.status(), response.headers(), response.body()),
            None => ObjectErrorKind::Response { reason: "the request can't be sent".to_owned() }.into(),
        },
    }
}

/// Returns the failure for a status: that of a handler, or of the ingress and what is before it, which may pass.
fn of_status(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
    let message = match serde_json::from_slice::<ErrorBody>(body) {
        Ok(error) => error.message,
        Err(_) => String::from_utf8_lossy(body.get(..body.len().min(4096)).unwrap_or_default()).into_owned(),
    };
    let (code, message) = (status.as_u16(), bounded(message));
    let is_of_handler = headers.get(ERROR_SOURCE).is_some_and(|source| source != OF_INGRESS);
    if is_of_handler {
        return ObjectErrorKind::Failed { status: code, message }.into();
    }
    let is_transient = status.is_server_error() || [408, 425, 429].contains(&code);
    Failure { kind: ObjectErrorKind::Rejected { status: code, message }, is_transient }
}

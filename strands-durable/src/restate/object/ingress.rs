//! Requests to the handlers of objects, over the ingress.
//!
//! The client is that of the SDK; its paths are described at <https://docs.restate.dev/services/invocation/http>.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::{HeaderMap, StatusCode};
use restate_sdk::context::RequestTarget;
use restate_sdk::ingress::{CallResponse, Client, ClientError, Request, SendStatus};
use restate_sdk::serde::Json;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use strands_core::Limits;
use strands_core::bytes::Bytes;

use super::super::messages::{AnswerInput, FailedTurn, GrantedLimits, RunReference, WaitingTurn, WatchedTurn};
use super::error::{ObjectErrorKind, bounded};
use super::exchange::{Exchange, ExchangeError};
use super::repetition::{self, FIRST_DELAY, Failure};
use crate::{TurnRequest, TurnResponse};

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

/// Time for which a cancellation is repeated: longer than other requests, since the turn may have no other caller.
pub(super) const CANCEL_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// A turn that the server has accepted.
#[derive(Clone)]
pub(super) struct Started {
    pub(super) run_id: String,
    /// True if an earlier request has started it.
    pub(super) was_found: bool,
}

/// Failure to start a turn.
pub(super) struct NotStarted {
    pub(super) kind: ObjectErrorKind,
    /// True if the server may have the request nevertheless.
    pub(super) may_run: bool,
}

/// A turn that has ended or waits.
pub(super) enum Watched {
    Ended(Box<TurnResponse>),
    /// Its usage is zero if the object does not know it.
    Failed(FailedTurn),
    Waiting(WaitingTurn),
    /// It is queued behind another turn, which waits for responses to interrupts.
    Blocked,
}

/// Error in the body of a response.
#[derive(Deserialize)]
struct ErrorBody {
    message: String,
}

impl Ingress {
    /// Starts a turn, or finds the one that was started with the same idempotency key.
    pub(super) async fn start(
        &self,
        key: &str,
        idempotency_key: &str,
        turn: TurnRequest,
    ) -> Result<Started, NotStarted> {
        let turn = json(&turn).map_err(|kind| NotStarted { kind, may_run: false })?;
        // A request without a response may have arrived, unless it is known that it has not left.
        let may_run = AtomicBool::new(false);
        let started = repetition::brief(self.reconnect_timeout, || async {
            let request = self.request(key, "stream", Json(turn.clone())).idempotency_key(idempotency_key);
            let before = may_run.swap(true, Ordering::Relaxed);
            let sent = request.send().await.map_err(|error| {
                let failure = failure(error);
                may_run.store(before || failure.may_have_arrived, Ordering::Relaxed);
                failure
            })?;
            let run_id = sent.invocation_handle().invocation_id().clone();
            Ok(Started { run_id, was_found: sent.send_status() == SendStatus::PreviouslyAccepted })
        });
        started.await.map_err(|kind| NotStarted { kind, may_run: may_run.into_inner() })
    }

    /// Returns the limits that a running turn was started with. `None` if it has none, or is not running.
    pub(super) async fn granted(&self, key: &str, run_id: &str) -> Result<Option<Limits>, ObjectErrorKind> {
        let run = json(&RunReference::new(run_id))?;
        let granted = repetition::brief(self.reconnect_timeout, || async {
            body(self.request(key, "granted", Json(run.clone())).call().await.map_err(failure)?)
        });
        granted.await.map(|GrantedLimits { limits }| limits)
    }

    /// Waits until a turn ends, or waits for responses.
    pub(super) async fn watch(&self, key: &str, run_id: &str) -> Result<Watched, ObjectErrorKind> {
        let run = json(&RunReference::new(run_id))?;
        let mut was_blocked = false;
        loop {
            let watched = repetition::waiting(self.reconnect_timeout, || async {
                let response = self.request(key, "watch", Json(run.clone())).call().await.map_err(failure)?;
                body(response)
            });
            let is_blocked = match watched.await {
                Ok(WatchedTurn::Ended(response)) => return Ok(Watched::Ended(response)),
                Ok(WatchedTurn::Failed(failed)) => return Ok(Watched::Failed(failed)),
                Ok(WatchedTurn::Waiting(waiting)) => return Ok(Watched::Waiting(waiting)),
                // The first time, the other one may just have its responses.
                Ok(WatchedTurn::Blocked) if was_blocked => return Ok(Watched::Blocked),
                Ok(WatchedTurn::Blocked) => true,
                Ok(WatchedTurn::Queued) => false,
                Err(ObjectErrorKind::Failed { status, message }) => {
                    return Ok(Watched::Failed(FailedTurn { status, message, ..FailedTurn::default() }));
                }
                Err(kind) => return Err(kind),
            };
            was_blocked = is_blocked;
            tokio::time::sleep(FIRST_DELAY).await;
        }
    }

    /// Sends responses to interrupts. Returns false if some of them are to no pending interrupt.
    pub(super) async fn respond(&self, key: &str, responses: &AnswerInput) -> Result<bool, ObjectErrorKind> {
        let responses = json(responses)?;
        let sent = repetition::brief(self.reconnect_timeout, || async {
            body(self.request(key, "answer", Json(responses.clone())).call().await.map_err(failure)?)
        });
        match sent.await {
            Ok(RunReference { .. }) => Ok(true),
            Err(ObjectErrorKind::Failed { status: 404, .. }) => Ok(false),
            Err(ObjectErrorKind::Failed { status: 400, message }) => Err(ObjectErrorKind::Refused { reason: message }),
            Err(error) => Err(error),
        }
    }

    /// Cancels a turn. The request is repeated for this time.
    pub(super) async fn cancel(&self, key: &str, run_id: &str, timeout: Duration) -> Result<(), ObjectErrorKind> {
        let run = json(&RunReference::new(run_id))?;
        let cancelled = repetition::brief(timeout, || async {
            body(self.request(key, "cancel", Json(run.clone())).call().await.map_err(failure)?)
        });
        cancelled.await.map(|RunReference { .. }| ())
    }

    fn request(&self, key: &str, handler: &str, input: Json<Value>) -> Request<Exchange, Json<Value>, Bytes> {
        let (name, key) = (self.service.clone(), key.to_owned());
        self.client.request(RequestTarget::Object { name, key, handler: handler.to_owned() }, input)
    }
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
            Ok(error @ ExchangeError::InvalidToken) => ObjectErrorKind::Response { reason: error.to_string() }.into(),
            Ok(error @ ExchangeError::TooLarge) => {
                Failure { may_have_arrived: true, ..ObjectErrorKind::Response { reason: error.to_string() }.into() }
            }
            Ok(ExchangeError::Connection { reason, was_connected }) => Failure {
                kind: ObjectErrorKind::Unreachable { reason: bounded(reason) },
                is_transient: true,
                may_have_arrived: was_connected,
            },
            Err(_) => Failure {
                may_have_arrived: true,
                ..ObjectErrorKind::Response { reason: "the exchange failed".to_owned() }.into()
            },
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
    // A proxy may have passed it on, and lost the response.
    let may_have_arrived = [502, 504].contains(&code);
    Failure { kind: ObjectErrorKind::Rejected { status: code, message }, is_transient, may_have_arrived }
}

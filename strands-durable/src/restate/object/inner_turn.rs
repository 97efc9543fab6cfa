//! The turn of an object that a request waits for. It is cancelled with the request.

use std::future::ready;
use std::sync::Arc;

use strands_core::{BoxFuture, CancellationToken};
use tokio::runtime::Handle;

use super::error::ObjectErrorKind;
use super::ingress::{CANCEL_TIMEOUT, Ingress, NotStarted, Started};
use crate::TurnRequest;

type Starting = BoxFuture<'static, Result<Started, NotStarted>>;

/// A turn of an object.
pub(super) struct InnerTurn {
    ingress: Arc<Ingress>,
    pub(super) key: String,
    state: State,
    cancellation: CancellationToken,
    /// True if a dropped request is made again with the same key.
    is_durable: bool,
}

enum State {
    /// Nothing was sent.
    New(Starting),
    /// The server may have the request.
    Starting(Starting),
    Running(String),
    /// It has ended, or waits for responses.
    Released,
}

impl InnerTurn {
    /// Creates a turn that is started when its id is requested.
    pub(super) fn starting(
        ingress: &Arc<Ingress>,
        key: String,
        idempotency_key: String,
        turn: TurnRequest,
        cancellation: CancellationToken,
        is_durable: bool,
    ) -> Self {
        let (of, object) = (Arc::clone(ingress), key.clone());
        let starting: Starting = Box::pin(async move { of.start(&object, &idempotency_key, turn).await });
        Self { ingress: Arc::clone(ingress), key, state: State::New(starting), cancellation, is_durable }
    }

    /// Creates a turn that was started by an earlier request.
    pub(super) fn running(
        ingress: &Arc<Ingress>,
        key: String,
        run_id: String,
        cancellation: CancellationToken,
        is_durable: bool,
    ) -> Self {
        Self { ingress: Arc::clone(ingress), key, state: State::Running(run_id), cancellation, is_durable }
    }

    /// Returns true if the server can't have the request.
    pub(super) fn is_new(&self) -> bool {
        matches!(self.state, State::New(_))
    }

    /// Starts the turn if it is not running, and returns its run.
    pub(super) async fn started(&mut self) -> Result<Started, NotStarted> {
        self.state = match std::mem::replace(&mut self.state, State::Released) {
            State::New(starting) => State::Starting(starting),
            state => state,
        };
        let started = match &mut self.state {
            State::New(starting) | State::Starting(starting) => starting.await,
            State::Running(run_id) => return Ok(Started { run_id: run_id.clone(), was_found: false }),
            State::Released => {
                let kind = ObjectErrorKind::Response { reason: "the turn is over".to_owned() };
                return Err(NotStarted { kind, may_run: false });
            }
        };
        self.state = match &started {
            Ok(started) => State::Running(started.run_id.clone()),
            Err(_) => State::Released,
        };
        started
    }

    /// Lets the turn continue without the request.
    pub(super) fn release(&mut self) {
        self.state = State::Released;
    }

    /// Cancels the turn in the background, so that the request ends at once.
    pub(super) fn cancel(&mut self) {
        let started: Starting = match std::mem::replace(&mut self.state, State::Released) {
            State::Starting(starting) => starting,
            State::Running(run_id) => Box::pin(ready(Ok(Started { run_id, was_found: false }))),
            State::New(_) | State::Released => return,
        };
        let (ingress, key) = (Arc::clone(&self.ingress), self.key.clone());
        let timeout = CANCEL_TIMEOUT.max(ingress.reconnect_timeout);
        let cancel = async move {
            let Started { run_id, .. } = started.await.map_err(|NotStarted { kind, .. }| kind)?;
            ingress.cancel(&key, &run_id, timeout).await
        };
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move {
            match tokio::time::timeout(CANCEL_TIMEOUT, cancel).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the turn of an object was not cancelled"),
                Err(_) => tracing::warn!("the turn of an object was not cancelled in time"),
            }
        });
    }
}

impl Drop for InnerTurn {
    fn drop(&mut self) {
        let is_abandoned = !self.is_durable || self.cancellation.is_cancelled();
        if is_abandoned && !matches!(self.state, State::Released) {
            self.cancel();
        }
    }
}

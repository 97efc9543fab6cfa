//! Events of a running turn, for readers that see it live. They are not durable.

use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use strands_core::{AgentEvent, Interrupt};

use crate::{TurnFailure, TurnResponse};

/// Publisher of the events of turns, such as a message broker that readers subscribe to. Closures are publishers.
pub trait EventPublisher: Send + Sync + 'static {
    /// Publishes an event. It must not block, since the turn waits for it: put the event into a bounded queue, and drop it
    /// if the queue is full.
    fn publish(&self, event: TurnEvent);
}

impl<F: Fn(TurnEvent) + Send + Sync + 'static> EventPublisher for F {
    fn publish(&self, event: TurnEvent) {
        self(event);
    }
}

/// An event of a running turn.
///
/// A turn has a new attempt after each crash, and after each wait for which the engine has suspended it. Each attempt publishes
/// the turn from its beginning, with `sequence` 0, 1, 2 and so on: recorded steps as messages without deltas, then what is
/// live. Its first event, [`AttemptStart`](TurnEventKind::AttemptStart), takes back all events of earlier attempts. So a reader
/// - clears what it shows of the run when it sees `attempt_start`,
/// - ignores events of attempts with a smaller id than the newest one,
/// - knows by a gap in `sequence` that it has missed events, and by the next `message` event what the text is.
///
/// JSON: `{"run_id", "session_id", "attempt", "sequence", "replayed", "type", ..}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TurnEvent {
    /// Id of the run.
    pub run_id: Arc<str>,
    /// Id of the session.
    pub session_id: Arc<str>,
    /// Id of the attempt. A later attempt has a greater one, as text: it begins with the time, by the clock of its worker. Clocks
    /// of workers must not differ by more than the delay before an attempt is repeated.
    pub attempt: Arc<str>,
    /// Zero-based number of the event in its attempt.
    pub sequence: u64,
    /// True if it is of a step that an earlier attempt has performed.
    pub replayed: bool,
    /// The event.
    #[serde(flatten)]
    pub kind: TurnEventKind,
}

/// Kind of a [`TurnEvent`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum TurnEventKind {
    /// An attempt starts. All events of earlier attempts of the run are void.
    AttemptStart,
    /// An event of the agent.
    Agent {
        /// The event.
        event: Box<AgentEvent>,
    },
    /// The turn waits for responses to interrupts.
    Waiting {
        /// The interrupts.
        interrupts: Vec<Interrupt>,
        /// Reason for which the last responses to them were refused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refused: Option<String>,
    },
    /// The turn has ended with a response. The last event.
    End {
        /// The response.
        response: Box<TurnResponse>,
    },
    /// The turn has failed. The last event.
    Failed {
        /// The failure.
        failure: TurnFailure,
    },
}

/// Publishes the events of one attempt.
pub(super) struct Attempt<'p> {
    publisher: &'p dyn EventPublisher,
    run_id: Arc<str>,
    session_id: Arc<str>,
    attempt: Arc<str>,
    sequence: u64,
}

impl<'p> Attempt<'p> {
    pub(super) fn start(publisher: &'p dyn EventPublisher, run_id: &str, session_id: &str) -> Self {
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let attempt = format!("{:012x}-{:016x}", time.as_millis(), fastrand::u64(..));
        let mut attempt = Self {
            publisher,
            run_id: run_id.into(),
            session_id: session_id.into(),
            attempt: attempt.into(),
            sequence: 0,
        };
        attempt.publish(TurnEventKind::AttemptStart, false);
        attempt
    }

    pub(super) fn publish(&mut self, kind: TurnEventKind, replayed: bool) {
        let sequence = self.sequence;
        self.sequence += 1;
        self.publisher.publish(TurnEvent {
            run_id: Arc::clone(&self.run_id),
            session_id: Arc::clone(&self.session_id),
            attempt: Arc::clone(&self.attempt),
            sequence,
            replayed,
            kind,
        });
    }
}

//! Readers of a stream. Each checks that it gets every event once, in order.

use std::time::Duration;

use crate::answer::{Answer, now};
use crate::client::{Connection, Event, Events, field};
use crate::server::Side;

/// Received bytes that the system buffers for a slow reader.
const SMALL_BUFFER: u32 = 8 * 1024;
/// Events after which a slow reader stops, and its pause.
const EAGER: u64 = 20;
const PAUSE: Duration = Duration::from_secs(5);
/// Events after which a reader leaves, each time.
const PATIENCE: u64 = 40;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Reads each event as soon as it is there.
    Plain,
    /// Pauses for longer than the service waits for a slow reader.
    Slow,
    /// Loses its connection several times, and comes back.
    Returning,
    /// Loses its connection, and never comes back.
    Gone,
}

impl Kind {
    /// Of 20 readers one is slow, two return, and one is gone.
    pub(super) fn of(number: usize) -> Self {
        match number % 20 {
            0 => Self::Slow,
            5 | 10 => Self::Returning,
            15 => Self::Gone,
            _ => Self::Plain,
        }
    }
}

/// Counts of a reader.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) events: u64,
    pub(super) returns: u64,
    /// Times that the service dropped it for slowness.
    pub(super) dropped: u64,
    pub(super) latencies: Vec<u32>,
    /// Index of the next delta, and their number.
    next: u32,
    expected: u32,
    last: Option<(String, u64)>,
    has_result: bool,
}

/// Reads a stream to its end.
pub(super) async fn read(side: Side, port: u16, user: String, kind: Kind, answer: Answer) -> Seen {
    let buffer = (kind == Kind::Slow).then_some(SMALL_BUFFER);
    let mut seen = Seen { expected: answer.deltas, ..Seen::default() };
    let mut connection = Connection::open(port, &user, buffer).await;
    let mut events = Events::new(connection.post("/prompt/stream", &answer.prompt(), None).await);
    let mut left = 0;
    loop {
        let event = events.next().await;
        if event.as_ref().is_some_and(|event| !event.is_error) {
            seen.add(&event.unwrap());
            if kind == Kind::Slow && seen.events == EAGER {
                tokio::time::sleep(PAUSE).await;
            }
            let leaves = matches!(kind, Kind::Returning | Kind::Gone) && seen.events == PATIENCE * (left + 1);
            if !leaves || seen.has_result {
                continue;
            }
            left += 1;
        } else if let Some(error) = event {
            assert_eq!(field(&error.data, "code"), Some("slow_reader"), "{}", String::from_utf8_lossy(&error.data));
            seen.dropped += 1;
        } else if seen.has_result {
            assert_eq!(seen.next, seen.expected, "deltas");
            return seen;
        } else {
            panic!("the stream of a reader ({kind:?}) broke off after {} events", seen.events);
        }
        drop((events, connection));
        if kind == Kind::Gone {
            return seen;
        }
        // It is away for longer each time.
        tokio::time::sleep(Duration::from_millis(150 * left)).await;
        connection = Connection::open(port, &user, buffer).await;
        events = Events::new(seen.come_back(side, &mut connection, answer).await);
        seen.returns += 1;
    }
}

impl Seen {
    async fn come_back(
        &mut self,
        side: Side,
        connection: &mut Connection,
        answer: Answer,
    ) -> axum::http::Response<hyper::body::Incoming> {
        match (side, &self.last) {
            (Side::Service, Some((run, seq))) => connection.events_after(run, &format!("{run}:{seq}")).await,
            // The hand-written handler has nothing to come back to: it responds again, with the rest.
            _ => {
                self.expected -= self.next;
                self.next = 0;
                let rest = Answer { deltas: self.expected, ..answer };
                connection.post("/prompt/stream", &rest.prompt(), None).await
            }
        }
    }

    fn add(&mut self, event: &Event) {
        assert!(!self.has_result, "an event after the result");
        self.events += 1;
        if let Some((run, seq)) = event.id.as_deref().and_then(|id| id.rsplit_once(':')) {
            let seq = seq.parse().unwrap();
            if let Some((last_run, last)) = &self.last {
                assert_eq!((run, seq), (last_run.as_str(), last + 1), "numbers of events");
            }
            self.last = Some((run.to_owned(), seq));
        }
        if event.is("text_delta") {
            let text = field(&event.data, "text").unwrap();
            let (index, rest) = text.split_once(':').unwrap();
            let (sent, _) = rest.split_once(':').unwrap();
            assert_eq!(index.parse::<u32>().unwrap(), self.next, "deltas in order");
            self.next += 1;
            self.latencies.push(u32::try_from(now().saturating_sub(sent.parse().unwrap())).unwrap());
        }
        self.has_result = event.is("result");
    }
}

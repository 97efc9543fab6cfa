//! Runs: the work of turns, with bounded buffers of events for their readers.

mod buffer;
mod ending;
mod event_size;
mod inline;
mod overdue;
mod reader;
mod registry;

use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt as _;
use strands_core::{AgentEvent, AgentResponse, AgentStream, CancellationToken};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};

use buffer::Buffer;
pub(crate) use ending::Ending;
use event_size::size_of_event;
use inline::InlineWork;
pub(crate) use inline::Work;
pub use reader::Turn;
pub(crate) use registry::Runs;

use crate::service::{Disconnect, ServiceLimits, TurnError};

/// Events that a run records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recording {
    Events,
    Response,
}

/// Numbers of events that are made from sessions are larger than all others.
const FIRST_STORED: u64 = 1 << 52;

/// An event of a run, with its sequence number.
pub struct RunEvent {
    seq: u64,
    event: AgentEvent,
    /// Size in memory, about.
    size: usize,
}

impl RunEvent {
    /// Creates the event with the response of a run, as its session has it: after `messages` messages.
    #[cfg(feature = "http")]
    pub(crate) fn stored(response: AgentResponse, messages: usize) -> Self {
        let number = FIRST_STORED.saturating_add(u64::try_from(messages).unwrap_or_default());
        Self::new(number, AgentEvent::Result { response: Box::new(response) })
    }

    fn new(seq: u64, event: AgentEvent) -> Self {
        let size = size_of_event(&event);
        Self { seq, event, size }
    }

    /// Returns the sequence number: it grows with each event of the run.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Returns the event.
    pub fn event(&self) -> &AgentEvent {
        &self.event
    }

    /// Returns the JSON of the event, without line breaks. It is not stored: each call writes it.
    pub fn json(&self) -> String {
        // The JSON of an event has only maps with texts as keys, so it can be written.
        serde_json::to_string(&self.event).unwrap_or_default()
    }

    /// Returns the size of the event in memory, about.
    #[cfg(feature = "http")]
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Appends the JSON of the event, without line breaks.
    #[cfg(feature = "http")]
    pub(crate) fn write_json(&self, bytes: &mut Vec<u8>) {
        // As for `json`.
        let _ = serde_json::to_writer(bytes, &self.event);
    }
}

impl fmt::Debug for RunEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunEvent").field("seq", &self.seq).field("event", &self.event).finish_non_exhaustive()
    }
}

/// End of a run.
pub(crate) type Outcome = Result<Arc<AgentResponse>, TurnError>;

/// One turn: its events so far, its readers, and its end.
pub(crate) struct Run {
    id: String,
    session_id: String,
    /// Key of the user that may read and cancel it.
    user: String,
    cancellation: CancellationToken,
    disconnect: Disconnect,
    lag_bytes: usize,
    slow_reader_timeout: Duration,
    state: Mutex<State>,
    /// Work that the first reader polls, if no task has it from the start.
    inline: OnceLock<InlineWork>,
    /// Runtime of the invocation.
    runtime: Handle,
    /// Number of readers.
    reader_count: watch::Sender<usize>,
    /// Notified when a reader has read, or is gone.
    read: Notify,
}

struct State {
    buffer: Buffer,
    readers: Vec<Position>,
    next_reader: u64,
    outcome: Option<Outcome>,
}

/// Position of a reader.
struct Position {
    /// Id of the reader.
    reader: u64,
    /// Size of the events that it has not read yet.
    lag: usize,
    /// Number of the next event that it takes. `u64::MAX` if it takes none: it waits for the end.
    next: u64,
    /// Woken by changes: new events, the end, or the drop of this reader. A reader that polls the run's work has none.
    waker: Option<Waker>,
}

impl State {
    /// Changes the position of a reader. One that was dropped for slowness waits for the end alone.
    fn change_position(&mut self, reader: u64, change: impl FnOnce(&mut Position)) {
        match self.readers.iter_mut().find(|position| position.reader == reader) {
            Some(position) => change(position),
            None => {
                let mut position = Position::at_end(reader);
                change(&mut position);
                self.readers.push(position);
            }
        }
    }
}

impl Position {
    fn new(reader: u64, lag: usize, next: u64) -> Self {
        Self { reader, lag, next, waker: None }
    }

    /// Position of a reader that waits for the end alone.
    fn at_end(reader: u64) -> Self {
        Self::new(reader, 0, u64::MAX)
    }

    /// Wakes the reader at the next change.
    fn wait(&mut self, cx: &Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => self.waker = Some(cx.waker().clone()),
        }
    }

    /// Lets the reader wait for the end alone, so that the run does not wait for it.
    fn skip(&mut self) {
        (self.lag, self.next) = (0, u64::MAX);
    }
}

impl Run {
    pub(crate) fn new(
        id: String,
        session_id: String,
        user: String,
        cancellation: CancellationToken,
        disconnect: Disconnect,
        limits: &ServiceLimits,
    ) -> Self {
        // A run that is resumed continues with larger numbers, in whichever process.
        let first = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        Self {
            id,
            session_id,
            user,
            cancellation,
            disconnect,
            lag_bytes: limits.reader_lag_bytes,
            slow_reader_timeout: limits.slow_reader_timeout,
            state: Mutex::new(State {
                buffer: Buffer::new(u64::try_from(first).unwrap_or_default(), limits.buffer_bytes),
                readers: Vec::new(),
                next_reader: 0,
                outcome: None,
            }),
            inline: OnceLock::new(),
            runtime: Handle::current(),
            reader_count: watch::Sender::new(0),
            read: Notify::new(),
        }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn session_id(&self) -> &str {
        &self.session_id
    }

    pub(crate) fn cancel(&self) {
        self.cancellation.cancel();
        // The connection of the reader may be full.
        self.release();
    }

    /// Moves the work to a task, if the reader has it.
    fn release(&self) {
        if let Some(inline) = self.inline.get() {
            inline.release();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is complete before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_ended(&self) -> bool {
        self.state().outcome.is_some()
    }

    /// Reads the events of an invocation into the buffer, until its result, which [`Ending`] adds: a client that reads it may send
    /// the next prompt at once.
    pub(crate) async fn record(self: &Arc<Self>, events: AgentStream<'_>) -> Outcome {
        let mut events = pin!(events);
        while let Some(event) = events.next().await {
            let is_reader_slow = match event.map_err(TurnError::agent)? {
                AgentEvent::Result { response } => return Ok(Arc::from(response)),
                event => self.push(event),
            };
            if is_reader_slow {
                self.wait_for_readers().await;
            }
        }
        Err(TurnError::Aborted)
    }

    /// Cancels the invocation unless a reader comes back within the time of [`Disconnect::CancelAfter`]. It is a task, since the
    /// work would poll a timer with each event.
    fn cancel_if_abandoned(self: &Arc<Self>) {
        let Disconnect::CancelAfter(time) = self.disconnect else { return };
        // The task does not keep the memory of an ended run.
        let (run, mut count) = (Arc::downgrade(self), self.reader_count.subscribe());
        self.runtime.spawn(async move {
            let is_abandoned = tokio::time::timeout(time, count.wait_for(|count| *count > 0)).await.is_err();
            if let Some(run) = run.upgrade().filter(|_| is_abandoned) {
                run.cancel();
            }
        });
    }

    /// Adds an event, and returns true if a reader lags too far behind.
    fn push(&self, event: AgentEvent) -> bool {
        let size = size_of_event(&event);
        let mut state = self.state();
        let State { buffer, readers, .. } = &mut *state;
        // Bounded by the size by which a reader may lag, and one event.
        let unread = readers.iter().map(|position| position.next).min().unwrap_or(u64::MAX);
        buffer.push(event, size, unread);
        readers.iter_mut().filter(|position| position.next < u64::MAX).for_each(|position| position.lag += size);
        let is_reader_slow = self.is_slow(readers);
        Self::wake(state);
        is_reader_slow
    }

    /// Changes the readers.
    fn change_readers<T>(self: &Arc<Self>, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state();
        let changed = change(&mut state);
        let count = state.readers.len();
        // While the state is locked, so that counts are not reordered.
        let is_last = self.reader_count.send_replace(count) > 0 && count == 0;
        let is_abandoned = is_last && state.outcome.is_none();
        drop(state);
        if is_abandoned {
            self.cancel_if_abandoned();
        }
        changed
    }

    /// Wakes the readers, after the state is unlocked.
    fn wake(mut state: MutexGuard<'_, State>) {
        let mut wakers = state.readers.iter_mut().filter_map(|position| position.waker.take());
        let first = wakers.next();
        let others: Vec<Waker> = wakers.collect();
        drop(state);
        first.into_iter().chain(others).for_each(Waker::wake);
    }

    /// Waits while a reader lags too far behind. Readers that lag for too long are dropped.
    async fn wait_for_readers(self: &Arc<Self>) {
        let caught_up = async {
            while self.is_slow(&self.state().readers) {
                self.read.notified().await;
            }
        };
        tokio::select! {
            () = caught_up => {}
            () = self.cancellation.cancelled() => {}
            () = tokio::time::sleep(self.slow_reader_timeout) => {
                let is_fast = |position: &Position| position.lag <= self.lag_bytes;
                let slow: Vec<Position> = self.change_readers(|state| {
                    state.readers.extract_if(.., |position| !is_fast(position)).collect()
                });
                slow.into_iter().filter_map(|position| position.waker).for_each(Waker::wake);
            }
        }
    }

    /// Returns true if one of the readers lags too far behind.
    fn is_slow(&self, readers: &[Position]) -> bool {
        readers.iter().any(|position| position.lag > self.lag_bytes)
    }
}

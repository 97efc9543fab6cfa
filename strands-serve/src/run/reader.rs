//! Reader of a run.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;
use strands_core::AgentEvent;
#[cfg(feature = "http")]
use strands_core::Interrupt;

use super::inline::Progress;
use super::{FIRST_STORED, Outcome, Position, Run, RunEvent, State};
use crate::service::TurnError;

/// Size of the events that a reader takes at once.
const BATCH_BYTES: usize = 16 * 1024;

/// A reader of a run: its events, and its response. The run goes on without it.
///
/// A reader that is slow makes the run wait, up to the service's limit; then it gets [`TurnError::SlowReader`]. Dropping the last
/// reader is the disconnect of the client; see [`Disconnect`](crate::Disconnect).
pub struct Turn {
    run: Arc<Run>,
    id: u64,
    next: u64,
    taken: VecDeque<Arc<RunEvent>>,
    has_ended: bool,
    /// True while this reader polls the work of the run.
    pub(super) is_polling: bool,
    /// True if nothing is left to take before the next poll of the work.
    is_drained: bool,
}

enum Step {
    Taken,
    Ended(Option<Result<Arc<RunEvent>, TurnError>>),
    Wait,
}

impl Turn {
    /// Attaches a reader after the event with the number `after`, or at the first event.
    pub(crate) fn attached(run: Arc<Run>, after: Option<u64>) -> Self {
        // Another reader must not depend on the connection of the first one.
        run.release();
        let (id, next) = run.change_readers(|state| {
            let first = state.buffer.first();
            // A number from before the run was resumed, or from its session: nothing of this part has been read.
            let next = after
                .filter(|after| *after < FIRST_STORED)
                .map_or(first, |after| after.saturating_add(1).clamp(first, state.buffer.next()));
            let id = state.next_reader;
            state.next_reader += 1;
            // It waits for the end if it comes too late for the next event.
            let is_late = next < state.buffer.oldest();
            let lag = if is_late { 0 } else { state.buffer.bytes_from(next) };
            state.readers.push(Position::new(id, lag, if is_late { u64::MAX } else { next }));
            (id, next)
        });
        Self { run, id, next, taken: VecDeque::new(), has_ended: false, is_polling: false, is_drained: false }
    }

    /// Returns the id of the run, a UUID.
    pub fn run_id(&self) -> &str {
        self.run.id()
    }

    /// Returns the id of the session.
    pub fn session_id(&self) -> &str {
        self.run.session_id()
    }

    /// Cancels the run. Its history stays whole.
    pub fn cancel(&self) {
        self.run.cancel();
    }

    /// Returns the next event, or an error that ended the run or this reader. `None` after the last one.
    ///
    /// If events that this reader has not read are no longer retained, the next event is the last one of the run: its result.
    pub async fn next(&mut self) -> Option<Result<Arc<RunEvent>, TurnError>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Polls for the next event; see [`next`](Self::next).
    pub(crate) fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Option<Result<Arc<RunEvent>, TurnError>>> {
        let mut has_polled = false;
        loop {
            if let Some(event) = self.taken.pop_front() {
                return Poll::Ready(Some(Ok(event)));
            }
            if self.has_ended {
                return Poll::Ready(None);
            }
            if !self.is_drained {
                match self.take(Some(cx)) {
                    Step::Taken => continue,
                    Step::Ended(last) => {
                        self.has_ended = true;
                        return Poll::Ready(last);
                    }
                    Step::Wait => {}
                }
            }
            // Polled once: work that is always ready must not hold the task.
            if !self.is_polling || has_polled || !self.poll_work(cx) {
                return Poll::Pending;
            }
            has_polled = true;
        }
    }

    /// Polls the work of the run. Returns false if it waits for something.
    fn poll_work(&mut self, cx: &Context<'_>) -> bool {
        match self.run.inline.get().map_or(Progress::Released, |inline| inline.poll(cx)) {
            Progress::Idle => return false,
            Progress::Polled => {}
            Progress::Released => self.is_polling = false,
        }
        self.is_drained = false;
        true
    }

    /// Returns the next events as far as they are there, without waiting.
    #[cfg(feature = "http")]
    pub(crate) fn more(&mut self) -> Option<Arc<RunEvent>> {
        if self.taken.is_empty() && !self.has_ended && !self.is_drained {
            let _ = self.take(None);
        }
        self.taken.pop_front()
    }

    /// Takes events from the run. Those that are taken count as read. If there are none, the context is woken when there are, unless
    /// this reader polls the work.
    fn take(&mut self, cx: Option<&Context<'_>>) -> Step {
        let mut state = self.run.state();
        let State { buffer, readers, outcome, .. } = &mut *state;
        let Some(position) = readers.iter_mut().find(|it| it.reader == self.id) else {
            return Step::Ended(Some(Err(TurnError::SlowReader)));
        };
        let read = buffer.read(self.next, BATCH_BYTES, &mut self.taken);
        match (read, outcome) {
            (Some(bytes @ 1..), _) => {
                self.next += self.taken.len() as u64;
                position.next = self.next;
                self.is_drained = self.is_polling && self.next == buffer.next();
                let was_slow = position.lag > self.run.lag_bytes;
                position.lag = position.lag.saturating_sub(bytes);
                let is_slow = position.lag > self.run.lag_bytes;
                if was_slow && !is_slow {
                    self.run.read.notify_one();
                }
                Step::Taken
            }
            (None, Some(Ok(_))) => match buffer.newest() {
                Some(event) => Step::Ended(Some(Ok(event))),
                None => Step::Ended(Some(Err(TurnError::EventsGone))),
            },
            (_, Some(Err(error))) => Step::Ended(Some(Err(error.clone()))),
            // The events were not recorded.
            (Some(_), Some(Ok(response))) if buffer.newest().is_none() => {
                let event = AgentEvent::Result { response: Box::new((**response).clone()) };
                Step::Ended(Some(Ok(Arc::new(RunEvent::new(self.next, event)))))
            }
            (Some(_), Some(Ok(_))) => Step::Ended(None),
            (read, None) => {
                if read.is_none() {
                    position.skip();
                    self.run.read.notify_one();
                }
                if self.is_polling {
                    self.is_drained = true;
                } else if let Some(cx) = cx {
                    position.wait(cx);
                }
                Step::Wait
            }
        }
    }

    /// Returns true if the run has ended, and this reader has nothing to read.
    #[cfg(feature = "http")]
    pub(crate) fn is_at_end(&self) -> bool {
        let state = self.run.state();
        let has_events = state.buffer.newest().is_some();
        matches!(state.outcome, Some(Ok(_))) && has_events && self.next == state.buffer.next() && self.taken.is_empty()
    }

    /// Returns the interrupts that the run has ended with: another process may have resumed it.
    #[cfg(feature = "http")]
    pub(crate) fn interrupts(&self) -> Vec<Interrupt> {
        let state = self.run.state();
        state.outcome.iter().flatten().flat_map(|response| response.interrupts.clone()).collect()
    }

    /// Returns the events as a stream.
    pub fn into_events(self) -> impl Stream<Item = Result<Arc<RunEvent>, TurnError>> + Send + 'static {
        futures_util::stream::unfold(self, async |mut turn| turn.next().await.map(|event| (event, turn)))
    }

    /// Waits for the end of the run, and returns its response. Events are skipped.
    ///
    /// # Errors
    ///
    /// Returns [`TurnError`] if the invocation failed.
    pub async fn response(mut self) -> Outcome {
        // It takes no events, so the run must not wait for it. One that was dropped for slowness is a reader again.
        self.run.change_readers(|state| state.change_position(self.id, Position::skip));
        self.run.read.notify_one();
        poll_fn(|cx| {
            let mut has_polled = false;
            loop {
                let mut state = self.run.state();
                if let Some(outcome) = &state.outcome {
                    return Poll::Ready(outcome.clone());
                }
                if !self.is_polling {
                    state.change_position(self.id, |position| position.wait(cx));
                    return Poll::Pending;
                }
                drop(state);
                if has_polled || !self.poll_work(cx) {
                    return Poll::Pending;
                }
                has_polled = true;
            }
        })
        .await
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.run.change_readers(|state| state.readers.retain(|position| position.reader != self.id));
        self.run.read.notify_one();
        if self.is_polling {
            self.run.release();
        }
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("run_id", &self.run_id()).finish_non_exhaustive()
    }
}

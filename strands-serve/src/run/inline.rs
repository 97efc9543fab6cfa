//! Work of a run that its first reader polls, so that an event passes from the model to the connection in one poll. A task takes
//! the work over for good when the reader can't be relied on.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Context;

use strands_core::{__WakeFilter as WakeFilter, BoxFuture};
use tokio::runtime::Handle;

/// The work of a run, up to its end. It does not panic.
pub(crate) type Work = BoxFuture<'static, ()>;

/// Work that the first reader polls.
pub(super) struct InlineWork {
    slot: Mutex<Slot>,
    /// The work is not polled in vain when the connection polls its body again.
    wakes: WakeFilter,
    runtime: Handle,
}

struct Slot {
    holder: Holder,
    /// Number of polls so far.
    polls: u64,
    /// That number when the work was last seen woken, but not polled.
    overdue_since: Option<u64>,
}

/// Holder of the work.
enum Holder {
    /// Nobody: it waits for the reader's next poll.
    Slot(Work),
    /// The reader, which polls it at the moment.
    Reader { is_released: bool },
    /// A task, or it has ended.
    Released,
}

/// Progress of a poll by the reader.
pub(super) enum Progress {
    /// The work waits for something.
    Idle,
    /// The work was polled.
    Polled,
    /// The reader has no work to poll.
    Released,
}

impl InlineWork {
    /// Holds work for a reader. A task takes it over on the current runtime.
    pub(super) fn new(work: Work) -> Self {
        let slot = Slot { holder: Holder::Slot(work), polls: 0, overdue_since: None };
        Self { slot: Mutex::new(slot), wakes: WakeFilter::default(), runtime: Handle::current() }
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        // Each change is complete before anything can panic.
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Polls the work if it was woken. The slot is not locked meanwhile: the work may release itself.
    pub(super) fn poll(&self, reader: &Context<'_>) -> Progress {
        if !self.wakes.take(reader) {
            return Progress::Idle;
        }
        let Some(mut work) = self.take() else { return self.ended() };
        let is_done = work.as_mut().poll(&mut Context::from_waker(self.wakes.waker())).is_ready();
        let mut slot = self.slot();
        if is_done {
            slot.holder = Holder::Released;
            return self.ended();
        }
        if let Holder::Reader { is_released: true } = slot.holder {
            slot.holder = Holder::Released;
            drop(slot);
            self.spawn(work);
            return self.ended();
        }
        slot.holder = Holder::Slot(work);
        slot.polls += 1;
        Progress::Polled
    }

    /// Takes the work for a poll by the reader.
    fn take(&self) -> Option<Work> {
        let mut slot = self.slot();
        match mem::replace(&mut slot.holder, Holder::Reader { is_released: false }) {
            Holder::Slot(work) => Some(work),
            other => {
                slot.holder = other;
                None
            }
        }
    }

    /// Drops the waker, which would keep the memory of the reader's task.
    fn ended(&self) -> Progress {
        self.wakes.forget();
        Progress::Released
    }

    /// Moves the work to a task, unless it has ended, or a task has it.
    pub(super) fn release(&self) {
        let mut slot = self.slot();
        match mem::replace(&mut slot.holder, Holder::Released) {
            Holder::Slot(work) => {
                drop(slot);
                self.spawn(work);
            }
            Holder::Reader { .. } => slot.holder = Holder::Reader { is_released: true },
            Holder::Released => {}
        }
    }

    fn spawn(&self, work: Work) {
        self.runtime.spawn(work);
        // The reader waits for events from now on.
        self.wakes.waker().wake_by_ref();
    }

    /// Returns true if the work was woken before the last call of this method, and has not been polled since.
    pub(super) fn is_overdue(&self) -> bool {
        let mut slot = self.slot();
        let is_waiting = matches!(slot.holder, Holder::Slot(_)) && self.wakes.is_woken();
        let polls = slot.polls;
        let before = mem::replace(&mut slot.overdue_since, is_waiting.then_some(polls));
        is_waiting && before == Some(polls)
    }

    /// Returns true if the reader has no work to poll any more.
    pub(super) fn is_released(&self) -> bool {
        matches!(self.slot().holder, Holder::Released)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Poll, Waker};

    use super::*;

    fn counted(polls: &Arc<AtomicUsize>, wakes_itself: bool) -> InlineWork {
        let polls = Arc::clone(polls);
        InlineWork::new(Box::pin(poll_fn(move |cx| {
            polls.fetch_add(1, Ordering::Relaxed);
            if wakes_itself {
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        })))
    }

    #[tokio::test]
    async fn work_is_polled_once_for_each_wake() {
        for (wakes_itself, expected) in [(false, 1), (true, 3)] {
            let polls = Arc::default();
            let work = counted(&polls, wakes_itself);
            for _ in 0..3 {
                work.poll(&Context::from_waker(Waker::noop()));
            }
            assert_eq!(polls.load(Ordering::Relaxed), expected);
        }
    }

    #[tokio::test]
    async fn only_work_that_was_woken_and_not_polled_is_overdue() {
        let polls = Arc::default();
        let work = counted(&polls, false);
        let cx = Context::from_waker(Waker::noop());
        assert!(!work.is_overdue(), "it has just begun");
        work.poll(&cx);
        assert!(!work.is_overdue() && !work.is_overdue(), "it waits for something");
        work.wakes.waker().wake_by_ref();
        assert!(!work.is_overdue());
        work.poll(&cx);
        work.wakes.waker().wake_by_ref();
        assert!(!work.is_overdue(), "it was polled meanwhile");
        assert!(work.is_overdue());
        work.release();
        assert!(!work.is_overdue() && work.is_released());
    }
}

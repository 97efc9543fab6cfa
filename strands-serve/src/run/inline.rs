//! Work of a run that its first reader polls, so that an event passes from the model to the connection in one poll. A task takes
//! the work over for good when the reader can't be relied on.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

use futures_util::task::AtomicWaker;
use strands_core::BoxFuture;
use tokio::runtime::Handle;

/// The work of a run, up to its end. It does not panic.
pub(crate) type Work = BoxFuture<'static, ()>;

/// Work that the first reader polls.
pub(super) struct InlineWork {
    slot: Mutex<Slot>,
    signal: Arc<Signal>,
    /// Waker of the signal.
    waker: Waker,
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
        let signal = Arc::new(Signal { is_woken: AtomicBool::new(true), reader: AtomicWaker::new() });
        let waker = Waker::from(Arc::clone(&signal));
        let slot = Slot { holder: Holder::Slot(work), polls: 0, overdue_since: None };
        Self { slot: Mutex::new(slot), signal, waker, runtime: Handle::current() }
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        // Each change is complete before anything can panic.
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Polls the work if it was woken. The slot is not locked meanwhile: the work may release itself.
    pub(super) fn poll(&self, reader: &mut Context<'_>) -> Progress {
        // Before the look at the signal, so that no later one is missed.
        self.signal.reader.register(reader.waker());
        if !self.signal.is_woken.swap(false, Ordering::AcqRel) {
            return Progress::Idle;
        }
        let Some(mut work) = self.take() else { return self.ended() };
        let is_done = work.as_mut().poll(&mut Context::from_waker(&self.waker)).is_ready();
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
        drop(self.signal.reader.take());
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
        self.signal.wake_by_ref();
    }

    /// Returns true if the work was woken before the last call of this method, and has not been polled since.
    pub(super) fn is_overdue(&self) -> bool {
        let mut slot = self.slot();
        let is_waiting = matches!(slot.holder, Holder::Slot(_)) && self.signal.is_woken.load(Ordering::Acquire);
        let polls = slot.polls;
        let before = mem::replace(&mut slot.overdue_since, is_waiting.then_some(polls));
        is_waiting && before == Some(polls)
    }

    /// Returns true if the reader has no work to poll any more.
    pub(super) fn is_released(&self) -> bool {
        matches!(self.slot().holder, Holder::Released)
    }
}

/// Waker of the work: it wakes the reader, and remembers that the work was woken, so that it is not polled in vain when
/// the connection polls its body again.
struct Signal {
    is_woken: AtomicBool,
    reader: AtomicWaker,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        self.reader.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::AtomicUsize;
    use std::task::Poll;

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
                work.poll(&mut Context::from_waker(Waker::noop()));
            }
            assert_eq!(polls.load(Ordering::Relaxed), expected);
        }
    }

    #[tokio::test]
    async fn only_work_that_was_woken_and_not_polled_is_overdue() {
        let polls = Arc::default();
        let work = counted(&polls, false);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(!work.is_overdue(), "it has just begun");
        work.poll(&mut cx);
        assert!(!work.is_overdue() && !work.is_overdue(), "it waits for something");
        work.signal.wake_by_ref();
        assert!(!work.is_overdue());
        work.poll(&mut cx);
        work.signal.wake_by_ref();
        assert!(!work.is_overdue(), "it was polled meanwhile");
        assert!(work.is_overdue());
        work.release();
        assert!(!work.is_overdue() && work.is_released());
    }
}

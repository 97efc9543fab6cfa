//! Filter of polls: futures that are rarely ready are polled only after they were woken, and not with each poll of their task.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

/// Filter of the polls of a future: it remembers whether the future was woken since its last poll.
///
/// A task with many events polls all its futures with each of them. A timer or a cancellation that waits beside them costs several
/// cache misses each time; this filter costs one.
pub struct WakeFilter {
    bell: Arc<Bell>,
    /// Waker of the bell.
    waker: Waker,
}

struct Bell {
    is_woken: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl Bell {
    fn task(&self) -> MutexGuard<'_, Option<Waker>> {
        // Each change is complete before anything can panic.
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Before the look at the task: one that comes later sees it.
        self.is_woken.store(true, Ordering::Release);
        let task = self.task().clone();
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl Default for WakeFilter {
    /// Creates the filter of a future that has not been polled, and so counts as woken.
    fn default() -> Self {
        let bell = Arc::new(Bell { is_woken: AtomicBool::new(true), task: Mutex::new(None) });
        Self { waker: Waker::from(Arc::clone(&bell)), bell }
    }
}

impl WakeFilter {
    /// Returns true if the future was woken since the last call. If not, the task is woken when it is.
    ///
    /// The caller must poll the future if this is true, with [`waker`](Self::waker).
    pub fn take(&self, cx: &Context<'_>) -> bool {
        let mut task = self.bell.task();
        if !task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            *task = Some(cx.waker().clone());
        }
        drop(task);
        // After the task is known, so that no later wake is missed.
        self.is_woken() && self.bell.is_woken.swap(false, Ordering::AcqRel)
    }

    /// Returns true if the future was woken since it was last taken.
    #[inline]
    pub fn is_woken(&self) -> bool {
        self.bell.is_woken.load(Ordering::Acquire)
    }

    /// Returns the waker for polls of the future.
    pub fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Forgets the task, whose memory its waker would keep.
    pub fn forget(&self) {
        let task = self.bell.task().take();
        drop(task);
    }
}

impl fmt::Debug for WakeFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WakeFilter").field("is_woken", &self.is_woken()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn passes_once_for_each_wake() {
        let (filter, task) = (WakeFilter::default(), Arc::new(Task::default()));
        let waker = Waker::from(Arc::clone(&task));
        let cx = Context::from_waker(&waker);
        assert!(filter.take(&cx), "it has not been polled yet");
        assert!(!filter.take(&cx));
        for wakes in 1..3 {
            filter.waker().wake_by_ref();
            assert_eq!(task.0.load(Ordering::Relaxed), wakes);
            assert!(filter.is_woken() && filter.take(&cx));
            assert!(!filter.is_woken() && !filter.take(&cx));
        }
    }

    #[test]
    fn wakes_the_last_task() {
        let filter = WakeFilter::default();
        let tasks = [Arc::new(Task::default()), Arc::new(Task::default())];
        for task in &tasks {
            filter.take(&Context::from_waker(&Waker::from(Arc::clone(task))));
        }
        filter.waker().wake_by_ref();
        assert_eq!(tasks.each_ref().map(|task| task.0.load(Ordering::Relaxed)), [0, 1]);
        filter.forget();
        assert_eq!(tasks.each_ref().map(Arc::strong_count), [1, 1]);
    }
}

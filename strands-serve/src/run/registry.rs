//! Registry of the runs of this process: those that run, and the newest that have ended.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::overdue::Overdue;
use super::{InlineWork, Run, Turn, Work};
use crate::service::{ServiceLimits, TurnError};

/// Ended runs that are removed at once for their age. Dropping the events of a thousand runs at once would stop the process
/// for more than 100 ms.
const EXPIRED_AT_ONCE: usize = 4;

pub(crate) struct Runs {
    finished_bytes: usize,
    finished_time: Duration,
    index: Mutex<Index>,
    overdue: Arc<Overdue>,
}

#[derive(Default)]
struct Index {
    /// By the user and the id: a client that sends the id of another user's run must not replace that run.
    runs: HashMap<Key, Arc<Run>>,
    /// Ended runs, oldest first.
    ended: VecDeque<Ended>,
    bytes: usize,
}

/// Key of a user, and the id of a run.
type Key = (String, String);

fn key(run: &Run) -> Key {
    (run.user.clone(), run.id.clone())
}

struct Ended {
    run: Arc<Run>,
    bytes: usize,
    at: Instant,
}

impl Index {
    fn remove(&mut self, run: &Arc<Run>) {
        // A run that was resumed has replaced it.
        if let Entry::Occupied(newest) = self.runs.entry(key(run))
            && Arc::ptr_eq(newest.get(), run)
        {
            newest.remove();
        }
    }
}

impl Runs {
    pub(crate) fn new(limits: &ServiceLimits) -> Self {
        Self {
            finished_bytes: limits.finished_bytes,
            finished_time: limits.finished_time,
            index: Mutex::default(),
            overdue: Arc::default(),
        }
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        // Each change is complete before anything can panic.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a run, in place of the suspended one that it resumes.
    ///
    /// # Errors
    ///
    /// Returns [`TurnError::RepeatedRun`] if a run of the user in another session has the id, and has not ended.
    pub(crate) fn add(&self, run: &Arc<Run>) -> Result<(), TurnError> {
        let mut index = self.index();
        match index.runs.entry(key(run)) {
            Entry::Occupied(known) if known.get().session_id != run.session_id && !known.get().has_ended() => {
                return Err(TurnError::RepeatedRun);
            }
            entry => drop(entry.insert_entry(Arc::clone(run))),
        }
        let expired = self.take_expired(&mut index);
        drop(index);
        drop(expired);
        Ok(())
    }

    /// Gives the work of a run to its first reader, which polls it while it waits.
    pub(crate) fn poll_with_reader(&self, run: &Arc<Run>, work: Work, reader: &mut Turn) {
        // It is the run's only work.
        let _ = run.inline.set(InlineWork::new(work));
        reader.is_polling = true;
        self.overdue.add(run);
    }

    /// Returns a run of a user. One that has ended may be older than it has to be retained, if many others are.
    ///
    /// # Errors
    ///
    /// Returns [`TurnError::UnknownRun`] if there is none.
    pub(crate) fn get(&self, id: &str, user: &str) -> Result<Arc<Run>, TurnError> {
        let mut index = self.index();
        let expired = self.take_expired(&mut index);
        let run = index.runs.get(&(user.to_owned(), id.to_owned())).map(Arc::clone);
        drop(index);
        drop(expired);
        run.ok_or(TurnError::UnknownRun)
    }

    /// Returns the id of the run that is running in a session.
    pub(crate) fn running_in(&self, session_id: &str) -> Option<String> {
        let index = self.index();
        let mut runs = index.runs.values().filter(|run| run.session_id == session_id);
        runs.find(|run| !run.has_ended()).map(|run| run.id.clone())
    }

    /// Retains the events of a run that has ended for a while.
    pub(super) fn ended(&self, run: &Arc<Run>) {
        let bytes = run.state().buffer.bytes() + size_of::<Run>();
        let mut index = self.index();
        index.ended.push_back(Ended { run: Arc::clone(run), bytes, at: Instant::now() });
        index.bytes += bytes;
        let expired = self.take_expired(&mut index);
        drop(index);
        drop(expired);
    }

    /// Takes the oldest ended runs: those that are too many bytes, and a few of those that are too old. The caller drops them after
    /// it has unlocked the index.
    fn take_expired(&self, index: &mut Index) -> Vec<Arc<Run>> {
        let mut expired = Vec::new();
        while let Some(oldest) = index.ended.front() {
            let is_old = expired.len() < EXPIRED_AT_ONCE && oldest.at.elapsed() > self.finished_time;
            if !is_old && index.bytes <= self.finished_bytes {
                break;
            }
            if let Some(Ended { run, bytes, .. }) = index.ended.pop_front() {
                index.bytes -= bytes;
                index.remove(&run);
                expired.push(run);
            }
        }
        expired
    }

    /// Removes a run that has ended.
    pub(super) fn remove(&self, run: &Arc<Run>) {
        self.index().remove(run);
    }

    /// Removes the events of the ended runs of a session.
    pub(crate) fn forget_session(&self, session_id: &str) {
        let mut index = self.index();
        let all = std::mem::take(&mut index.ended).into_iter();
        let (gone, left): (Vec<Ended>, Vec<Ended>) = all.partition(|it| it.run.session_id == session_id);
        index.ended = left.into();
        for Ended { run, bytes, .. } in gone {
            index.bytes -= bytes;
            index.remove(&run);
        }
    }

    /// Cancels all runs, and returns the number of those that were not cancelled before.
    pub(crate) fn cancel_all(&self) -> usize {
        let running: Vec<_> = self.index().runs.values().map(Arc::clone).collect();
        let running = running.into_iter().filter(|run| !run.cancellation.is_cancelled() && !run.has_ended());
        running.map(|run| run.cancel()).count()
    }
}

#[cfg(test)]
mod tests {
    use strands_core::{AgentEvent, CancellationToken};

    use super::*;
    use crate::service::Disconnect;

    fn ended(runs: &Runs, limits: &ServiceLimits, numbers: std::ops::Range<usize>) {
        for number in numbers {
            let (session, user) = ("session".to_owned(), "user".to_owned());
            let token = CancellationToken::new();
            let run = Arc::new(Run::new(number.to_string(), session, user, token, Disconnect::Finish, limits));
            run.push(AgentEvent::ContextReduced { what: "x".repeat(1_000) });
            assert!(runs.add(&run).is_ok());
            runs.ended(&run);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn old_runs_are_removed_a_few_at_a_time() {
        let limits = ServiceLimits::new();
        let runs = Runs::new(&limits);
        ended(&runs, &limits, 0..100);
        assert_eq!(runs.index().ended.len(), 100);
        tokio::time::advance(limits.finished_time * 2).await;
        ended(&runs, &limits, 100..101);
        // At its start and at its end.
        assert_eq!(runs.index().ended.len(), 101 - 2 * EXPIRED_AT_ONCE);
        ended(&runs, &limits, 101..120);
        let index = runs.index();
        assert_eq!((index.ended.len(), index.runs.len()), (20, 20));
        assert!(index.runs.contains_key(&("user".to_owned(), "100".to_owned())));
    }

    #[tokio::test]
    async fn the_oldest_runs_are_removed_at_once_for_their_size() {
        let limits = ServiceLimits::new().finished_bytes(20_000);
        let runs = Runs::new(&limits);
        ended(&runs, &limits, 0..100);
        let index = runs.index();
        assert!(index.bytes <= 20_000 && (5..20).contains(&index.ended.len()), "{} runs", index.ended.len());
        assert_eq!(index.bytes, index.ended.iter().map(|ended| ended.bytes).sum::<usize>());
        assert!(index.runs.contains_key(&("user".to_owned(), "99".to_owned())));
    }
}

//! Tasks that streams follow in the store: however many streams follow one, it is read once in an interval, and kept once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use a2a::Task;
use chrono::{DateTime, Utc};
use strands_http::Caller;
use tokio::time::Instant;

use super::core::{Core, is_abandoned};
use super::failure::Failure;
use super::store::{RecordVersion, RunLease, Versioned};

/// Interval in which a task that does not run in this process is read.
pub(super) const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Time for which what was read is new enough for other streams, whose intervals begin at other times.
const MAX_AGE: Duration = Duration::from_millis(500);

/// The tasks that streams follow.
#[derive(Default)]
pub(super) struct FollowedTasks {
    /// By caller and id.
    tasks: Mutex<HashMap<(String, String), Weak<FollowedTask>>>,
}

/// A task that streams follow.
pub(super) struct FollowedTask {
    owner: Arc<FollowedTasks>,
    key: (String, String),
    last: tokio::sync::Mutex<Option<Read>>,
}

/// The task as it was read last.
struct Read {
    time: Instant,
    version: RecordVersion,
    task: Arc<Task>,
    run: Option<RunLease>,
    updated: DateTime<Utc>,
}

impl FollowedTasks {
    fn tasks(&self) -> MutexGuard<'_, HashMap<(String, String), Weak<FollowedTask>>> {
        // Each change is complete before anything can panic.
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a task for a stream that follows it.
    pub(super) fn follow(self: &Arc<Self>, caller: &str, id: &str) -> Arc<FollowedTask> {
        let key = (caller.to_owned(), id.to_owned());
        let mut tasks = self.tasks();
        if let Some(followed) = tasks.get(&key).and_then(Weak::upgrade) {
            return followed;
        }
        let followed = FollowedTask { owner: Arc::clone(self), key: key.clone(), last: tokio::sync::Mutex::default() };
        let followed = Arc::new(followed);
        tasks.insert(key, Arc::downgrade(&followed));
        followed
    }
}

impl FollowedTask {
    /// Returns the task as the store has it, or had it a moment ago but after `since`. A record that has not changed is not parsed again.
    pub(super) async fn read(&self, core: &Core, caller: &Caller, since: Instant) -> Result<Arc<Task>, Failure> {
        let (key, id) = &self.key;
        let mut last = self.last.lock().await;
        let now = Instant::now();
        if let Some(read) = &mut *last {
            if read.time > since && now.duration_since(read.time) < MAX_AGE {
                return Ok(Arc::clone(&read.task));
            }
            let has_time_passed =
                core.is_expired(read.updated) || is_abandoned(&read.task.status.state, read.run.as_ref());
            if !has_time_passed && core.records.has_task(key, id, &read.version).await? {
                read.time = now;
                return Ok(Arc::clone(&read.task));
            }
        }
        let Versioned { record, stored } = core.stored_task(caller, id).await?;
        let known = last.take().map(|read| read.task).filter(|task| **task == record.task);
        let task = known.unwrap_or_else(|| Arc::new(record.task));
        let read = Read {
            time: now,
            version: stored.version,
            task: Arc::clone(&task),
            run: record.run,
            updated: record.updated,
        };
        *last = Some(read);
        Ok(task)
    }
}

impl Drop for FollowedTask {
    fn drop(&mut self) {
        let mut tasks = self.owner.tasks();
        // Another stream may have begun to follow it meanwhile.
        if tasks.get(&self.key).is_some_and(|followed| followed.strong_count() == 0) {
            tasks.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_share_a_task_which_is_forgotten_after_the_last_one() {
        let tasks = Arc::new(FollowedTasks::default());
        let first = tasks.follow("alice", "1");
        let second = tasks.follow("alice", "1");
        assert!(Arc::ptr_eq(&first, &second) && !Arc::ptr_eq(&first, &tasks.follow("bob", "1")));
        drop(first);
        assert_eq!(tasks.tasks().len(), 1);
        drop(second);
        assert!(tasks.tasks().is_empty());
    }
}

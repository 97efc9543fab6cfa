//! The server without its protocols: the agent, its tasks, and their limits.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use a2a::{StreamResponse, Task, TaskState};
use chrono::{DateTime, TimeDelta, Utc};
use strands_core::{Continuation, Promptable};
use strands_http::Caller;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::context::A2aContext;
use super::discard::DiscardInterrupts;
use super::failure::Failure;
use super::followed_tasks::FollowedTasks;
use super::limits::A2aLimits;
use super::live_task::{CancelReason, LiveTask};
use super::outcome::Outcome;
use super::push::Push;
use super::registry::Registry;
use super::shares::Shares;
use super::store::{ListedTask, RecordKind, Records, RunLease, TaskRecord, Versioned};
use crate::json;

/// Maximum number of tasks between two deletions of old ones.
const MAX_PRUNE_INTERVAL: usize = 64;

/// Interval in which a shutdown cancels runs.
const CANCEL_INTERVAL: Duration = Duration::from_millis(100);

/// Time after a shutdown has ended the runs, in which push notifications of their ends are delivered.
const LAST_PUSHES: Duration = Duration::from_secs(2);

/// Chooses the prompts whose response is a message.
pub(super) type MessageResponses = Arc<dyn Fn(&A2aContext) -> bool + Send + Sync>;

pub(super) struct Core {
    pub(super) agent: Arc<dyn Promptable>,
    pub(super) limits: A2aLimits,
    pub(super) records: Records,
    pub(super) registry: Arc<Registry>,
    pub(super) push: Option<Push>,
    pub(super) input_modes: Vec<String>,
    pub(super) message_responses: Option<MessageResponses>,
    pub(super) discard: Option<Arc<dyn DiscardInterrupts>>,
    /// Shares in open streams.
    pub(super) streams: Arc<Shares>,
    /// Tasks whose changes in the store are sent to streams.
    pub(super) followed: Arc<FollowedTasks>,
    /// Shares in the memory for bodies of requests, in bytes, until their responses.
    pub(super) bodies: Arc<Shares>,
    /// Shares in messages without a stream, and in other requests without one, until their responses are sent.
    pub(super) sends: Arc<Shares>,
    pub(super) requests: Arc<Shares>,
    pub(super) cancels: Arc<Shares>,
    /// Shares in lists that are being read.
    pub(super) listings: Arc<Shares>,
    /// Runs and deliveries.
    pub(super) work: TaskTracker,
}

impl Core {
    /// Returns a task of a caller that does not run here. A task whose process is gone has failed.
    pub(super) async fn stored_task(&self, caller: &Caller, id: &str) -> Result<Versioned<TaskRecord>, Failure> {
        let key = caller.key();
        loop {
            let stored = self.records.task(&key, id).await?;
            let mut stored = stored.ok_or_else(|| Failure::task_not_found(id))?;
            if self.is_expired(stored.record.updated) {
                self.forget_interrupts(caller, &stored.record).await;
                return Err(Failure::task_not_found(id));
            }
            if !is_abandoned(&stored.record.task.status.state, stored.record.run.as_ref())
                || self.registry.get(&key, id).is_some()
            {
                return Ok(stored);
            }
            self.discard_interrupts(caller, &stored.record).await?;
            (stored.record.interrupts, stored.record.continuation) = (Vec::new(), None);
            let outcome = Outcome::new(TaskState::Failed, "the server was restarted while the agent worked");
            let status = outcome.status(&stored.record.task.id, &stored.record.task.context_id);
            let update = a2a::TaskStatusUpdateEvent {
                task_id: stored.record.task.id.clone(),
                context_id: stored.record.task.context_id.clone(),
                status,
                metadata: None,
            };
            let update = StreamResponse::StatusUpdate(update);
            super::live_task::apply(&mut stored.record.task, &update, self.limits.history());
            stored.record.run = None;
            stored.record.updated = Utc::now();
            let written = self.records.put_task(&key, &stored.record, Some(&stored.stored)).await?;
            if let Some(written) = written {
                self.notify_stored(&key, &stored.record, &[update]);
                return Ok(Versioned { record: stored.record, stored: written });
            }
            // Another process has changed it meanwhile.
        }
    }

    /// Discards the interrupts of a task that has expired, and deletes it, so that nothing can respond to them any more.
    async fn forget_interrupts(&self, caller: &Caller, record: &TaskRecord) {
        let key = caller.key();
        let runs = record.run.as_ref().is_some_and(|run| run.until >= Utc::now())
            || self.registry.get(&key, &record.task.id).is_some();
        if record.interrupts.is_empty() && record.continuation.is_none() || runs {
            return;
        }
        // Without success, the next request for the task does it.
        if self.discard_interrupts(caller, record).await.is_ok() {
            let _ = self.records.delete(&key, RecordKind::Task, &record.task.id).await;
        }
    }

    pub(super) fn is_expired(&self, updated: DateTime<Utc>) -> bool {
        is_older(updated, self.limits.task_age)
    }

    /// Stores the conversation of a context after a run, or the wait of its task for input. A failure is logged: the response is
    /// not lost by it.
    pub(super) async fn keep_conversation(
        &self,
        live: &LiveTask,
        is_suspended: bool,
        conversation: Option<Continuation>,
    ) {
        let size = conversation.as_ref().map_or(0, |conversation| json::size_of(conversation.value()).bytes);
        let is_too_large = size > self.limits.context_bytes;
        let waiting = is_suspended.then(|| live.id.clone());
        let has_ended = conversation.is_some();
        // The failure has been logged.
        let _ = self
            .records
            .change_context(&live.caller, &live.context_id, |context| {
                if context.running.as_ref().is_some_and(|running| *running != live.id) {
                    // This process has lost its lease, and the conversation goes on in another one.
                    return;
                }
                context.running = None;
                context.waiting.clone_from(&waiting);
                if has_ended {
                    context.is_too_large = is_too_large;
                    context.conversation = if is_too_large { None } else { conversation.clone() };
                }
            })
            .await;
    }

    /// Sends events to the push notification configurations of a task that runs here.
    pub(super) fn notify(&self, live: &LiveTask, events: &[StreamResponse]) {
        if let Some(push) = &self.push {
            push.deliver(&self.work, &live.caller, live.push(), &live.task(), events);
        }
    }

    /// Sends events to the push notification configurations of a task that does not run here.
    pub(super) fn notify_stored(&self, caller: &str, record: &TaskRecord, events: &[StreamResponse]) {
        if let Some(push) = &self.push {
            push.deliver(&self.work, caller, record.push.clone(), &record.task, events);
        }
    }

    /// Deletes the tasks and contexts of a caller that are too old, or too many, now and then: it reads all of them. A failure is
    /// logged, and deletes none.
    ///
    /// The random id of the task that has ended decides: with a count of all tasks, a caller could let those of others be counted.
    pub(super) async fn prune(&self, caller: &Caller, ended: &str) {
        let interval = (self.limits.tasks_per_caller / 16).clamp(1, MAX_PRUNE_INTERVAL);
        if Uuid::parse_str(ended).is_ok_and(|id| id.as_u128().is_multiple_of(interval as u128)) {
            let _ = self.try_prune(caller).await;
        }
    }

    async fn try_prune(&self, caller: &Caller) -> Result<(), Failure> {
        let key = caller.key();
        let (max, limits) = (self.limits.tasks_per_caller, &self.limits);
        let listed = self.records.listed_tasks(&key, |ListedTask { task, run, updated }| {
            is_idle(run.as_ref()).then_some((!task.status.state.is_terminal(), updated, task.id))
        });
        let mut tasks = listed.await?;
        // Those that have ended last, and then those that wait.
        tasks.sort_unstable();
        let surplus = tasks.len().saturating_sub(max);
        for (index, (_, updated, id)) in tasks.iter().enumerate() {
            if index < surplus || is_older(*updated, limits.task_age) {
                self.delete_idle(caller, id).await?;
            }
        }
        let mut contexts = self.records.contexts(&key, |context| Some((context.updated, context.id))).await?;
        contexts.sort_unstable();
        let surplus = contexts.len().saturating_sub(limits.contexts_per_caller);
        for (index, (updated, id)) in contexts.iter().enumerate() {
            if index < surplus || is_older(*updated, limits.task_age) {
                self.records.delete(&key, RecordKind::Context, id).await?;
            }
        }
        Ok(())
    }

    /// Deletes a task, unless it runs again. One whose interrupts can't be discarded, or that can't be read, stays; the failure has been
    /// logged.
    async fn delete_idle(&self, caller: &Caller, id: &str) -> Result<(), Failure> {
        let key = caller.key();
        let Ok(Some(Versioned { record, .. })) = self.records.task(&key, id).await else { return Ok(()) };
        if is_idle(record.run.as_ref()) && self.discard_interrupts(caller, &record).await.is_ok() {
            self.records.delete(&key, RecordKind::Task, id).await?;
        }
        Ok(())
    }

    /// Refuses new tasks, lets the running ones end within a time, and cancels those that have not.
    pub(super) async fn shut_down(&self, timeout: Duration) {
        self.registry.close();
        self.work.close();
        if tokio::time::timeout(timeout, self.work.wait()).await.is_ok() {
            return;
        }
        loop {
            for live in self.registry.all() {
                live.cancel(CancelReason::Shutdown);
            }
            // Again and again: a run that was admitted before may only now begin.
            if tokio::time::timeout(CANCEL_INTERVAL, self.work.wait()).await.is_ok() {
                return;
            }
            if self.registry.is_idle() {
                break;
            }
        }
        if let Some(push) = &self.push
            && tokio::time::timeout(LAST_PUSHES, self.work.wait()).await.is_err()
        {
            push.stop();
        }
        self.work.wait().await;
    }
}

/// Returns true for a task whose run has ended without a result.
pub(super) fn is_abandoned(state: &TaskState, run: Option<&RunLease>) -> bool {
    let is_running = !super::live_task::ends_stream(state) && *state != TaskState::Unspecified;
    is_running && is_idle(run)
}

/// Returns true if no process runs a task.
fn is_idle(run: Option<&RunLease>) -> bool {
    run.is_none_or(|run| run.until < Utc::now())
}

fn is_older(time: DateTime<Utc>, age: Duration) -> bool {
    TimeDelta::from_std(age).is_ok_and(|age| Utc::now() - time > age)
}

/// Returns the length of the history in a response, if the request limits it.
pub(super) fn check_history_length(length: Option<i32>) -> Result<Option<usize>, Failure> {
    let invalid = |_| Failure::InvalidParams("`historyLength` must not be negative".to_owned());
    length.map(usize::try_from).transpose().map_err(invalid)
}

/// Returns a task with a part of its history, as a request asks for it: all of it by default, none for 0.
pub(super) fn with_history(mut task: Task, length: Option<i32>) -> Result<Task, Failure> {
    let Some(length) = check_history_length(length)? else { return Ok(task) };
    match &mut task.history {
        Some(_) if length == 0 => task.history = None,
        Some(history) => {
            let surplus = history.len().saturating_sub(length);
            history.drain(..surplus);
        }
        None => {}
    }
    Ok(task)
}

/// Returns the media types of a list without repetitions.
pub(super) fn unique(modes: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut seen = HashSet::new();
    modes.into_iter().filter(|mode| seen.insert(mode.clone())).collect()
}

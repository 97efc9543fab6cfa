//! Requests for tasks: get, list and cancel.

use std::sync::Arc;
use std::time::Duration;

use a2a::{CancelTaskRequest, GetTaskRequest, ListTasksRequest, ListTasksResponse, StreamResponse, Task, TaskState};
use chrono::{DateTime, Utc};
use strands_http::Caller;
use tokio::time::Instant;

use super::core::{Core, check_history_length, is_abandoned, with_history};
use super::failure::{Failure, quote};
use super::live_task::{self, CancelReason};
use super::outcome::Outcome;
use super::store::{ListedTask, Versioned};
use crate::json;

/// Number of tasks of a page.
const DEFAULT_PAGE: i32 = 50;
const MAX_PAGE: i32 = 100;
/// Size of a page, in bytes of JSON. The next task is on the next page.
const MAX_PAGE_BYTES: usize = 8 * 1024 * 1024;

/// Time for which the response to a cancellation waits for the end of the task.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

impl Core {
    pub(super) async fn get_task(&self, caller: &Caller, request: GetTaskRequest) -> Result<Task, Failure> {
        let task = match self.registry.get(&caller.key(), &request.id) {
            Some(live) => live.task(),
            None => self.stored_task(caller, &request.id).await?.record.task,
        };
        with_history(task, request.history_length)
    }

    /// Lists the tasks of a caller, those with the latest status first.
    pub(super) async fn list_tasks(
        &self,
        caller: &Caller,
        request: ListTasksRequest,
    ) -> Result<ListTasksResponse, Failure> {
        let page_size @ 1..=MAX_PAGE = request.page_size.unwrap_or(DEFAULT_PAGE) else {
            return Err(Failure::InvalidParams(format!("`pageSize` must be 1 to {MAX_PAGE}")));
        };
        let after = match request.page_token.as_deref() {
            None | Some("") => None,
            Some(token) => Some(Position::parse(token)?),
        };
        check_history_length(request.history_length)?;
        let key = caller.key();
        let _share = self
            .listings
            .take(&key, 1)
            .map_err(|_| Failure::Overloaded("too many lists of tasks are being read; send the request again later"))?;
        let mut entries = self.entries(caller, request.context_id.as_deref().filter(|id| !id.is_empty())).await?;
        if let Some(state) = request.status.filter(|state| *state != TaskState::Unspecified) {
            entries.retain(|entry| entry.state == state);
        }
        if let Some(after) = request.status_timestamp_after {
            entries.retain(|entry| entry.time.is_some_and(|time| time >= after));
        }
        entries.sort_by(|a, b| b.position.cmp(&a.position));
        let total = entries.len();
        if let Some(after) = after {
            entries.retain(|entry| entry.position < after);
        }
        let shown = |mut task: Task| {
            if request.include_artifacts != Some(true) {
                task.artifacts = None;
            }
            with_history(task, request.history_length)
        };
        let (mut tasks, mut bytes, mut next_page_token) = (Vec::new(), 0_usize, String::new());
        let mut before: Option<&Entry> = None;
        let full = usize::try_from(page_size).unwrap_or_default();
        for (index, entry) in entries.iter().enumerate() {
            let task = if index < full {
                self.listed_task(&key, &entry.position.id).await?.map(shown).transpose()?
            } else {
                None
            };
            bytes = bytes.saturating_add(task.as_ref().map_or(0, |task| json::size_of(task).bytes));
            // A page has at least one task, of whatever size.
            let is_full = index >= full || bytes > MAX_PAGE_BYTES && !tasks.is_empty();
            if let Some(before) = before.filter(|_| is_full) {
                next_page_token = before.position.token();
                break;
            }
            tasks.extend(task);
            before = Some(entry);
        }
        Ok(ListTasksResponse {
            tasks,
            next_page_token,
            page_size,
            total_size: i32::try_from(total).unwrap_or(i32::MAX),
        })
    }

    /// Returns the entries of all tasks of a caller, or of those of a context, without their content.
    async fn entries(&self, caller: &Caller, context_id: Option<&str>) -> Result<Vec<Entry>, Failure> {
        let key = caller.key();
        let listed = self.records.listed_tasks(&key, |listed| {
            let is_wanted = context_id.is_none_or(|id| *id == listed.task.context_id);
            // One that is too old is forgotten.
            (is_wanted && !self.is_expired(listed.updated)).then_some(listed)
        });
        let mut entries = Vec::new();
        for ListedTask { task, run, .. } in listed.await? {
            let (state, time) = match self.registry.get(&key, &task.id) {
                Some(live) => live.state_and_time(),
                // A task whose process is gone has failed.
                None if is_abandoned(&task.status.state, run.as_ref()) => {
                    match self.stored_task(caller, &task.id).await {
                        Ok(Versioned { record, .. }) => (record.task.status.state, record.task.status.timestamp),
                        Err(Failure::TaskNotFound(_)) => continue,
                        // Logged, or its session is busy: it is listed as it is stored, and the others are listed, too.
                        Err(_) => (task.status.state, task.status.timestamp),
                    }
                }
                None => (task.status.state, task.status.timestamp),
            };
            entries.push(Entry { position: Position::new(time, task.id), state, time });
        }
        Ok(entries)
    }

    /// Returns a task of a list, unless it was deleted meanwhile.
    async fn listed_task(&self, key: &str, id: &str) -> Result<Option<Task>, Failure> {
        match self.registry.get(key, id) {
            Some(live) => Ok(Some(live.task())),
            None => self.records.listed_task(key, id).await,
        }
    }

    pub(super) async fn cancel_task(
        self: &Arc<Self>,
        caller: &Caller,
        request: CancelTaskRequest,
    ) -> Result<Task, Failure> {
        // The interrupts of the task and its record change together, also if the client goes away.
        let canceled = self.work.spawn(Arc::clone(self).cancel(caller.clone(), request));
        canceled.await.map_err(Failure::internal)?
    }

    async fn cancel(self: Arc<Self>, caller: Caller, request: CancelTaskRequest) -> Result<Task, Failure> {
        let key = caller.key();
        let deadline = Instant::now() + CANCEL_TIMEOUT;
        loop {
            // Before the check, so that none is missed.
            let (started, released) = (self.registry.started(), self.registry.released());
            if let Some(live) = self.registry.get(&key, &request.id) {
                live.cancel(CancelReason::Client);
                // It goes on ending after that.
                let _ = tokio::time::timeout(CANCEL_TIMEOUT, live.ended()).await;
                return Ok(live.task());
            }
            let stored = self.stored_task(&caller, &request.id).await?;
            let mut record = stored.record;
            let mut updates = Vec::new();
            if record.task.status.state.is_terminal() {
                return Err(Failure::NotCancelable(quote(&request.id)));
            }
            if record.run.is_some() && self.registry.is_claimed(&key, &record.task.context_id) {
                // It is about to run here, or has just ended.
                let changed = async {
                    tokio::select! {
                        () = started => {}
                        () = released => {}
                    }
                };
                if tokio::time::timeout_at(deadline, changed).await.is_ok() {
                    continue;
                }
            }
            if let Some(run) = &mut record.run {
                // The process that runs it sees this when it renews its lease.
                run.is_canceled = true;
            } else {
                self.discard_interrupts(&caller, &record).await?;
                let status = Outcome::new(TaskState::Canceled, "the task was canceled")
                    .status(&record.task.id, &record.task.context_id);
                let update = StreamResponse::StatusUpdate(a2a::TaskStatusUpdateEvent {
                    task_id: record.task.id.clone(),
                    context_id: record.task.context_id.clone(),
                    status,
                    metadata: None,
                });
                live_task::apply(&mut record.task, &update, self.limits.history());
                updates.push(update);
                (record.interrupts, record.continuation) = (Vec::new(), None);
                record.updated = Utc::now();
            }
            if self.records.put_task(&key, &record, Some(&stored.stored)).await?.is_some() {
                if !updates.is_empty() {
                    self.notify_stored(&key, &record, &updates);
                }
                return Ok(record.task);
            }
            // Another request has changed it meanwhile.
        }
    }
}

/// A task in a list, without its content.
struct Entry {
    position: Position,
    state: TaskState,
    time: Option<DateTime<Utc>>,
}

/// Position of a task in a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Position {
    micros: i64,
    id: String,
}

impl Position {
    fn new(time: Option<DateTime<Utc>>, id: String) -> Self {
        Self { micros: time.as_ref().map_or(0, DateTime::timestamp_micros), id }
    }

    fn token(&self) -> String {
        format!("{}.{}", self.micros, self.id)
    }

    fn parse(token: &str) -> Result<Self, Failure> {
        let parsed = token.split_once('.').and_then(|(micros, id)| Some((micros.parse().ok()?, id)));
        match parsed {
            Some((micros, id)) => Ok(Self { micros, id: id.to_owned() }),
            None => {
                Err(Failure::InvalidParams("invalid `pageToken`: use the `nextPageToken` of a response".to_owned()))
            }
        }
    }
}

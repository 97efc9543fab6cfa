//! Requests for tasks: get, list and cancel.

use std::sync::Arc;
use std::time::Duration;

use a2a::{CancelTaskRequest, GetTaskRequest, ListTasksRequest, ListTasksResponse, StreamResponse, Task, TaskState};
use chrono::{DateTime, Utc};

use super::caller::Caller;
use super::core::{Core, is_abandoned, with_history};
use super::failure::{Failure, quote};
use super::live_task::{self, CancelReason};
use super::outcome::Outcome;

/// Number of tasks of a page.
const DEFAULT_PAGE: i32 = 50;
const MAX_PAGE: i32 = 100;

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
        let key = caller.key();
        let _share = self
            .listings
            .take(&key, 1)
            .map_err(|_| Failure::Overloaded("too many lists of tasks are being read; send the request again later"))?;
        let shown = |mut task: Task| {
            if request.include_artifacts != Some(true) {
                task.artifacts = None;
            }
            with_history(task, request.history_length)
        };
        let context_id = request.context_id.as_ref().filter(|id| !id.is_empty());
        let listed = self.records.tasks(&key, |record| {
            let is_wanted = context_id.is_none_or(|id| *id == record.task.context_id);
            // One that is too old is forgotten.
            (is_wanted && !self.is_expired(record.updated)).then(|| {
                let is_abandoned = is_abandoned(&record);
                shown(record.task).map(|task| (task, is_abandoned))
            })
        });
        let mut tasks: Vec<Task> = Vec::new();
        for listed in listed.await? {
            let (task, is_abandoned) = listed?;
            let task = match self.registry.get(&key, &task.id) {
                Some(live) => shown(live.task())?,
                // A task whose process is gone has failed.
                None if is_abandoned => match self.stored_task(caller, &task.id).await {
                    Ok(stored) => shown(stored.record.task)?,
                    Err(Failure::TaskNotFound(_)) => continue,
                    Err(failure) => return Err(failure),
                },
                None => task,
            };
            tasks.push(task);
        }
        if let Some(state) = request.status.filter(|state| *state != TaskState::Unspecified) {
            tasks.retain(|task| task.status.state == state);
        }
        if let Some(after) = request.status_timestamp_after {
            tasks.retain(|task| task.status.timestamp.is_some_and(|timestamp| timestamp >= after));
        }
        tasks.sort_by_cached_key(|task| std::cmp::Reverse(Position::of(task)));
        let total = tasks.len();
        if let Some(after) = after {
            tasks.retain(|task| Position::of(task) < after);
        }
        let has_more = tasks.len() > usize::try_from(page_size).unwrap_or_default();
        tasks.truncate(usize::try_from(page_size).unwrap_or_default());
        let next_page_token =
            tasks.last().filter(|_| has_more).map(|task| Position::of(task).token()).unwrap_or_default();
        Ok(ListTasksResponse {
            tasks,
            next_page_token,
            page_size,
            total_size: i32::try_from(total).unwrap_or(i32::MAX),
        })
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
        loop {
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

/// Position of a task in a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Position {
    micros: i64,
    id: String,
}

impl Position {
    fn of(task: &Task) -> Self {
        let micros = task.status.timestamp.as_ref().map_or(0, DateTime::timestamp_micros);
        Self { micros, id: task.id.clone() }
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

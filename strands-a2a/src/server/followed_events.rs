//! Streams of tasks that wait for input or run in another process: changes in the store, and the events of runs that begin here.

use std::collections::VecDeque;
use std::sync::Arc;

use a2a::{StreamResponse, Task};
use futures_util::{StreamExt as _, stream};
use strands_http::Caller;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use super::core::Core;
use super::followed_tasks::{FollowedTask, POLL_INTERVAL};
use super::live_task::{LiveEvents, LiveTask, ends_stream, state_events};
use super::shares::Share;
use super::streams::{Events, is_last};

/// State of a stream. It has no task of its own: streams of one task share it.
struct Follower {
    core: Arc<Core>,
    caller: Caller,
    task_id: String,
    followed: Arc<FollowedTask>,
    /// The task as it was sent, but for the events of a run that are sent.
    sent: Option<Arc<Task>>,
    /// Time of `sent`. What was read before is older.
    since: Instant,
    /// Events of the task while it runs here.
    live: Option<(Arc<LiveTask>, LiveEvents)>,
    next: VecDeque<Arc<StreamResponse>>,
    has_ended: bool,
    _share: Share,
}

impl Follower {
    /// Adds the events that lead to a state of the task: the status and artifacts that the stream does not have.
    fn go_on_from(&mut self, task: Arc<Task>) {
        let sent = match &self.sent {
            Some(sent) if Arc::ptr_eq(sent, &task) => return,
            Some(sent) => state_events(sent),
            None => Vec::new(),
        };
        self.next.extend(state_events(&task).into_iter().filter(|event| !sent.contains(event)).map(Arc::new));
        self.sent = Some(task);
    }

    /// Takes the next event of the run. After its end, the events lead to the state in which it leaves the task.
    async fn follow_run(&mut self) {
        let Some((live, events)) = &mut self.live else { return };
        let has_ended = match events.recv().await {
            Ok(event) => {
                let is_last = is_last(&event);
                self.next.push_back(event);
                is_last
            }
            Err(RecvError::Lagged(_)) => {
                let (task, later) = live.subscribe();
                *events = later;
                self.next.extend(state_events(&task).into_iter().map(Arc::new));
                ends_stream(&task.status.state)
            }
            Err(RecvError::Closed) => true,
        };
        if has_ended {
            (self.sent, self.since) = (Some(live.snapshot()), Instant::now());
            self.live = None;
        }
    }

    /// Begins to follow a run in this process, if there is one that has not sent its last events.
    async fn find_run(&mut self) {
        let Some(live) = self.core.registry.get(&self.caller.key(), &self.task_id) else { return };
        let (task, events) = live.subscribe();
        if ends_stream(&task.status.state) {
            // Its last events may have been sent before. The store has its end.
            tokio::select! {
                () = live.ended() => {}
                () = tokio::time::sleep(POLL_INTERVAL) => {}
            }
            self.since = Instant::now();
            return;
        }
        self.go_on_from(task);
        // Its events change the task from here on.
        self.sent = None;
        self.live = Some((live, events));
    }
}

/// Returns a task, and then its changes until it ends.
pub(super) fn followed_events(core: Arc<Core>, caller: Caller, task: Arc<Task>, share: Share) -> Events {
    let follower = Follower {
        task_id: task.id.clone(),
        followed: core.followed.follow(&caller.key(), &task.id),
        next: VecDeque::from([Arc::new(StreamResponse::Task(Task::clone(&task)))]),
        sent: Some(task),
        since: Instant::now(),
        live: None,
        has_ended: false,
        _share: share,
        core,
        caller,
    };
    let events = stream::unfold(follower, |mut state| async move {
        loop {
            if let Some(event) = state.next.pop_front() {
                state.has_ended |= is_end(&event);
                return Some((Ok(event), state));
            }
            if state.has_ended || state.core.registry.is_closed() {
                return None;
            }
            if state.live.is_some() {
                state.follow_run().await;
                continue;
            }
            let started = state.core.registry.started();
            state.find_run().await;
            if state.live.is_some() {
                continue;
            }
            match state.followed.read(&state.core, &state.caller, state.since).await {
                Ok(task) => state.go_on_from(task),
                Err(failure) => {
                    state.has_ended = true;
                    return Some((Err(failure), state));
                }
            }
            if state.next.is_empty() {
                // Another process may run it.
                tokio::select! {
                    () = started => {}
                    () = tokio::time::sleep(POLL_INTERVAL) => {}
                }
            }
        }
    });
    events.boxed()
}

fn is_end(event: &StreamResponse) -> bool {
    matches!(event, StreamResponse::StatusUpdate(update) if update.status.state.is_terminal())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use a2a::{TaskState, TaskStatus};
    use strands_core::{PromptRequest, PromptStream, Promptable};

    use super::*;
    use crate::server::A2aServer;
    use crate::server::outcome::status;
    use crate::server::store::TaskRecord;

    struct Idle;

    impl Promptable for Idle {
        fn name(&self) -> &str {
            "idle"
        }

        fn description(&self) -> &str {
            "Does nothing."
        }

        fn stream(&self, _: PromptRequest) -> PromptStream {
            stream::empty().boxed()
        }
    }

    fn task(state: TaskState) -> Task {
        let status = TaskStatus { timestamp: None, ..status(state, None) };
        let (id, context_id) = ("00000000-0000-4000-8000-000000000000".to_owned(), "c".to_owned());
        Task { id, context_id, status, artifacts: None, history: None, metadata: None }
    }

    /// Returns the state of the next event.
    async fn next(events: &mut Events) -> Option<TaskState> {
        let event = tokio::time::timeout(Duration::from_secs(60), events.next()).await.expect("an event");
        Some(match &*event?.unwrap() {
            StreamResponse::Task(task) => task.status.state.clone(),
            StreamResponse::StatusUpdate(update) => update.status.state.clone(),
            other => panic!("{other:?}"),
        })
    }

    /// The run ends between the look at the registry and the subscription, so that its last events were sent before.
    #[tokio::test(start_paused = true)]
    async fn a_subscriber_does_not_wait_for_events_of_a_run_that_has_sent_its_last_ones() {
        let core = Arc::clone(&A2aServer::builder(Idle, "https://a.b").build().unwrap().http.core);
        let caller = Caller::anonymous();
        let waiting = TaskRecord {
            task: task(TaskState::InputRequired),
            interrupts: Vec::new(),
            continuation: None,
            push: Vec::new(),
            run: None,
            updated: chrono::Utc::now(),
        };
        core.records.put_task(&caller.key(), &waiting, None).await.unwrap();
        let live = |state| Arc::new(LiveTask::new(caller.key(), task(state), Vec::new(), core.limits.history()));
        let ended = live(TaskState::InputRequired);
        core.registry.add(&ended);
        ended.end_with(Vec::new());

        let share = core.stream_share(&caller).unwrap();
        let stale = Arc::new(task(TaskState::Working));
        let mut events = followed_events(Arc::clone(&core), caller.clone(), stale, share);
        assert_eq!(next(&mut events).await, Some(TaskState::Working));
        assert_eq!(next(&mut events).await, Some(TaskState::InputRequired));
        // It is resumed.
        core.registry.remove(&ended);
        let resumed = live(TaskState::Working);
        core.registry.add(&resumed);
        assert_eq!(next(&mut events).await, Some(TaskState::Working));
        let completed = resumed.status_event(status(TaskState::Completed, None));
        resumed.end_with(vec![completed]);
        assert_eq!(next(&mut events).await, Some(TaskState::Completed));
        assert_eq!(next(&mut events).await, None);
    }
}

//! Streams of the events of tasks.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use a2a::{SendMessageRequest, StreamResponse, SubscribeToTaskRequest, Task, TaskState};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, stream};
use strands_http::Caller;
use tokio::sync::broadcast::error::RecvError;

use super::core::{Core, with_history};
use super::failure::Failure;
use super::live_task::{LiveTask, Subscription, ends_stream, state_events};
use super::send::response_message;
use super::shares::{Exhausted, Share};

/// Interval in which a task that does not run in this process is read.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

pub(super) type Events = BoxStream<'static, Result<Arc<StreamResponse>, Failure>>;

impl Core {
    /// Starts or continues the task of a message, and returns its events.
    pub(super) async fn send_streaming(
        self: &Arc<Self>,
        caller: &Caller,
        request: SendMessageRequest,
        is_v03: bool,
    ) -> Result<Events, Failure> {
        let share = self.stream_share(caller)?;
        let history_length = request.configuration.as_ref().and_then(|configuration| configuration.history_length);
        let mut started = self.start(caller, request, is_v03).await?;
        if started.is_message {
            return Ok(message_event(started.live, share));
        }
        started.subscription.task = with_history(started.subscription.task, history_length)?;
        Ok(live_events(started.live, started.subscription, share))
    }

    /// Returns the events of a task from now on.
    pub(super) async fn subscribe(
        self: &Arc<Self>,
        caller: &Caller,
        request: SubscribeToTaskRequest,
    ) -> Result<Events, Failure> {
        let ended = || Failure::Unsupported("the task has ended: get it instead".to_owned());
        let share = self.stream_share(caller)?;
        if let Some(live) = self.registry.get(&caller.key(), &request.id) {
            let subscription = live.subscribe();
            let state = &subscription.task.status.state;
            if state.is_terminal() {
                return Err(ended());
            }
            return Ok(if ends_stream(state) {
                followed_events(Arc::clone(self), caller.clone(), subscription.task, share)
            } else {
                live_events(live, subscription, share)
            });
        }
        let task = self.stored_task(caller, &request.id).await?.record.task;
        if task.status.state.is_terminal() {
            return Err(ended());
        }
        Ok(followed_events(Arc::clone(self), caller.clone(), task, share))
    }

    fn stream_share(&self, caller: &Caller) -> Result<Share, Failure> {
        self.streams.take(&caller.key(), 1).map_err(|exhausted| {
            Failure::Overloaded(match exhausted {
                Exhausted::Total => "too many streams are open; try again later",
                Exhausted::Caller => "too many of your streams are open; try again after one has ended",
            })
        })
    }
}

/// Returns the task, and then its events until it ends or waits for input.
fn live_events(live: Arc<LiveTask>, subscription: Subscription, share: Share) -> Events {
    struct State {
        live: Arc<LiveTask>,
        subscription: Subscription,
        next: VecDeque<Arc<StreamResponse>>,
        has_ended: bool,
        _share: Share,
    }
    let first = Arc::new(StreamResponse::Task(subscription.task.clone()));
    let has_ended = ends_stream(&subscription.task.status.state);
    let state = State { live, subscription, next: VecDeque::from([first]), has_ended, _share: share };
    let events = stream::unfold(state, |mut state| async move {
        loop {
            if let Some(event) = state.next.pop_front() {
                state.has_ended |= is_last(&event);
                return Some((Ok(event), state));
            }
            if state.has_ended {
                return None;
            }
            match state.subscription.events.recv().await {
                Ok(event) => state.next.push_back(event),
                Err(RecvError::Lagged(_)) => {
                    state.subscription = state.live.subscribe();
                    state.next.extend(state_events(&state.subscription.task).into_iter().map(Arc::new));
                }
                Err(RecvError::Closed) => return None,
            }
        }
    });
    events.boxed()
}

fn is_last(event: &StreamResponse) -> bool {
    matches!(event, StreamResponse::StatusUpdate(update) if ends_stream(&update.status.state))
}

/// Returns the response as one message, or the task if it has not completed.
fn message_event(live: Arc<LiveTask>, share: Share) -> Events {
    let event = async move {
        live.ended().await;
        drop(share);
        let task = live.task();
        Ok(Arc::new(match task.status.state {
            TaskState::Completed => StreamResponse::Message(response_message(task)),
            _ => StreamResponse::Task(task),
        }))
    };
    stream::once(event).boxed()
}

/// Returns a task that waits for input or runs in another process, and then its changes, until it ends.
fn followed_events(core: Arc<Core>, caller: Caller, task: Task, share: Share) -> Events {
    struct State {
        core: Arc<Core>,
        caller: Caller,
        task: Task,
        /// Events of the task while it runs here.
        live: Option<(Arc<LiveTask>, Subscription)>,
        next: VecDeque<Arc<StreamResponse>>,
        has_ended: bool,
        _share: Share,
    }
    impl State {
        /// Adds the events that lead to a state of the task.
        fn go_on_from(&mut self, task: Task) {
            if task != self.task {
                self.next.extend(state_events(&task).into_iter().map(Arc::new));
                self.task = task;
            }
        }
    }
    let first = Arc::new(StreamResponse::Task(task.clone()));
    let next = VecDeque::from([first]);
    let state = State { core, caller, task, live: None, next, has_ended: false, _share: share };
    let events = stream::unfold(state, |mut state| async move {
        loop {
            if let Some(event) = state.next.pop_front() {
                state.has_ended |= is_end(&event);
                return Some((Ok(event), state));
            }
            if state.has_ended || state.core.registry.is_closed() {
                return None;
            }
            if let Some((live, subscription)) = &mut state.live {
                match subscription.events.recv().await {
                    Ok(event) => state.next.push_back(event),
                    Err(RecvError::Lagged(_)) => {
                        *subscription = live.subscribe();
                        let task = subscription.task.clone();
                        if ends_stream(&task.status.state) {
                            state.live = None;
                        }
                        state.go_on_from(task);
                    }
                    Err(RecvError::Closed) => state.live = None,
                }
                if state.next.back().is_some_and(|event| is_last(event)) {
                    // It waits for input again.
                    state.live = None;
                }
                continue;
            }
            let started = state.core.registry.started();
            if let Some(live) = state.core.registry.get(&state.caller.key(), &state.task.id) {
                let subscription = live.subscribe();
                if !ends_stream(&subscription.task.status.state) {
                    let task = subscription.task.clone();
                    state.live = Some((live, subscription));
                    state.go_on_from(task);
                    continue;
                }
                // Its last events may have been sent before. The store has its end.
                tokio::select! {
                    () = live.ended() => {}
                    () = tokio::time::sleep(POLL_INTERVAL) => {}
                }
            }
            match state.core.stored_task(&state.caller, &state.task.id).await {
                Ok(stored) if stored.record.task != state.task => {
                    state.go_on_from(stored.record.task);
                    continue;
                }
                Ok(_) => {}
                Err(failure) => {
                    state.has_ended = true;
                    return Some((Err(failure), state));
                }
            }
            // Another process may run it.
            tokio::select! {
                () = started => {}
                () = tokio::time::sleep(POLL_INTERVAL) => {}
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
    use a2a::TaskStatus;
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
        let stale = task(TaskState::Working);
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

//! Streams of the events of tasks.

use std::collections::VecDeque;
use std::sync::Arc;

use a2a::{SendMessageRequest, StreamResponse, SubscribeToTaskRequest, Task, TaskState};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, stream};
use strands_http::Caller;
use tokio::sync::broadcast::error::RecvError;

use super::core::{Core, with_history};
use super::failure::Failure;
use super::followed_events::followed_events;
use super::live_task::{LiveEvents, LiveTask, ends_stream, state_events};
use super::send::{Started, response_message};
use super::shares::{Exhausted, Share};

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
        let Started { live, task, events, is_message } = self.start(caller, request, is_v03).await?;
        if is_message {
            return Ok(message_event(live, share));
        }
        let task = with_history(Arc::unwrap_or_clone(task), history_length)?;
        Ok(live_events(live, task, events, share))
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
            let (task, events) = live.subscribe();
            if task.status.state.is_terminal() {
                return Err(ended());
            }
            return Ok(if ends_stream(&task.status.state) {
                followed_events(Arc::clone(self), caller.clone(), task, share)
            } else {
                live_events(live, Arc::unwrap_or_clone(task), events, share)
            });
        }
        let task = Arc::new(self.stored_task(caller, &request.id).await?.record.task);
        if task.status.state.is_terminal() {
            return Err(ended());
        }
        Ok(followed_events(Arc::clone(self), caller.clone(), task, share))
    }

    pub(super) fn stream_share(&self, caller: &Caller) -> Result<Share, Failure> {
        self.streams.take(&caller.key(), 1).map_err(|exhausted| {
            Failure::Overloaded(match exhausted {
                Exhausted::Total => "too many streams are open; try again later",
                Exhausted::Caller => "too many of your streams are open; try again after one has ended",
            })
        })
    }
}

/// Returns the task, and then its events until it ends or waits for input.
fn live_events(live: Arc<LiveTask>, task: Task, events: LiveEvents, share: Share) -> Events {
    struct State {
        live: Arc<LiveTask>,
        events: LiveEvents,
        next: VecDeque<Arc<StreamResponse>>,
        has_ended: bool,
        _share: Share,
    }
    let has_ended = ends_stream(&task.status.state);
    let next = VecDeque::from([Arc::new(StreamResponse::Task(task))]);
    let state = State { live, events, next, has_ended, _share: share };
    let events = stream::unfold(state, |mut state| async move {
        loop {
            if let Some(event) = state.next.pop_front() {
                state.has_ended |= is_last(&event);
                return Some((Ok(event), state));
            }
            if state.has_ended {
                return None;
            }
            match state.events.recv().await {
                Ok(event) => state.next.push_back(event),
                Err(RecvError::Lagged(_)) => {
                    let (task, events) = state.live.subscribe();
                    state.events = events;
                    state.next.extend(state_events(&task).into_iter().map(Arc::new));
                }
                Err(RecvError::Closed) => return None,
            }
        }
    });
    events.boxed()
}

/// Returns true for the last event of a run.
pub(super) fn is_last(event: &StreamResponse) -> bool {
    matches!(event, StreamResponse::StatusUpdate(update) if ends_stream(&update.status.state))
}

/// Returns the response as one message, or the task if it has not completed. The share is held until the client has it.
fn message_event(live: Arc<LiveTask>, share: Share) -> Events {
    let events = stream::unfold((Some(live), share), |(live, share)| async move {
        let live = live?;
        live.ended().await;
        let task = live.task();
        let event = match task.status.state {
            TaskState::Completed => StreamResponse::Message(response_message(task)),
            _ => StreamResponse::Task(task),
        };
        Some((Ok(Arc::new(event)), (None, share)))
    });
    events.boxed()
}

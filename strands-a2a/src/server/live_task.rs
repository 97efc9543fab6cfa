//! A task that runs in this process: its state at the moment, and its events for any number of streams.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use a2a::{
    Artifact, Message, Part, PartContent, Role, StreamResponse, Task, TaskArtifactUpdateEvent, TaskState, TaskStatus,
    TaskStatusUpdateEvent,
};
use chrono::{DateTime, Utc};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use super::store::PushConfig;
use crate::json;

/// Number of events by which a stream may lag. A slower one gets the state of the task instead of the events that it missed.
const MAX_LAG: usize = 256;

/// Reason for the cancellation of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CancelReason {
    Client,
    Shutdown,
}

pub(super) struct LiveTask {
    pub(super) caller: String,
    pub(super) id: String,
    pub(super) context_id: String,
    history: HistoryLimits,
    state: Mutex<State>,
    cancellation: CancellationToken,
    cancel_reason: OnceLock<CancelReason>,
    end: CancellationToken,
}

struct State {
    /// Shared with those that look at a moment of it. A change copies it only if one of them does.
    task: Arc<Task>,
    push: Vec<PushConfig>,
    events: broadcast::Sender<Arc<StreamResponse>>,
}

/// Events of a task from a moment on.
pub(super) type LiveEvents = broadcast::Receiver<Arc<StreamResponse>>;

impl LiveTask {
    pub(super) fn new(caller: String, task: Task, push: Vec<PushConfig>, history: HistoryLimits) -> Self {
        let (id, context_id) = (task.id.clone(), task.context_id.clone());
        let state = Mutex::new(State { task: Arc::new(task), push, events: broadcast::Sender::new(MAX_LAG) });
        let (cancellation, end) = (CancellationToken::new(), CancellationToken::new());
        Self { caller, id, context_id, history, state, cancellation, cancel_reason: OnceLock::new(), end }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is complete before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the task as it is now.
    pub(super) fn task(&self) -> Task {
        Task::clone(&self.state().task)
    }

    /// Returns the task as it is now, without a copy. Drop it soon: it makes the next change a copy.
    pub(super) fn snapshot(&self) -> Arc<Task> {
        Arc::clone(&self.state().task)
    }

    /// Returns the state of the task, and its time.
    pub(super) fn state_and_time(&self) -> (TaskState, Option<DateTime<Utc>>) {
        let state = self.state();
        (state.task.status.state.clone(), state.task.status.timestamp)
    }

    /// Returns the task as it is now, and its events from now on.
    pub(super) fn subscribe(&self) -> (Arc<Task>, LiveEvents) {
        let state = self.state();
        (Arc::clone(&state.task), state.events.subscribe())
    }

    /// Changes the task, and sends the event to all streams.
    pub(super) fn publish(&self, event: StreamResponse) {
        let mut state = self.state();
        apply(Arc::make_mut(&mut state.task), &event, self.history);
        // An error means that there is no stream.
        let _ = state.events.send(Arc::new(event));
    }

    /// Changes the task. Its streams get the events with [`send`](Self::send).
    pub(super) fn apply(&self, events: &[StreamResponse]) -> Task {
        let mut state = self.state();
        let task = Arc::make_mut(&mut state.task);
        for event in events {
            apply(task, event, self.history);
        }
        task.clone()
    }

    pub(super) fn history(&self) -> Option<Vec<Message>> {
        self.state().task.history.clone()
    }

    /// Replaces the content of the last message of the user by the text of a guardrail.
    pub(super) fn redact_prompt(&self, replacement: &str) {
        let mut state = self.state();
        let task = Arc::make_mut(&mut state.task);
        let prompt = task.history.iter_mut().flatten().rfind(|message| message.role == Role::User);
        if let Some(prompt) = prompt {
            prompt.parts = vec![Part::text(replacement)];
        }
    }

    /// Replaces the task by the one that another process has stored.
    pub(super) fn replace(&self, task: Task) {
        self.state().task = Arc::new(task);
    }

    /// Sends the last events to all streams, and wakes those that wait for the end.
    pub(super) fn end_with(&self, events: Vec<StreamResponse>) {
        let state = self.state();
        for event in events {
            let _ = state.events.send(Arc::new(event));
        }
        drop(state);
        self.end.cancel();
    }

    pub(super) async fn ended(&self) {
        self.end.cancelled().await;
    }

    pub(super) fn push(&self) -> Vec<PushConfig> {
        self.state().push.clone()
    }

    pub(super) fn set_push(&self, push: Vec<PushConfig>) {
        self.state().push = push;
    }

    pub(super) fn cancel(&self, reason: CancelReason) {
        // The first reason counts.
        let _ = self.cancel_reason.set(reason);
        self.cancellation.cancel();
    }

    pub(super) fn cancellation(&self) -> &CancellationToken {
        &self.cancellation
    }

    pub(super) fn cancel_reason(&self) -> Option<CancelReason> {
        self.cancel_reason.get().copied()
    }

    pub(super) fn status_event(&self, status: TaskStatus) -> StreamResponse {
        StreamResponse::StatusUpdate(TaskStatusUpdateEvent {
            task_id: self.id.clone(),
            context_id: self.context_id.clone(),
            status,
            metadata: None,
        })
    }

    pub(super) fn artifact_event(&self, artifact: Artifact, append: bool, last_chunk: bool) -> StreamResponse {
        StreamResponse::ArtifactUpdate(TaskArtifactUpdateEvent {
            task_id: self.id.clone(),
            context_id: self.context_id.clone(),
            artifact,
            append: Some(append),
            last_chunk: Some(last_chunk),
            metadata: None,
        })
    }
}

/// Returns events that bring a stream to the state of a task, whatever it has seen before.
pub(super) fn state_events(task: &Task) -> Vec<StreamResponse> {
    let artifacts = task.artifacts.iter().flatten().map(|artifact| {
        StreamResponse::ArtifactUpdate(TaskArtifactUpdateEvent {
            task_id: task.id.clone(),
            context_id: task.context_id.clone(),
            artifact: artifact.clone(),
            append: Some(false),
            last_chunk: None,
            metadata: None,
        })
    });
    let status = StreamResponse::StatusUpdate(TaskStatusUpdateEvent {
        task_id: task.id.clone(),
        context_id: task.context_id.clone(),
        status: task.status.clone(),
        metadata: None,
    });
    artifacts.chain([status]).collect()
}

/// Returns true if a stream ends after a status with this state.
pub(super) fn ends_stream(state: &TaskState) -> bool {
    state.is_terminal() || matches!(state, TaskState::InputRequired | TaskState::AuthRequired)
}

/// Changes a task as an event says.
pub(super) fn apply(task: &mut Task, event: &StreamResponse, limits: HistoryLimits) {
    match event {
        StreamResponse::StatusUpdate(update) => {
            let last = std::mem::replace(&mut task.status, update.status.clone());
            // The question that the client has responded to is a part of the history.
            if let Some(message) = last.message {
                add_to_history(task, message, limits);
            }
        }
        StreamResponse::ArtifactUpdate(update) => add_artifact(task, &update.artifact, update.append == Some(true)),
        StreamResponse::Task(_) | StreamResponse::Message(_) => {}
    }
}

/// Limits of the history of a task.
#[derive(Clone, Copy)]
pub(super) struct HistoryLimits {
    pub(super) messages: usize,
    /// Size of all messages, in bytes of JSON.
    pub(super) bytes: usize,
    /// Number of JSON values of all messages.
    pub(super) values: usize,
}

/// Adds a message to the history, and drops the oldest ones if there are too many, or if they are too large.
pub(super) fn add_to_history(task: &mut Task, message: Message, limits: HistoryLimits) {
    let history = task.history.get_or_insert_default();
    history.push(message);
    let (mut bytes, mut values) = (0_usize, 0_usize);
    let fits = |message: &&Message| {
        let size = json::size_of(message);
        bytes = bytes.saturating_add(size.bytes);
        values = values.saturating_add(size.values);
        bytes <= limits.bytes && values <= limits.values
    };
    let kept = history.iter().rev().take(limits.messages).take_while(fits).count();
    history.drain(..history.len().saturating_sub(kept));
}

fn add_artifact(task: &mut Task, artifact: &Artifact, append: bool) {
    let artifacts = task.artifacts.get_or_insert_default();
    match artifacts.iter_mut().find(|known| known.artifact_id == artifact.artifact_id) {
        Some(known) if append => artifact.parts.iter().for_each(|part| add_part(&mut known.parts, part)),
        Some(known) => known.clone_from(artifact),
        None => artifacts.push(artifact.clone()),
    }
}

/// Adds a part. Texts that follow each other are one part: a response is not stored by its chunks.
fn add_part(parts: &mut Vec<Part>, part: &Part) {
    if let PartContent::Text(chunk) = &part.content {
        let is_plain = |part: &Part| part.filename.is_none() && part.media_type.is_none() && part.metadata.is_none();
        let has_parts = !parts.is_empty();
        if let Some(last) = parts.last_mut().filter(|last| is_plain(last) && is_plain(part))
            && let PartContent::Text(text) = &mut last.content
        {
            text.push_str(chunk);
            return;
        }
        if chunk.is_empty() && has_parts {
            return;
        }
    }
    parts.push(part.clone());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_history_has_a_limited_number_of_json_values() {
        let (id, context_id) = ("t".to_owned(), "c".to_owned());
        let status = TaskStatus { state: TaskState::Working, message: None, timestamp: None };
        let mut task = Task { id, context_id, status, artifacts: None, history: None, metadata: None };
        let limits = HistoryLimits { messages: 100, bytes: 1_000_000, values: 2_500 };
        for _ in 0..5 {
            let message = Message::new(Role::User, vec![Part::data(json!(vec![0; 1_000]))]);
            add_to_history(&mut task, message, limits);
        }
        assert_eq!(task.history.unwrap().len(), 2);
    }
}

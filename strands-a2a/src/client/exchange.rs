//! One message and the events of its task, over connections that may break.
//!
//! - A server that does not stream is polled.
//! - A stream that breaks off is replaced: the task is read, and subscribed to. If that fails too often, the task is polled.
//! - A task that is not wanted any more is cancelled: when the exchange is dropped before the end of the task.

use std::sync::Arc;
use std::time::Duration;

use a2a::{StreamResponse, Task, TaskState};
use futures_util::future::BoxFuture;
use strands_core::ErrorChain;
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

use super::endpoint::{Endpoint, Reply};
use super::error::A2aError;
use super::event_stream::EventStream;

/// Time for the cancellation of a task.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause before the state of a task is read the second time. It doubles up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// Number of failures in a row after which a task is given up.
const MAX_FAILURES: u32 = 5;
/// Number of streams in a row that break off without an event, after which the task is polled.
const MAX_BROKEN_STREAMS: u32 = 3;
/// Maximum length of an id of a server, in bytes.
const MAX_ID: usize = 1024;

/// A message, and the events of its task.
pub(super) struct Exchange {
    endpoint: Arc<Endpoint>,
    link: Link,
    task_id: Option<String>,
    context_id: Option<String>,
    /// Pause before the next request.
    pause: Duration,
    failures: u32,
    broken_streams: u32,
    /// True once the message may have been sent.
    is_sent: bool,
    /// True if events were missed.
    has_gap: bool,
}

/// The source of the next event.
enum Link {
    /// The response to the message.
    Sending(BoxFuture<'static, Result<Reply, A2aError>>),
    Streaming(EventStream),
    /// The state of the task, and then its stream.
    Recovering,
    Subscribing,
    /// The state of the task.
    Polling,
    Ended,
}

impl Exchange {
    /// Creates an exchange. Nothing is sent before the first event is requested.
    pub(super) fn new(endpoint: Arc<Endpoint>, reply: BoxFuture<'static, Result<Reply, A2aError>>) -> Self {
        Self {
            endpoint,
            link: Link::Sending(reply),
            task_id: None,
            context_id: None,
            pause: FIRST_PAUSE,
            failures: 0,
            broken_streams: 0,
            is_sent: false,
            has_gap: false,
        }
    }

    pub(super) fn task_id(&self) -> Option<&str> {
        self.task_id.as_deref()
    }

    pub(super) fn context_id(&self) -> Option<&str> {
        self.context_id.as_deref()
    }

    /// Returns the next event. After an error there are no more.
    pub(super) async fn next(&mut self) -> Result<StreamResponse, A2aError> {
        let event = self.next_event().await;
        match event.and_then(|event| self.noted(event)) {
            Ok(event) => Ok(event),
            Err(error) => {
                // A task that is known may go on; it is cancelled when this is dropped.
                self.link = Link::Ended;
                Err(error)
            }
        }
    }

    /// Ends the exchange: the task has ended, or waits for input.
    pub(super) fn end(&mut self) {
        self.link = Link::Ended;
        self.task_id = None;
    }

    /// Returns the task with all its artifacts, if events were missed.
    pub(super) async fn missed(&mut self) -> Result<Option<Task>, A2aError> {
        if self.task_id.is_none() || !self.has_gap {
            return Ok(None);
        }
        loop {
            match self.read_task().await? {
                Some(task) => return Ok(Some(task)),
                None => self.pause().await,
            }
        }
    }

    async fn next_event(&mut self) -> Result<StreamResponse, A2aError> {
        loop {
            match &mut self.link {
                Link::Sending(reply) => {
                    self.is_sent = true;
                    let reply = reply.await;
                    self.link = Link::Ended;
                    match reply? {
                        Reply::Events(events) => self.link = Link::Streaming(events),
                        Reply::Event(event) => {
                            self.link = Link::Polling;
                            return Ok(*event);
                        }
                    }
                }
                Link::Streaming(events) => {
                    let broken = match events.next().await {
                        Some(Ok(event)) => {
                            (self.failures, self.broken_streams) = (0, 0);
                            return Ok(event);
                        }
                        // After a gap, the error may be that of the subscription, and not of the agent.
                        Some(Err(error)) if error.is_broken_off() || self.has_gap && error.is_transient() => error,
                        Some(Err(error)) => return Err(error),
                        None => A2aError::StreamEnded,
                    };
                    if self.task_id.is_none() {
                        return Err(broken);
                    }
                    self.broken_streams += 1;
                    self.link = Link::Recovering;
                }
                Link::Recovering => {
                    // The first time there is no reason to wait.
                    if std::mem::replace(&mut self.has_gap, true) {
                        self.pause().await;
                    }
                    let Some(task) = self.read_task().await? else { continue };
                    let gives_up = self.broken_streams >= MAX_BROKEN_STREAMS;
                    self.link = if gives_up { Link::Polling } else { Link::Subscribing };
                    return Ok(StreamResponse::Task(task));
                }
                Link::Subscribing => {
                    let task_id = self.task_id.clone().unwrap_or_default();
                    match self.endpoint.subscribe(&task_id).await {
                        Ok(Reply::Events(events)) => self.link = Link::Streaming(events),
                        Ok(Reply::Event(event)) => {
                            self.link = Link::Polling;
                            return Ok(*event);
                        }
                        // The task may have ended meanwhile, or the server has no subscriptions.
                        Err(_) => self.link = Link::Polling,
                    }
                }
                Link::Polling => {
                    self.pause().await;
                    if let Some(task) = self.read_task().await? {
                        return Ok(StreamResponse::Task(task));
                    }
                }
                Link::Ended => return Err(A2aError::StreamEnded),
            }
        }
    }

    async fn pause(&mut self) {
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(MAX_PAUSE);
    }

    /// Reads the task. Returns `None` after a failure that may pass.
    async fn read_task(&mut self) -> Result<Option<Task>, A2aError> {
        // A message without a task has ended.
        let Some(task_id) = &self.task_id else { return Err(A2aError::StreamEnded) };
        match self.endpoint.task(task_id).await {
            Ok(task) => {
                self.failures = 0;
                Ok(Some(task))
            }
            Err(error) if error.is_transient() && self.failures < MAX_FAILURES => {
                self.failures += 1;
                // Before the next attempt, also while recovering.
                self.link = Link::Polling;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Keeps the ids of an event.
    fn noted(&mut self, event: StreamResponse) -> Result<StreamResponse, A2aError> {
        let (task_id, context_id) = match &event {
            StreamResponse::Task(task) => (Some(&task.id), Some(&task.context_id)),
            StreamResponse::StatusUpdate(update) => (Some(&update.task_id), Some(&update.context_id)),
            StreamResponse::ArtifactUpdate(update) => (Some(&update.task_id), Some(&update.context_id)),
            StreamResponse::Message(message) => (None, message.context_id.as_ref()),
        };
        if [task_id, context_id].into_iter().flatten().any(|id| id.len() > MAX_ID) {
            return Err(A2aError::protocol(format!("an id is longer than {MAX_ID} bytes")));
        }
        if let StreamResponse::Message(message) = &event {
            self.context_id = message.context_id.clone().filter(|id| !id.is_empty());
            return Ok(event);
        }
        if let Some(task_id) = task_id.filter(|id| !id.is_empty()) {
            if self.task_id.as_ref().is_some_and(|known| known != task_id) {
                return Err(A2aError::protocol("an event is of another task"));
            }
            self.task_id.get_or_insert_with(|| task_id.clone());
        }
        if let Some(context_id) = context_id.filter(|id| !id.is_empty()) {
            self.context_id = Some(context_id.clone());
        }
        Ok(event)
    }
}

/// Cancels the task in the background, within [`CANCEL_TIMEOUT`].
impl Drop for Exchange {
    fn drop(&mut self) {
        let link = std::mem::replace(&mut self.link, Link::Ended);
        let Ok(runtime) = Handle::try_current() else { return };
        let endpoint = Arc::clone(&self.endpoint);
        let task_id = self.task_id.take();
        let has_begun = task_id.is_some() || self.is_sent && matches!(link, Link::Sending(_) | Link::Streaming(_));
        if has_begun {
            runtime.spawn(timeout(CANCEL_TIMEOUT, async move {
                let task_id = match task_id {
                    Some(task_id) => Some(task_id),
                    None => begun_task(link).await,
                };
                if let Some(task_id) = task_id
                    && let Err(error) = endpoint.cancel(&task_id).await
                {
                    tracing::debug!(error = %ErrorChain::new(&error), "a task of a remote agent could not be cancelled");
                }
            }));
        }
    }
}

/// Waits for the id of a task whose message is on its way.
async fn begun_task(link: Link) -> Option<String> {
    let mut events = match link {
        Link::Sending(reply) => match reply.await.ok()? {
            Reply::Event(event) => return running_task(&event),
            Reply::Events(events) => events,
        },
        Link::Streaming(events) => events,
        _ => return None,
    };
    running_task(&events.next().await?.ok()?)
}

/// Returns the id of the task of an event, if it has not ended.
fn running_task(event: &StreamResponse) -> Option<String> {
    let (task_id, state) = match event {
        StreamResponse::Task(task) => (&task.id, Some(&task.status.state)),
        StreamResponse::StatusUpdate(update) => (&update.task_id, Some(&update.status.state)),
        StreamResponse::ArtifactUpdate(update) => (&update.task_id, None),
        StreamResponse::Message(_) => return None,
    };
    (!state.is_some_and(TaskState::is_terminal)).then(|| task_id.clone())
}

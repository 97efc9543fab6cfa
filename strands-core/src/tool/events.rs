//! Events of the running calls of one turn, on their way to the listener.
//!
//! Most calls only start and end. Those events go to a queue within the task of the calls; a channel is created for the
//! first event that a tool sends, which may come from another task or thread.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::future::BoxFuture;
use futures_util::task::AtomicWaker;
use serde_json::Value;
use tokio::sync::mpsc::{self, error::TrySendError};

use crate::event::AgentEvent;
use crate::message::{ToolResult, ToolUse};

/// Capacity of the queue, and of the channel. Calls and tools wait while they are full.
pub(crate) const EVENT_CAPACITY: usize = 64;

/// An event of a tool call, for the listener of the invocation.
#[derive(Debug)]
pub(crate) enum ToolEvent {
    Start { tool_use: Arc<ToolUse> },
    Progress { tool_use: Arc<ToolUse>, data: Value },
    End { tool_use: Arc<ToolUse>, result: ToolResult, duration: Duration },
    Forwarded(Box<AgentEvent>),
}

#[derive(Default)]
struct Shared {
    /// Events from before the channel was created.
    queue: Mutex<VecDeque<ToolEvent>>,
    channel: OnceLock<mpsc::Sender<ToolEvent>>,
    created: Mutex<Created>,
    /// Wakes the receiver when the channel is created.
    waker: AtomicWaker,
}

/// The receiving end of the channel, on its way to the receiver of the events.
#[derive(Default)]
enum Created {
    #[default]
    NotYet,
    Channel(mpsc::Receiver<ToolEvent>),
    /// There is no receiver any more.
    Closed,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, VecDeque<ToolEvent>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn created(&self) -> MutexGuard<'_, Created> {
        self.created.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sender of events. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ToolEventSender(Arc<Shared>);

impl ToolEventSender {
    /// Creates a sender and its receiver.
    pub(crate) fn new() -> (Self, ToolEventReceiver) {
        let shared = Arc::<Shared>::default();
        (Self(Arc::clone(&shared)), ToolEventReceiver { shared, channel: None })
    }

    /// Sends an event from the task that polls the receiver after the calls. Returns a future to wait for if there is no
    /// capacity.
    pub(crate) fn send(&self, event: ToolEvent) -> Option<BoxFuture<'_, ()>> {
        if self.0.channel.get().is_none() {
            let mut queue = self.0.queue();
            if queue.len() < EVENT_CAPACITY {
                queue.push_back(event);
                return None;
            }
        }
        let channel = self.channel();
        match channel.try_send(event) {
            Err(TrySendError::Full(event)) => Some(Box::pin(async move { _ = channel.send(event).await })),
            // The receiver lives as long as a call runs.
            Ok(()) | Err(TrySendError::Closed(_)) => None,
        }
    }

    /// Returns the channel for events of tools. It is closed once the receiver is gone.
    pub(crate) fn channel(&self) -> &mpsc::Sender<ToolEvent> {
        if let Some(channel) = self.0.channel.get() {
            return channel;
        }
        let channel = self.0.channel.get_or_init(|| {
            let (sender, receiver) = mpsc::channel(EVENT_CAPACITY);
            let mut created = self.0.created();
            if let Created::NotYet = *created {
                *created = Created::Channel(receiver);
            }
            sender
        });
        // Once the channel is set: a receiver that looked for it earlier would wait without another wake-up.
        self.0.waker.wake();
        channel
    }
}

/// Receiver of events.
pub(crate) struct ToolEventReceiver {
    shared: Arc<Shared>,
    channel: Option<mpsc::Receiver<ToolEvent>>,
}

impl ToolEventReceiver {
    /// Returns the next event. Waits for it without an end.
    pub(crate) async fn next(&mut self) -> ToolEvent {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Returns the next event, if there is one.
    pub(crate) fn try_next(&mut self) -> Option<ToolEvent> {
        if let Some(event) = self.shared.queue().pop_front() {
            return Some(event);
        }
        self.take_channel()?.try_recv().ok()
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<ToolEvent> {
        if let Some(event) = self.shared.queue().pop_front() {
            return Poll::Ready(event);
        }
        if self.channel.is_none() {
            self.shared.waker.register(cx.waker());
        }
        // A sender holds the channel open, so that it does not end.
        match self.take_channel().map(|channel| channel.poll_recv(cx)) {
            Some(Poll::Ready(Some(event))) => Poll::Ready(event),
            Some(_) | None => Poll::Pending,
        }
    }

    fn take_channel(&mut self) -> Option<&mut mpsc::Receiver<ToolEvent>> {
        if self.channel.is_none()
            && self.shared.channel.get().is_some()
            && let Created::Channel(channel) = std::mem::take(&mut *self.shared.created())
        {
            self.channel = Some(channel);
        }
        self.channel.as_mut()
    }
}

impl Drop for ToolEventReceiver {
    fn drop(&mut self) {
        *self.shared.created() = Created::Closed;
    }
}

/// Returns the next event. Waits without an end if there is no receiver.
pub(crate) async fn received(events: &mut Option<ToolEventReceiver>) -> ToolEvent {
    match events {
        Some(events) => events.next().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn event(name: &str) -> ToolEvent {
        ToolEvent::Start { tool_use: Arc::new(ToolUse::new("1", name, Value::Null)) }
    }

    fn name(event: &ToolEvent) -> &str {
        match event {
            ToolEvent::Start { tool_use } => &tool_use.name,
            _ => "",
        }
    }

    #[tokio::test]
    async fn events_of_calls_come_before_those_of_their_tools() {
        let (sender, mut receiver) = ToolEventSender::new();
        assert!(sender.send(event("start")).is_none());
        sender.channel().send(event("progress")).await.unwrap();
        assert!(sender.send(event("end")).is_none());
        for expected in ["start", "progress", "end"] {
            assert_eq!(name(&receiver.next().await), expected);
        }
        assert!(receiver.next().now_or_never().is_none());
        assert!(receiver.try_next().is_none());
    }

    #[tokio::test]
    async fn a_waiting_receiver_gets_the_first_event_of_another_task() {
        let (sender, mut receiver) = ToolEventSender::new();
        let task = tokio::spawn(async move { name(&receiver.next().await).to_owned() });
        tokio::task::yield_now().await;
        sender.channel().send(event("progress")).await.unwrap();
        assert_eq!(task.await.unwrap(), "progress");
    }

    #[tokio::test]
    async fn a_waiting_receiver_gets_the_first_event_of_another_thread() {
        for _ in 0..200 {
            let (sender, mut receiver) = ToolEventSender::new();
            let tool = sender.clone();
            let thread = std::thread::spawn(move || tool.channel().blocking_send(event("progress")));
            // A task of its own, which the timeout does not poll again.
            let waiting = tokio::spawn(async move { name(&receiver.next().await).to_owned() });
            let received = tokio::time::timeout(Duration::from_secs(10), waiting).await;
            assert_eq!(received.unwrap().unwrap(), "progress");
            thread.join().unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn calls_wait_while_there_is_no_capacity() {
        let (sender, mut receiver) = ToolEventSender::new();
        for _ in 0..2 * EVENT_CAPACITY {
            assert!(sender.send(event("start")).is_none());
        }
        let mut waiting = sender.send(event("last")).unwrap();
        assert!((&mut waiting).now_or_never().is_none());
        for _ in 0..2 * EVENT_CAPACITY {
            assert_eq!(receiver.try_next().as_ref().map(name), Some("start"));
        }
        waiting.await;
        assert_eq!(receiver.try_next().as_ref().map(name), Some("last"));
    }

    #[tokio::test]
    async fn a_sender_without_a_receiver_does_not_wait() {
        for is_created in [false, true] {
            let (sender, receiver) = ToolEventSender::new();
            if is_created {
                sender.channel().send(event("progress")).await.unwrap();
            }
            drop(receiver);
            for _ in 0..2 * EVENT_CAPACITY {
                assert!(sender.channel().send(event("late")).await.is_err());
            }
        }
    }
}

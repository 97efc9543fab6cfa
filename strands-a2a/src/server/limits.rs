//! Limits of a server.

use std::time::Duration;

use super::live_task::HistoryLimits;

/// Shortest lease: each renewal is a write of the whole task.
const MIN_LEASE: Duration = Duration::from_secs(1);
/// Longest lease, whose end is a date that any reader of a record knows.
const MAX_LEASE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Limits of a server, so that no client uses up its memory.
///
/// ```
/// use strands::a2a::A2aLimits;
///
/// let limits = A2aLimits::new().body_bytes(1024 * 1024).running_tasks_per_caller(4);
/// # drop(limits);
/// ```
#[derive(Clone, Debug)]
pub struct A2aLimits {
    pub(super) body_bytes: usize,
    pub(super) body_values: usize,
    pub(super) body_timeout: Duration,
    pub(super) parts: usize,
    pub(super) history_messages: usize,
    pub(super) history_bytes: usize,
    pub(super) response_bytes: usize,
    pub(super) context_bytes: usize,
    pub(super) running_tasks: usize,
    pub(super) running_tasks_per_caller: usize,
    pub(super) tasks_per_caller: usize,
    pub(super) contexts_per_caller: usize,
    pub(super) task_age: Duration,
    pub(super) streams: usize,
    pub(super) streams_per_caller: usize,
    pub(super) requests_per_caller: usize,
    pub(super) push_configs: usize,
    pub(super) lease: Duration,
}

impl Default for A2aLimits {
    fn default() -> Self {
        Self {
            body_bytes: 8 * 1024 * 1024,
            body_values: 100_000,
            body_timeout: Duration::from_secs(30),
            parts: 64,
            history_messages: 100,
            history_bytes: 8 * 1024 * 1024,
            response_bytes: 8 * 1024 * 1024,
            context_bytes: 8 * 1024 * 1024,
            running_tasks: 256,
            running_tasks_per_caller: 16,
            tasks_per_caller: 1_000,
            contexts_per_caller: 1_000,
            task_age: Duration::from_secs(7 * 24 * 60 * 60),
            streams: 1_024,
            streams_per_caller: 128,
            requests_per_caller: 64,
            push_configs: 8,
            lease: Duration::from_secs(30),
        }
    }
}

impl A2aLimits {
    /// Creates the default limits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the maximum size of a request, in bytes. Default: 8 MiB.
    #[must_use]
    pub fn body_bytes(mut self, bytes: usize) -> Self {
        self.body_bytes = bytes;
        self
    }

    /// Sets the maximum number of JSON values in a request: a parsed value takes more memory than its text. The history of a task keeps
    /// messages with up to twice as many. Default: 100,000.
    #[must_use]
    pub fn body_values(mut self, values: usize) -> Self {
        self.body_values = values;
        self
    }

    /// Sets the time in which a client has to send a request. Default: 30 seconds.
    #[must_use]
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.body_timeout = timeout;
        self
    }

    /// Sets the maximum number of parts of a message. Default: 64.
    #[must_use]
    pub fn parts(mut self, parts: usize) -> Self {
        self.parts = parts;
        self
    }

    /// Sets the number of messages that the history of a task keeps; older ones are dropped. The agent's conversation is not
    /// affected. Default: 100.
    #[must_use]
    pub fn history_messages(mut self, messages: usize) -> Self {
        self.history_messages = messages;
        self
    }

    /// Sets the size of the history of a task, in bytes of JSON; older messages are dropped. The agent's conversation is not affected.
    /// Default: 8 MiB.
    #[must_use]
    pub fn history_bytes(mut self, bytes: usize) -> Self {
        self.history_bytes = bytes;
        self
    }

    pub(super) fn history(&self) -> HistoryLimits {
        // The last message fits, with what the server adds to it.
        let values = self.body_values.saturating_mul(2);
        HistoryLimits { messages: self.history_messages, bytes: self.history_bytes, values }
    }

    /// Sets the maximum size of the response to one message, in bytes. A task with a larger one fails. Default: 8 MiB.
    #[must_use]
    pub fn response_bytes(mut self, bytes: usize) -> Self {
        self.response_bytes = bytes;
        self
    }

    /// Sets the maximum size of the conversation of a context, in bytes of JSON. A larger one can't be continued: the next
    /// message gets an error. A task whose suspended agent is larger fails instead of waiting for input. Default: 8 MiB.
    #[must_use]
    pub fn context_bytes(mut self, bytes: usize) -> Self {
        self.context_bytes = bytes;
        self
    }

    /// Sets the maximum number of tasks that run at once. Default: 256.
    #[must_use]
    pub fn running_tasks(mut self, tasks: usize) -> Self {
        self.running_tasks = tasks;
        self
    }

    /// Sets the maximum number of tasks of one caller that run at once. Default: 16.
    #[must_use]
    pub fn running_tasks_per_caller(mut self, tasks: usize) -> Self {
        self.running_tasks_per_caller = tasks;
        self
    }

    /// Sets the number of tasks that are kept for each caller. The oldest that have ended are deleted first; then those that
    /// wait for input. Default: 1,000.
    #[must_use]
    pub fn tasks_per_caller(mut self, tasks: usize) -> Self {
        self.tasks_per_caller = tasks;
        self
    }

    /// Sets the number of contexts whose conversation is kept for each caller. Those that were not used for the longest time are
    /// deleted first. Default: 1,000.
    #[must_use]
    pub fn contexts_per_caller(mut self, contexts: usize) -> Self {
        self.contexts_per_caller = contexts;
        self
    }

    /// Sets the time for which tasks and contexts are kept after their last change. Default: 7 days.
    ///
    /// Older ones do not exist for clients. They are deleted from the store now and then, when a task of the same caller ends: for
    /// callers who do not come back, delete them with a rule of the store, such as the lifecycle of an S3 bucket.
    #[must_use]
    pub fn task_age(mut self, age: Duration) -> Self {
        self.task_age = age;
        self
    }

    /// Sets the maximum number of open streams. Default: 1,024.
    #[must_use]
    pub fn streams(mut self, streams: usize) -> Self {
        self.streams = streams;
        self
    }

    /// Sets the maximum number of open streams of one caller. Default: 128.
    #[must_use]
    pub fn streams_per_caller(mut self, streams: usize) -> Self {
        self.streams_per_caller = streams;
        self
    }

    /// Sets the maximum number of requests of one caller, such as reads of tasks, that are processed or whose response is sent at the same
    /// time. Messages, streams and cancellations don't count. Default: 64.
    #[must_use]
    pub fn requests_per_caller(mut self, requests: usize) -> Self {
        self.requests_per_caller = requests;
        self
    }

    /// Sets the maximum number of push notification configurations of a task. Default: 8.
    #[must_use]
    pub fn push_configs(mut self, configs: usize) -> Self {
        self.push_configs = configs;
        self
    }

    /// Sets the time after which a task is reported as failed if the process that runs it is gone. A process renews the lease of
    /// its tasks three times as often, and sees then that another process was told to cancel one. Default: 30 seconds. At least 1 second, and at most 365 days: other values become these.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.clamp(MIN_LEASE, MAX_LEASE);
        self
    }
}

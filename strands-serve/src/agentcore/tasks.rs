//! Tasks that go on after a response, and keep the runtime session alive.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

/// Registry of tasks that go on after a response. While there is one, `/ping` is `HealthyBusy`, and the platform does not stop
/// the runtime session. Clones share the tasks. It is injected into each turn.
///
/// ```
/// use strands::serve::agentcore::AsyncTasks;
/// use strands::tool;
///
/// /// Starts a report, which takes an hour.
/// #[tool(crate = strands_core)]
/// async fn start_report(tasks: &AsyncTasks) -> String {
///     let task = tasks.add("report");
///     tokio::spawn(async move {
///         // Write the report.
///         drop(task);
///     });
///     "The report is being written.".to_owned()
/// }
/// ```
#[derive(Clone, Default)]
pub struct AsyncTasks {
    tasks: Arc<Mutex<Tasks>>,
}

#[derive(Default)]
struct Tasks {
    next_id: u64,
    running: BTreeMap<u64, (String, Instant)>,
}

/// A running task.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RunningTask {
    /// Id, for [`AsyncTasks::complete`].
    #[serde(skip)]
    pub id: u64,
    /// Name, for people.
    pub name: String,
    /// Time since its start, in JSON in seconds.
    #[serde(serialize_with = "in_seconds")]
    pub duration: Duration,
}

fn in_seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

impl AsyncTasks {
    /// Creates a registry without tasks.
    pub fn new() -> Self {
        Self::default()
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        // Each change is complete before anything can panic.
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a task. It is complete when the guard is dropped, also by a panic.
    #[must_use = "the task is complete when the guard is dropped"]
    pub fn add(&self, name: impl Into<String>) -> AsyncTask {
        let mut tasks = self.tasks();
        let id = tasks.next_id;
        tasks.next_id += 1;
        tasks.running.insert(id, (name.into(), Instant::now()));
        AsyncTask { registry: self.clone(), id }
    }

    /// Completes a task before its guard is dropped. Returns false if there is no such task, or if it is complete.
    pub fn complete(&self, id: u64) -> bool {
        self.tasks().running.remove(&id).is_some()
    }

    /// Returns true if no task is running.
    pub fn is_empty(&self) -> bool {
        self.tasks().running.is_empty()
    }

    /// Returns the running tasks, oldest first.
    pub fn running(&self) -> Vec<RunningTask> {
        let tasks = self.tasks();
        let running = tasks.running.iter();
        running
            .map(|(id, (name, start))| RunningTask { id: *id, name: name.clone(), duration: start.elapsed() })
            .collect()
    }
}

impl fmt::Debug for AsyncTasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.running()).finish()
    }
}

/// Guard of a running task. Dropping it completes the task.
#[derive(Debug)]
pub struct AsyncTask {
    registry: AsyncTasks,
    id: u64,
}

impl AsyncTask {
    /// Returns the id.
    pub fn id(&self) -> u64 {
        self.id
    }
}

impl Drop for AsyncTask {
    fn drop(&mut self) {
        self.registry.complete(self.id);
    }
}

//! The process of a server: its end, its stderr, and its group.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use process_wrap::tokio::ChildWrapper;
use tokio::process::ChildStderr;
use tokio::time::timeout;

use super::stderr::Stderr;

/// Timeout for the last output and the exit of a child after its stdout has ended.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// End of a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ChildEnd {
    Exited(ExitStatus),
    ClosedStdout,
    LineTooLong { limit: usize },
    Unreadable(String),
    Killed,
}

impl fmt::Display for ChildEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "the server exited: {status}"),
            Self::ClosedStdout => f.write_str("the server closed its stdout"),
            Self::LineTooLong { limit } => write!(f, "the server wrote a line of more than {limit} bytes"),
            Self::Unreadable(error) => write!(f, "failed to read from the server: {error}"),
            Self::Killed => f.write_str("the server was killed by the client"),
        }
    }
}

/// Handle of a child. The child and its process group are killed when it is dropped.
#[derive(Debug)]
pub(crate) struct ChildHandle(pub(super) Arc<Child>);

impl ChildHandle {
    /// Process id, while the child is not known to have exited.
    #[cfg(test)]
    pub(crate) fn id(&self) -> Option<u32> {
        self.0.state().process.as_ref().and_then(|process| process.id())
    }

    /// The last lines of the child's stderr, joined by newlines. Control characters are replaced.
    pub(crate) fn stderr_tail(&self) -> String {
        self.0.stderr_tail()
    }

    /// Reason for the end of the connection, or `None` if the child is running as far as is known.
    pub(crate) fn end(&self) -> Option<ChildEnd> {
        let state = self.0.state();
        match (&state.end, state.status) {
            // An exit is the better explanation of a closed pipe.
            (end, Some(status)) if !matches!(end, Some(ChildEnd::LineTooLong { .. })) => Some(ChildEnd::Exited(status)),
            (end, _) => end.clone(),
        }
    }

    /// Waits a moment for the exit and the last output of a child that failed, and describes both.
    pub(crate) async fn last_words(&self) -> String {
        self.0.last_words().await;
        self.description()
    }

    /// Describes the end of the child, as far as it is known, and its last output.
    pub(crate) fn description(&self) -> String {
        let end = self.end().map(|end| end.to_string());
        let tail = self.stderr_tail();
        let tail = (!tail.is_empty()).then(|| format!("its stderr ends with:\n{tail}"));
        let parts: Vec<String> = end.into_iter().chain(tail).collect();
        parts.join("; ")
    }
}

impl Drop for ChildHandle {
    fn drop(&mut self) {
        self.0.kill();
    }
}

/// A child process, shared by its transport and its handle.
#[derive(Debug)]
pub(super) struct Child {
    server: Box<str>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// `None` once the child was reaped or killed: its id may be that of another process then.
    process: Option<Box<dyn ChildWrapper>>,
    status: Option<ExitStatus>,
    stderr: Stderr,
    end: Option<ChildEnd>,
}

impl Child {
    pub(super) fn new(process: Box<dyn ChildWrapper>, stderr: Option<ChildStderr>, server: &str) -> Self {
        let state = State { process: Some(process), status: None, stderr: Stderr::new(stderr), end: None };
        Self { server: server.into(), state: Mutex::new(state) }
    }

    pub(super) fn server(&self) -> &str {
        &self.server
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records why the connection ended, the first time.
    pub(super) fn set_end(&self, end: ChildEnd) {
        self.state().end.get_or_insert(end);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state().end.is_some()
    }

    pub(super) fn stderr_tail(&self) -> String {
        self.state().stderr.tail()
    }

    /// Reads what the child wrote to its stderr. Ready at its end.
    pub(super) fn poll_stderr(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.state().stderr.poll(cx, &self.server)
    }

    /// Ready when the child has exited. The rest of its group is killed then.
    pub(super) fn poll_exit(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        let Some(process) = &mut state.process else { return Poll::Ready(()) };
        let result = match process.inner_mut().wait().as_mut().poll(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(result) => result,
        };
        kill_group(process.as_mut());
        // Reaps members of the group that are children of this process, which they are if it adopts orphans.
        let _ = process.try_wait();
        state.status = result.ok();
        state.process = None;
        Poll::Ready(())
    }

    pub(super) async fn last_words(&self) {
        let last = poll_fn(|cx| {
            let exit = self.poll_exit(cx);
            let stderr = self.poll_stderr(cx);
            if exit.is_ready() && stderr.is_ready() { Poll::Ready(()) } else { Poll::Pending }
        });
        let _ = timeout(LAST_WORDS, last).await;
    }

    /// Kills the group at once. The runtime reaps the child.
    pub(super) fn kill(&self) {
        let mut state = self.state();
        if let Some(mut process) = state.process.take() {
            // Before the child is reaped: until then no other group can have its id.
            kill_group(process.as_mut());
            state.status = process.inner_mut().try_wait().ok().flatten();
            state.end.get_or_insert(ChildEnd::Killed);
        }
    }

    /// Kills the group, so that [`poll_exit`](Self::poll_exit) is ready soon.
    pub(super) fn kill_group(&self) {
        if let Some(process) = &mut self.state().process {
            kill_group(process.as_mut());
        }
    }

    /// Asks the group to end. Does nothing on Windows.
    pub(super) fn terminate_group(&self) {
        #[cfg(unix)]
        if let Some(process) = &self.state().process {
            /// The same number on all Unix systems.
            const SIGTERM: i32 = 15;
            log_failure(process.signal(SIGTERM));
        }
    }
}

fn kill_group(process: &mut dyn ChildWrapper) {
    log_failure(process.start_kill());
}

/// A group that has no more members is no failure.
fn log_failure(result: io::Result<()>) {
    const NO_SUCH_PROCESS: i32 = 3;
    if let Err(error) = result
        && error.raw_os_error() != Some(NO_SUCH_PROCESS)
    {
        tracing::debug!(%error, "failed to signal the process group of an MCP server");
    }
}

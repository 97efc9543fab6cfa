//! rmcp's transport over the pipes of a child.

use std::borrow::Cow;
use std::future::{Future, poll_fn};
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use process_wrap::tokio::ChildWrapper;
use rmcp::RoleClient;
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::process::ChildStdout;
use tokio::time::timeout;

use super::child::{Child, ChildEnd, ChildHandle};
use super::input::Input;
use super::line_reader::{LineRead, LineReader};
use super::message::{self, Incoming};
use super::stderr::printable;

/// Timeout for the exit of a child after its stdin is closed.
const EXIT_GRACE: Duration = Duration::from_secs(2);
/// Timeout for the exit of a child after SIGTERM.
const TERM_GRACE: Duration = Duration::from_secs(1);
/// Timeout for the exit of a killed child.
const KILL_WAIT: Duration = Duration::from_secs(1);
/// Timeout for the exit of a child that closed its stdout.
const FAILED_GRACE: Duration = Duration::from_millis(250);
/// Rejections that wait for a child that reads nothing. More are dropped.
const MAX_REJECTIONS: usize = 16;
/// Invalid lines that are reported as warnings. More are reported as debug events.
const MAX_WARNINGS: u64 = 10;
/// Bytes of an invalid line that are reported.
const EXCERPT: usize = 200;

/// Connection to a child. The child and its process group are killed when it is dropped.
#[derive(Debug)]
pub(crate) struct ChildTransport {
    child: Arc<Child>,
    stdout: LineReader<ChildStdout>,
    max_line: usize,
    input: Input,
    rejections: FuturesUnordered<BoxFuture<'static, io::Result<()>>>,
    invalid_lines: u64,
}

impl ChildTransport {
    pub(super) fn new(
        mut process: Box<dyn ChildWrapper>,
        server: &str,
        max_line: usize,
    ) -> io::Result<(Self, ChildHandle)> {
        let pipes = (process.stdin().take(), process.stdout().take());
        let stderr = process.stderr().take();
        let child = Arc::new(Child::new(process, stderr, server));
        let handle = ChildHandle(Arc::clone(&child));
        let (Some(stdin), Some(stdout)) = pipes else { return Err(io::Error::other("the child has no pipes")) };
        let transport = Self {
            child,
            stdout: LineReader::new(stdout, max_line),
            max_line,
            input: Input::new(stdin),
            rejections: FuturesUnordered::new(),
            invalid_lines: 0,
        };
        Ok((transport, handle))
    }

    #[cfg(test)]
    pub(super) fn invalid_lines(&self) -> u64 {
        self.invalid_lines
    }

    /// Reads the next line, and meanwhile what the child writes to its stderr: a full pipe would stop the child.
    fn poll_line(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<LineRead>> {
        while !self.rejections.is_empty() && self.rejections.poll_next_unpin(cx).is_ready() {}
        let line = self.stdout.poll_line(cx);
        if line.is_pending() {
            let _ = self.child.poll_stderr(cx);
        }
        line
    }

    fn read_message(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        match message::read(self.stdout.line()) {
            Incoming::Message(message) => return Some(*message),
            Incoming::Reject(rejection) if self.rejections.len() < MAX_REJECTIONS => {
                self.rejections.push(Box::pin(self.input.send(&*rejection)));
            }
            Incoming::Reject(_) | Incoming::Ignore => {}
            Incoming::Invalid => self.report_invalid_line(),
        }
        None
    }

    fn report_invalid_line(&mut self) {
        let server = self.child.server();
        let line = self.stdout.line();
        let line = printable(line.get(..EXCERPT).unwrap_or(line));
        self.invalid_lines += 1;
        if self.invalid_lines > MAX_WARNINGS {
            tracing::debug!(server, line, "ignored a line of an MCP server that is not a message");
        } else {
            let last = self.invalid_lines == MAX_WARNINGS;
            tracing::warn!(server, line, last, "ignored a line of an MCP server that is not a message");
        }
    }

    /// Waits until the child has exited or the time is over. Output is discarded: a full pipe would stop the child.
    async fn exit_within(&mut self, time: Duration) -> bool {
        let exit = poll_fn(|cx| {
            while let Poll::Ready(Ok(LineRead::Line | LineRead::TooLong)) = self.stdout.poll_line(cx) {}
            let _ = self.child.poll_stderr(cx);
            self.child.poll_exit(cx)
        });
        timeout(time, exit).await.is_ok()
    }

    async fn shut_down(&mut self) {
        let failed = self.child.has_ended();
        self.input.close();
        if self.exit_within(if failed { FAILED_GRACE } else { EXIT_GRACE }).await {
            return;
        }
        self.child.terminate_group();
        if self.exit_within(TERM_GRACE).await {
            return;
        }
        self.child.kill_group();
        self.exit_within(KILL_WAIT).await;
    }
}

impl Transport<RoleClient> for ChildTransport {
    type Error = io::Error;

    fn name() -> Cow<'static, str> {
        "stdio".into()
    }

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let write = self.input.send(&item);
        let (input, child) = (self.input.clone(), Arc::clone(&self.child));
        async move {
            let result = write.await;
            if result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe) && !input.is_closed() {
                // The transport may be dropped next, and its child with it.
                child.last_words().await;
            }
            result
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        while !self.child.has_ended() {
            match poll_fn(|cx| self.poll_line(cx)).await {
                Ok(LineRead::Line) => {
                    if let Some(message) = self.read_message() {
                        return Some(message);
                    }
                }
                Ok(LineRead::TooLong) => {
                    self.child.set_end(ChildEnd::LineTooLong { limit: self.max_line });
                    self.child.kill();
                }
                Ok(LineRead::End) => self.child.set_end(ChildEnd::ClosedStdout),
                Err(error) => self.child.set_end(ChildEnd::Unreadable(error.to_string())),
            }
        }
        self.child.last_words().await;
        None
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.shut_down().await;
        self.child.kill();
        Ok(())
    }
}

impl Drop for ChildTransport {
    fn drop(&mut self) {
        self.child.kill();
    }
}

//! The stdin of a child: ordered writes that can be abandoned.

use std::future::Future;
use std::io;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tokio::io::AsyncWriteExt;
use tokio::process::ChildStdin;
use tokio::sync;
use tokio_util::sync::CancellationToken;

/// Limit of the bytes that wait for a child that reads too slowly.
const MAX_QUEUED: usize = 64 * 1024 * 1024;
/// Capacity that a buffer keeps after it was written.
const KEPT_CAPACITY: usize = 64 * 1024;

#[derive(Clone, Debug)]
pub(super) struct Input(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    /// `None` after a failure, or after a write that was abandoned in the middle of a line.
    stdin: sync::Mutex<Option<Writer>>,
    closed: CancellationToken,
}

#[derive(Debug)]
struct Writer {
    stdin: ChildStdin,
    /// Empty buffer, in turn with that of the queue.
    spare: Vec<u8>,
}

/// Lines in the order of their `send` calls. The holder of stdin writes all of them: the futures of `send` may be polled
/// in any order, and a cancellation must not overtake its request.
#[derive(Debug, Default)]
struct Queue {
    bytes: Vec<u8>,
    /// Bytes queued since the start.
    queued: u64,
    /// Bytes written since the start.
    written: u64,
}

impl Queue {
    /// Returns true if the message that ends here was written, its newline aside: the child may have executed it.
    fn is_written(&self, end: u64) -> bool {
        self.written + 1 >= end
    }
}

impl Input {
    pub(super) fn new(stdin: ChildStdin) -> Self {
        Self(Arc::new(Shared {
            queue: Mutex::default(),
            stdin: sync::Mutex::new(Some(Writer { stdin, spare: Vec::new() })),
            closed: CancellationToken::new(),
        }))
    }

    /// Queues a message, and returns a future that writes it.
    pub(super) fn send<T: Serialize>(&self, message: &T) -> impl Future<Output = io::Result<()>> + Send + use<T> {
        let queued = self.queue(message);
        let shared = Arc::clone(&self.0);
        async move {
            let end = queued?;
            let closed = shared.closed.clone();
            // The write first: mostly it ends at once.
            let result = tokio::select! {
                biased;
                result = shared.write_until(end) => result,
                () = closed.cancelled() => Err(closed_error()),
            };
            // An error says that the child did not get the message.
            if shared.queue().is_written(end) { Ok(()) } else { result }
        }
    }

    /// Returns the position after the message.
    fn queue(&self, message: &impl Serialize) -> io::Result<u64> {
        let mut queue = self.0.queue();
        let start = queue.bytes.len();
        if start >= MAX_QUEUED {
            let text = format!("the server reads no input: {start} bytes wait for it");
            return Err(io::Error::new(io::ErrorKind::WouldBlock, text));
        }
        if let Err(error) = serde_json::to_writer(&mut queue.bytes, message) {
            queue.bytes.truncate(start);
            return Err(error.into());
        }
        queue.bytes.push(b'\n');
        queue.queued += (queue.bytes.len() - start) as u64;
        Ok(queue.queued)
    }

    /// Closes stdin, even while a write waits for the child. Writes that wait fail.
    pub(super) fn close(&self) {
        self.0.closed.cancel();
        // A write that holds the lock drops stdin itself when it notices.
        if let Ok(mut writer) = self.0.stdin.try_lock() {
            writer.take();
        }
        self.0.queue().bytes = Vec::new();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.closed.is_cancelled()
    }
}

impl Shared {
    fn queue(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write_until(&self, end: u64) -> io::Result<()> {
        let mut holder = self.stdin.lock().await;
        if self.queue().is_written(end) {
            return Ok(());
        }
        // Taken out meanwhile: a write that fails or is dropped half-way closes stdin.
        let mut writer = holder.take().ok_or_else(closed_error)?;
        let mut bytes = mem::replace(&mut self.queue().bytes, mem::take(&mut writer.spare));
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let count = writer.stdin.write(rest).await?;
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.queue().written += count as u64;
            rest = rest.get(count..).unwrap_or_default();
        }
        bytes.clear();
        bytes.shrink_to(KEPT_CAPACITY);
        *holder = Some(Writer { spare: bytes, ..writer });
        Ok(())
    }
}

fn closed_error() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the server's stdin is closed")
}

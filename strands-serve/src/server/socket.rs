//! Stream of one connection: it ends if the client stops reading, and is closed without losing the last response.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::activity::Activity;

/// Longest wait for the client to close a connection after this side, and the bytes that are read meanwhile.
const LINGER: Duration = Duration::from_secs(2);
const MOST_LINGER_BYTES: usize = 16 * 1024 * 1024;

/// A stream that counts as a connection until it is dropped, also after an upgrade to WebSocket.
#[derive(Debug)]
pub(super) struct Socket<S> {
    stream: S,
    activity: Arc<Activity>,
    write_timeout: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
    closing: Closing,
    _permit: OwnedSemaphorePermit,
}

#[derive(Debug)]
enum Closing {
    No,
    /// This side is closed. If the client still sends, for example a body that is too large, and the socket were dropped, the
    /// kernel would discard the response that the client has not read.
    Lingering {
        timeout: Pin<Box<Sleep>>,
        bytes: usize,
    },
    Closed,
}

impl<S> Socket<S> {
    pub(super) fn new(
        stream: S,
        activity: Arc<Activity>,
        write_timeout: Duration,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self { stream, activity, write_timeout, stalled: None, closing: Closing::No, _permit: permit }
    }

    /// Returns the result of a write, or an error if writes have been pending for too long.
    fn written<T>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.stalled = None;
            return result;
        }
        let timeout = self.stalled.get_or_insert_with(|| Box::pin(sleep(self.write_timeout)));
        ready!(timeout.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.activity.received();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.written(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.written(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(cx);
        self.written(cx, result)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            match &mut this.closing {
                Closing::No => {
                    let result = Pin::new(&mut this.stream).poll_shutdown(cx);
                    ready!(this.written(cx, result))?;
                    let timeout = Box::pin(sleep_until(Instant::now() + LINGER));
                    this.closing = Closing::Lingering { timeout, bytes: 0 };
                }
                Closing::Lingering { timeout, bytes } => {
                    let mut discarded = [0; 4096];
                    let mut buf = ReadBuf::new(&mut discarded);
                    let ended = match Pin::new(&mut this.stream).poll_read(cx, &mut buf) {
                        Poll::Ready(Ok(())) => {
                            *bytes += buf.filled().len();
                            buf.filled().is_empty() || *bytes > MOST_LINGER_BYTES
                        }
                        Poll::Ready(Err(_)) => true,
                        Poll::Pending => {
                            ready!(timeout.as_mut().poll(cx));
                            true
                        }
                    };
                    if ended {
                        this.closing = Closing::Closed;
                    }
                }
                Closing::Closed => return Poll::Ready(Ok(())),
            }
        }
    }
}

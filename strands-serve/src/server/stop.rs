//! Signals that stop a server.

use std::io;

/// Completes when the process is asked to stop: by SIGTERM or SIGINT, which is Ctrl-C; on Windows by Ctrl-C.
///
/// From the first poll on, these signals no longer end the process. [`Server::serve`](super::Server::serve) waits for them
/// itself; the function is for other hosts and for [`Server::serve_with`](super::Server::serve_with). If signals can't be
/// received, an error is logged, and the future never completes.
pub async fn stop_signal() {
    match Signals::new() {
        Ok(mut signals) => signals.next().await,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "signals can't be received");
            std::future::pending::<()>().await;
        }
    }
}

/// The signals of this process. Those that arrive between two calls of `next` are not lost.
pub(super) struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => (),
            _ = self.interrupt.recv() => (),
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {})
    }

    pub(super) async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

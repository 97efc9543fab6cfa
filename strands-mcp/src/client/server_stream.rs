//! The stream on which a server with sessions sends its own requests, such as elicitations. rmcp opens it after the handshake
//! in the background; what a server sends before is lost.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// Limit of the wait for the stream. Some servers send the head of the response with their first message only.
const OPEN_TIMEOUT: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// There is no session, and so far no stream.
    #[default]
    None,
    Expected,
    /// The stream is open, or the server has none.
    Done,
}

/// State of the stream of one connection. Clones share it.
#[derive(Clone, Default)]
pub(super) struct ServerStream {
    state: Arc<watch::Sender<State>>,
}

impl ServerStream {
    /// Notes a session, for which the stream is opened.
    pub(super) fn expect(&self) {
        self.state.send_if_modified(|state| {
            let is_first = *state == State::None;
            if is_first {
                *state = State::Expected;
            }
            is_first
        });
    }

    /// Notes that the stream is open, or that the server has none.
    pub(super) fn done(&self) {
        self.state.send_replace(State::Done);
    }

    /// Waits until the stream is open, if it is expected.
    pub(super) async fn opened(&self) {
        let mut state = self.state.subscribe();
        // After the timeout, the connection is used without the stream until it is open.
        let _ = timeout(OPEN_TIMEOUT, state.wait_for(|state| *state != State::Expected)).await;
    }
}

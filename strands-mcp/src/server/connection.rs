//! Connection of one client: a transport whose end cancels the client's requests.
//!
//! rmcp drains responses for seconds after the end of the input. Here a call is dropped after a short grace instead, which is
//! long enough for the responses of `printf .. | server`.

use std::borrow::Cow;
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{ClientJsonRpcMessage, GetExtensions, JsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Time between the end of the input and the cancellation of running calls.
const GRACE: Duration = Duration::from_millis(25);

/// Token of a connection, an extension of each message. It is cancelled when the client is gone.
#[derive(Clone)]
pub(super) struct Connected(pub(super) CancellationToken);

/// A transport that adds [`Connected`] to each message.
pub(super) struct Connection<T> {
    inner: T,
    connected: CancellationToken,
    _end: DropGuard,
    /// True after the first request. Earlier messages have no meaning, and rmcp would end the connection.
    started: bool,
    /// End of the grace, once the input has ended.
    ends: Option<Instant>,
}

impl<T> Connection<T> {
    pub(super) fn new(inner: T) -> Self {
        let connected = CancellationToken::new();
        Self { inner, _end: connected.clone().drop_guard(), connected, started: false, ends: None }
    }
}

impl<T: Transport<RoleServer>> Transport<RoleServer> for Connection<T> {
    type Error = T::Error;

    fn name() -> Cow<'static, str> {
        T::name()
    }

    fn send(&mut self, item: ServerJsonRpcMessage) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.inner.send(item)
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        // The future is dropped whenever the loop has something else to do: all progress is in `self`.
        while self.ends.is_none() {
            match self.inner.receive().await {
                Some(mut message) => {
                    let connected = Connected(self.connected.clone());
                    match &mut message {
                        JsonRpcMessage::Request(request) => {
                            self.started = true;
                            request.request.extensions_mut().insert(connected);
                        }
                        JsonRpcMessage::Notification(notification) => {
                            notification.notification.extensions_mut().insert(connected);
                        }
                        JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => {}
                    }
                    if self.started {
                        return Some(message);
                    }
                }
                None => self.ends = Some(Instant::now() + GRACE),
            }
        }
        if let Some(ends) = self.ends {
            tokio::time::sleep_until(ends).await;
        }
        self.connected.cancel();
        None
    }

    fn close(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send {
        self.connected.cancel();
        self.inner.close()
    }
}

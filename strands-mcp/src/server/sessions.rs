//! Sessions of protocols before 2026-07-28, with their number limited, and each tied to the caller that opened it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::Stream;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::WorkerTransport;
use rmcp::transport::streamable_http_server::session::local::{
    LocalSessionManager, LocalSessionManagerError, LocalSessionWorker, SessionConfig,
};
use rmcp::transport::streamable_http_server::session::{ServerSseMessage, SessionId, SessionManager};
use strands_http::Caller;

use super::connection::Connection;

/// Sessions in memory.
pub(super) struct Sessions {
    inner: LocalSessionManager,
    limit: usize,
    owners: Mutex<HashMap<SessionId, Owner>>,
}

/// The caller that opened a session; `None` until the response with the session's id is on its way.
type Owner = Option<Caller>;

/// An error of a session.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionsError {
    #[error("too many sessions")]
    TooMany,
    #[error(transparent)]
    Session(#[from] LocalSessionManagerError),
}

impl Sessions {
    pub(super) fn new(limit: usize, idle_timeout: Duration) -> Self {
        let mut inner = LocalSessionManager::default();
        let mut config = SessionConfig::default();
        config.keep_alive = Some(idle_timeout);
        inner.session_config = config;
        Self { inner, limit, owners: Mutex::default() }
    }

    /// Returns true if no session can be opened.
    pub(super) fn is_full(&self) -> bool {
        self.owners().len() >= self.limit
    }

    /// Ties a session to its caller.
    pub(super) fn assign(&self, id: &str, caller: Caller) {
        if let Some(owner) = self.owners().get_mut(id) {
            *owner = Some(caller);
        }
    }

    /// Returns true unless the session belongs to another caller.
    pub(super) fn may_use(&self, id: &str, caller: &Caller) -> bool {
        match self.owners().get(id) {
            Some(Some(owner)) => owner.id() == caller.id(),
            // An unknown session is rejected later. One without an owner is not known to any client yet.
            Some(None) | None => true,
        }
    }

    fn owners(&self) -> std::sync::MutexGuard<'_, HashMap<SessionId, Owner>> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionManager for Sessions {
    type Error = SessionsError;
    type Transport = Connection<WorkerTransport<LocalSessionWorker>>;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), Self::Error> {
        if self.is_full() {
            return Err(SessionsError::TooMany);
        }
        let (id, transport) = self.inner.create_session().await?;
        let is_opened = {
            let mut owners = self.owners();
            // Others may have opened sessions meanwhile.
            owners.len() < self.limit && owners.insert(Arc::clone(&id), None).is_none()
        };
        if !is_opened {
            self.inner.close_session(&id).await?;
            return Err(SessionsError::TooMany);
        }
        Ok((id, Connection::new(transport)))
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, Self::Error> {
        Ok(self.inner.initialize_session(id, message).await?)
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, Self::Error> {
        Ok(self.inner.has_session(id).await?)
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), Self::Error> {
        self.owners().remove(id);
        Ok(self.inner.close_session(id).await?)
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        Ok(self.inner.create_stream(id, message).await?)
    }

    async fn accept_message(&self, id: &SessionId, message: ClientJsonRpcMessage) -> Result<(), Self::Error> {
        Ok(self.inner.accept_message(id, message).await?)
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        Ok(self.inner.create_standalone_stream(id).await?)
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        Ok(self.inner.resume(id, last_event_id).await?)
    }
}

//! Texts that are too long for a conversation, kept in its session: they move with it, and go when it goes.

use async_trait::async_trait;
use bytes::Bytes;
use strands_core::session::{ContentStore, SessionError};

use crate::document_store::Written;
use crate::{SessionStore, id, layout};

/// The texts of one session that are too long for its conversation, for
/// [`ToolResultOffloader`](strands_core::conversation::ToolResultOffloader).
///
/// They lie beside the agents, under `session_<id>/offloaded/`, where Strands does not look, and are deleted with the
/// session.
///
/// ```
/// use strands::Agent;
/// use strands::conversation::ToolResultOffloader;
/// use strands::testing::ScriptedModel;
/// use strands::session::{FileSessionManager, SessionContent};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let session = FileSessionManager::builder("user-42").dir("/var/lib/travel/sessions").build().await?;
/// let content = SessionContent::new("user-42", session.store().clone())?;
/// let builder = Agent::builder()
///     .model(ScriptedModel::answering("hi"))
///     .offload_tool_results(ToolResultOffloader::new(content))
///     .session_manager(session);
/// # drop(builder);
/// # Ok::<(), strands::session::SessionError>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct SessionContent {
    session_id: String,
    store: SessionStore,
}

impl SessionContent {
    /// The texts of this session in this store.
    ///
    /// # Errors
    ///
    /// [`SessionError::InvalidId`] when the id can't be stored.
    pub fn new(session_id: impl Into<String>, store: SessionStore) -> Result<Self, SessionError> {
        let session_id = session_id.into();
        id::validate("session id", &session_id)?;
        Ok(Self { session_id, store })
    }

    fn key(&self, key: &str) -> Result<String, SessionError> {
        id::validate("content key", key)?;
        Ok(layout::content_document(&self.session_id, key))
    }
}

#[async_trait]
impl ContentStore for SessionContent {
    async fn put(&self, key: &str, content: &str) -> Result<(), SessionError> {
        let document = self.key(key)?;
        let storage = self.store.storage();
        match storage.create(&document, Bytes::copy_from_slice(content.as_bytes())).await? {
            Written::Done(_) => Ok(()),
            // A repeated request, or a worker that kept the same: a key is written once.
            Written::Refused if self.get(key).await?.as_deref() == Some(content) => Ok(()),
            Written::Refused => Err(SessionError::Conflict {
                session_id: self.session_id.clone(),
                what: format!("content `{key}`"),
                expected: "absent".to_owned(),
                found: "other content".to_owned(),
            }),
        }
    }

    async fn get(&self, key: &str) -> Result<Option<String>, SessionError> {
        let document = self.key(key)?;
        let storage = self.store.storage();
        let Some(stored) = storage.read(&document).await? else { return Ok(None) };
        String::from_utf8(stored.content.to_vec()).map(Some).map_err(|error| SessionError::Corrupt {
            key: storage.locate(&document),
            expected: "UTF-8 text",
            source: error.into(),
        })
    }
}

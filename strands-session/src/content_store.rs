//! Content store in a session: offloaded tool results are stored, moved and deleted with their session.

use async_trait::async_trait;
use bytes::Bytes;
use strands_core::session::{ContentStore, SessionError};

use crate::document_store::WriteOutcome;
use crate::{SessionStore, id_validation, key_layout};

/// A [`ContentStore`] in a session, for [`ToolResultOffloader`](strands_core::conversation::ToolResultOffloader).
///
/// The texts are stored under `session_<id>/offloaded/`, which Strands ignores, and are deleted with the session.
///
/// ```
/// use strands::Agent;
/// use strands::conversation::ToolResultOffloader;
/// use strands::testing::ScriptedModel;
/// use strands::session::{FileSessionManager, SessionContentStore};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let session = FileSessionManager::builder("user-42").dir("/var/lib/travel/sessions").build().await?;
/// let content = SessionContentStore::new("user-42", session.store().clone())?;
/// let builder = Agent::builder()
///     .model(ScriptedModel::responding("hi"))
///     .offload_tool_results(ToolResultOffloader::new(content))
///     .session_manager(session);
/// # drop(builder);
/// # Ok::<(), strands::session::SessionError>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct SessionContentStore {
    session_id: String,
    store: SessionStore,
}

impl SessionContentStore {
    /// Creates a content store in the session with this id.
    ///
    /// # Errors
    ///
    /// Returns [`SessionError::InvalidId`] if the id can't be stored.
    pub fn new(session_id: impl Into<String>, store: SessionStore) -> Result<Self, SessionError> {
        let session_id = session_id.into();
        id_validation::validate("session id", &session_id)?;
        Ok(Self { session_id, store })
    }

    fn key(&self, key: &str) -> Result<String, SessionError> {
        id_validation::validate("content key", key)?;
        Ok(key_layout::content_document(&self.session_id, key))
    }
}

#[async_trait]
impl ContentStore for SessionContentStore {
    async fn put(&self, key: &str, content: &str) -> Result<(), SessionError> {
        let document = self.key(key)?;
        let storage = self.store.storage();
        match storage.create(&document, Bytes::copy_from_slice(content.as_bytes())).await? {
            WriteOutcome::Done(_) => Ok(()),
            // A repeated request, or another worker with the same content: a key is written once.
            WriteOutcome::Conflict if self.get(key).await?.as_deref() == Some(content) => Ok(()),
            WriteOutcome::Conflict => Err(SessionError::Conflict {
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

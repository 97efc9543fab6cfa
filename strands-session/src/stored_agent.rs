//! Records of agents with their times, for lists of sessions.

use futures_util::{Stream, StreamExt as _, stream};
use strands_core::session::{AgentRecord, SessionError};

use crate::document_store::IN_FLIGHT;
use crate::storage::Storage;
use crate::{SessionStore, documents, id_validation, key_layout};

/// The record of an agent in a session, with its times.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StoredAgent {
    /// Id of the session.
    pub session_id: String,
    /// The record.
    pub record: AgentRecord,
    /// Time of the first write, RFC 3339 in UTC with microseconds, so that times compare as texts. `None` if the document has no
    /// valid time.
    pub created_at: Option<String>,
    /// Time of the last write: that of the record or of the newest message, whichever is later. The form is that of `created_at`.
    pub updated_at: Option<String>,
}

impl SessionStore {
    /// Returns the record of an agent in a session, with its times. `None` if the session or the agent is not in the store.
    ///
    /// No agent is built, and nothing is written. Besides the record, only the newest message is read.
    ///
    /// # Errors
    ///
    /// Returns [`SessionError::InvalidId`] if an id is invalid, and another error if the record can't be read.
    pub async fn stored_agent(&self, session_id: &str, agent_id: &str) -> Result<Option<StoredAgent>, SessionError> {
        id_validation::validate("session id", session_id)?;
        id_validation::validate("agent id", agent_id)?;
        read(self.storage(), session_id, agent_id).await
    }

    /// Returns the records of an agent in all sessions whose ids `wanted` accepts, in alphabetical order of the ids.
    ///
    /// Up to 15 sessions are read at a time, as [`stored_agent`](Self::stored_agent) does. The ids of all sessions in the store are
    /// in memory. Sessions without the agent are left out.
    ///
    /// # Errors
    ///
    /// An item is a [`SessionError`] if the sessions can't be listed, or if one can't be read. The stream continues with the
    /// next session.
    ///
    /// # Examples
    ///
    /// ```
    /// use strands::session::SessionStore;
    /// use strands::StreamExt as _;
    ///
    /// # async fn list() -> Result<(), strands::session::SessionError> {
    /// let store = SessionStore::files("/var/lib/travel/sessions");
    /// let mut agents = std::pin::pin!(store.stored_agents("default", |session_id| session_id.starts_with("alice-")));
    /// while let Some(agent) = agents.next().await {
    ///     let agent = agent?;
    ///     println!("{} was used at {:?}", agent.session_id, agent.updated_at);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn stored_agents<F: FnMut(&str) -> bool + Send>(
        &self,
        agent_id: &str,
        mut wanted: F,
    ) -> impl Stream<Item = Result<StoredAgent, SessionError>> + Send + use<F> {
        let (store, storage, agent_id) = (self.clone(), self.storage().clone(), agent_id.to_owned());
        let sessions = async move {
            let listed = match id_validation::validate("agent id", &agent_id) {
                Ok(()) => store.list().await,
                Err(error) => Err(error),
            };
            match listed {
                Ok(mut ids) => {
                    ids.retain(|id| wanted(id));
                    stream::iter(ids.into_iter().map(move |id| Ok((id, agent_id.clone())))).left_stream()
                }
                Err(error) => stream::iter([Err(error)]).right_stream(),
            }
        };
        let read = move |session: Result<(String, String), SessionError>| {
            let storage = storage.clone();
            async move {
                let (session_id, agent_id) = session?;
                read(&storage, &session_id, &agent_id).await
            }
        };
        let agents = stream::once(sessions).flatten().map(read).buffered(IN_FLIGHT);
        agents.filter_map(async |agent| agent.transpose())
    }
}

/// Reads a record, and the time of the newest message. Both ids are valid.
async fn read(storage: &Storage, session_id: &str, agent_id: &str) -> Result<Option<StoredAgent>, SessionError> {
    let key = key_layout::agent_document(session_id, agent_id);
    let Some(document) = storage.read(&key).await? else { return Ok(None) };
    let location = storage.locate(&key);
    let record = documents::agent_record(&location, &document.content)?;
    let times = documents::times(&location, &document.content)?;
    let newest = newest_message(storage, &key_layout::messages_folder(session_id, agent_id)).await?;
    Ok(Some(StoredAgent {
        session_id: session_id.to_owned(),
        record,
        created_at: times.created_at,
        updated_at: times.updated_at.max(newest),
    }))
}

/// Returns the time of the newest message.
async fn newest_message(storage: &Storage, folder: &str) -> Result<Option<String>, SessionError> {
    let names = storage.names(folder).await?;
    let Some(newest) = names.iter().filter_map(|name| key_layout::message_number(name)).max() else { return Ok(None) };
    let key = key_layout::message_document(folder, newest);
    match storage.read(&key).await? {
        Some(document) => documents::times(&storage.locate(&key), &document.content).map(|times| times.updated_at),
        // Removed meanwhile.
        None => Ok(None),
    }
}

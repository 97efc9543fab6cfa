//! Listing of the interrupts that wait for responses, in all sessions of a store.

use futures_util::Stream;
use strands_core::InterruptedCall;
use strands_core::session::{AgentRecord, SessionError};

use crate::multi_agents::Layout;
use crate::storage::Storage;
use crate::stored_sessions::{Session, valid};
use crate::{SessionStore, documents, key_layout, snapshots};

/// The interrupts of one stored agent that wait for responses.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OpenInterrupts {
    /// Id of the session.
    pub session_id: String,
    /// Id of the agent.
    pub agent_id: String,
    /// The interrupted tool calls, with their interrupts that have no response.
    pub calls: Vec<InterruptedCall>,
}

impl SessionStore {
    /// Returns the interrupts that wait for responses, in all sessions of the store in alphabetical order: those of session
    /// managers with a document for each message, and then those of
    /// [`SnapshotSessionManager`](crate::SnapshotSessionManager). Strands may have written the sessions.
    ///
    /// No agent is built, and nothing is written. Only the records of agents are read, up to 15 at a time; of snapshots, the
    /// whole document. The ids of all sessions are in memory, and no more than that.
    ///
    /// A crash may leave an interrupt in a record that is no longer pending. A response to it is an
    /// [`AgentError::UnknownInterrupt`](strands_core::AgentError::UnknownInterrupt).
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
    /// let mut open = std::pin::pin!(store.open_interrupts());
    /// while let Some(agent) = open.next().await {
    ///     let agent = agent?;
    ///     for call in &agent.calls {
    ///         println!("{}: {} waits for a response", agent.session_id, call.tool_use.name);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn open_interrupts(&self) -> impl Stream<Item = Result<OpenInterrupts, SessionError>> + Send + use<> {
        self.open_interrupts_in(|_| true)
    }

    /// Returns the interrupts that wait for responses, as [`open_interrupts`](Self::open_interrupts) does, in the sessions whose
    /// ids `wanted` accepts. The records of other sessions are not read.
    ///
    /// # Errors
    ///
    /// As for [`open_interrupts`](Self::open_interrupts).
    pub fn open_interrupts_in<F: FnMut(&str) -> bool + Send>(
        &self,
        wanted: F,
    ) -> impl Stream<Item = Result<OpenInterrupts, SessionError>> + Send + use<F> {
        let storage = self.storage().clone();
        self.of_sessions(wanted, move |session| {
            let storage = storage.clone();
            async move { session.open_interrupts(&storage).await }
        })
    }
}

impl Session {
    /// Reads the records of the agents, one after the other.
    async fn open_interrupts(&self, storage: &Storage) -> Vec<Result<OpenInterrupts, SessionError>> {
        let agents = match self.agents(storage).await {
            Ok(agents) => agents,
            Err(error) => return vec![Err(error)],
        };
        let mut open = Vec::new();
        for agent_id in agents {
            match self.calls(storage, &agent_id).await {
                Ok(calls) if calls.is_empty() => {}
                Ok(calls) => open.push(Ok(OpenInterrupts { session_id: self.id.clone(), agent_id, calls })),
                Err(error) => open.push(Err(error)),
            }
        }
        open
    }

    async fn agents(&self, storage: &Storage) -> Result<Vec<String>, SessionError> {
        let mut ids = match self.layout {
            Layout::Messages => {
                let folders = storage.folders_in(&key_layout::agents_folder(&self.id)).await?;
                valid("agent id", folders.iter().filter_map(|folder| key_layout::agent_id(folder)).map(str::to_owned))
            }
            Layout::Snapshots => {
                let folders = storage.folders_in(&snapshots::key_layout::agents_folder(&self.id)).await?;
                valid("agent id", folders.into_iter())
            }
        };
        ids.sort_unstable();
        Ok(ids)
    }

    async fn calls(&self, storage: &Storage, agent_id: &str) -> Result<Vec<InterruptedCall>, SessionError> {
        let key = match self.layout {
            Layout::Messages => key_layout::agent_document(&self.id, agent_id),
            Layout::Snapshots => snapshots::key_layout::latest(&self.id, agent_id),
        };
        // Deleted meanwhile, or not written yet.
        let Some(document) = storage.read(&key).await? else { return Ok(Vec::new()) };
        let location = storage.locate(&key);
        let record: AgentRecord = match self.layout {
            Layout::Messages => documents::agent_record(&location, &document.content)?,
            Layout::Snapshots => snapshots::record(&location, &document.content, agent_id)?,
        };
        let calls = record
            .interrupted_calls()
            .map_err(|error| documents::corrupt(&location, "a suspended invocation", error))?;
        Ok(calls.into_iter().filter_map(unanswered).collect())
    }
}

/// Removes the interrupts of a call that have responses. Returns `None` if none remains.
fn unanswered(mut call: InterruptedCall) -> Option<InterruptedCall> {
    call.interrupts.retain(|interrupt| interrupt.response.is_none());
    (!call.interrupts.is_empty()).then_some(call)
}

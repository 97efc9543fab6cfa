//! Sessions of a user: list, transcript, title, deletion, and rewinding. The store alone has them.

use std::sync::Arc;

use futures_util::StreamExt as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strands_core::Interrupt;
use strands_core::message::Message;
use strands_core::session::{AgentRecord, MessageRange, SessionError, SessionManager as _};
use strands_identity::Identity;
use strands_session::StoredAgent;

use super::{AgentService, TurnError};

/// Key of a session's title in the agent's state. Tools and hooks may read and set it; it is a text.
pub const SESSION_TITLE: &str = "session:title";

/// Maximum number of characters of a title.
const MAX_TITLE: usize = 200;
/// Attempts at reading a session that other workers rewind meanwhile.
const ATTEMPTS: usize = 3;

/// A session, as a list shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct SessionSummary {
    /// Id of the session.
    pub id: String,
    /// Title, if there is one.
    #[serde(default)]
    pub title: Option<String>,
    /// Time of the first write, RFC 3339 in UTC.
    #[serde(default)]
    pub created_at: Option<String>,
    /// Time of the last write, RFC 3339 in UTC.
    #[serde(default)]
    pub updated_at: Option<String>,
    /// True if the session waits for the response to an interrupt, such as an approval.
    pub has_pending_interrupts: bool,
}

impl SessionSummary {
    /// Creates the summary of a session that has nothing in the store.
    fn unwritten(id: String) -> Self {
        Self { id, title: None, created_at: None, updated_at: None, has_pending_interrupts: false }
    }
}

/// A whole session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct SessionTranscript {
    /// The session.
    #[serde(flatten)]
    pub summary: SessionSummary,
    /// All messages as they are stored, oldest first. The id of a message is its `tracking_id`.
    pub messages: Vec<Arc<Message>>,
    /// The interrupts that wait for responses.
    pub interrupts: Vec<Interrupt>,
    /// Id of the run that is running in the session, in this process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<String>,
}

/// A stored session, read without building an agent.
pub(super) struct StoredSession {
    pub(super) record: AgentRecord,
    pub(super) messages: Vec<Arc<Message>>,
}

impl AgentService {
    /// Returns the newest sessions of an identity, newest first. `title` selects those whose titles contain it, in upper or lower
    /// case.
    ///
    /// The records of all sessions of the identity are read, up to 15 at a time; of the others, only the ids. A session that can't be
    /// read is left out, and logged.
    ///
    /// # Errors
    ///
    /// Returns [`TurnError::Overloaded`] if too many lists are being read, [`TurnError::UserBusy`] if too many of this user are, and
    /// another error if the sessions can't be listed.
    pub async fn sessions(
        &self,
        identity: &Identity,
        title: Option<&str>,
        limit: usize,
    ) -> Result<Vec<SessionSummary>, TurnError> {
        let _listing = self.listing(identity)?;
        let agent_id = self.agent_of(identity).await?.id().to_owned();
        let (ids, owner) = (self.session_ids(), identity.clone());
        let mut stored = std::pin::pin!(self.store().stored_agents(&agent_id, move |id| ids.owns(&owner, id)));
        let wanted = title.map(str::to_lowercase);
        let mut newest = Vec::new();
        while let Some(agent) = stored.next().await {
            match agent {
                Ok(agent) => {
                    let summary = summary(&agent);
                    let has = |text: &String| summary.title.as_ref().is_some_and(|it| it.to_lowercase().contains(text));
                    if wanted.as_ref().is_none_or(has) {
                        newest.push(summary);
                    }
                }
                Err(error @ SessionError::Corrupt { .. }) => {
                    tracing::warn!(error = format!("{error:?}"), "a session is left out of a list");
                }
                Err(error) => return Err(TurnError::session(error)),
            }
            if newest.len() >= limit.saturating_mul(2).max(64) {
                keep_newest(&mut newest, limit);
            }
        }
        keep_newest(&mut newest, limit);
        Ok(newest)
    }

    /// Returns a whole session of an identity, as it is stored: without messages while its first run has stored none. No agent is
    /// built.
    ///
    /// # Errors
    ///
    /// Returns [`TurnError::UnknownSession`] if there is no such session, or if it is not one of the identity's.
    pub async fn transcript(&self, identity: &Identity, session_id: &str) -> Result<SessionTranscript, TurnError> {
        let session_id = self.session_id(identity, session_id.into())?;
        let agent_id = self.agent_of(identity).await?.id().to_owned();
        // Before the messages, which then have its response if it has ended meanwhile.
        let running = self.inner.runs.running_in(&session_id);
        let stored = self.store().stored_agent(&session_id, &agent_id).await.map_err(TurnError::session)?;
        let summary = match stored {
            Some(stored) => summary(&stored),
            // The first run of a new session has stored nothing yet.
            None if running.is_some() => {
                let summary = SessionSummary::unwritten(session_id);
                return Ok(SessionTranscript { summary, messages: Vec::new(), interrupts: Vec::new(), running });
            }
            None => return Err(TurnError::UnknownSession),
        };
        let StoredSession { record, messages } = self.read_session(&session_id, &agent_id).await?;
        let interrupts = pending_interrupts(&record);
        Ok(SessionTranscript { summary, messages, interrupts, running })
    }

    /// Sets the title of a session of an identity, or removes it. It is in the agent's state under [`SESSION_TITLE`].
    ///
    /// # Errors
    ///
    /// Returns [`TurnError::InvalidTitle`] if the title is empty, longer than 200 characters, or has control characters,
    /// [`TurnError::UnknownSession`] as [`transcript`](Self::transcript), and [`TurnError::SessionBusy`] while a turn is running in
    /// the session.
    pub async fn rename_session(
        &self,
        identity: &Identity,
        session_id: &str,
        title: Option<&str>,
    ) -> Result<SessionSummary, TurnError> {
        let title = title.map(valid_title).transpose()?;
        self.change_session(identity, session_id, async move |service, identity, session_id| {
            let agent_id = service.agent_of(&identity).await?.id().to_owned();
            let opened = service.session_manager(&session_id)?.open(&agent_id).await.map_err(TurnError::session)?;
            let (mut session, mut record) = (opened.session, opened.record.ok_or(TurnError::UnknownSession)?);
            match title {
                Some(title) => record.state.insert(SESSION_TITLE.to_owned(), Value::String(title)),
                None => record.state.shift_remove(SESSION_TITLE),
            };
            session.save(&record).await.map_err(TurnError::session)?;
            let stored = service.store().stored_agent(&session_id, &agent_id).await.map_err(TurnError::session)?;
            stored.as_ref().map(summary).ok_or(TurnError::UnknownSession)
        })
        .await
    }

    /// Deletes a session of an identity.
    ///
    /// # Errors
    ///
    /// Returns [`TurnError::UnknownSession`] if there is no such session, or if it is not one of the identity's, and
    /// [`TurnError::SessionBusy`] while a turn is running in the session, in this process. A turn in another process must not be
    /// running.
    pub async fn delete_session(&self, identity: &Identity, session_id: &str) -> Result<(), TurnError> {
        self.change_session(identity, session_id, async |service, _, session_id| {
            match service.store().delete(&session_id).await {
                Ok(()) => {
                    service.inner.runs.forget_session(&session_id);
                    Ok(())
                }
                Err(SessionError::NotFound { .. }) => Err(TurnError::UnknownSession),
                Err(error) => Err(TurnError::session(error)),
            }
        })
        .await
    }

    /// Removes a prompt and all later messages from a session of an identity, so that another prompt can replace it. Returns the
    /// removed messages. Pending interrupts are discarded; see [`Agent::rewind`](strands_core::Agent::rewind).
    ///
    /// # Errors
    ///
    /// Returns [`TurnError::UnknownMessage`] if the conversation of the agent has no message with this id, [`TurnError::Agent`] with
    /// an [`AgentError::Rewind`](strands_core::AgentError::Rewind) if it is not a prompt, and the errors of [`delete_session`](Self::delete_session).
    pub async fn rewind_session(
        &self,
        identity: &Identity,
        session_id: &str,
        message_id: &str,
    ) -> Result<Vec<Arc<Message>>, TurnError> {
        let message_id = message_id.to_owned();
        self.change_session(identity, session_id, async move |service, identity, session_id| {
            let agent_id = service.agent_of(&identity).await?.id().to_owned();
            let known = service.store().stored_agent(&session_id, &agent_id).await.map_err(TurnError::session)?;
            known.ok_or(TurnError::UnknownSession)?;
            let mut agent = service.open(&identity, session_id).await?;
            let has_id = |message: &Arc<Message>| message.tracking_id.as_deref() == Some(&*message_id);
            let index = agent.messages().iter().position(has_id).ok_or(TurnError::UnknownMessage)?;
            agent.rewind(index).await.map_err(TurnError::agent)
        })
        .await
    }

    /// Changes a session while no turn is running in it, in a task of its own, so that a client that disconnects leaves no half
    /// of a change.
    async fn change_session<T, F>(
        &self,
        identity: &Identity,
        session_id: &str,
        change: impl FnOnce(Self, Identity, String) -> F,
    ) -> Result<T, TurnError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, TurnError>> + Send + 'static,
    {
        let token = self.inner.tasks.token();
        if !self.accepts_turns() {
            return Err(TurnError::ShuttingDown);
        }
        let session_id = self.session_id(identity, session_id.into())?;
        let permit = self.inner.admission.admit_change(&session_id).await?;
        let changing = change(self.clone(), identity.clone(), session_id);
        let task = tokio::spawn(async move {
            let _held = (permit, token);
            changing.await
        });
        task.await.unwrap_or(Err(TurnError::Aborted))
    }

    /// Reads a whole session.
    ///
    /// # Errors
    ///
    /// Returns [`TurnError::UnknownSession`] if the agent is not in it.
    pub(super) async fn read_session(&self, session_id: &str, agent_id: &str) -> Result<StoredSession, TurnError> {
        let manager = self.session_manager(session_id)?;
        let mut attempts = 0;
        loop {
            let opened = manager.open(agent_id).await.map_err(TurnError::session)?;
            let (mut session, record) = (opened.session, opened.record.ok_or(TurnError::UnknownSession)?);
            attempts += 1;
            match session.read(&MessageRange::new(0, Vec::new())).await {
                Ok(messages) => return Ok(StoredSession { record, messages }),
                // Rewound since it was opened.
                Err(error) if error.is_conflict() && attempts < ATTEMPTS => {}
                Err(error) => return Err(TurnError::session(error)),
            }
        }
    }
}

fn keep_newest(sessions: &mut Vec<SessionSummary>, limit: usize) {
    sessions.sort_by(|one, other| (&other.updated_at, &other.id).cmp(&(&one.updated_at, &one.id)));
    sessions.truncate(limit);
}

fn summary(stored: &StoredAgent) -> SessionSummary {
    SessionSummary {
        id: stored.session_id.clone(),
        title: stored.record.state.get(SESSION_TITLE).and_then(Value::as_str).map(str::to_owned),
        created_at: stored.created_at.clone(),
        updated_at: stored.updated_at.clone(),
        has_pending_interrupts: !pending_interrupts(&stored.record).is_empty(),
    }
}

/// Returns the interrupts in a record that have no response.
pub(super) fn pending_interrupts(record: &AgentRecord) -> Vec<Interrupt> {
    // A record whose interrupts can't be read fails when the agent is built, with the reason.
    let calls = record.interrupted_calls().unwrap_or_default();
    let interrupts = calls.into_iter().flat_map(|call| call.interrupts);
    interrupts.filter(|interrupt| interrupt.response.is_none()).collect()
}

fn valid_title(title: &str) -> Result<String, TurnError> {
    let title = title.trim();
    let is_valid = !title.is_empty() && title.chars().count() <= MAX_TITLE && !title.contains(char::is_control);
    if is_valid { Ok(title.to_owned()) } else { Err(TurnError::InvalidTitle) }
}

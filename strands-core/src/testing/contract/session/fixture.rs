//! Sessions of the tested manager, and workers on them.

use std::sync::Arc;

use futures_util::future::LocalBoxFuture;

use super::super::sample::conversation;
use super::super::sample::plain_record;
use super::super::violation::{ContractViolation, Promise, ensure, shown};
use crate::message::{Message, random_uuid};
use crate::session::{AgentRecord, MessageBatch, MessageRange, Session, SessionError, SessionManager};

pub(super) type Make<'a> = LocalBoxFuture<'a, Arc<dyn SessionManager>>;

/// The agent of most checks.
pub(super) const AGENT: &str = "agent";

/// Attempts at opening an agent during a concurrent truncation.
const MAX_OPENINGS: usize = 5;

pub(super) type Messages = Vec<Arc<Message>>;

/// Factory of sessions.
#[derive(Clone, Copy)]
pub(super) struct Fixture<'a> {
    make: &'a dyn Fn(String) -> Make<'a>,
}

/// One agent's part of a session.
pub(super) struct AgentSession<'a> {
    fixture: Fixture<'a>,
    session_id: String,
    agent_id: String,
}

/// A worker on an agent's part of a session.
pub(super) struct Worker {
    pub(super) session: Box<dyn Session>,
    pub(super) record: Option<AgentRecord>,
    /// The messages that it read when it was opened.
    pub(super) messages: Messages,
    _manager: Arc<dyn SessionManager>,
}

impl<'a> Fixture<'a> {
    pub(super) fn new(make: &'a dyn Fn(String) -> Make<'a>) -> Self {
        Self { make }
    }

    /// Returns a new session.
    pub(super) fn new_session(&self) -> AgentSession<'a> {
        AgentSession { fixture: *self, session_id: format!("contract-{}", random_uuid()), agent_id: AGENT.to_owned() }
    }
}

impl<'a> AgentSession<'a> {
    /// Returns another agent in the same session.
    pub(super) fn agent(&self, agent_id: impl Into<String>) -> Self {
        Self { fixture: self.fixture, session_id: self.session_id.clone(), agent_id: agent_id.into() }
    }

    pub(super) fn session_id(&self) -> &str {
        &self.session_id
    }

    pub(super) fn agent_id(&self) -> &str {
        &self.agent_id
    }

    pub(super) async fn manager(&self) -> Arc<dyn SessionManager> {
        (self.fixture.make)(self.session_id.clone()).await
    }

    /// Opens a new worker. Like an agent, it reads the messages if there is a record.
    pub(super) async fn worker(&self) -> Result<Worker, ContractViolation> {
        let mut attempt = 1;
        loop {
            let manager = self.manager().await;
            let opened = manager.open(&self.agent_id).await;
            let opened = opened.map_err(|error| failed("an agent to be opened", error))?;
            let (mut session, record) = (opened.session, opened.record);
            let messages = match &record {
                Some(_) => session.read(&MessageRange::default()).await,
                None => Ok(Vec::new()),
            };
            match messages {
                Ok(messages) => return Ok(Worker { session, record, messages, _manager: manager }),
                // A dropped truncation may be committed between the two calls.
                Err(error) if error.is_conflict() && attempt < MAX_OPENINGS => attempt += 1,
                Err(error) => return Err(failed("messages to be read", error)),
            }
        }
    }

    /// Opens a worker that starts the conversation with these messages.
    pub(super) async fn started(&self, texts: &[&str]) -> Result<Worker, ContractViolation> {
        let mut worker = self.worker().await?;
        worker.save(&plain_record(&self.agent_id)).await?;
        if !texts.is_empty() {
            worker.write(&MessageBatch::append(conversation(texts))).await?;
        }
        Ok(worker)
    }

    /// Returns the messages that a new worker reads.
    pub(super) async fn stored(&self) -> Result<Messages, ContractViolation> {
        Ok(self.worker().await?.messages)
    }

    /// Checks the messages that a new worker reads.
    pub(super) async fn has_messages(
        &self,
        promise: Promise,
        when: &str,
        expected: &Messages,
    ) -> Result<(), ContractViolation> {
        same_messages(promise, when, expected, &self.stored().await?)
    }

    /// Checks the record that a new worker reads.
    pub(super) async fn has_record(
        &self,
        promise: Promise,
        when: &str,
        expected: &AgentRecord,
    ) -> Result<(), ContractViolation> {
        let found = self.worker().await?.record;
        ensure(found.as_ref() == Some(expected), promise, format!("{when}: {expected:?}"), || format!("{found:?}"))
    }
}

impl Worker {
    pub(super) async fn write(&mut self, batch: &MessageBatch) -> Result<(), ContractViolation> {
        up_to_date("write", self.session.write(batch).await)
    }

    pub(super) async fn save(&mut self, record: &AgentRecord) -> Result<(), ContractViolation> {
        up_to_date("save", self.session.save(record).await)
    }

    pub(super) async fn truncate(&mut self, keep: u64, record: &AgentRecord) -> Result<(), ContractViolation> {
        up_to_date("truncate", self.session.truncate(keep, record).await)
    }

    pub(super) async fn read(&mut self) -> Result<Messages, ContractViolation> {
        read(&mut *self.session, &MessageRange::default()).await
    }
}

/// Returns messages with these texts, as they are read.
pub(super) fn messages(texts: &[&str]) -> Messages {
    conversation(texts).into_iter().map(Arc::new).collect()
}

pub(super) fn same_messages(
    promise: Promise,
    when: &str,
    expected: &Messages,
    observed: &Messages,
) -> Result<(), ContractViolation> {
    let differs = || match expected.iter().zip(observed).find(|(one, other)| one != other) {
        Some((one, other)) if expected.len() == observed.len() => format!("{other:?} instead of {one:?}"),
        _ => shown(observed),
    };
    ensure(expected == observed, promise, format!("{when}: {}", shown(expected)), differs)
}

async fn read(session: &mut dyn Session, range: &MessageRange) -> Result<Messages, ContractViolation> {
    session.read(range).await.map_err(|error| failed("messages to be read", error))
}

fn failed(expected: &str, error: SessionError) -> ContractViolation {
    ContractViolation::error(Promise::SessionRoundTrip, expected, error)
}

fn up_to_date(what: &str, result: Result<(), SessionError>) -> Result<(), ContractViolation> {
    result.map_err(|error| {
        let conflict = error.is_conflict();
        let promise = if conflict { Promise::SessionNoFalseConflict } else { Promise::SessionRoundTrip };
        ContractViolation::error(promise, format!("`{what}` of the only worker to succeed"), error)
    })
}

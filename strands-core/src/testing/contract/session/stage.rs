//! Sessions of a manager under test, and the workers on them.

use std::sync::Arc;

use futures_util::future::LocalBoxFuture;

use super::super::sample::plain_record;
use super::super::sample::talk;
use super::super::violation::{ContractViolation, Promise, ensure, shown};
use crate::message::{Message, random_uuid};
use crate::session::{AgentRecord, MessageBatch, MessageRange, Session, SessionError, SessionManager};

pub(super) type Make<'a> = LocalBoxFuture<'a, Arc<dyn SessionManager>>;

/// The agent that most checks are about.
pub(super) const AGENT: &str = "agent";

/// Attempts at opening an agent whose conversation is truncated meanwhile.
const MOST_OPENINGS: usize = 5;

pub(super) type Messages = Vec<Arc<Message>>;

/// Makes sessions.
#[derive(Clone, Copy)]
pub(super) struct Stage<'a> {
    make: &'a dyn Fn(String) -> Make<'a>,
}

/// One agent's part of a session, and who works on it.
pub(super) struct Place<'a> {
    stage: Stage<'a>,
    session_id: String,
    agent_id: String,
}

/// A worker on an agent's part of a session.
pub(super) struct Worker {
    pub(super) session: Box<dyn Session>,
    pub(super) record: Option<AgentRecord>,
    /// The messages that it read when it began.
    pub(super) messages: Messages,
    _manager: Arc<dyn SessionManager>,
}

impl<'a> Stage<'a> {
    pub(super) fn new(make: &'a dyn Fn(String) -> Make<'a>) -> Self {
        Self { make }
    }

    /// A session that is new.
    pub(super) fn new_session(&self) -> Place<'a> {
        Place { stage: *self, session_id: format!("contract-{}", random_uuid()), agent_id: AGENT.to_owned() }
    }
}

impl<'a> Place<'a> {
    /// Another agent in the same session.
    pub(super) fn agent(&self, agent_id: impl Into<String>) -> Self {
        Self { stage: self.stage, session_id: self.session_id.clone(), agent_id: agent_id.into() }
    }

    pub(super) fn session_id(&self) -> &str {
        &self.session_id
    }

    pub(super) fn agent_id(&self) -> &str {
        &self.agent_id
    }

    pub(super) async fn manager(&self) -> Arc<dyn SessionManager> {
        (self.stage.make)(self.session_id.clone()).await
    }

    /// A new worker. Like an agent, it reads the messages if there is a record.
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
                // A truncation that was dropped may be committed between the two.
                Err(error) if error.is_conflict() && attempt < MOST_OPENINGS => attempt += 1,
                Err(error) => return Err(failed("messages to be read", error)),
            }
        }
    }

    /// The worker that has begun the conversation with these messages.
    pub(super) async fn begun(&self, texts: &[&str]) -> Result<Worker, ContractViolation> {
        let mut worker = self.worker().await?;
        worker.save(&plain_record(&self.agent_id)).await?;
        if !texts.is_empty() {
            worker.write(&MessageBatch::append(talk(texts))).await?;
        }
        Ok(worker)
    }

    /// The messages that a new worker finds.
    pub(super) async fn stored(&self) -> Result<Messages, ContractViolation> {
        Ok(self.worker().await?.messages)
    }

    /// Checks the messages that a new worker finds.
    pub(super) async fn holds(
        &self,
        promise: Promise,
        when: &str,
        expected: &Messages,
    ) -> Result<(), ContractViolation> {
        same_messages(promise, when, expected, &self.stored().await?)
    }

    /// Checks the record that a new worker finds.
    pub(super) async fn holds_record(
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

/// The messages with these texts, as they are read.
pub(super) fn messages(texts: &[&str]) -> Messages {
    talk(texts).into_iter().map(Arc::new).collect()
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

//! Session managers that violate their contract: in-memory sessions with flaws.

use std::sync::Arc;

use strands_core::async_trait;
use strands_core::message::Message;
use strands_core::session::{
    AgentRecord, MessageBatch, MessageRange, OpenedSession, Session, SessionError, SessionManager,
};
use strands_core::testing::InMemorySessionManager;
use strands_core::testing::contract::{ContractViolation, Promise, check_session_manager};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Flaw {
    None,
    OpenWrites,
    OverwritesMessages,
    OverwritesRecords,
    ComparesLengths,
    LosesHalfOfBatches,
    SplitsBatches,
    OneForAllAgents,
    IgnoresAlso,
    ForgetsTheRun,
    TruncatesNothing,
    TruncatesWithoutRecord,
    RepeatsDroppedWrites,
    ConflictsWithItself,
}

struct Flawed {
    inner: InMemorySessionManager,
    flaw: Flaw,
}

struct FlawedSession {
    inner: Box<dyn Session>,
    manager: InMemorySessionManager,
    agent_id: String,
    flaw: Flaw,
    /// The number of messages that this worker has seen.
    seen: usize,
}

#[async_trait]
impl SessionManager for Flawed {
    fn session_id(&self) -> &str {
        self.inner.session_id()
    }

    async fn open(&self, agent_id: &str) -> Result<OpenedSession, SessionError> {
        let agent_id = if self.flaw == Flaw::OneForAllAgents { "agent" } else { agent_id };
        if self.flaw == Flaw::OpenWrites && self.inner.record(agent_id).is_none() {
            self.inner.set_record(AgentRecord::new(agent_id));
        }
        let opened = self.inner.open(agent_id).await?;
        let session = FlawedSession {
            inner: opened.session,
            manager: self.inner.clone(),
            agent_id: agent_id.to_owned(),
            flaw: self.flaw,
            seen: 0,
        };
        Ok(OpenedSession::new(Box::new(session), opened.record))
    }
}

impl FlawedSession {
    async fn reopen(&mut self) -> Result<(), SessionError> {
        self.inner = self.manager.open(&self.agent_id).await?.session;
        Ok(())
    }

    fn stored(&self) -> usize {
        self.manager.messages(&self.agent_id).len()
    }
}

#[async_trait]
impl Session for FlawedSession {
    async fn read(&mut self, range: &MessageRange) -> Result<Vec<Arc<Message>>, SessionError> {
        self.seen = self.stored();
        if self.flaw == Flaw::IgnoresAlso {
            return self.inner.read(&MessageRange::new(range.from, Vec::new())).await;
        }
        self.inner.read(range).await
    }

    async fn write(&mut self, batch: &MessageBatch) -> Result<(), SessionError> {
        match self.flaw {
            Flaw::LosesHalfOfBatches => {
                let mut half = batch.clone();
                half.appended.truncate(batch.appended.len().div_ceil(2));
                self.inner.write(&half).await
            }
            Flaw::SplitsBatches => {
                let replaced = batch.replaced.iter().cloned().map(MessageBatch::replace);
                let appended = batch.appended.iter().cloned().map(|message| MessageBatch::append([message]));
                for part in replaced.chain(appended) {
                    self.inner.write(&part).await?;
                    tokio::task::yield_now().await;
                }
                Ok(())
            }
            Flaw::RepeatsDroppedWrites => {
                self.inner.write(batch).await?;
                tokio::task::yield_now().await;
                Ok(())
            }
            Flaw::ConflictsWithItself => {
                self.inner.write(batch).await?;
                let written = std::mem::replace(&mut self.inner, self.manager.open("nobody").await?.session);
                self.inner = OldView { agent_id: self.agent_id.clone() }.session();
                tokio::task::yield_now().await;
                self.inner = written;
                Ok(())
            }
            Flaw::OverwritesMessages => match self.inner.write(batch).await {
                Err(error) if error.is_conflict() => {
                    self.reopen().await?;
                    self.inner.write(batch).await
                }
                outcome => outcome,
            },
            Flaw::ComparesLengths => {
                if self.seen == self.stored() {
                    self.reopen().await?;
                }
                self.inner.write(batch).await?;
                self.seen = self.stored();
                Ok(())
            }
            _ => self.inner.write(batch).await,
        }
    }

    async fn save(&mut self, record: &AgentRecord) -> Result<(), SessionError> {
        match self.flaw {
            Flaw::ForgetsTheRun => {
                let mut record = record.clone();
                record.internal_state.run = None;
                self.inner.save(&record).await
            }
            Flaw::OverwritesRecords => {
                self.reopen().await?;
                self.inner.save(record).await
            }
            _ => self.inner.save(record).await,
        }
    }

    async fn truncate(&mut self, keep: u64, record: &AgentRecord) -> Result<(), SessionError> {
        match self.flaw {
            Flaw::TruncatesNothing => self.inner.save(record).await,
            Flaw::TruncatesWithoutRecord => {
                let known = self.manager.record(&self.agent_id).unwrap_or_default();
                self.inner.truncate(keep, &known).await
            }
            _ => self.inner.truncate(keep, record).await,
        }
    }
}

/// A session whose view is always outdated.
struct OldView {
    agent_id: String,
}

impl OldView {
    fn session(self) -> Box<dyn Session> {
        Box::new(self)
    }

    fn conflict(&self) -> SessionError {
        SessionError::Conflict {
            session_id: "flawed".to_owned(),
            what: format!("the messages of agent `{}`", self.agent_id),
            expected: "old".to_owned(),
            found: "new".to_owned(),
        }
    }
}

#[async_trait]
impl Session for OldView {
    async fn read(&mut self, _: &MessageRange) -> Result<Vec<Arc<Message>>, SessionError> {
        Err(self.conflict())
    }

    async fn write(&mut self, _: &MessageBatch) -> Result<(), SessionError> {
        Err(self.conflict())
    }

    async fn save(&mut self, _: &AgentRecord) -> Result<(), SessionError> {
        Err(self.conflict())
    }

    async fn truncate(&mut self, _: u64, _: &AgentRecord) -> Result<(), SessionError> {
        Err(self.conflict())
    }
}

async fn check(flaw: Flaw) -> Result<(), ContractViolation> {
    let sessions = super::sessions(None);
    check_session_manager(async |id: &str| Flawed { inner: sessions(id).await, flaw }).await
}

#[tokio::test]
async fn detects_flaws() {
    check(Flaw::None).await.unwrap();
    for (flaw, promise) in [
        (Flaw::OpenWrites, Promise::SessionOpenWritesNothing),
        (Flaw::OverwritesMessages, Promise::SessionConflict),
        (Flaw::OverwritesRecords, Promise::SessionConflict),
        (Flaw::ComparesLengths, Promise::SessionConflict),
        (Flaw::LosesHalfOfBatches, Promise::SessionRoundTrip),
        (Flaw::SplitsBatches, Promise::SessionAtomicBatch),
        (Flaw::OneForAllAgents, Promise::SessionIsolation),
        (Flaw::IgnoresAlso, Promise::SessionRange),
        (Flaw::ForgetsTheRun, Promise::SessionRoundTrip),
        (Flaw::TruncatesNothing, Promise::SessionTruncate),
        (Flaw::TruncatesWithoutRecord, Promise::SessionTruncate),
        (Flaw::RepeatsDroppedWrites, Promise::SessionDroppedWrite),
        (Flaw::ConflictsWithItself, Promise::SessionDroppedWrite),
    ] {
        let violation = check(flaw).await.expect_err(&format!("{flaw:?}"));
        assert_eq!(violation.promise, promise, "{flaw:?}: {violation:?}");
    }
}

//! Storage of graphs that violates its contract: in-memory sessions with flaws.

use serde_json::{Value, json};
use strands_core::async_trait;
use strands_core::session::{MultiAgentSession, OpenedSession, SessionError, SessionManager};
use strands_core::testing::InMemorySessionManager;
use strands_core::testing::contract::{ContractViolation, Promise, check_multi_agent_session};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Flaw {
    None,
    OpenWrites,
    Overwrites,
    SkipsUnchanged,
    AcceptsEqual,
    LosesFields,
    OneForAllGraphs,
    ConflictsWithItself,
    ForgetsDroppedSaves,
}

struct Flawed {
    inner: InMemorySessionManager,
    flaw: Flaw,
}

#[async_trait]
impl SessionManager for Flawed {
    fn session_id(&self) -> &str {
        self.inner.session_id()
    }

    async fn open(&self, agent_id: &str) -> Result<OpenedSession, SessionError> {
        self.inner.open(agent_id).await
    }

    async fn open_multi_agent(&self, id: &str) -> Result<Box<dyn MultiAgentSession>, SessionError> {
        let id = if self.flaw == Flaw::OneForAllGraphs { "graph" } else { id };
        if self.flaw == Flaw::OpenWrites {
            self.inner.set_multi_agent(id, json!({}));
        }
        let inner = self.inner.open_multi_agent(id).await?;
        let manager = self.inner.clone();
        Ok(Box::new(FlawedSession { inner, manager, id: id.to_owned(), flaw: self.flaw, saves: 0 }))
    }
}

struct FlawedSession {
    inner: Box<dyn MultiAgentSession>,
    manager: InMemorySessionManager,
    id: String,
    flaw: Flaw,
    saves: usize,
}

impl FlawedSession {
    fn stored(&self) -> Option<Value> {
        self.manager.multi_agent(&self.id)
    }
}

#[async_trait]
impl MultiAgentSession for FlawedSession {
    async fn read(&mut self) -> Result<Option<Value>, SessionError> {
        self.inner.read().await
    }

    async fn save(&mut self, document: &Value) -> Result<(), SessionError> {
        self.saves += 1;
        match self.flaw {
            Flaw::Overwrites => {
                self.inner.read().await?;
            }
            Flaw::AcceptsEqual if self.stored().as_ref() == Some(document) => {
                self.inner.read().await?;
            }
            Flaw::SkipsUnchanged if self.stored().as_ref() == Some(document) => return Ok(()),
            Flaw::LosesFields => {
                let mut less = document.clone();
                less["_internal_state"].take();
                return self.inner.save(&less).await;
            }
            Flaw::ConflictsWithItself if self.saves == 2 => {
                self.inner = self.manager.open_multi_agent(&self.id).await?;
            }
            Flaw::ForgetsDroppedSaves => {
                self.inner.save(document).await?;
                let outdated = self.manager.open_multi_agent(&self.id).await?;
                let saved = std::mem::replace(&mut self.inner, outdated);
                tokio::task::yield_now().await;
                self.inner = saved;
                return Ok(());
            }
            _ => {}
        }
        self.inner.save(document).await
    }
}

async fn check(flaw: Flaw) -> Result<(), ContractViolation> {
    let sessions = super::sessions(None);
    check_multi_agent_session(async |id: &str| Flawed { inner: sessions(id).await, flaw }).await
}

#[tokio::test]
async fn detects_flaws() {
    check(Flaw::None).await.unwrap();
    for (flaw, promise) in [
        (Flaw::OpenWrites, Promise::MultiAgentOpenWritesNothing),
        (Flaw::Overwrites, Promise::MultiAgentConflict),
        (Flaw::SkipsUnchanged, Promise::MultiAgentConflict),
        (Flaw::AcceptsEqual, Promise::MultiAgentConflict),
        (Flaw::LosesFields, Promise::MultiAgentRoundTrip),
        (Flaw::OneForAllGraphs, Promise::MultiAgentNoFalseConflict),
        (Flaw::ConflictsWithItself, Promise::MultiAgentNoFalseConflict),
        (Flaw::ForgetsDroppedSaves, Promise::MultiAgentDroppedSave),
    ] {
        let violation = check(flaw).await.expect_err(&format!("{flaw:?}"));
        assert_eq!(violation.promise, promise, "{flaw:?}: {violation:?}");
    }
}

//! An in-memory session of one agent. Clones share it.

use async_trait::async_trait;
use strands_core::message::Message;
use strands_core::session::{AgentRecord, OpenedSession, SessionError, SessionManager};
use strands_core::testing::InMemorySessionManager;

#[derive(Clone)]
pub(crate) struct Store {
    sessions: InMemorySessionManager,
    agent_id: String,
}

impl Default for Store {
    fn default() -> Self {
        Self { sessions: InMemorySessionManager::new("memory"), agent_id: "default".to_owned() }
    }
}

impl Store {
    pub(crate) fn of(record: AgentRecord, messages: Vec<Message>) -> Self {
        let agent_id = record.agent_id.clone();
        let sessions = InMemorySessionManager::new("memory").with_messages(&agent_id, messages);
        sessions.set_record(record);
        Self { sessions, agent_id }
    }

    pub(crate) fn record(&self) -> AgentRecord {
        self.sessions.record(&self.agent_id).unwrap()
    }

    pub(crate) fn messages(&self) -> Vec<Message> {
        self.sessions.messages(&self.agent_id).iter().map(|message| Message::clone(message)).collect()
    }
}

#[async_trait]
impl SessionManager for Store {
    fn session_id(&self) -> &str {
        self.sessions.session_id()
    }

    async fn open(&self, agent_id: &str) -> Result<OpenedSession, SessionError> {
        self.sessions.open(agent_id).await
    }
}

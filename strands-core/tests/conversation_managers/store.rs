//! A session in memory. Clones share it.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use strands_core::message::Message;
use strands_core::session::{AgentRecord, MessageRange, OpenedSession, Session, SessionError, SessionManager};

#[derive(Clone, Default)]
pub(crate) struct Store(Arc<Mutex<Stored>>);

#[derive(Default)]
struct Stored {
    record: Option<AgentRecord>,
    messages: Vec<Message>,
}

impl Store {
    pub(crate) fn of(record: AgentRecord, messages: Vec<Message>) -> Self {
        Self(Arc::new(Mutex::new(Stored { record: Some(record), messages })))
    }

    pub(crate) fn record(&self) -> AgentRecord {
        self.0.lock().unwrap().record.clone().unwrap()
    }

    pub(crate) fn messages(&self) -> Vec<Message> {
        self.0.lock().unwrap().messages.clone()
    }
}

#[async_trait]
impl SessionManager for Store {
    fn session_id(&self) -> &str {
        "memory"
    }

    async fn open(&self, _: &str) -> Result<OpenedSession, SessionError> {
        let record = self.0.lock().unwrap().record.clone();
        Ok(OpenedSession::new(Box::new(self.clone()), record))
    }
}

#[async_trait]
impl Session for Store {
    async fn read(&mut self, wanted: &MessageRange) -> Result<Vec<Arc<Message>>, SessionError> {
        let wanted = |at: u64| at >= wanted.from || wanted.also.contains(&at);
        let numbered = (0..).zip(self.messages());
        Ok(numbered.filter(|(at, _)| wanted(*at)).map(|(_, message)| Arc::new(message)).collect())
    }

    async fn append(&mut self, message: &Message) -> Result<(), SessionError> {
        self.0.lock().unwrap().messages.push(stored(message));
        Ok(())
    }

    async fn replace_last(&mut self, message: &Message) -> Result<(), SessionError> {
        *self.0.lock().unwrap().messages.last_mut().unwrap() = stored(message);
        Ok(())
    }

    async fn save(&mut self, record: &AgentRecord) -> Result<(), SessionError> {
        self.0.lock().unwrap().record = Some(stored(record));
        Ok(())
    }
}

/// What a store makes of a value: JSON, and nothing else of it.
fn stored<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

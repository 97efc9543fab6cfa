//! A session in memory, which can be read as JSON.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use strands::async_trait;
use strands::session::{MultiAgentSession, OpenedSession, SessionError, SessionManager};

/// A session of one graph. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Store {
    shared: Arc<Mutex<Stored>>,
    save_time: Duration,
}

#[derive(Default)]
struct Stored {
    document: Option<Value>,
    version: u64,
    writes: usize,
}

impl Store {
    /// Creates a session whose saves take a while, and store the document at the end.
    pub(crate) fn slow(save_time: Duration) -> Self {
        Self { save_time, ..Self::default() }
    }

    pub(crate) fn document(&self) -> Option<Value> {
        self.shared.lock().unwrap().document.clone()
    }

    pub(crate) fn writes(&self) -> usize {
        self.shared.lock().unwrap().writes
    }
}

#[async_trait]
impl SessionManager for Store {
    fn session_id(&self) -> &str {
        "s1"
    }

    async fn open(&self, agent_id: &str) -> Result<OpenedSession, SessionError> {
        Err(SessionError::NotFound { what: "agent", key: agent_id.to_owned() })
    }

    async fn open_multi_agent(&self, _: &str) -> Result<Box<dyn MultiAgentSession>, SessionError> {
        Ok(Box::new(Opened { store: self.clone(), version: 0 }))
    }
}

struct Opened {
    store: Store,
    version: u64,
}

#[async_trait]
impl MultiAgentSession for Opened {
    async fn read(&mut self) -> Result<Option<Value>, SessionError> {
        let stored = self.store.shared.lock().unwrap();
        self.version = stored.version;
        Ok(stored.document.clone())
    }

    async fn save(&mut self, document: &Value) -> Result<(), SessionError> {
        // A write takes a moment, in which the run can be dropped, before and after it is made.
        tokio::task::yield_now().await;
        if !self.store.save_time.is_zero() {
            tokio::time::sleep(self.store.save_time).await;
        }
        {
            let mut stored = self.store.shared.lock().unwrap();
            if stored.version != self.version {
                return Err(SessionError::Conflict {
                    session_id: "s1".into(),
                    what: "the run".into(),
                    expected: self.version.to_string(),
                    found: stored.version.to_string(),
                });
            }
            // Through text, as a file.
            stored.document = Some(serde_json::from_str(&document.to_string()).unwrap());
            stored.version += 1;
            stored.writes += 1;
            self.version = stored.version;
        }
        tokio::task::yield_now().await;
        Ok(())
    }
}

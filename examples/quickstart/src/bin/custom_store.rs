//! Sessions in a custom document store, which has five methods. Here it is a map in memory; a table with the columns `key`,
//! `content` and `revision` works in the same way.
//!
//! ```text
//! $ cargo run -p quickstart --bin custom_store
//! first process: 2 messages
//! second process: 4 messages, 2 of them from the first
//! documents: 6
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use strands::session::bytes::Bytes;
use strands::session::{Document, DocumentStore, SessionStore, StoreError, StoreSessionManager, Version, WriteOutcome};
use strands::{Agent, async_trait};

/// Documents by their keys. Clones share them.
#[derive(Clone, Default)]
struct MapStore(Arc<Mutex<Documents>>);

#[derive(Default)]
struct Documents {
    by_key: BTreeMap<String, Document>,
    /// Never reused, also not for a document that is deleted and created again.
    revision: u64,
}

impl MapStore {
    fn documents(&self) -> MutexGuard<'_, Documents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a document if it has the version that the caller knows, so that two workers never overwrite each other.
    fn write(&self, key: &str, content: Bytes, known: Option<&Version>) -> WriteOutcome {
        let mut documents = self.documents();
        if documents.by_key.get(key).map(|document| &document.version) != known {
            return WriteOutcome::Conflict;
        }
        documents.revision += 1;
        let version = Version::new(documents.revision.to_string());
        documents.by_key.insert(key.to_owned(), Document::new(content, version.clone()));
        WriteOutcome::Done(version)
    }
}

#[async_trait]
impl DocumentStore for MapStore {
    async fn get(&self, key: &str) -> Result<Option<Document>, StoreError> {
        Ok(self.documents().by_key.get(key).cloned())
    }

    async fn create(&self, key: &str, content: Bytes) -> Result<WriteOutcome, StoreError> {
        Ok(self.write(key, content, None))
    }

    async fn update(&self, key: &str, content: Bytes, known: &Document) -> Result<WriteOutcome, StoreError> {
        Ok(self.write(key, content, Some(&known.version)))
    }

    async fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        Ok(self.documents().by_key.keys().filter(|key| key.starts_with(&prefix)).cloned().collect())
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.documents().by_key.remove(key);
        Ok(())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let store = MapStore::default();
    for process in ["first", "second"] {
        let sessions = StoreSessionManager::new("user-42", SessionStore::new(store.clone()))?;
        let mut agent = Agent::builder().model(quickstart::model().await?).session_manager(sessions).build().await?;
        let before = agent.messages().len();
        agent.prompt("Hello!").await?;
        match before {
            0 => println!("{process} process: {} messages", agent.messages().len()),
            _ => println!("{process} process: {} messages, {before} of them from the first", agent.messages().len()),
        }
    }
    println!("documents: {}", store.documents().by_key.len());
    Ok(())
}

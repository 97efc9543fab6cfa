//! A custom document store in one file, as for a database.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use strands_core::Agent;
use strands_core::testing::ScriptedModel;
use strands_session::bytes::Bytes;
use strands_session::contract::check_document_store;
use strands_session::{Document, DocumentStore, SessionStore, StoreError, StoreSessionManager, Version, WriteOutcome};

/// A table with a key, a content and a revision.
#[derive(Clone, Default)]
struct Table(Arc<Mutex<Rows>>);

#[derive(Default)]
struct Rows {
    by_key: BTreeMap<String, (Bytes, u64)>,
    /// The last revision of all rows, so that none is reused, not even after a deletion.
    revision: u64,
}

#[async_trait::async_trait]
impl DocumentStore for Table {
    async fn get(&self, key: &str) -> Result<Option<Document>, StoreError> {
        let rows = self.0.lock().unwrap();
        Ok(rows.by_key.get(key).map(|(content, revision)| Document::new(content.clone(), version(*revision))))
    }

    async fn create(&self, key: &str, content: Bytes) -> Result<WriteOutcome, StoreError> {
        let Rows { by_key, revision } = &mut *self.0.lock().unwrap();
        if by_key.contains_key(key) {
            return Ok(WriteOutcome::Conflict);
        }
        *revision += 1;
        by_key.insert(key.to_owned(), (content, *revision));
        Ok(WriteOutcome::Done(version(*revision)))
    }

    async fn update(&self, key: &str, content: Bytes, known: &Document) -> Result<WriteOutcome, StoreError> {
        let known: u64 = known.version.as_str().parse()?;
        let Rows { by_key, revision } = &mut *self.0.lock().unwrap();
        match by_key.get_mut(key) {
            Some(row) if row.1 == known => {
                *revision += 1;
                *row = (content, *revision);
                Ok(WriteOutcome::Done(version(*revision)))
            }
            _ => Ok(WriteOutcome::Conflict),
        }
    }

    async fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let inside = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        Ok(self.0.lock().unwrap().by_key.keys().filter(|key| key.starts_with(&inside)).cloned().collect())
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.0.lock().unwrap().by_key.remove(key);
        Ok(())
    }
}

fn version(revision: u64) -> Version {
    Version::new(revision.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn custom_store_satisfies_the_contract() {
    check_document_store(Table::default()).await.unwrap();
}

#[tokio::test]
async fn restores_an_agent_from_a_custom_store() {
    let store = SessionStore::new(Table::default());
    for prompt in ["hello", "again"] {
        let sessions = StoreSessionManager::new("user-42", store.clone()).unwrap();
        let builder = Agent::builder().model(ScriptedModel::responding("hi")).session_manager(sessions);
        builder.build().await.unwrap().prompt(prompt).await.unwrap();
    }
    let sessions = StoreSessionManager::new("user-42", store).unwrap();
    let agent = Agent::builder().model(ScriptedModel::responding("")).session_manager(sessions).build().await.unwrap();
    assert_eq!(agent.messages().len(), 4);
}

//! Document tracked by one worker: it is updated only if the store still has the version that this worker read or wrote.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use bytes::Bytes;
use strands_core::session::SessionError;

use crate::document_store::{Document, WriteOutcome};
use crate::storage::{Storage, failed};

/// Attempts at a write while the store reports a conflict but returns no document.
const ATTEMPTS: usize = 5;
/// Maximum number of unconfirmed writes to remember, 8 bytes each.
const MAX_UNCONFIRMED: usize = 1_024;

/// A document key with the version that this worker last read or wrote.
#[derive(Debug)]
pub(crate) struct TrackedDocument {
    key: String,
    known: Option<Document>,
    /// Digests of writes with an unknown outcome: the request failed, or its future was dropped. Such content in the
    /// store was not written by another worker.
    unconfirmed: VecDeque<u64>,
}

/// The outcome of a write of a tracked document.
pub(crate) enum Outcome {
    /// The document is in the store.
    Done,
    /// Another worker wrote first. Holds the current content.
    Conflict(Option<Bytes>),
}

impl TrackedDocument {
    /// Tracks a key with no known document.
    pub(crate) fn new(key: String) -> Self {
        Self { key, known: None, unconfirmed: VecDeque::new() }
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Returns the content that this worker last read or wrote.
    pub(crate) fn known(&self) -> Option<&Bytes> {
        self.known.as_ref().map(|document| &document.content)
    }

    /// Returns false while the outcome of a write is unknown; the store may then have other content than `known`.
    pub(crate) fn is_settled(&self) -> bool {
        self.unconfirmed.is_empty()
    }

    /// Returns true if this worker knows of no document, and has no write with an unknown outcome.
    pub(crate) fn is_unwritten(&self) -> bool {
        self.known.is_none() && self.is_settled()
    }

    /// Reads the document from the store.
    pub(crate) async fn read(&mut self, storage: &Storage) -> Result<Option<&Bytes>, SessionError> {
        let found = storage.read(&self.key).await?;
        self.observe(found);
        Ok(self.known())
    }

    /// Records a document that was read elsewhere. Unconfirmed writes are remembered while they may still be in flight:
    /// each is conditional on the known document, or on another unconfirmed write.
    pub(crate) fn observe(&mut self, found: Option<Document>) {
        let may_follow = match &found {
            Some(found) => self.known.as_ref() == Some(found) || self.is_unconfirmed(&found.content),
            None => self.known.is_none(),
        };
        if !may_follow {
            self.unconfirmed.clear();
        }
        self.known = found;
    }

    /// Returns true for the content of a write with an unknown outcome.
    pub(crate) fn is_unconfirmed(&self, content: &[u8]) -> bool {
        self.unconfirmed.contains(&digest(content))
    }

    /// Writes the document if the store has the version that this worker knows.
    pub(crate) async fn write(&mut self, storage: &Storage, content: Bytes) -> Result<Outcome, SessionError> {
        self.write_or_compare(storage, content, false).await
    }

    /// Continues a write that the store has refused.
    pub(crate) async fn write_refused(&mut self, storage: &Storage, content: Bytes) -> Result<Outcome, SessionError> {
        self.write_or_compare(storage, content, true).await
    }

    async fn write_or_compare(
        &mut self,
        storage: &Storage,
        content: Bytes,
        is_refused: bool,
    ) -> Result<Outcome, SessionError> {
        // The same content in the store counts as written if the store repeats requests or this worker tried it before.
        let is_own = storage.may_lose_responses() || self.is_unconfirmed(&content);
        self.attempt(&content);
        for attempt in 0..ATTEMPTS {
            let written = match &self.known {
                _ if is_refused && attempt == 0 => WriteOutcome::Conflict,
                Some(known) => storage.update(&self.key, content.clone(), known).await?,
                None => storage.create(&self.key, content.clone()).await?,
            };
            if let WriteOutcome::Done(version) = written {
                self.settle(Document::new(content, version));
                return Ok(Outcome::Done);
            }
            match storage.read(&self.key).await? {
                Some(found) if found.content == content && is_own => {
                    self.settle(found);
                    return Ok(Outcome::Done);
                }
                Some(found) if found.content != content && self.is_unconfirmed(&found.content) => {
                    self.known = Some(found);
                }
                // Stores also report a conflict while another write to the same key is in flight.
                None if self.known.is_none() => {}
                found => {
                    self.unconfirmed.clear();
                    return Ok(Outcome::Conflict(found.map(|found| found.content)));
                }
            }
        }
        Err(failed(
            "write",
            &storage.locate(&self.key),
            "the store reports a conflict but has no document; try again later",
        ))
    }

    /// Writes the document if the store has exactly the version that this worker knows, and not one of its unconfirmed
    /// writes. Returns false otherwise.
    pub(crate) async fn write_once(&mut self, storage: &Storage, content: Bytes) -> Result<bool, SessionError> {
        self.attempt(&content);
        let written = match &self.known {
            Some(known) => storage.update(&self.key, content.clone(), known).await?,
            None => storage.create(&self.key, content.clone()).await?,
        };
        let WriteOutcome::Done(version) = written else { return Ok(false) };
        self.settle(Document::new(content, version));
        Ok(true)
    }

    /// Records a write of this content that is about to be made: its outcome is unknown until it is settled.
    pub(crate) fn attempt(&mut self, content: &[u8]) {
        if self.unconfirmed.len() >= MAX_UNCONFIRMED {
            self.unconfirmed.pop_front();
        }
        self.unconfirmed.push_back(digest(content));
    }

    /// Forgets an attempt that has written nothing: the store refused it, or an earlier document of the same batch.
    pub(crate) fn not_written(&mut self, content: &[u8]) {
        let digest = digest(content);
        self.unconfirmed.retain(|unconfirmed| *unconfirmed != digest);
    }

    /// Records a document that this worker has written.
    pub(crate) fn settle(&mut self, document: Document) {
        self.known = Some(document);
        self.unconfirmed.clear();
    }
}

fn digest(content: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::FileStore;

    #[tokio::test]
    async fn reports_a_conflict_for_equal_content_of_another_worker() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::new(Arc::new(FileStore::new(folder.path())));
        let tracked = || TrackedDocument::new("session_s/agents/agent_a/agent.json".to_owned());
        let (mut one, mut other) = (tracked(), tracked());
        assert!(matches!(one.write(&storage, "1".into()).await.unwrap(), Outcome::Done));
        other.read(&storage).await.unwrap();
        assert!(matches!(one.write(&storage, "2".into()).await.unwrap(), Outcome::Done));
        assert!(matches!(other.write(&storage, "2".into()).await.unwrap(), Outcome::Conflict(_)));
    }
}

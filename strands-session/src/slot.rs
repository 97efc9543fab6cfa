//! One document as one worker knows it: written only over what this worker has read or written itself.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use bytes::Bytes;
use strands_core::session::SessionError;

use crate::document_store::{Document, Written};
use crate::storage::{Storage, failed};

/// Attempts at a write while the store says that the document is there and then that it is not.
const ATTEMPTS: usize = 5;
/// Unanswered writes that are remembered, by 8 bytes each.
const MAX_UNANSWERED: usize = 1_024;

/// A place for a document, and what this worker knows to be there.
#[derive(Debug)]
pub(crate) struct Slot {
    key: String,
    known: Option<Document>,
    /// Digests of what this worker has tried to write without learning the outcome: the request failed, or its future was
    /// dropped. If such content turns up in the store, it is no other worker's.
    unanswered: VecDeque<u64>,
}

/// The outcome of a write.
pub(crate) enum Outcome {
    /// The document is in the store.
    Done,
    /// Another worker was faster. This is what is there now.
    Conflict(Option<Bytes>),
}

impl Slot {
    /// A place where nothing is known to be.
    pub(crate) fn new(key: String) -> Self {
        Self { key, known: None, unanswered: VecDeque::new() }
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// What this worker knows to be there.
    pub(crate) fn known(&self) -> Option<&Bytes> {
        self.known.as_ref().map(|document| &document.content)
    }

    /// False while the outcome of a write is unknown: then nothing is known about the document either.
    pub(crate) fn is_settled(&self) -> bool {
        self.unanswered.is_empty()
    }

    /// Reads what is there.
    pub(crate) async fn read(&mut self, storage: &Storage) -> Result<Option<&Bytes>, SessionError> {
        let found = storage.read(&self.key).await?;
        self.observe(found);
        Ok(self.known())
    }

    /// Takes over what somebody has read there. Unanswered writes stay in mind while they may still be under way: each is
    /// conditional on what was known, or on one of the others.
    pub(crate) fn observe(&mut self, found: Option<Document>) {
        let may_follow = match &found {
            Some(found) => self.known.as_ref() == Some(found) || self.is_unanswered(&found.content),
            None => self.known.is_none(),
        };
        if !may_follow {
            self.unanswered.clear();
        }
        self.known = found;
    }

    /// True for the content of a write whose outcome is unknown.
    pub(crate) fn is_unanswered(&self, content: &[u8]) -> bool {
        self.unanswered.contains(&digest(content))
    }

    /// Writes the document if what is there is what this worker knows.
    pub(crate) async fn write(&mut self, storage: &Storage, content: Bytes) -> Result<Outcome, SessionError> {
        // Found again, it counts as written where the store repeats requests, or where this worker has tried it before.
        let is_own = storage.may_lose_answers() || self.is_unanswered(&content);
        self.attempt(&content);
        for _ in 0..ATTEMPTS {
            let written = match &self.known {
                Some(known) => storage.update(&self.key, content.clone(), known).await?,
                None => storage.create(&self.key, content.clone()).await?,
            };
            if let Written::Done(version) = written {
                self.settle(Document::new(content, version));
                return Ok(Outcome::Done);
            }
            match storage.read(&self.key).await? {
                Some(found) if found.content == content && is_own => {
                    self.settle(found);
                    return Ok(Outcome::Done);
                }
                Some(found) if found.content != content && self.is_unanswered(&found.content) => {
                    self.known = Some(found);
                }
                // Stores say so too while another write to the same key is under way.
                None if self.known.is_none() => {}
                found => {
                    self.unanswered.clear();
                    return Ok(Outcome::Conflict(found.map(|found| found.content)));
                }
            }
        }
        Err(failed("write", &storage.locate(&self.key), "it is there when written and gone when read"))
    }

    /// Writes the document if what is there is exactly what this worker knows, and not another of its own attempts. False
    /// if it is not.
    pub(crate) async fn write_once(&mut self, storage: &Storage, content: Bytes) -> Result<bool, SessionError> {
        self.attempt(&content);
        let written = match &self.known {
            Some(known) => storage.update(&self.key, content.clone(), known).await?,
            None => storage.create(&self.key, content.clone()).await?,
        };
        let Written::Done(version) = written else { return Ok(false) };
        self.settle(Document::new(content, version));
        Ok(true)
    }

    fn attempt(&mut self, content: &[u8]) {
        if self.unanswered.len() >= MAX_UNANSWERED {
            self.unanswered.pop_front();
        }
        self.unanswered.push_back(digest(content));
    }

    fn settle(&mut self, document: Document) {
        self.known = Some(document);
        self.unanswered.clear();
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
    async fn equal_content_of_another_worker_is_a_conflict() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::new(Arc::new(FileStore::new(folder.path())));
        let slot = || Slot::new("session_s/agents/agent_a/agent.json".to_owned());
        let (mut one, mut other) = (slot(), slot());
        assert!(matches!(one.write(&storage, "1".into()).await.unwrap(), Outcome::Done));
        other.read(&storage).await.unwrap();
        assert!(matches!(one.write(&storage, "2".into()).await.unwrap(), Outcome::Done));
        assert!(matches!(other.write(&storage, "2".into()).await.unwrap(), Outcome::Conflict(_)));
    }
}

//! One document as one worker knows it: written only over what this worker has read or written itself.

use bytes::Bytes;
use strands_core::session::SessionError;

use crate::storage::{Storage, Stored, Written, failed};

/// How often a write is tried while the store says that the document is there and then that it is not.
const ATTEMPTS: usize = 5;
/// How many writes without an answer are remembered.
const MAX_UNANSWERED: usize = 8;

/// A place for a document, and what this worker knows to be there.
#[derive(Debug)]
pub(crate) struct Slot {
    key: String,
    known: Option<Stored>,
    /// What this worker has tried to write without learning how it ended: the request failed, or nobody waited for it.
    /// Should it turn up in the store, it is no other worker's.
    unanswered: Vec<Bytes>,
}

/// How a write ended.
pub(crate) enum Outcome {
    /// The document is in the store.
    Done,
    /// Another worker was faster. This is what is there now.
    Conflict(Option<Bytes>),
}

impl Slot {
    /// A place where nothing is known to be.
    pub(crate) fn new(key: String) -> Self {
        Self { key, known: None, unanswered: Vec::new() }
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// What this worker knows to be there.
    pub(crate) fn known(&self) -> Option<&Bytes> {
        self.known.as_ref().map(|stored| &stored.bytes)
    }

    /// Reads what is there.
    pub(crate) async fn read(&mut self, storage: &Storage) -> Result<Option<&Bytes>, SessionError> {
        self.known = storage.read(&self.key).await?;
        self.unanswered.clear();
        Ok(self.known())
    }

    /// Writes the document if what is there is what this worker knows.
    pub(crate) async fn write(&mut self, storage: &Storage, bytes: Bytes) -> Result<Outcome, SessionError> {
        if self.unanswered.len() >= MAX_UNANSWERED {
            self.unanswered.remove(0);
        }
        self.unanswered.push(bytes.clone());
        for _ in 0..ATTEMPTS {
            let written = match &self.known {
                Some(known) => storage.update(&self.key, bytes.clone(), known).await?,
                None => storage.create(&self.key, bytes.clone()).await?,
            };
            if let Written::Done(version) = written {
                self.settle(Stored { bytes, version });
                return Ok(Outcome::Done);
            }
            match storage.read(&self.key).await? {
                // An answer was lost on its way, and the repeated request found the document of the first. A file system
                // loses no answers: there it is another worker's that happens to be the same.
                Some(found) if found.bytes == bytes && storage.may_lose_answers() => {
                    self.settle(found);
                    return Ok(Outcome::Done);
                }
                Some(found) if found.bytes == bytes => {
                    self.unanswered.clear();
                    return Ok(Outcome::Conflict(Some(found.bytes)));
                }
                Some(found) if self.unanswered.contains(&found.bytes) => self.known = Some(found),
                // Stores say so too while another write to the same key is under way.
                None if self.known.is_none() => {}
                found => {
                    self.unanswered.clear();
                    return Ok(Outcome::Conflict(found.map(|found| found.bytes)));
                }
            }
        }
        Err(failed("write", &storage.locate(&self.key), "it is there when written and gone when read"))
    }

    fn settle(&mut self, stored: Stored) {
        self.known = Some(stored);
        self.unanswered.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Files;

    #[tokio::test]
    async fn the_same_document_from_another_worker_is_still_the_other_workers() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::Files(Files::new(folder.path()));
        let slot = || Slot::new("session_s/agents/agent_a/agent.json".to_owned());
        let (mut one, mut other) = (slot(), slot());
        assert!(matches!(one.write(&storage, "1".into()).await.unwrap(), Outcome::Done));
        other.read(&storage).await.unwrap();
        assert!(matches!(one.write(&storage, "2".into()).await.unwrap(), Outcome::Done));
        assert!(matches!(other.write(&storage, "2".into()).await.unwrap(), Outcome::Conflict(_)));
    }
}

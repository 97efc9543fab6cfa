//! Audit file: JSON lines, each on the disk before its decision counts.

mod file;

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, oneshot};

use self::file::AuditFile;
use super::{AuditRecord, AuditSink};

/// Maximum number of records that wait to be written. Further calls wait.
const QUEUE: usize = 1024;

/// Audit in a file of JSON lines, one [`AuditRecord`] each.
///
/// - A record is on the disk when `record` returns: it is appended and synced. Concurrent records share one sync.
/// - The file has one writer: it is locked, and opening it again fails. Give each process its own file.
/// - After a crash, opening the file repairs its last line: a record that lacks its line break gets it, and a torn record,
///   whose decision never counted, is removed.
/// - A new file is readable by its owner alone. Rotate it between two runs of the program.
///
/// Clones share the file.
#[derive(Clone)]
pub struct JsonLinesAudit {
    path: Arc<Path>,
    queue: Arc<StdMutex<Vec<Waiting>>>,
    capacity: Arc<Semaphore>,
    file: Arc<Mutex<AuditFile>>,
}

/// A record in the queue.
struct Waiting {
    line: Vec<u8>,
    stored: oneshot::Sender<Result<(), Arc<io::Error>>>,
    _capacity: OwnedSemaphorePermit,
}

/// An error of opening an audit file.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum AuditFileError {
    /// Another sink or process has the file open.
    #[error("the audit file {} is in use; give each process its own file", path.display())]
    InUse {
        /// The path.
        path: PathBuf,
    },
    /// The file can't be opened or repaired.
    #[error("can't open the audit file {}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// The error.
        source: io::Error,
    },
}

strands_core::__debug_with_sources!(AuditFileError);

impl JsonLinesAudit {
    /// Opens a file, or creates it with the mode 0600. Blocks the thread: call it when the program starts.
    ///
    /// # Errors
    ///
    /// Returns [`AuditFileError::InUse`] if the file is open elsewhere, and [`AuditFileError::Io`] if it can't be opened,
    /// read or repaired.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, AuditFileError> {
        let path = path.as_ref();
        let file = AuditFile::open(path)?;
        Ok(Self {
            path: path.into(),
            queue: Arc::default(),
            capacity: Arc::new(Semaphore::new(QUEUE)),
            file: Arc::new(Mutex::new(file)),
        })
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes all records of the queue, unless another task has written them.
    async fn write_queue(self) {
        let mut file = Arc::clone(&self.file).lock_owned().await;
        let batch = mem::take(&mut *self.queue());
        if batch.is_empty() {
            return;
        }
        // Not awaited: the file stays locked until it is written.
        drop(tokio::task::spawn_blocking(move || {
            let lines: Vec<u8> = batch.iter().flat_map(|waiting| waiting.line.iter().copied()).collect();
            let written = file.append(&lines).map_err(Arc::new);
            drop(file);
            for waiting in batch {
                // A caller that was dropped does not need the result.
                let _ = waiting.stored.send(written.clone());
            }
        }));
    }
}

#[async_trait]
impl AuditSink for JsonLinesAudit {
    async fn record(&self, record: &AuditRecord) -> Result<(), Box<dyn StdError + Send + Sync>> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        let capacity = Arc::clone(&self.capacity).acquire_owned().await?;
        let (sender, stored) = oneshot::channel();
        self.queue().push(Waiting { line, stored: sender, _capacity: capacity });
        // A task of its own: if all callers were dropped, their records would fill the queue, and block all later ones.
        tokio::spawn(self.clone().write_queue());
        Ok(stored.await??)
    }
}

impl fmt::Debug for JsonLinesAudit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JsonLinesAudit").field(&self.path).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;
    use tokio::task::unconstrained;
    use tokio::time::timeout;

    use super::*;
    use crate::AuditDecision;

    #[tokio::test]
    async fn records_whose_callers_are_dropped_do_not_block_later_ones() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let audit = JsonLinesAudit::open(&path).unwrap();
        let record = AuditRecord::new(AuditDecision::Allowed);
        // A disk that hangs.
        let file = audit.file.lock().await;
        for _ in 0..QUEUE {
            assert!(unconstrained(audit.record(&record)).now_or_never().is_none());
        }
        drop(file);
        timeout(Duration::from_secs(30), audit.record(&record)).await.unwrap().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), QUEUE + 1);
    }
}

//! Audit records in memory.

use std::error::Error as StdError;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::{AuditRecord, AuditSink};

/// Audit in memory, for tests. Clones share the records, which are never removed.
///
/// # Examples
///
/// ```
/// use strands::identity::{Audit, AuditDecision, AuditRecord, MemoryAudit};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let memory = MemoryAudit::new();
/// Audit::new(memory.clone()).record(AuditRecord::new(AuditDecision::IdentityRefused)).await?;
/// assert_eq!(memory.records().len(), 1);
/// # Ok::<(), strands::identity::AuditError>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Default)]
pub struct MemoryAudit(Arc<Mutex<Vec<AuditRecord>>>);

impl MemoryAudit {
    /// Creates an empty sink.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the records in order.
    pub fn records(&self) -> Vec<AuditRecord> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl AuditSink for MemoryAudit {
    async fn record(&self, record: &AuditRecord) -> Result<(), Box<dyn StdError + Send + Sync>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(record.clone());
        Ok(())
    }
}

impl fmt::Debug for MemoryAudit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MemoryAudit").field(&self.records().len()).finish()
    }
}

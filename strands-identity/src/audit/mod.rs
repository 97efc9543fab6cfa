//! Audit: a record of each decision, approval, denial and identity failure, and the sinks that store it.

mod record;

use std::error::Error as StdError;

use async_trait::async_trait;

pub use record::{AuditDecision, AuditRecord};

/// Storage of audit records.
///
/// Implement it under `#[async_trait]`, which is re-exported.
///
/// # Contract
///
/// - A record is stored when `record` returns `Ok`, as durably as the sink promises.
/// - Calls are concurrent: a sink orders them itself.
/// - Dropping the future of `record` may or may not store the record.
#[async_trait]
pub trait AuditSink: Send + Sync {
    /// Stores a record.
    ///
    /// # Errors
    ///
    /// Returns an error if the record can't be stored. By default the call that it is about is denied then.
    async fn record(&self, record: &AuditRecord) -> Result<(), Box<dyn StdError + Send + Sync>>;
}

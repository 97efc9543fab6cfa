//! Audit: a record of each decision, approval, denial and identity failure, and the sinks that store it.

mod json_lines;
mod memory;
mod record;
mod settings;
mod to_tracing;

use std::error::Error as StdError;
use std::sync::Arc;

use async_trait::async_trait;

pub use json_lines::{AuditFileError, JsonLinesAudit};
pub use memory::MemoryAudit;
pub(crate) use record::rfc3339;
pub use record::{AuditDecision, AuditRecord};
pub use settings::{Audit, AuditError};
pub use to_tracing::TracingAudit;

/// Storage of audit records.
///
/// Implement it under `#[async_trait]`, which is re-exported. `Arc<S>` and `Box<S>` are sinks as well.
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

#[async_trait]
impl<S: AuditSink + ?Sized> AuditSink for Arc<S> {
    async fn record(&self, record: &AuditRecord) -> Result<(), Box<dyn StdError + Send + Sync>> {
        (**self).record(record).await
    }
}

#[async_trait]
impl<S: AuditSink + ?Sized> AuditSink for Box<S> {
    async fn record(&self, record: &AuditRecord) -> Result<(), Box<dyn StdError + Send + Sync>> {
        (**self).record(record).await
    }
}

//! Settings of the audit, which the hooks of a program share.

use std::error::Error as StdError;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use serde_json::Value;
use tokio::runtime::Handle;

use super::{AuditRecord, AuditSink, TracingAudit};

/// Default time for all sinks to store a record.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Audit: the sinks that store the records of all decisions, and what happens if one fails. Cheap to clone.
///
/// By default records go to `tracing`, inputs are left out, and a call whose record can't be stored is denied.
///
/// # Examples
///
/// ```no_run
/// use strands::identity::{Audit, JsonLinesAudit, TracingAudit};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let audit = Audit::new(JsonLinesAudit::open("audit.jsonl")?).and(TracingAudit::new()).with_inputs();
/// # drop(audit);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Audit {
    sinks: Vec<Arc<dyn AuditSink>>,
    inputs: Inputs,
    continues: bool,
    timeout: Duration,
}

/// Arguments of calls in records.
#[derive(Clone)]
enum Inputs {
    LeftOut,
    Included,
    Redacted(Arc<Redaction>),
}

type Redaction = dyn Fn(&str, &Value) -> Value + Send + Sync;

/// An error of an audit: a decision without a record.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// A sink returned an error.
    #[error("an audit record was not stored")]
    Failed {
        /// The error of the sink.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The sinks took too long.
    #[error("an audit record was not stored within {after:?}")]
    TimedOut {
        /// The timeout.
        after: Duration,
    },
    /// A sink or a redaction panicked.
    #[error("an audit sink panicked")]
    Panicked,
}

strands_core::__debug_with_sources!(AuditError);

impl Audit {
    /// Creates an audit that stores records in a sink.
    pub fn new(sink: impl AuditSink + 'static) -> Self {
        Self { sinks: vec![Arc::new(sink)], inputs: Inputs::LeftOut, continues: false, timeout: TIMEOUT }
    }

    /// Adds a sink. Each record goes to all sinks.
    #[must_use]
    pub fn and(mut self, sink: impl AuditSink + 'static) -> Self {
        self.sinks.push(Arc::new(sink));
        self
    }

    /// Includes the arguments of calls. They may be private. Default: left out; a record has their fingerprint.
    #[must_use]
    pub fn with_inputs(mut self) -> Self {
        self.inputs = Inputs::Included;
        self
    }

    /// Includes the arguments of calls as a function returns them. It gets the name of the tool and the arguments.
    ///
    /// The record keeps the fingerprint of the original arguments. Short values, such as a number, can be guessed from it.
    #[must_use]
    pub fn with_redacted_inputs(mut self, redact: impl Fn(&str, &Value) -> Value + Send + Sync + 'static) -> Self {
        self.inputs = Inputs::Redacted(Arc::new(redact));
        self
    }

    /// Makes decisions without a record if a sink fails; a `tracing` event has the error. Default: such a call is denied.
    #[must_use]
    pub fn continue_on_failure(mut self) -> Self {
        self.continues = true;
        self
    }

    /// Sets the time for all sinks to store a record, after which they have failed. Default: 5 seconds.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Stores a record in all sinks, with its input left out or redacted.
    ///
    /// # Errors
    ///
    /// Returns an error if a sink fails or panics, or does not store it in time, unless the audit
    /// [continues](Self::continue_on_failure) then. A decision without a record must not be acted on.
    pub async fn record(&self, record: AuditRecord) -> Result<(), AuditError> {
        let stored = AssertUnwindSafe(self.store(record)).catch_unwind();
        let stored = match Handle::try_current() {
            Ok(_) => tokio::time::timeout(self.timeout, stored).await,
            // There are no timers outside of a runtime: a token may be refused there.
            Err(_) => Ok(stored.await),
        };
        let failure = match stored {
            Ok(Ok(Ok(()))) => return Ok(()),
            Ok(Ok(Err(source))) => AuditError::Failed { source },
            Ok(Err(_)) => AuditError::Panicked,
            Err(_) => AuditError::TimedOut { after: self.timeout },
        };
        tracing::error!(target: "strands::audit", error = ?failure, continues = self.continues, "audit failed");
        if self.continues { Ok(()) } else { Err(failure) }
    }

    async fn store(&self, mut record: AuditRecord) -> Result<(), Box<dyn StdError + Send + Sync>> {
        record.input = match (&self.inputs, record.input) {
            (Inputs::Included, input) => input,
            (Inputs::Redacted(redact), Some(input)) => Some(redact(record.tool.as_deref().unwrap_or_default(), &input)),
            (Inputs::LeftOut | Inputs::Redacted(_), _) => None,
        };
        // A sink that fails does not keep others from storing the record.
        join_all(self.sinks.iter().map(|sink| sink.record(&record))).await.into_iter().collect()
    }
}

impl Default for Audit {
    /// Records go to `tracing`.
    fn default() -> Self {
        Self::new(TracingAudit::new())
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audit")
            .field("sinks", &self.sinks.len())
            .field("continues", &self.continues)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

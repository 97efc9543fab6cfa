//! Audit records as events of `tracing`.

use std::error::Error as StdError;

use async_trait::async_trait;

use super::{AuditRecord, AuditSink};

/// Audit as events of `tracing`: target `strands::audit`, level `INFO`, message `audit`, and a field for each field of the
/// record.
///
/// The events are as durable as the program's subscriber. Without one they are lost.
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingAudit(());

impl TracingAudit {
    /// Creates the sink.
    pub fn new() -> Self {
        Self(())
    }
}

#[async_trait]
impl AuditSink for TracingAudit {
    async fn record(&self, record: &AuditRecord) -> Result<(), Box<dyn StdError + Send + Sync>> {
        let AuditRecord { identity, approver, policies, .. } = record;
        // `Debug` escapes line breaks in the text of models and users.
        tracing::info!(
            target: "strands::audit",
            time = record.time,
            decision = ?record.decision,
            subject = identity.as_ref().map(|identity| tracing::field::debug(&identity.subject)),
            issuer = identity.as_ref().and_then(|identity| identity.issuer.as_ref()).map(tracing::field::debug),
            roles = identity.as_ref().map(|identity| tracing::field::debug(&identity.roles)),
            approver = approver.as_ref().map(|approver| tracing::field::debug(&approver.subject)),
            agent_id = record.agent_id.as_ref().map(tracing::field::debug),
            session_id = record.session_id.as_ref().map(tracing::field::debug),
            invocation_id = record.invocation_id.as_ref().map(tracing::field::debug),
            tool = record.tool.as_ref().map(tracing::field::debug),
            tool_use_id = record.tool_use_id.as_ref().map(tracing::field::debug),
            fingerprint = record.fingerprint.as_ref().map(tracing::field::display),
            input = record.input.as_ref().map(tracing::field::display),
            reason = record.reason.as_ref().map(tracing::field::debug),
            policies = (!policies.is_empty()).then(|| tracing::field::debug(policies)),
            "audit"
        );
        Ok(())
    }
}

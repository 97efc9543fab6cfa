//! Audit records of approvals.

use std::fmt;
use std::sync::Arc;

use strands_core::hook::HookContext;

use super::{ApprovalError, time};
use crate::{ApprovalRequest, AuditDecision, AuditRecord, AuditSink, Identity};

/// The audit of an approval hook, if it has one.
#[derive(Clone, Default)]
pub(super) struct Reporter(Option<Arc<dyn AuditSink>>);

impl Reporter {
    pub(super) fn new(sink: Arc<dyn AuditSink>) -> Self {
        Self(Some(sink))
    }

    /// Records a request, or a decision about it.
    pub(super) async fn record(
        &self,
        decision: AuditDecision,
        request: &ApprovalRequest,
        approver: Option<&Identity>,
        reason: Option<String>,
        context: &HookContext,
    ) -> Result<(), ApprovalError> {
        let Some(sink) = &self.0 else { return Ok(()) };
        let record = AuditRecord {
            time: time::text(time::now()),
            decision,
            identity: request.requested_by.clone(),
            approver: approver.map(Identity::without_claims),
            agent_id: Some(context.agent_id().to_owned()),
            session_id: context.session_id().map(str::to_owned),
            invocation_id: Some(context.invocation_id().to_owned()),
            tool: Some(request.tool.clone()),
            tool_use_id: Some(request.tool_use_id.clone()),
            fingerprint: Some(crate::Fingerprint::of_call(&request.tool_use_id, &request.tool, &request.input)),
            input: None,
            reason,
            policies: Vec::new(),
        };
        sink.record(&record).await.map_err(ApprovalError::Audit)
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reporter").field(&self.0.is_some()).finish()
    }
}

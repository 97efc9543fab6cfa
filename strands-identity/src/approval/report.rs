//! Audit records of approvals.

use strands_core::hook::HookContext;

use crate::{ApprovalRequest, AuditDecision, AuditRecord, Identity};

/// Returns the record of a request, or of a decision about it.
pub(super) fn record(
    decision: AuditDecision,
    request: &ApprovalRequest,
    approver: Option<&Identity>,
    reason: Option<String>,
    context: &HookContext,
) -> AuditRecord {
    let record =
        AuditRecord::new(decision).with_context(context).with_call(&request.tool_use_id, &request.tool, &request.input);
    AuditRecord {
        identity: request.requested_by.clone(),
        approver: approver.map(Identity::without_claims),
        reason,
        ..record
    }
}

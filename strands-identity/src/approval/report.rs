//! Audit records of approvals.

use strands_core::hook::HookContext;

use super::response::Stamped;
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

/// Returns the record of a response, which is the same each time it is made from the stored response.
pub(super) fn of_response(request: &ApprovalRequest, stamped: &Stamped, context: &HookContext) -> AuditRecord {
    let decision = decision(stamped.approved);
    let record = record(decision, request, stamped.approver.as_ref(), stamped.reason.clone(), context);
    AuditRecord {
        time: stamped.at.clone(),
        identity: stamped.requested_by.clone(),
        invocation_id: stamped.invocation_id.clone().or(record.invocation_id),
        ..record
    }
}

/// Returns the decision of a response.
pub(super) fn decision(approves: bool) -> AuditDecision {
    if approves { AuditDecision::Approved } else { AuditDecision::Disapproved }
}

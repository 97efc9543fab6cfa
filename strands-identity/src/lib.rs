//! Identity, authorization, approval and audit for strands-rs: from a verified token to a decision about each tool call.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod approval;
mod audit;
mod authorization;
mod fingerprint;
mod identity;
#[cfg(feature = "jwt")]
mod jwt;

pub use approval::{ApprovalError, ApprovalHook, ApprovalHookBuilder, ApprovalRequest, Approver, Trust};
pub use audit::{
    Audit, AuditDecision, AuditError, AuditFileError, AuditRecord, AuditSink, JsonLinesAudit, MemoryAudit, TracingAudit,
};
pub use authorization::{
    ApprovalRequirement, AuthorizationHook, AuthorizationRequest, Authorizer, Decision, Effect, Role, RoleAuthorizer,
    RolesError, ToolRequest,
};
#[cfg(feature = "cedar")]
pub use authorization::{CedarAuthorizer, CedarError, CedarPolicies};
pub use fingerprint::Fingerprint;
pub use identity::Identity;

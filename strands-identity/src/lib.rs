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
pub use audit::{AuditDecision, AuditRecord, AuditSink};
pub use authorization::{ApprovalRequirement, AuthorizationRequest, Authorizer, Decision, Effect, ToolRequest};
pub use fingerprint::Fingerprint;
pub use identity::Identity;

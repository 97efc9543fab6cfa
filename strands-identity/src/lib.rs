//! Identity, authorization, approval and audit for strands-rs: from a verified token to a decision about each tool call.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod approval;
mod audit;
mod authorization;
mod fingerprint;
mod identity;
#[cfg(feature = "jwt")]
mod jwt;
mod session_ids;

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
#[cfg(feature = "jwt")]
pub use jwt::{
    ClaimPath, JwtAlgorithm, JwtError, JwtReason, JwtSetupError, JwtVerifier, JwtVerifierBuilder, MintError,
    ServiceTokenMinter, ServiceTokenMinterBuilder,
};
pub use session_ids::{SessionIds, owns_session, session_id_for};
// Secrets are part of the public API.
#[cfg(feature = "jwt")]
#[doc(no_inline)]
pub use secrecy;

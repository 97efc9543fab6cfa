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

pub use audit::{AuditDecision, AuditRecord, AuditSink};
pub use authorization::{ApprovalRequirement, AuthorizationRequest, Authorizer, Decision, Effect, ToolRequest};
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

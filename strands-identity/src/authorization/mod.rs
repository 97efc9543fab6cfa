//! Authorization: decisions about tool calls by the identity for which the agent works.

#[cfg(feature = "cedar")]
mod cedar;
mod decision;
mod guarded;
mod hook;
mod position;
mod request;
mod roles;

use std::error::Error as StdError;
use std::sync::Arc;

use async_trait::async_trait;

#[cfg(feature = "cedar")]
pub use cedar::{CedarAuthorizer, CedarError, CedarPolicies};
pub use decision::{ApprovalRequirement, Decision, Effect};
pub use hook::AuthorizationHook;
pub use request::{AuthorizationRequest, ToolRequest};
pub use roles::{Role, RoleAuthorizer, RolesError};

/// Decides which tools an identity may call.
///
/// An authorizer that fails, panics or does not decide in time denies the call.
///
/// Implement it under `#[async_trait]`, which is re-exported. `Arc<A>` and `Box<A>` are authorizers as well.
#[async_trait]
pub trait Authorizer: Send + Sync {
    /// Decides about one tool call, with valid arguments.
    ///
    /// # Errors
    ///
    /// Returns an error if no decision is possible. The call is denied; the model is not told why.
    async fn authorize(&self, request: &AuthorizationRequest<'_>) -> Result<Decision, Box<dyn StdError + Send + Sync>>;

    /// Returns false if the identity may never call a tool, whatever its arguments. The model does not see the tool then.
    /// Default: true.
    ///
    /// # Errors
    ///
    /// Returns an error if no decision is possible. The tool is hidden then.
    async fn may_call(&self, request: &ToolRequest<'_>) -> Result<bool, Box<dyn StdError + Send + Sync>> {
        let _ = request;
        Ok(true)
    }
}

#[async_trait]
impl<A: Authorizer + ?Sized> Authorizer for Arc<A> {
    async fn authorize(&self, request: &AuthorizationRequest<'_>) -> Result<Decision, Box<dyn StdError + Send + Sync>> {
        (**self).authorize(request).await
    }

    async fn may_call(&self, request: &ToolRequest<'_>) -> Result<bool, Box<dyn StdError + Send + Sync>> {
        (**self).may_call(request).await
    }
}

#[async_trait]
impl<A: Authorizer + ?Sized> Authorizer for Box<A> {
    async fn authorize(&self, request: &AuthorizationRequest<'_>) -> Result<Decision, Box<dyn StdError + Send + Sync>> {
        (**self).authorize(request).await
    }

    async fn may_call(&self, request: &ToolRequest<'_>) -> Result<bool, Box<dyn StdError + Send + Sync>> {
        (**self).may_call(request).await
    }
}

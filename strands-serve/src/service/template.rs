//! Template of the agents of a service.

use std::error::Error as StdError;

use async_trait::async_trait;
use strands_core::AgentBuilder;
use strands_identity::Identity;

/// Makes the agent of each turn. An [`AgentBuilder`] is one: each turn builds a clone. So is a closure
/// `|identity: &Identity| -> Result<AgentBuilder, E>`, for agents that depend on the user.
///
/// Keep what is shared by all turns, such as the model, outside of the closure, and clone it: building an agent then costs
/// microseconds.
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a template of agents",
    label = "this is not a template",
    note = "a template is an `AgentBuilder`, or a closure `|identity: &Identity| -> Result<AgentBuilder, E>`; annotate the \
            type of the argument"
)]
pub trait AgentTemplate: Send + Sync {
    /// Returns the builder of the agent of an identity. The service adds the session, and injects the identity.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no agent for this identity. The turn fails, and the error is logged, not shown to the user.
    /// With a [`SessionError::Storage`](strands_core::session::SessionError::Storage) as the error or one of its sources, the turn
    /// fails with [`TurnError::Unavailable`](crate::TurnError::Unavailable), and may be tried again.
    async fn agent(&self, identity: &Identity) -> Result<AgentBuilder, Box<dyn StdError + Send + Sync>>;
}

#[async_trait]
impl AgentTemplate for AgentBuilder {
    async fn agent(&self, _: &Identity) -> Result<AgentBuilder, Box<dyn StdError + Send + Sync>> {
        Ok(self.clone())
    }
}

#[async_trait]
impl<F, E> AgentTemplate for F
where
    F: Fn(&Identity) -> Result<AgentBuilder, E> + Send + Sync,
    E: Into<Box<dyn StdError + Send + Sync>> + 'static,
{
    async fn agent(&self, identity: &Identity) -> Result<AgentBuilder, Box<dyn StdError + Send + Sync>> {
        self(identity).map_err(Into::into)
    }
}

//! A conversation manager that changes nothing.

use std::error::Error as StdError;

use async_trait::async_trait;

use super::{Conversation, ConversationManager, Reduction};

/// A conversation manager that changes nothing. A context overflow fails the invocation with
/// [`AgentError::ContextOverflow`](crate::AgentError::ContextOverflow).
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct NullConversationManager;

impl NullConversationManager {
    /// Creates the manager.
    pub const fn new() -> Self {
        Self
    }
}

#[async_trait]
impl ConversationManager for NullConversationManager {
    fn name(&self) -> &'static str {
        "NullConversationManager"
    }

    async fn apply(&self, _: &mut Conversation<'_>) -> Result<(), Box<dyn StdError + Send + Sync>> {
        Ok(())
    }

    async fn reduce(&self, _: &mut Conversation<'_>) -> Result<Reduction, Box<dyn StdError + Send + Sync>> {
        Ok(Reduction::Impossible("the agent's conversation manager never reduces a conversation".to_owned()))
    }
}

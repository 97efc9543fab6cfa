//! For conversations that nobody may shorten.

use std::error::Error as StdError;

use async_trait::async_trait;

use super::{Conversation, ConversationManager, Reduction};

/// Leaves the conversation as it is. One that outgrows the context window ends in
/// [`AgentError::ContextOverflow`](crate::AgentError::ContextOverflow).
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct NullConversationManager;

impl NullConversationManager {
    /// The manager.
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
        Ok(Reduction::Impossible("the agent's conversation manager never shortens".to_owned()))
    }
}

//! A conversation manager that keeps the newest prompts, each with everything that follows it.

use std::error::Error;

use async_trait::async_trait;
use strands::conversation::{Conversation, ConversationManager, Reduction};
use strands::message::{Message, Role};

/// Number of prompts to keep. Pinned messages are kept as well.
pub struct NewestPrompts(pub usize);

impl NewestPrompts {
    /// Removes the messages before the newest prompts. Returns the number of removed messages.
    fn keep(&self, conversation: &mut Conversation<'_>, prompts: usize) -> usize {
        let messages = conversation.messages();
        let starts = messages.iter().enumerate().filter(|(_, message)| is_prompt(message)).map(|(place, _)| place);
        let Some(start) = starts.rev().nth(prompts.max(1) - 1) else { return 0 };
        // A message without a number is the agent's note about messages removed before a pinned one.
        let goes = |place: &usize| !messages[*place].is_pinned() && conversation.number(*place).is_some();
        let going: Vec<usize> = (0..start).filter(goes).collect();
        conversation.remove_where(|place| going.contains(&place))
    }
}

fn is_prompt(message: &Message) -> bool {
    message.role == Role::User && message.tool_results().next().is_none() && !message.is_pinned()
}

#[async_trait]
impl ConversationManager for NewestPrompts {
    fn name(&self) -> &'static str {
        "NewestPrompts"
    }

    async fn apply(&self, conversation: &mut Conversation<'_>) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.keep(conversation, self.0);
        Ok(())
    }

    async fn reduce(&self, conversation: &mut Conversation<'_>) -> Result<Reduction, Box<dyn Error + Send + Sync>> {
        for prompts in (1..=self.0).rev() {
            let removed = self.keep(conversation, prompts);
            if removed > 0 {
                return Ok(Reduction::Reduced(format!("removed the {removed} oldest messages")));
            }
        }
        Ok(Reduction::Impossible("one prompt is left".to_owned()))
    }
}

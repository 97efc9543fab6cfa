//! Rewinding: the conversation continues from an earlier prompt.

use std::sync::Arc;

use super::Agent;
use crate::message::Message;
use crate::outcome::AgentError;

impl Agent {
    /// Removes a prompt and all later messages, here and in the session, so that another prompt can replace it. Returns the
    /// removed messages; the first is the prompt to edit.
    ///
    /// `index` is the zero-based index of a prompt in [`messages`](Self::messages). Pending interrupts are discarded together
    /// with their calls. The agent's state and the effects of tools stay.
    ///
    /// # Errors
    ///
    /// Returns [`AgentError::Rewind`] if the message is not a prompt, or if a summary of older messages would be removed,
    /// and [`AgentError::Session`] if the session could not be written. After a conflict, which means that another worker
    /// has written to it, the conversation is unchanged. After another error, or if the future was dropped, the next
    /// invocation or [`save`](Self::save) completes the rewind.
    ///
    /// # Examples
    ///
    /// ```
    /// use strands::{Agent, testing::ScriptedModel};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let mut agent = Agent::builder().model(ScriptedModel::responding("Fine.")).build().await?;
    /// agent.prompt("How is the weather in Oslo?").await?;
    /// agent.prompt("And in Rmoe?").await?;
    ///
    /// let dropped = agent.rewind(2).await?;
    /// assert_eq!(dropped[0].text(), "And in Rmoe?");
    /// agent.prompt("And in Rome?").await?;
    /// assert_eq!(agent.messages().len(), 4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn rewind(&mut self, index: usize) -> Result<Vec<Arc<Message>>, AgentError> {
        self.work.settle();
        self.work.complete_rewind().await?;
        let keep = self.work.rewound_to(index)?;
        self.work.rewind_saved(index, keep).await
    }
}

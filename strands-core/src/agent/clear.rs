//! Clearing of the conversation.

use super::Agent;
use crate::outcome::AgentError;

impl Agent {
    /// Removes the whole conversation, here and in the session, including pending interrupts. The agent's state, its metrics
    /// and the effects of tools stay.
    ///
    /// # Errors
    ///
    /// Returns [`AgentError::Session`] if the session could not be written. After a conflict, which means that another worker
    /// has written to it, the conversation is unchanged. After another error, or if the future was dropped, the next
    /// invocation or [`save`](Self::save) completes the operation.
    ///
    /// # Examples
    ///
    /// ```
    /// use strands::{Agent, testing::ScriptedModel};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let mut agent = Agent::builder().model(ScriptedModel::responding("Fine.")).build().await?;
    /// agent.prompt("How is the weather in Oslo?").await?;
    /// agent.clear().await?;
    /// assert!(agent.messages().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn clear(&mut self) -> Result<(), AgentError> {
        self.work.settle();
        self.work.complete_rewind().await?;
        self.work.rewind_saved(0, 0).await.map(drop)
    }
}

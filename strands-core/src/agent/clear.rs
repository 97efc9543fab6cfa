//! A new conversation with the same agent.

use super::Agent;
use crate::outcome::AgentError;

impl Agent {
    /// Drops the whole conversation, here and in the session: the next prompt is the first. Questions that wait for a human
    /// are dropped with it. The agent's state, its metrics, and what tools have done stay as they are.
    ///
    /// # Errors
    ///
    /// Returns [`AgentError::Session`] if the session could not be written. After a conflict, which means that another worker
    /// has written to it, the conversation is as it was. A call that failed in another way, or whose future was dropped, is
    /// completed by the next invocation or by [`save`](Self::save).
    ///
    /// # Examples
    ///
    /// ```
    /// use strands::{Agent, testing::ScriptedModel};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let mut agent = Agent::builder().model(ScriptedModel::answering("Fine.")).build().await?;
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

//! Editing the past: a conversation goes on from an earlier point.

use std::sync::Arc;

use super::Agent;
use crate::message::Message;
use crate::outcome::AgentError;

impl Agent {
    /// Drops everything from a user message on, here and in the session, so that another prompt can take its place.
    /// Returns the dropped messages; the first is the one to edit.
    ///
    /// `index` is the zero-based index of a prompt in [`messages`](Self::messages). Questions that wait for a human are
    /// dropped with the calls that they are about. The agent's state, and what tools have done, stays as it is.
    ///
    /// # Errors
    ///
    /// Returns [`AgentError::Rewind`] if the message is not a prompt, or if a summary of older messages would go with it,
    /// and [`AgentError::Session`] if the session could not be written. After a conflict, which means that another worker
    /// has written to it, the conversation is as it was. A rewind that failed in another way, or whose future was dropped,
    /// is completed by the next invocation or by [`save`](Self::save).
    ///
    /// # Examples
    ///
    /// ```
    /// use strands::{Agent, testing::ScriptedModel};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let mut agent = Agent::builder().model(ScriptedModel::answering("Fine.")).build().await?;
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

//! The agent: a model, its tools and a conversation, and what a program does with them.

mod builder;
mod invocation;
mod rewind;
mod snapshot;

use std::fmt;
use std::sync::Arc;

pub use builder::AgentBuilder;
pub use invocation::{AgentStream, Invocation};
pub use snapshot::{Snapshot, SnapshotData, SnapshotError};

use crate::history::Repair;
use crate::interrupt::Interrupt;
use crate::message::Message;
use crate::metrics::EventLoopMetrics;
use crate::model::Model;
use crate::outcome::AgentError;
use crate::prompt::Prompt;
use crate::state::AgentState;
use crate::tool::ToolSet;
use crate::working_set::WorkingSet;

/// A model with tools and a conversation of its own.
///
/// An agent is one conversation: prompting takes `&mut self`, so that two prompts at once are a compile error. For one
/// agent per request keep an [`AgentBuilder`] and build from its clones; that does no I/O and costs microseconds.
///
/// ```compile_fail,E0499
/// # async fn two_at_once(mut agent: strands_core::Agent) {
/// let (one, two) = (agent.prompt("one"), agent.prompt("two"));
/// one.await;
/// two.await;
/// # }
/// ```
pub struct Agent {
    work: WorkingSet,
}

impl Agent {
    /// Puts an agent together.
    ///
    /// # Examples
    ///
    /// ```
    /// use strands_core::{Agent, testing::ScriptedModel};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let mut agent = Agent::builder()
    ///     .model(ScriptedModel::answering("Oslo is sunny."))
    ///     .system_prompt("You are a weather service.")
    ///     .build()
    ///     .await?;
    ///
    /// let response = agent.prompt("How is the weather in Oslo?").await?;
    /// assert_eq!(response.text(), "Oslo is sunny.");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn builder() -> AgentBuilder {
        AgentBuilder::default()
    }

    /// Asks the agent. What is returned is a request: add to it, then `.await` it for the response or `.stream()` it for
    /// the events.
    pub fn prompt(&mut self, prompt: impl Into<Prompt>) -> Invocation<'_> {
        Invocation::new(self, prompt.into())
    }

    /// The conversation so far, oldest message first.
    pub fn messages(&self) -> &[Arc<Message>] {
        self.work.history.messages()
    }

    /// The agent's state: JSON values that outlive the invocation. Tools reach it through their context.
    pub fn state(&self) -> &AgentState {
        &self.work.state
    }

    /// What the agent's work has cost over its life.
    pub fn metrics(&self) -> &EventLoopMetrics {
        &self.work.metrics
    }

    /// The tools, in the order in which the model sees them.
    pub fn tools(&self) -> &ToolSet {
        self.work.tools()
    }

    /// The model.
    pub fn model(&self) -> &Arc<dyn Model> {
        &self.work.model
    }

    /// Goes on with another model, of the same provider or of another one. The conversation stays; what only the old
    /// model's provider understands is not shown to the new one, and is there again when the old one comes back.
    ///
    /// ```
    /// use strands_core::{Agent, testing::ScriptedModel};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let mut agent = Agent::builder().model(ScriptedModel::answering("Oslo.")).build().await?;
    /// agent.prompt("What is the capital of Norway?").await?;
    ///
    /// agent.set_model(ScriptedModel::answering("About 700,000."));
    /// assert_eq!(agent.prompt("How many live there?").await?.text(), "About 700,000.");
    /// assert_eq!(agent.messages().len(), 4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn set_model(&mut self, model: impl Model + 'static) {
        self.work.model = Arc::new(model);
        self.work.refused_outputs.clear();
    }

    /// The agent's id, `default` unless it was given one.
    pub fn agent_id(&self) -> &str {
        &self.work.config.agent_id
    }

    /// The agent's name, for people.
    pub fn name(&self) -> &str {
        &self.work.config.name
    }

    /// The questions that wait for an answer of a human, while the agent is suspended.
    pub fn interrupts(&self) -> Vec<Interrupt> {
        self.work.interrupts()
    }

    /// The changes that were needed to go on from the session that the agent was built with, or from an invocation of this
    /// agent that was dropped.
    ///
    /// Changes are part of the conversation: a call without a result has an error result that says so to the
    /// model. A [`Repair::CallPending`] is not: its tool runs with the next invocation.
    pub fn repairs(&self) -> &[Repair] {
        &self.work.repairs
    }

    /// Drops the questions for humans, here and in the session. The calls that waited get an error result, and the next
    /// prompt goes on; an answer that comes later is refused.
    ///
    /// # Errors
    ///
    /// Returns [`AgentError::Session`] if the session could not be written; after a conflict, another worker has gone on
    /// with the questions, or has dropped them. What could not be written is written by the next invocation.
    pub async fn discard_interrupts(&mut self) -> Result<(), AgentError> {
        self.work.settle();
        self.work.complete_rewind().await?;
        self.work.discard_interrupts();
        self.save().await
    }

    /// Writes to the session what it does not have yet. An invocation does that itself; call this after one that was
    /// dropped, or that was cancelled while the session was slow. Without a session, nothing happens.
    ///
    /// # Errors
    ///
    /// Returns [`AgentError::Session`] if the session could not be written.
    pub async fn save(&mut self) -> Result<(), AgentError> {
        self.work.settle();
        self.work.save_invocation().await
    }

    /// Returns true if there is something that the session does not have yet: see [`save`](Self::save).
    ///
    /// # Errors
    ///
    /// Returns [`AgentError`] if what the agent waits for can't be JSON.
    pub fn has_unsaved_changes(&self) -> Result<bool, AgentError> {
        self.work.has_unsaved()
    }
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent")
            .field("agent_id", &self.agent_id())
            .field("model", &self.work.model.model_id())
            .field("tools", self.work.tools())
            .field("messages", &self.messages().len())
            .finish_non_exhaustive()
    }
}

//! The agent: a model, its tools and a conversation, and what a program does with them.

mod builder;
mod emitter;
mod error;
mod event;
mod history;
mod invocation;
mod kept;
mod output;
mod prompt;
mod repair;
mod response;
mod snapshot;

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

pub use builder::AgentBuilder;
pub(crate) use emitter::Emitter;
pub use error::{AgentError, BuildError};
pub use event::AgentEvent;
pub(crate) use history::{History, without_gaps};
pub(crate) use invocation::missing_host_value;
pub use invocation::{AgentStream, Invocation};
pub(crate) use output::OutputType;
pub use prompt::Prompt;
pub use repair::Repair;
pub use response::AgentResponse;
pub use snapshot::{Snapshot, SnapshotData, SnapshotError};

use crate::conversation::ConversationManager;
use crate::event_loop::run::{INTERRUPTED, Run};
use crate::event_loop::{Limits, RetryPolicy};
use crate::hook::Hook;
use crate::interrupt::Interrupt;
use crate::message::{Message, SystemBlock};
use crate::metrics::EventLoopMetrics;
use crate::model::{Model, StopReason, WrittenMessages};
use crate::state::AgentState;
use crate::tool::{HostKey, HostValues, ToolSet};

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
    pub(crate) shared: Arc<AgentShared>,
    pub(crate) model: Arc<dyn Model>,
    pub(crate) history: History,
    pub(crate) state: AgentState,
    pub(crate) conversation_state: Map<String, Value>,
    pub(crate) metrics: Arc<EventLoopMetrics>,
    pub(crate) run: Option<Run>,
    /// True while the run waits for humans, rather than for the driver.
    pub(crate) waiting: bool,
    pub(crate) kept: Option<kept::Kept>,
    pub(crate) repairs: Vec<Repair>,
    /// What was written of the history for requests that were sent.
    pub(crate) written: WrittenMessages,
    /// Types to whose schema the model's provider has refused to hold an answer.
    pub(crate) refused_outputs: HashSet<String>,
}

/// What all agents of one builder share, and what never changes.
pub(crate) struct AgentShared {
    pub(crate) agent_id: String,
    pub(crate) name: String,
    pub(crate) system: Vec<SystemBlock>,
    pub(crate) tools: ToolSet,
    pub(crate) host: HostValues,
    pub(crate) host_per_prompt: Vec<(String, HostKey)>,
    pub(crate) hooks: Vec<Arc<dyn Hook>>,
    pub(crate) conversation: Arc<dyn ConversationManager>,
    pub(crate) retry: RetryPolicy,
    pub(crate) limits: Limits,
    pub(crate) tool_concurrency: usize,
    pub(crate) tool_timeout: Option<Duration>,
    pub(crate) redact_tool_errors: bool,
    pub(crate) max_response_bytes: usize,
    pub(crate) conflict_retries: u32,
}

impl Agent {
    /// Puts an agent together.
    ///
    /// # Examples
    ///
    /// ```
    /// use strands_core::{Agent, testing::ScriptedModel};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
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
        self.history.messages()
    }

    /// The agent's state: JSON values that outlive the invocation. Tools reach it through their context.
    pub fn state(&self) -> &AgentState {
        &self.state
    }

    /// What the agent's work has cost over its life.
    pub fn metrics(&self) -> &EventLoopMetrics {
        &self.metrics
    }

    /// The tools, in the order in which the model sees them.
    pub fn tools(&self) -> &ToolSet {
        &self.shared.tools
    }

    /// The model.
    pub fn model(&self) -> &Arc<dyn Model> {
        &self.model
    }

    /// Goes on with another model, of the same provider or of another one. The conversation stays; what only the old
    /// model's provider understands is not shown to the new one, and is there again when the old one comes back.
    ///
    /// ```
    /// use strands_core::{Agent, testing::ScriptedModel};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
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
        self.model = Arc::new(model);
        self.refused_outputs.clear();
    }

    /// The agent's id, `default` unless it was given one.
    pub fn agent_id(&self) -> &str {
        &self.shared.agent_id
    }

    /// The agent's name, for people.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// What humans are asked, while the agent waits for them.
    pub fn interrupts(&self) -> Vec<Interrupt> {
        self.run.as_ref().filter(|_| self.waiting).map(Run::interrupts).unwrap_or_default()
    }

    /// What had to be mended in the conversation when it came back from a session.
    pub fn repairs(&self) -> &[Repair] {
        &self.repairs
    }

    /// Drops what humans were asked. The calls that waited get an error result, and the next prompt goes on.
    pub fn discard_interrupts(&mut self) {
        self.waiting = false;
        self.settle();
    }

    /// Makes the history whole after an invocation that did not come to its end. Returns what that added.
    pub(crate) fn settle(&mut self) -> Option<Arc<Message>> {
        if self.waiting {
            return None;
        }
        if let Some(state) = self.history.withdraw() {
            self.conversation_state = state;
        }
        self.run.take()?.end(StopReason::Cancelled, INTERRUPTED).map(|results| self.history.push(results))
    }
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent")
            .field("agent_id", &self.shared.agent_id)
            .field("model", &self.model.model_id())
            .field("tools", &self.shared.tools)
            .field("messages", &self.history.messages().len())
            .finish_non_exhaustive()
    }
}

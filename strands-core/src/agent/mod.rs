//! [`Agent`], its builder and its invocations: the public API around a model, tools and a conversation.

mod builder;
mod clear;
mod closures;
mod discard;
mod invocation;
mod plugin;
mod rewind;
mod shared;
mod snapshot;

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

pub use builder::AgentBuilder;
pub use invocation::{AgentStream, Invocation};
pub use plugin::Plugin;
pub use shared::SharedAgent;
pub use snapshot::{Snapshot, SnapshotData, SnapshotError};

use crate::history::Repair;
use crate::interrupt::Interrupt;
use crate::message::{Message, SystemBlock};
use crate::metrics::EventLoopMetrics;
use crate::models::Model;
use crate::outcome::{AgentError, BuildError};
use crate::prompt::Prompt;
use crate::state::AgentState;
use crate::tool::{ToolSet, Toolset};
use crate::tool_runner::{Caller, ToolCall};
use crate::working_set::WorkingSet;

/// An agent: a model with tools and a conversation.
///
/// An agent is one conversation: prompting takes `&mut self`, so that concurrent prompts are a compile error. For one
/// agent per request, keep an [`AgentBuilder`] and build from its clones; that does no I/O and costs microseconds.
///
/// ```compile_fail,E0499
/// # async fn two_at_once(mut agent: strands::Agent) {
/// let (one, two) = (agent.prompt("one"), agent.prompt("two"));
/// one.await;
/// two.await;
/// # }
/// ```
pub struct Agent {
    work: WorkingSet,
}

impl Agent {
    /// Returns a builder for an agent.
    ///
    /// # Examples
    ///
    /// ```
    /// use strands::{Agent, testing::ScriptedModel};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let mut agent = Agent::builder()
    ///     .model(ScriptedModel::responding("Oslo is sunny."))
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

    /// Prompts the agent. Returns a request: set its options, then `.await` it for the response, or call `.stream()` for the
    /// events.
    pub fn prompt(&mut self, prompt: impl Into<Prompt>) -> Invocation<'_> {
        Invocation::new(self, prompt.into())
    }

    /// Prompts the agent and consumes it, so that the invocation borrows nothing, for server handlers and tasks. The agent is
    /// dropped afterwards; its session has the conversation.
    pub fn into_prompt(self, prompt: impl Into<Prompt>) -> Invocation<'static> {
        Invocation::owning(self, prompt.into())
    }

    /// Prompts the agent and streams the events. The stream borrows nothing: see [`into_prompt`](Self::into_prompt).
    ///
    /// ```
    /// use strands::{Agent, AgentEvent, AgentStream, StreamExt, testing::ScriptedModel};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let agent = Agent::builder().model(ScriptedModel::responding("Hello.")).build().await?;
    /// let events: AgentStream<'static> = agent.into_stream("hi");
    /// let text: Vec<String> = events
    ///     .filter_map(async |event| match event {
    ///         Ok(AgentEvent::TextDelta { text }) => Some(text),
    ///         _ => None,
    ///     })
    ///     .collect()
    ///     .await;
    /// assert_eq!(text.concat(), "Hello.");
    /// # Ok::<(), strands::BuildError>(())
    /// # }).unwrap();
    /// ```
    pub fn into_stream(self, prompt: impl Into<Prompt>) -> AgentStream<'static> {
        self.into_prompt(prompt).stream()
    }

    /// Returns the conversation so far, oldest message first.
    pub fn messages(&self) -> &[Arc<Message>] {
        self.work.history.messages()
    }

    /// Returns the agent's state: JSON values that outlive an invocation. Tools access it through their context.
    pub fn state(&self) -> &AgentState {
        &self.work.state
    }

    /// Returns the metrics over the lifetime of the agent.
    pub fn metrics(&self) -> &EventLoopMetrics {
        &self.work.metrics
    }

    /// Returns the tools, in the order in which they are sent to the model.
    pub fn tools(&self) -> &ToolSet {
        self.work.tools()
    }

    /// Returns the model.
    pub fn model(&self) -> &Arc<dyn Model> {
        &self.work.model
    }

    /// Replaces the model, with one of the same or of another provider. The conversation stays. Content that only the old
    /// model's provider supports is not sent to the new one, and is sent again after switching back.
    ///
    /// ```
    /// use strands::{Agent, testing::ScriptedModel};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let mut agent = Agent::builder().model(ScriptedModel::responding("Oslo.")).build().await?;
    /// agent.prompt("What is the capital of Norway?").await?;
    ///
    /// agent.set_model(ScriptedModel::responding("About 700,000."));
    /// assert_eq!(agent.prompt("How many live there?").await?.text(), "About 700,000.");
    /// assert_eq!(agent.messages().len(), 4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn set_model(&mut self, model: impl Model + 'static) {
        self.work.model = Arc::new(model);
        self.work.refused_outputs = None;
    }

    /// Replaces the agent's own tools. Tools of plugins and of tool providers stay, and so does the tool that reads offloaded
    /// results. A call of a removed tool gets an error result.
    ///
    /// # Errors
    ///
    /// Returns [`BuildError`] if the tools conflict, or if one requires a value that was not injected. Then the agent keeps
    /// its old tools.
    ///
    /// ```
    /// use strands::{Agent, testing::ScriptedModel, tool, tools};
    ///
    /// /// Says what time it is.
    /// #[tool(crate = strands_core)]
    /// fn clock() -> &'static str {
    ///     "noon"
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let mut agent = Agent::builder().model(ScriptedModel::responding("hi")).tool(Clock).build().await?;
    /// agent.set_tools(tools![])?;
    /// assert!(agent.tools().get("clock").is_none());
    /// # Ok::<(), strands::BuildError>(())
    /// # }).unwrap();
    /// ```
    pub fn set_tools(&mut self, tools: impl Toolset) -> Result<(), BuildError> {
        self.work.set_own_tools(tools.into_tools())
    }

    /// Replaces the system prompt. The text of plugins is still appended.
    pub fn set_system_prompt(&mut self, prompt: impl Into<String>) {
        self.set_system_blocks([SystemBlock::Text(prompt.into())]);
    }

    /// Replaces the system prompt by blocks, with cache points between them.
    pub fn set_system_blocks(&mut self, blocks: impl IntoIterator<Item = impl Into<SystemBlock>>) {
        self.work.set_system(blocks.into_iter().map(Into::into).collect());
    }

    /// Calls one of the agent's tools directly, with arguments that are a JSON object. Hooks, validation, approval, timeouts
    /// and panics work as for a model's call. The call is not added to the conversation.
    ///
    /// # Errors
    ///
    /// The call returns [`AgentError::Hook`] if a hook failed, [`AgentError::MissingInjectedValue`] if the tool needs a value
    /// that was not injected, and [`AgentError::NestedTooDeep`] if calls nest too deep. A failure of the tool is an error
    /// result.
    ///
    /// ```
    /// use strands::serde_json::json;
    /// use strands::{Agent, ToolCallOutcome, testing::ScriptedModel, tool};
    ///
    /// /// Adds two numbers.
    /// #[tool(crate = strands_core)]
    /// fn add(a: i64, b: i64) -> i64 {
    ///     a + b
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let agent = Agent::builder().model(ScriptedModel::responding("hi")).tool(Add).build().await?;
    /// let outcome = agent.call_tool("add", json!({"a": 1, "b": 2})).await?;
    /// assert!(matches!(outcome, ToolCallOutcome::Result(result) if !result.is_error()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn call_tool(&self, name: impl Into<String>, input: Value) -> ToolCall<'_> {
        let config = &self.work.config;
        let caller = Caller {
            names: Arc::clone(&config.names),
            settings: Arc::clone(&config.calls),
            catalog: self.work.tools.catalog.clone(),
            known: Some(self.tools().clone()),
            injected: config.injected.clone(),
            state: self.work.state.clone(),
            limits: config.limits,
        };
        ToolCall::new(caller, name, input)
    }

    /// Returns the agent's id. Default: `default`.
    pub fn agent_id(&self) -> &str {
        self.work.config.agent_id()
    }

    /// Returns the agent's display name.
    pub fn name(&self) -> &str {
        &self.work.config.names.name
    }

    /// Returns the description of the agent's purpose. Default: empty.
    pub fn description(&self) -> &str {
        &self.work.config.names.description
    }

    /// Returns the pending interrupts of a suspended agent.
    pub fn interrupts(&self) -> Vec<Interrupt> {
        self.work.interrupts()
    }

    /// Returns the repairs that were made to restore the conversation, from the session that the agent was built with or
    /// after an invocation of this agent that was dropped.
    ///
    /// Repairs change the conversation: a call without a result gets an error result, which informs the model. The exception
    /// is [`Repair::CallPending`]: its tool runs with the next invocation.
    pub fn repairs(&self) -> &[Repair] {
        &self.work.repairs
    }

    /// Returns the types of injected values that no tool reads, sorted by name. Each is likely a mistake in the signature of
    /// a tool, and `build` warns about it with a `tracing` event.
    ///
    /// A tool reads the values that it [declares](crate::Tool::requires). The list is empty if values may be read without a
    /// declaration: by a hook, by a tool that takes its [`ToolContext`](crate::ToolContext), or by a tool that a provider
    /// lists later. Inject values for tools of one prompt with that prompt.
    ///
    /// ```
    /// use strands::testing::ScriptedModel;
    /// use strands::{Agent, tool, tools};
    ///
    /// struct User(String);
    ///
    /// /// Books a hotel.
    /// #[tool(crate = strands_core)]
    /// fn book(user: String) -> String {
    ///     format!("booked for {user}")
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let model = ScriptedModel::responding("hi");
    /// let agent = Agent::builder().model(model).tools(tools![Book]).inject(User("ada".into())).build().await?;
    /// assert_eq!(agent.unread_injected_values().len(), 1, "`book` takes its user from the model");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn unread_injected_values(&self) -> Vec<&'static str> {
        self.work.unread_injected_values()
    }

    /// Saves unsaved changes to the session. Invocations save by themselves; call this after one that was dropped, or that
    /// was cancelled while the session was slow. Does nothing without a session.
    ///
    /// # Errors
    ///
    /// Returns [`AgentError::Session`] if the session could not be written.
    pub async fn save(&mut self) -> Result<(), AgentError> {
        self.work.settle();
        self.work.save_invocation().await
    }

    /// Returns true if there are changes that the session does not have yet; see [`save`](Self::save).
    ///
    /// # Errors
    ///
    /// Returns [`AgentError`] if the suspended invocation can't be serialized.
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

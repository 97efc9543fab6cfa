//! [`AgentBuilder`]. A builder is a template: clone it and build one agent per request.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_core::future::BoxFuture;
use serde_json::{Map, Value};

use super::{Agent, Plugin};
use crate::agent_tool::AgentTool;
use crate::conversation::{ConversationManager, SlidingWindowConversationManager, ToolResultOffloader};
use crate::depth;
use crate::diagnostics;
use crate::history::{History, MessageList};
use crate::hook::Hook;
use crate::injected::{InjectedKey, InjectedValues};
use crate::limits::Limits;
use crate::message::{Message, SystemBlock};
use crate::metrics::EventLoopMetrics;
use crate::models::{Model, RetryPolicy, SerializedMessages};
use crate::outcome::BuildError;
use crate::scope::AgentNames;
use crate::session::SessionManager;
use crate::timers::has_timers;
use crate::tool::{IntoTool, Tool, ToolCatalog, ToolContext, ToolProvider, Toolset};
use crate::tool_runner::CallSettings;
use crate::working_set::{AgentConfig, AgentTools, InitialState, Restored, WorkingSet};

const DEFAULT_TOOL_CONCURRENCY: usize = 64;
const DEFAULT_MAX_RESPONSE_BYTES: usize = 16 * 1024 * 1024;
const DEFAULT_TRACE_LIMIT: usize = 64;

/// Builder for [`Agent`]. Clones are cheap, since models, tools and schemas are shared.
///
/// ```
/// use strands::{Agent, testing::ScriptedModel};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let template = Agent::builder().model(ScriptedModel::responding("hi")).system_prompt("Be brief.");
/// let (mut one, mut other) = (template.clone().build().await?, template.build().await?);
/// one.prompt("hello").await?;
/// assert_eq!((one.messages().len(), other.messages().len()), (2, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct AgentBuilder {
    pub(super) names: Arc<AgentNames>,
    model: Option<Arc<dyn Model>>,
    system: Arc<[SystemBlock]>,
    tools: ToolCatalog,
    plugins: Vec<String>,
    plugin_system: Vec<SystemBlock>,
    injected: InjectedValues,
    injected_per_prompt: Vec<InjectedKey>,
    /// True once a clone has warned about unread values.
    has_warned: Arc<AtomicBool>,
    messages: Vec<Arc<Message>>,
    /// Repaired messages, computed by the first clone that is built.
    seeded: Arc<OnceLock<MessageList>>,
    state: Map<String, Value>,
    calls: Arc<CallSettings>,
    conversation: Arc<dyn ConversationManager>,
    retry: RetryPolicy,
    pub(super) limits: Limits,
    tool_concurrency: usize,
    max_response_bytes: usize,
    trace_limit: usize,
    pub(super) sessions: Option<Arc<dyn SessionManager>>,
    conflict_retries: u32,
}

impl Default for AgentBuilder {
    fn default() -> Self {
        static DEFAULT_CONVERSATION: std::sync::LazyLock<Arc<dyn ConversationManager>> =
            std::sync::LazyLock::new(|| Arc::new(SlidingWindowConversationManager::default()));
        Self {
            names: Arc::new(AgentNames {
                id: "default".to_owned(),
                name: "Strands Agents".to_owned(),
                ..AgentNames::default()
            }),
            model: None,
            system: Arc::default(),
            tools: ToolCatalog::default(),
            plugins: Vec::new(),
            plugin_system: Vec::new(),
            injected: InjectedValues::default(),
            injected_per_prompt: Vec::new(),
            has_warned: Arc::default(),
            messages: Vec::new(),
            seeded: Arc::default(),
            state: Map::new(),
            calls: Arc::default(),
            conversation: Arc::clone(&DEFAULT_CONVERSATION),
            retry: RetryPolicy::new(),
            limits: Limits::new(),
            tool_concurrency: DEFAULT_TOOL_CONCURRENCY,
            max_response_bytes: DEFAULT_MAX_RESPONSE_BYTES,
            trace_limit: DEFAULT_TRACE_LIMIT,
            sessions: None,
            conflict_retries: 0,
        }
    }
}

impl AgentBuilder {
    /// Sets the model. Required.
    pub fn model(mut self, model: impl Model + 'static) -> Self {
        self.model = Some(Arc::new(model));
        self
    }

    /// Sets the system prompt, and replaces an earlier one. The text of plugins is appended.
    #[doc(alias = "preamble", alias = "instructions")]
    pub fn system_prompt(self, prompt: impl Into<String>) -> Self {
        self.system_blocks([SystemBlock::Text(prompt.into())])
    }

    /// Sets the system prompt as blocks, with cache points between them.
    pub fn system_blocks(mut self, blocks: impl IntoIterator<Item = impl Into<SystemBlock>>) -> Self {
        self.system = blocks.into_iter().map(Into::into).collect();
        self
    }

    /// Adds a tool, or another agent as a tool: see [`AgentTool`](crate::AgentTool).
    pub fn tool(mut self, tool: impl IntoTool) -> Self {
        self.tools.add([tool.into_tool()]);
        self
    }

    /// Adds several tools: a list such as `tools![GetWeather, BookTrip]`, or a type with `#[toolset]`.
    pub fn tools(mut self, tools: impl Toolset) -> Self {
        self.tools.add(tools.into_tools());
        self
    }

    /// Adds a tool provider, whose list of tools may change over the agent's lifetime. Its tools follow the agent's own.
    pub fn tool_provider(mut self, provider: impl ToolProvider + 'static) -> Self {
        self.tools.add_provider(Arc::new(provider));
        self
    }

    /// Adds several tool providers.
    pub fn tool_providers(mut self, providers: impl IntoIterator<Item = impl ToolProvider + 'static>) -> Self {
        for provider in providers {
            self.tools.add_provider(Arc::new(provider));
        }
        self
    }

    /// Adds a named bundle of hooks, tools and system prompt text.
    pub fn plugin(mut self, plugin: Plugin) -> Self {
        let Plugin { name, hooks, tools, providers, system } = plugin;
        self.plugins.push(name);
        self.calls().hooks.extend(hooks);
        self.tools.add_built_in(tools);
        for provider in providers {
            self.tools.add_provider(provider);
        }
        self.plugin_system.extend(system);
        self
    }

    /// Injects a value for tools and hooks: tools borrow it with an argument `&T`. There is one value for each type; an
    /// `Arc<T>` also provides `&T`. `build` warns about values that [no tool reads](Agent::unread_injected_values), once for
    /// all clones of the builder.
    #[doc(alias = "invocation_state", alias = "dependency")]
    pub fn inject<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.injected.insert(value);
        self.has_warned = Arc::default();
        self
    }

    /// Declares that each prompt injects a `T`, so that `build` accepts tools that need it. The invocation checks it before
    /// the first model call.
    pub fn injected_per_prompt<T: Send + Sync + 'static>(mut self) -> Self {
        self.injected_per_prompt.push(InjectedKey::of::<T>());
        self
    }

    /// Sets the messages of an earlier conversation. They are repaired to be valid input for a model: tool calls without a
    /// result get an error result, results without a call are removed, consecutive messages of one role are merged, and
    /// assistant messages before the first user message are removed. Calls in the last message stay open:
    /// `prompt(Prompt::none())` runs them.
    #[doc(alias = "history")]
    pub fn messages(mut self, messages: impl IntoIterator<Item = impl Into<Arc<Message>>>) -> Self {
        self.messages = messages.into_iter().map(Into::into).collect();
        self.seeded = Arc::default();
        self
    }

    /// Sets the initial state. Each agent built from this builder has its own copy.
    pub fn state(mut self, values: Map<String, Value>) -> Self {
        self.state = values;
        self
    }

    /// Adds a hook.
    pub fn hook(mut self, hook: impl Hook + 'static) -> Self {
        self.calls().hooks.push(Arc::new(hook));
        self
    }

    /// Adds a hook around those that were added before: it is called first before a step, and last after it, so that it sees
    /// outcomes as the other hooks have left them. For observers that a host adds to the agents of others.
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use strands::async_trait;
    /// use strands::hook::{AfterInvocation, BeforeInvocation, Hook, HookResult};
    /// # use strands::{Agent, testing::ScriptedModel};
    ///
    /// struct Named(&'static str, Arc<Mutex<Vec<&'static str>>>);
    ///
    /// #[async_trait]
    /// impl Hook for Named {
    ///     async fn before_invocation(&self, _: &mut BeforeInvocation<'_>) -> HookResult {
    ///         self.1.lock().unwrap().push(self.0);
    ///         Ok(())
    ///     }
    ///
    ///     async fn after_invocation(&self, _: &mut AfterInvocation<'_>) -> HookResult {
    ///         self.1.lock().unwrap().push(self.0);
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let called = Arc::new(Mutex::new(Vec::new()));
    /// let builder = Agent::builder().model(ScriptedModel::responding("hi")).hook(Named("inner", called.clone()));
    /// builder.outer_hook(Named("outer", called.clone())).build().await?.prompt("hello").await?;
    /// assert_eq!(*called.lock().unwrap(), ["outer", "inner", "inner", "outer"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn outer_hook(mut self, hook: impl Hook + 'static) -> Self {
        self.calls().hooks.insert(0, Arc::new(hook));
        self
    }

    /// Sets the conversation manager, which keeps the conversation within the model's context window. Default: a
    /// [`SlidingWindowConversationManager`] of 40 messages.
    pub fn conversation_manager(mut self, manager: impl ConversationManager + 'static) -> Self {
        self.conversation = Arc::new(manager);
        self
    }

    /// Stores long tool results outside the conversation: the model gets a preview, and a tool that reads the rest.
    pub fn offload_tool_results(mut self, offloader: ToolResultOffloader) -> Self {
        self.tools.add_built_in([Arc::new(offloader.tool()) as Arc<dyn Tool>]);
        // Hooks after a tool run in reverse order, so the first one gets the result as the others changed it.
        self.calls().hooks.insert(0, Arc::new(offloader));
        self
    }

    /// Sets the retry policy of failed model calls.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Sets the limits of each invocation. Default: 100 model calls, and no limit of tokens or time.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Lowers the limits to these where they are lower, such as to those of a caller elsewhere.
    ///
    /// ```
    /// use strands::testing::{ScriptedModel, ScriptedTurn};
    /// use strands::{Agent, Limits, serde_json::json};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let model = ScriptedModel::from_fn(|_| ScriptedTurn::tool_use("unknown", json!({})));
    /// let mut agent = Agent::builder().model(model).limits_at_most(Limits::unlimited().turns(3)).build().await?;
    /// assert_eq!(agent.prompt("go").await?.turns, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn limits_at_most(mut self, limits: Limits) -> Self {
        self.limits = self.limits.tightened(limits);
        self
    }

    /// Sets the maximum number of concurrent tool calls in a turn; 1 makes them sequential. Default: 64.
    pub fn tool_concurrency(mut self, calls: usize) -> Self {
        self.tool_concurrency = calls.max(1);
        self
    }

    /// Sets the timeout of tools whose policy has none. Default: none.
    pub fn tool_timeout(mut self, timeout: Duration) -> Self {
        self.calls().tool_timeout = Some(timeout);
        self
    }

    /// Hides the text of tool errors that were not written for the model, with all their sources: the model gets `the tool
    /// failed`. Texts of [`ToolError::new`](crate::ToolError::new) and similar constructors stay visible. Default: all texts
    /// are visible.
    pub fn redact_tool_errors(mut self) -> Self {
        self.calls().redact_tool_errors = true;
        self
    }

    /// Sets the maximum size of the content of one response, in bytes. Default: 16 MiB.
    pub fn max_response_bytes(mut self, bytes: usize) -> Self {
        self.max_response_bytes = bytes;
        self
    }

    /// Sets the maximum number of cycle traces and of invocations in the metrics. Totals are not limited. Default: 64.
    pub fn trace_limit(mut self, cycles: usize) -> Self {
        self.trace_limit = cycles;
        self
    }

    /// Stores the conversation and the state in a session. `build` restores an agent that the session has; its messages and
    /// state take precedence over those set here.
    pub fn session_manager(mut self, sessions: impl SessionManager + 'static) -> Self {
        self.names().session_id = Some(sessions.session_id().to_owned());
        self.sessions = Some(Arc::new(sessions));
        self
    }

    /// Sets the maximum number of retries of an invocation after a conflict with another worker that wrote to the session
    /// first. A retry starts from the new content of the session, and only if no tool has run and nothing of the invocation is
    /// stored. `before_invocation` hooks are not called again; their decisions stay, and so do state changes made here.
    /// Default: 0, so that a conflict is an error, after which the agent must be built again.
    pub fn conflict_retries(mut self, times: u32) -> Self {
        self.conflict_retries = times;
        self
    }

    /// Sets the agent's id, which identifies it in a session. Default: `default`.
    pub fn agent_id(mut self, id: impl Into<String>) -> Self {
        self.names().id = id.into();
        self
    }

    /// Returns the id of the agents that this builder builds.
    pub fn id(&self) -> &str {
        &self.names.id
    }

    /// Sets the agent's display name. Default: `Strands Agents`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.names().name = name.into();
        self
    }

    /// Sets a description of the agent's purpose, for models and people that choose between agents. Default: empty.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.names().description = description.into();
        self
    }

    /// Returns the agent as a tool of other agents. Each call builds a new agent.
    ///
    /// A template in `tools![..]` becomes a tool, too; this function is for the settings of [`AgentTool`].
    pub fn as_tool(&self) -> AgentTool {
        AgentTool::new(self.clone())
    }

    /// Adds the values of an invocation in which the agent is nested.
    pub(super) fn injected_within(mut self, outer: &InjectedValues) -> Self {
        self.injected = self.injected.within(outer);
        self
    }

    /// Returns the tools without those of providers.
    pub(super) fn own_tools(&self) -> impl Iterator<Item = &Arc<dyn Tool>> {
        self.tools.own()
    }

    /// Returns the keys of the values that the tools read and that are not injected yet.
    pub(super) fn required_values(&self) -> Vec<InjectedKey> {
        let own = self.tools.own().flat_map(|tool| tool.requires().iter());
        // The key of a tool context stands for any value.
        let is_any = |key: &InjectedKey| key.is::<ToolContext>();
        let is_needed =
            |key: &&InjectedKey| is_any(key) || !(ToolContext::has_built_in(key) || self.injected.contains(key));
        let mut required: Vec<InjectedKey> = own.filter(is_needed).copied().collect();
        // Hooks, and tools that are listed later, may read any value.
        if !self.calls.hooks.is_empty() || self.tools.has_providers() {
            required.push(InjectedKey::of::<ToolContext>());
        }
        required
    }

    fn names(&mut self) -> &mut AgentNames {
        Arc::make_mut(&mut self.names)
    }

    fn calls(&mut self) -> &mut CallSettings {
        Arc::make_mut(&mut self.calls)
    }

    /// Builds the agent.
    ///
    /// # Errors
    ///
    /// Returns [`BuildError`] if there is no model, if the tools conflict, if a tool provider can't list its tools, if a tool
    /// requires a value that was not injected, if the session can't be read, or if the Tokio runtime has no timers.
    pub async fn build(self) -> Result<Agent, BuildError> {
        self.boxed_build().await
    }

    /// Hides the type of the future, which each program would compile again otherwise.
    pub(super) fn boxed_build(self) -> BoxFuture<'static, Result<Agent, BuildError>> {
        Box::pin(self.checked_build())
    }

    async fn checked_build(self) -> Result<Agent, BuildError> {
        let model = self.model.ok_or(BuildError::MissingModel)?;
        if let Some(name) = duplicate(&self.plugins) {
            return Err(BuildError::DuplicatePlugin { name: name.clone() });
        }
        let tools = AgentTools::listed(self.tools, &self.injected, &self.injected_per_prompt).await?;
        if !has_timers() {
            return Err(BuildError::NoTimers);
        }
        let seeds = self.messages;
        if let Some((index, _)) = seeds.iter().enumerate().find(|(_, seed)| depth::check_message(seed).is_err()) {
            return Err(BuildError::NestedTooDeep { what: format!("message {index}") });
        }
        if let Some((name, _)) = self.state.iter().find(|(_, value)| depth::check(value).is_err()) {
            return Err(BuildError::NestedTooDeep { what: format!("the state `{name}`") });
        }
        let messages = self.seeded.get_or_init(|| History::seeded(seeds)).clone();
        let config = AgentConfig {
            names: self.names,
            plugin_system: self.plugin_system,
            injected: self.injected,
            injected_per_prompt: self.injected_per_prompt,
            calls: self.calls,
            conversation: self.conversation,
            retry: self.retry,
            limits: self.limits,
            tool_concurrency: self.tool_concurrency,
            max_response_bytes: self.max_response_bytes,
            conflict_retries: self.conflict_retries,
        };
        let initial = InitialState { messages, state: self.state };
        let Restored { session, history, state, conversation_state, run, settled, repairs } = match &self.sessions {
            Some(sessions) => initial.with_session(sessions, &config, &tools, &*model).await?,
            None => initial.without_session(),
        };
        if !repairs.is_empty() {
            diagnostics::repaired(&config.names, repairs.len());
        }
        let work = WorkingSet {
            sent_system: config.with_plugins(&self.system),
            config: Arc::new(config),
            model,
            tools,
            system: self.system,
            history,
            state,
            conversation_state,
            metrics: Arc::new(EventLoopMetrics::new(self.trace_limit)),
            suspended: run.is_some(),
            run,
            settled,
            session,
            rewinding: None,
            repairs,
            serialized: SerializedMessages::default(),
            discarding: Vec::new(),
            response_is_cut: false,
            refused_outputs: None,
        };
        let unread = work.unread_injected_values();
        // Once for all clones, since a server may build an agent for each request.
        if !unread.is_empty() && !self.has_warned.swap(true, Ordering::Relaxed) {
            unread.into_iter().for_each(|value| diagnostics::unread_value(&work.config.names, value));
        }
        Ok(Agent { work })
    }
}

/// Returns the first name that occurs twice.
fn duplicate(names: &[String]) -> Option<&String> {
    names
        .iter()
        .enumerate()
        .find(|(index, name)| names.iter().take(*index).any(|other| other == *name))
        .map(|(_, name)| name)
}

impl IntoTool for AgentBuilder {
    fn into_tool(self) -> Arc<dyn Tool> {
        Arc::new(AgentTool::new(self))
    }
}

impl fmt::Debug for AgentBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentBuilder")
            .field("agent_id", &self.names.id)
            .field("model", &self.model.as_ref().map(|model| model.model_id()))
            .field("tools", &self.tools.own_len())
            .finish_non_exhaustive()
    }
}

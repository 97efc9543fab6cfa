//! Tool runner: tools and their call settings, without a model and a conversation.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::CallSettings;
use super::direct_call::{Caller, ToolCall};
use crate::hook::Hook;
use crate::injected::InjectedValues;
use crate::limits::Limits;
use crate::outcome::AgentError;
use crate::scope::AgentNames;
use crate::state::AgentState;
use crate::tool::{ToolCatalog, ToolProvider, ToolSet, ToolSetError, Toolset};

/// Runs tool calls without an agent, for example in servers that offer tools, in graphs and with realtime models.
///
/// A call passes hooks, validation of its arguments and approval, and ends with exactly one result, like a call made by the
/// model of an agent. Cheap to clone.
///
/// # Examples
///
/// ```
/// use strands::serde_json::json;
/// use strands::{ToolCallOutcome, ToolRunner, tool, tools};
///
/// /// Adds two numbers.
/// #[tool(crate = strands_core)]
/// fn add(a: i64, b: i64) -> i64 {
///     a + b
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let runner = ToolRunner::new(tools![Add])?;
/// let outcome = runner.call("add", json!({"a": 1, "b": 2})).await?;
/// let ToolCallOutcome::Result(result) = outcome else { panic!("{outcome:?}") };
/// assert_eq!(result.content, [json!(3).into()]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
#[must_use = "a runner does nothing until a tool is called"]
pub struct ToolRunner {
    caller: Caller,
    tools: ToolSet,
}

impl ToolRunner {
    /// Creates a runner with these tools.
    ///
    /// # Errors
    ///
    /// Returns [`ToolSetError`] if the tools conflict.
    pub fn new(tools: impl Toolset) -> Result<Self, ToolSetError> {
        let names = AgentNames { id: "tools".to_owned(), name: "Tools".to_owned(), ..AgentNames::default() };
        let (tools, mut catalog) = (tools.into_tools(), ToolCatalog::default());
        let set = ToolSet::new(tools.iter().cloned())?;
        catalog.add(tools);
        let caller = Caller {
            names: Arc::new(names),
            settings: Arc::default(),
            catalog,
            known: None,
            injected: InjectedValues::default(),
            state: AgentState::new(),
            limits: Limits::unlimited(),
        };
        Ok(Self { caller, tools: set })
    }

    /// Adds a tool provider, whose list of tools may change. A call lists the tools again after a change, and fails with
    /// [`AgentError::Build`](crate::AgentError::Build) if that fails.
    pub fn tool_provider(mut self, provider: impl ToolProvider + 'static) -> Self {
        self.caller.catalog.add_provider(Arc::new(provider));
        self
    }

    /// Replaces the tools, and removes tool providers. The settings remain.
    pub fn with_tool_set(mut self, tools: ToolSet) -> Self {
        self.caller.catalog = ToolCatalog::default();
        self.caller.catalog.add(tools.iter().cloned());
        self.tools = tools;
        self
    }

    /// Sets the name that hooks see as the agent's id and name. Default: `tools`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.caller.names = Arc::new(AgentNames { id: name.clone(), name, ..AgentNames::default() });
        self
    }

    /// Injects a value for the tools and hooks of all calls.
    pub fn inject<V: Send + Sync + 'static>(mut self, value: V) -> Self {
        self.caller.injected.insert(value);
        self
    }

    /// Adds a hook, which is called before and after each tool call.
    pub fn hook(mut self, hook: impl Hook + 'static) -> Self {
        self.settings().hooks.push(Arc::new(hook));
        self
    }

    /// Sets the state that tools and hooks share.
    pub fn state(mut self, state: AgentState) -> Self {
        self.caller.state = state;
        self
    }

    /// Sets the timeout of tools whose policy has none. Default: none.
    pub fn tool_timeout(mut self, timeout: Duration) -> Self {
        self.settings().tool_timeout = Some(timeout);
        self
    }

    /// Hides the text of tool errors that were not written for a model, with all their sources. Default: all texts are
    /// visible.
    pub fn redact_tool_errors(mut self) -> Self {
        self.settings().redact_tool_errors = true;
        self
    }

    /// Sets the limits of each call: its duration, and the turns and tokens of agents called by the tool. Default: none.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.caller.limits = limits;
        self
    }

    /// Returns the tools, without those of tool providers.
    pub fn tools(&self) -> &ToolSet {
        &self.tools
    }

    /// Lists the tools, with those of tool providers. The list is cached until a provider's generation changes.
    ///
    /// # Errors
    ///
    /// Returns [`AgentError::Build`](crate::AgentError::Build) if a provider can't list its tools, or if they conflict.
    pub async fn list_tools(&self) -> Result<ToolSet, AgentError> {
        self.caller.list().await
    }

    /// Lists the tools that `select_tools` hooks do not hide, with those of tool providers. A server that offers tools lists them
    /// for each of its users, whose identity is [injected](Self::inject) into a clone of the runner.
    ///
    /// # Errors
    ///
    /// Returns an error as [`list_tools`](Self::list_tools) does, and [`AgentError::Hook`](crate::AgentError::Hook) if a hook
    /// failed.
    pub async fn select_tools(&self) -> Result<ToolSet, AgentError> {
        self.caller.select().await
    }

    /// Returns the [generation](ToolProvider::generation) of each tool provider. The list of tools may have changed if one of
    /// them has.
    pub fn generations(&self) -> Vec<u64> {
        self.caller.catalog.generations()
    }

    /// Calls a tool with arguments, a JSON object.
    ///
    /// # Errors
    ///
    /// The call returns [`AgentError::Hook`](crate::AgentError::Hook) if a hook failed,
    /// [`AgentError::MissingInjectedValue`](crate::AgentError::MissingInjectedValue) if the tool needs a value that was not
    /// injected, and [`AgentError::NestedTooDeep`](crate::AgentError::NestedTooDeep) if calls nest too deep.
    /// A failure of the tool is an error result.
    pub fn call(&self, name: impl Into<String>, input: Value) -> ToolCall<'static> {
        ToolCall::new(self.caller.clone(), name, input)
    }

    fn settings(&mut self) -> &mut CallSettings {
        Arc::make_mut(&mut self.caller.settings)
    }
}

impl fmt::Debug for ToolRunner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolRunner").field("tools", &self.tools).finish_non_exhaustive()
    }
}

//! Plugins: named bundles of hooks, tools and system prompt text.

use std::fmt;
use std::sync::Arc;

use crate::hook::Hook;
use crate::message::SystemBlock;
use crate::tool::{Tool, ToolProvider, Toolset};

/// A named bundle of hooks, tools and system prompt text, which is added to an agent as a unit.
///
/// # Examples
///
/// ```
/// use strands::testing::ScriptedModel;
/// use strands::{Agent, Plugin, tool, tools};
///
/// /// Writes a note.
/// #[tool(crate = strands_core)]
/// fn write_note(text: String) -> String {
///     format!("noted: {text}")
/// }
///
/// fn notes() -> Plugin {
///     Plugin::new("notes").tools(tools![WriteNote]).system_prompt("Write down what the user wants to remember.")
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let agent = Agent::builder().model(ScriptedModel::responding("hi")).plugin(notes()).build().await?;
/// assert!(agent.tools().get("write_note").is_some());
/// # Ok::<(), strands::BuildError>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
#[must_use = "a plugin does nothing until it is added to a builder"]
pub struct Plugin {
    pub(super) name: String,
    pub(super) hooks: Vec<Arc<dyn Hook>>,
    pub(super) tools: Vec<Arc<dyn Tool>>,
    pub(super) providers: Vec<Arc<dyn ToolProvider>>,
    pub(super) system: Vec<SystemBlock>,
}

impl Plugin {
    /// Creates an empty plugin. Names of plugins are unique within an agent.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), hooks: Vec::new(), tools: Vec::new(), providers: Vec::new(), system: Vec::new() }
    }

    /// Adds a hook.
    pub fn hook(mut self, hook: impl Hook + 'static) -> Self {
        self.hooks.push(Arc::new(hook));
        self
    }

    /// Adds tools.
    pub fn tools(mut self, tools: impl Toolset) -> Self {
        self.tools.extend(tools.into_tools());
        self
    }

    /// Adds a tool provider, whose list of tools may change.
    pub fn tool_provider(mut self, provider: impl ToolProvider + 'static) -> Self {
        self.providers.push(Arc::new(provider));
        self
    }

    /// Appends text to the agent's system prompt.
    pub fn system_prompt(mut self, text: impl Into<String>) -> Self {
        self.system.push(SystemBlock::Text(text.into()));
        self
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin").field("name", &self.name).finish_non_exhaustive()
    }
}

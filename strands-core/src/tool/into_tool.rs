//! [`IntoTool`], the conversion of values in lists of tools.

use std::sync::Arc;

use super::Tool;

/// A value that can be in a list of tools: a [`Tool`], or something that takes prompts and becomes an
/// [`AgentTool`](crate::AgentTool), such as an agent's [template](crate::AgentBuilder), a graph or a swarm.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a tool",
    label = "this is not a tool",
    note = "`#[tool]` on `fn get_weather` makes the tool `GetWeather`: pass that struct, in PascalCase",
    note = "methods become tools with `#[toolset]` on their impl block; such a type goes into `.tools(..)`",
    note = "a type is a tool by implementing `strands::Tool` under `#[async_trait]`"
)]
pub trait IntoTool {
    /// Returns the tool.
    fn into_tool(self) -> Arc<dyn Tool>;
}

#[diagnostic::do_not_recommend]
impl<T: Tool + 'static> IntoTool for T {
    fn into_tool(self) -> Arc<dyn Tool> {
        Arc::new(self)
    }
}

//! The `tools!` macro: a list of tools of different types.

/// Creates a list of tools, in the order in which the model sees them: `Vec<Arc<dyn Tool>>`. An agent's template in the list is
/// an [`AgentTool`](crate::AgentTool).
///
/// Lists are plain values: store them, extend them, and give them to several agents.
///
/// ```
/// use std::sync::Arc;
/// use strands::{Tool, tools};
/// # use strands::{ToolContext, ToolError, ToolOutput, ToolSpec, async_trait, serde_json::{Value, json}};
/// # struct Named(ToolSpec);
/// # #[async_trait]
/// # impl Tool for Named {
/// #     fn spec(&self) -> &ToolSpec { &self.0 }
/// #     async fn call(&self, _: &ToolContext, _: Value) -> Result<ToolOutput, ToolError> {
/// #         Ok(ToolOutput::text("ok"))
/// #     }
/// # }
/// # let named = |name| Named(ToolSpec::new(name, "A tool.", json!({"type": "object"})));
/// # let (search, book, cancel) = (named("search"), named("book"), named("cancel"));
/// let mut list = tools![search, book];
/// list.extend(tools![cancel]);
/// assert_eq!(list.iter().map(|tool| tool.spec().name.as_str()).collect::<Vec<_>>(), ["search", "book", "cancel"]);
/// ```
#[macro_export]
macro_rules! tools {
    ($($tool:expr),* $(,)?) => {{
        let list: ::std::vec::Vec<::std::sync::Arc<dyn $crate::Tool>> =
            ::std::vec![$($crate::IntoTool::into_tool($tool)),*];
        list
    }};
}

//! Tools: the trait that they implement, and the ordered set that an agent holds.

mod catalog;
mod configured;
mod context;
mod error;
mod events;
mod failure;
mod idempotency;
mod into_tool;
mod limiter;
pub(crate) mod macro_support;
mod output;
mod output_parts;
mod provider;
mod set;
mod tools_macro;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use crate::continuation::Continuation;
pub use crate::injected::InjectedKey;
pub(crate) use crate::tool_spec::MAX_TOOL_RETRIES;
pub use crate::tool_spec::{ToolAnnotations, ToolPolicy, ToolSpec};
pub(crate) use crate::tool_spec::{is_valid_tool_name, tool_name_of};
pub(crate) use catalog::{ListingError, ToolCatalog, ToolListing};
pub use configured::ConfiguredTool;
pub(crate) use context::{ContextParts, RunningCall};
pub use context::{FromContext, ToolContext};
pub use error::ToolError;
pub(crate) use error::ToolErrorKind;
pub(crate) use events::{EVENT_CAPACITY, ToolEvent, ToolEventReceiver, ToolEventSender, received};
pub use failure::ToolFailure;
pub use into_tool::IntoTool;
pub use limiter::ToolLimiter;
pub(crate) use limiter::{ToolLimiterBusy, ToolPermit};
pub use output::{IntoToolOutput, ToolOutput};
pub use provider::ToolProvider;
pub use set::{ToolSet, ToolSetError};

/// A function of the program that a model can call.
///
/// `#[tool]` turns a function into a tool: it adds a unit struct with the function's name in PascalCase. Implement the
/// trait by hand for tools that are known only at run time.
///
/// # Contract
///
/// - `spec`, `requires`, `policy` and `limiter` always return the same value.
/// - Dropping the future ends the call.
/// - Calls may run concurrently, also those of the same tool.
/// - The loop rejects arguments that do not fit the input schema before `call`, unless `checks_input` says that `call`
///   does that itself. The schema is self-contained, of draft 2020-12; one that can't be compiled for validation is a
///   [`ToolSetError::UnsupportedSchema`] when the tool is registered.
///
/// `testing::contract` has a test suite for the contract (feature `contract`).
///
/// # Examples
///
/// Like all async traits of this crate, implement it under `#[async_trait]`. Without the attribute, rustc reports that the
/// lifetimes of `call` don't match the trait.
///
/// ```
/// use strands::serde_json::{Value, json};
/// use strands::{Tool, ToolContext, ToolError, ToolOutput, ToolRunner, ToolSpec, async_trait, tools};
///
/// /// Reads one table of a database.
/// struct ReadTable {
///     spec: ToolSpec,
///     rows: Vec<Value>,
/// }
///
/// impl ReadTable {
///     fn new(table: &str, rows: Vec<Value>) -> Self {
///         let schema = json!({
///             "type": "object",
///             "properties": {"row": {"type": "integer", "minimum": 0, "description": "The row, from 0."}},
///             "required": ["row"],
///         });
///         Self { spec: ToolSpec::new(format!("read_{table}"), format!("Reads a row of {table}."), schema), rows }
///     }
/// }
///
/// #[async_trait]
/// impl Tool for ReadTable {
///     fn spec(&self) -> &ToolSpec {
///         &self.spec
///     }
///
///     async fn call(&self, _ctx: &ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
///         let row = input["row"].as_u64().and_then(|row| self.rows.get(usize::try_from(row).ok()?));
///         row.map(|row| ToolOutput::json(row.clone()))
///             .ok_or_else(|| ToolError::new(format!("no such row; the last one is {}", self.rows.len() - 1)))
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let runner = ToolRunner::new(tools![ReadTable::new("cities", vec![json!("Oslo"), json!("Bergen")])])?;
/// let outcome = runner.call("read_cities", json!({"row": 1})).await?;
/// # assert!(format!("{outcome:?}").contains("Bergen"), "{outcome:?}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a tool",
    label = "this is not a tool",
    note = "`#[tool]` on `fn get_weather` makes the tool `GetWeather`: pass that struct, in PascalCase",
    note = "methods become tools with `#[toolset]` on their impl block; such a type goes into `.tools(..)`",
    note = "a type is a tool by implementing `strands::Tool` under `#[async_trait]`"
)]
pub trait Tool: Send + Sync {
    /// Returns the name, description and schemas for the model.
    fn spec(&self) -> &ToolSpec;

    /// Returns the keys of the injected values that `call` reads.
    ///
    /// `build()` fails if one was not injected, and warns of injected values that no tool reads. A tool that decides at run
    /// time returns the key of [`ToolContext`], which stands for any value. Default: none.
    fn requires(&self) -> &[InjectedKey] {
        &[]
    }

    /// Returns the call settings, such as the timeout and the retries.
    fn policy(&self) -> ToolPolicy {
        ToolPolicy::new()
    }

    /// Returns the limits of the tool: concurrent calls and calls per interval. Calls of all tools that return the same limiter
    /// count together. Default: none.
    fn limiter(&self) -> Option<&ToolLimiter> {
        None
    }

    /// Returns true if `call` itself rejects arguments that do not fit the schema, with [`ToolError::invalid_input`].
    /// Default: false.
    fn checks_input(&self) -> bool {
        false
    }

    /// Checks settings of the tool, when it is added to an agent or a runner. Default: no check.
    ///
    /// # Errors
    ///
    /// Returns the error with which the build of the agent fails.
    fn check(&self) -> Result<(), ToolSetError> {
        Ok(())
    }

    /// Runs the tool. `input` has the arguments, a JSON object.
    ///
    /// # Errors
    ///
    /// Returns a [`ToolError`] if the tool fails; the model reads its text. Convert other errors with
    /// [`ToolError::from_source`].
    async fn call(&self, ctx: &ToolContext, input: Value) -> Result<ToolOutput, ToolError>;

    /// Discards a call that [was interrupted](ToolError::interrupts) with this state and will not be resumed: work elsewhere that waits
    /// for the responses is cancelled. It may be repeated. Default: nothing to do.
    ///
    /// # Errors
    ///
    /// Returns a [`ToolError`] if the work may still take responses.
    async fn discard(&self, continuation: &Continuation) -> Result<(), ToolError> {
        let _ = continuation;
        Ok(())
    }
}

macro_rules! forward_tool {
    ($($(#[$bound:tt])? $holder:ty),+) => {
        $(
            #[async_trait]
            #[deny(clippy::missing_trait_methods)]
            #[diagnostic::do_not_recommend]
            impl<T: Tool + ?Sized> Tool for $holder {
                fn spec(&self) -> &ToolSpec {
                    (**self).spec()
                }

                fn requires(&self) -> &[InjectedKey] {
                    (**self).requires()
                }

                fn policy(&self) -> ToolPolicy {
                    (**self).policy()
                }

                fn limiter(&self) -> Option<&ToolLimiter> {
                    (**self).limiter()
                }

                fn checks_input(&self) -> bool {
                    (**self).checks_input()
                }

                fn check(&self) -> Result<(), ToolSetError> {
                    (**self).check()
                }

                async fn call(&self, ctx: &ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
                    (**self).call(ctx, input).await
                }

                async fn discard(&self, continuation: &Continuation) -> Result<(), ToolError> {
                    (**self).discard(continuation).await
                }
            }
        )+
    };
}

forward_tool!(Arc<T>, Box<T>, &'static T);

/// A group of tools: a list, or the methods of a type under `#[toolset]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a list of tools",
    label = "this is not a list of tools",
    note = "`.tools(..)` takes a list such as `tools![GetWeather, BookTrip]`; a single tool goes into `.tool(..)`",
    note = "a type whose methods are tools needs `#[toolset]` on its impl block"
)]
pub trait Toolset {
    /// Returns the tools, in the order in which the model sees them.
    fn into_tools(self) -> Vec<Arc<dyn Tool>>;
}

#[diagnostic::do_not_recommend]
impl<I> Toolset for I
where
    I: IntoIterator,
    I::Item: IntoTool,
{
    fn into_tools(self) -> Vec<Arc<dyn Tool>> {
        self.into_iter().map(IntoTool::into_tool).collect()
    }
}

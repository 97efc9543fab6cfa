//! What a model can do in the program: the trait behind every tool, and the ordered set an agent holds.

mod catalog;
mod context;
mod error;
mod list;
pub(crate) mod macro_support;
mod output;
mod provider;
mod set;

use std::sync::Arc;

use futures_core::future::BoxFuture;
use serde_json::Value;

pub use crate::host::HostKey;
pub(crate) use crate::tool_spec::is_valid_tool_name;
pub use crate::tool_spec::{ToolAnnotations, ToolPolicy, ToolSpec};
pub(crate) use catalog::{ListingError, ToolCatalog, ToolListing};
pub(crate) use context::{ContextParts, RunningCall, ToolEvent};
pub use context::{FromContext, ToolContext};
pub use error::ToolError;
pub use output::{IntoToolOutput, ToolOutput};
pub use provider::ToolProvider;
pub use set::{ToolSet, ToolSetError};

/// Something a model can do in the program.
///
/// `#[tool]` makes one of a function; implement it by hand for tools that are only known at run time.
///
/// # Contract
///
/// - `spec` and `requires` always return the same.
/// - Dropping the future ends the call.
/// - A call may run beside others, of this tool too.
/// - Arguments that do not fit the input schema are refused by the loop before `call`, unless `checks_input` says that
///   `call` does that itself. The schema is draft 2020-12 and stands alone; one that arguments can't be validated against
///   is a [`ToolSetError::UnsupportedSchema`] when the tool is registered.
///
/// `testing::contract` has a test suite for it (feature `contract`).
pub trait Tool: Send + Sync {
    /// How the tool is described to a model.
    fn spec(&self) -> &ToolSpec;

    /// The values that it borrows from the program; `build()` misses those that nobody injected.
    fn requires(&self) -> &[HostKey] {
        &[]
    }

    /// How the loop is to treat it.
    fn policy(&self) -> ToolPolicy {
        ToolPolicy::new()
    }

    /// True when `call` itself refuses arguments that do not fit the schema, with
    /// [`ToolError::invalid_input`].
    fn checks_input(&self) -> bool {
        false
    }

    /// Does it. `input` is a JSON object.
    fn call<'a>(&'a self, ctx: &'a ToolContext, input: Value) -> BoxFuture<'a, Result<ToolOutput, ToolError>>;
}

macro_rules! forward_tool {
    ($($(#[$bound:tt])? $holder:ty),+) => {
        $(
            #[deny(clippy::missing_trait_methods)]
            impl<T: Tool + ?Sized> Tool for $holder {
                fn spec(&self) -> &ToolSpec {
                    (**self).spec()
                }

                fn requires(&self) -> &[HostKey] {
                    (**self).requires()
                }

                fn policy(&self) -> ToolPolicy {
                    (**self).policy()
                }

                fn checks_input(&self) -> bool {
                    (**self).checks_input()
                }

                fn call<'a>(&'a self, ctx: &'a ToolContext, input: Value) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
                    (**self).call(ctx, input)
                }
            }
        )+
    };
}

forward_tool!(Arc<T>, Box<T>, &'static T);

/// Tools that come together: a list, or the methods of a type under `#[toolset]`.
pub trait Toolset {
    /// The tools, in the order in which the model sees them.
    fn into_tools(self) -> Vec<Arc<dyn Tool>>;
}

impl<I> Toolset for I
where
    I: IntoIterator,
    I::Item: Tool + 'static,
{
    fn into_tools(self) -> Vec<Arc<dyn Tool>> {
        self.into_iter().map(|tool| Arc::new(tool) as Arc<dyn Tool>).collect()
    }
}

//! Tool providers: sources of tools whose list can change while agents run, such as a remote server.

use std::error::Error as StdError;
use std::sync::Arc;

use async_trait::async_trait;

use super::Tool;

/// A source of tools whose list can change while agents run.
///
/// An agent requests the list when it is built, and again between two cycles if the [`generation`](Self::generation) has
/// changed: never between a model call and the tool calls of its response, unless an interrupt came between. A call of a
/// tool that is no longer listed gets an error result.
///
/// Implement it under `#[async_trait]`, which is re-exported.
///
/// # Contract
///
/// - `list_tools` returns the same tools in the same order while the generation is the same. Cache the list: many agents
///   request it.
/// - `generation` is cheap and does not block: it is called before each model call.
/// - Listing the tools doesn't change the generation.
/// - `name` always returns the same value.
/// - Dropping the future of `list_tools` cancels the call. Later and concurrent calls work.
///
/// `testing::contract::check_tool_provider` is a test suite for the contract (feature `contract`).
///
/// # Examples
///
/// A provider whose tools a program replaces:
///
/// ```
/// use std::error::Error;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use std::sync::{Arc, Mutex};
///
/// use strands::testing::{ScriptedModel, ScriptedTurn};
/// use strands::{Agent, Tool, ToolProvider, async_trait, tool, tools};
///
/// /// Returns the time.
/// #[tool(crate = strands_core)]
/// fn clock() -> &'static str {
///     "noon"
/// }
///
/// #[derive(Default)]
/// struct Switchable {
///     tools: Mutex<Vec<Arc<dyn Tool>>>,
///     generation: AtomicU64,
/// }
///
/// impl Switchable {
///     fn switch_to(&self, tools: Vec<Arc<dyn Tool>>) {
///         *self.tools.lock().unwrap() = tools;
///         self.generation.fetch_add(1, Ordering::Release);
///     }
/// }
///
/// #[async_trait]
/// impl ToolProvider for Switchable {
///     fn name(&self) -> &str {
///         "switchable"
///     }
///
///     async fn list_tools(&self) -> Result<Vec<Arc<dyn Tool>>, Box<dyn Error + Send + Sync>> {
///         Ok(self.tools.lock().unwrap().clone())
///     }
///
///     fn generation(&self) -> u64 {
///         self.generation.load(Ordering::Acquire)
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let provider = Arc::new(Switchable::default());
/// let model = ScriptedModel::responding("It is noon.");
/// let mut agent = Agent::builder().model(model.clone()).tool_provider(Arc::clone(&provider)).build().await?;
/// provider.switch_to(tools![Clock]);
/// agent.prompt("What time is it?").await?;
/// assert_eq!(model.requests()[0].tools, ["clock"]);
/// # Ok::<(), Box<dyn Error>>(())
/// # }).unwrap();
/// ```
#[async_trait]
pub trait ToolProvider: Send + Sync {
    /// Returns the provider's name, for errors and events.
    fn name(&self) -> &str;

    /// Lists the tools, in the order in which the model sees them.
    ///
    /// # Errors
    ///
    /// Returns an error if the list is not available. Building an agent fails then; a running agent keeps its last list.
    async fn list_tools(&self) -> Result<Vec<Arc<dyn Tool>>, Box<dyn StdError + Send + Sync>>;

    /// Returns a number that changes whenever the list may have changed. Default: always 0.
    fn generation(&self) -> u64 {
        0
    }
}

macro_rules! forward_provider {
    ($($holder:ty),+) => {
        $(
            #[async_trait]
            #[deny(clippy::missing_trait_methods)]
            impl<P: ToolProvider + ?Sized> ToolProvider for $holder {
                fn name(&self) -> &str {
                    (**self).name()
                }

                async fn list_tools(&self) -> Result<Vec<Arc<dyn Tool>>, Box<dyn StdError + Send + Sync>> {
                    (**self).list_tools().await
                }

                fn generation(&self) -> u64 {
                    (**self).generation()
                }
            }
        )+
    };
}

forward_provider!(Arc<P>, Box<P>);

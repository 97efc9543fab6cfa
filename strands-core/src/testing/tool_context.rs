//! Tool contexts without an agent, for unit tests of tools.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::continuation::Continuation;
use crate::injected::InjectedValues;
use crate::interrupt::Interrupt;
use crate::limits::Limits;
use crate::message::ToolUse;
use crate::nesting::{Budget, Spent};
use crate::scope::{AgentNames, Scope};
use crate::state::AgentState;
use crate::tool::{ContextParts, ToolContext};

/// Builder for a [`ToolContext`] without an agent, for unit tests of tools.
///
/// ```
/// use strands::testing::ToolContextBuilder;
///
/// let ctx = ToolContextBuilder::new("book").inject(42_u32).build();
/// assert_eq!(ctx.injected::<u32>()?, &42);
/// # Ok::<(), strands::ToolError>(())
/// ```
#[must_use = "a builder does nothing until `build` is called"]
pub struct ToolContextBuilder {
    tool_use: ToolUse,
    injected: InjectedValues,
    state: AgentState,
    cancellation: CancellationToken,
    responses: BTreeMap<String, Value>,
    continuation: Option<Continuation>,
}

impl ToolContextBuilder {
    /// Creates a builder for a call of this tool, with the call id `test`.
    pub fn new(tool_name: impl Into<String>) -> Self {
        Self {
            tool_use: ToolUse::new("test", tool_name, Value::Object(Map::new())),
            injected: InjectedValues::default(),
            state: AgentState::new(),
            cancellation: CancellationToken::new(),
            responses: BTreeMap::new(),
            continuation: None,
        }
    }

    /// Sets the id of the call. Default: `test`.
    pub fn call_id(mut self, id: impl Into<String>) -> Self {
        self.tool_use.tool_use_id = id.into();
        self
    }

    /// Sets the raw arguments, for tools that read them from the context.
    pub fn input(mut self, input: Value) -> Self {
        self.tool_use.input = input;
        self
    }

    /// Adds an injected value.
    pub fn inject<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.injected.insert(value);
        self
    }

    /// Sets the agent's state.
    pub fn state(mut self, state: AgentState) -> Self {
        self.state = state;
        self
    }

    /// Sets the token that cancels the call.
    pub fn cancel_with(mut self, token: CancellationToken) -> Self {
        self.cancellation = token;
        self
    }

    /// Adds the response to the tool's interrupt with this name.
    pub fn interrupt_response(mut self, name: &str, response: impl Into<Value>) -> Self {
        self.responses.insert(Interrupt::tool_call_id(&self.tool_use.tool_use_id, name), response.into());
        self
    }

    /// Sets the state with which the tool continues, as from [`ToolError::interrupts`](crate::ToolError::interrupts).
    pub fn continuation(mut self, continuation: impl Into<Continuation>) -> Self {
        self.continuation = Some(continuation.into());
        self
    }

    /// Builds the context.
    pub fn build(self) -> ToolContext {
        let budget = Budget::new(None, Limits::new(), Some(self.cancellation), None, Spent::default());
        let budget = Arc::new(budget);
        let agent = AgentNames { id: "test".to_owned(), name: "Test".to_owned(), ..AgentNames::default() };
        let id = self.tool_use.tool_use_id.clone();
        let continuations = self.continuation.map(|state| Arc::new(BTreeMap::from([(id, state)])));
        let scope = Scope::new(Arc::new(agent), self.state, self.injected, Arc::clone(&budget), None);
        ToolContext::new(ContextParts {
            tool_use: Arc::new(self.tool_use),
            scope: Arc::new(scope),
            budget,
            cancellation: OnceLock::new(),
            progress: None,
            responses: Arc::new(self.responses),
            continuations,
            attempt: 1,
            _permit: None,
        })
    }
}

impl fmt::Debug for ToolContextBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolContextBuilder").field("tool_use", &self.tool_use).finish_non_exhaustive()
    }
}

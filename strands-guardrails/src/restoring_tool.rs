//! Tools that get originals instead of placeholders.

use strands_core::serde_json::Value;
use strands_core::{
    Continuation, InjectedKey, Tool, ToolContext, ToolError, ToolLimiter, ToolOutput, ToolPolicy, ToolSetError,
    ToolSpec, async_trait,
};

use crate::PiiVault;

/// Tool whose arguments have the originals of the injected [`PiiVault`] in place of their placeholders.
///
/// The arguments are restored right before the tool runs: the conversation, events, journals and sessions have the
/// placeholders, and so have hooks, the validation against the schema, and requests for approval. Add a
/// [`GuardrailHook`](strands_core::guardrails::GuardrailHook) with a [`PiiRedactor`](crate::PiiRedactor), so that the originals
/// in the result are redacted again. The reasons of interrupts that the tool raises get placeholders.
/// Progress that the tool reports is emitted as it is.
///
/// A model can put a placeholder into any argument, so wrap only tools that may receive the data: a tool that sends
/// requests to addresses chosen by the model would leak it. An agent as a tool has the originals in its conversation, which is stored
/// with the outer agent while it waits for a response, or if it keeps its context.
///
/// ```
/// use strands::guardrails::RestoringTool;
/// use strands::{Tool, tool};
///
/// /// Books a trip.
/// #[tool]
/// async fn book_trip(email: String) -> String {
///     format!("booked for {email}")
/// }
///
/// let tool = RestoringTool::new(BookTrip);
/// assert_eq!(tool.spec().name, "book_trip");
/// ```
#[derive(Clone, Debug)]
pub struct RestoringTool<T> {
    tool: T,
}

impl<T: Tool> RestoringTool<T> {
    /// Wraps a tool.
    pub fn new(tool: T) -> Self {
        Self { tool }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<T: Tool> Tool for RestoringTool<T> {
    fn spec(&self) -> &ToolSpec {
        self.tool.spec()
    }

    fn requires(&self) -> &[InjectedKey] {
        self.tool.requires()
    }

    fn policy(&self) -> ToolPolicy {
        self.tool.policy()
    }

    fn limiter(&self) -> Option<&ToolLimiter> {
        self.tool.limiter()
    }

    fn checks_input(&self) -> bool {
        self.tool.checks_input()
    }

    fn check(&self) -> Result<(), ToolSetError> {
        self.tool.check()
    }

    async fn call(&self, ctx: &ToolContext, mut input: Value) -> Result<ToolOutput, ToolError> {
        let Ok(vault) = ctx.injected::<PiiVault>() else { return self.tool.call(ctx, input).await };
        vault.restore_json(&mut input);
        self.tool.call(ctx, input).await.map_err(|error| {
            error.map_interrupts(|mut interrupt| {
                vault.hide_json(&mut interrupt.reason);
                interrupt
            })
        })
    }

    async fn discard(&self, continuation: &Continuation) -> Result<(), ToolError> {
        self.tool.discard(continuation).await
    }
}

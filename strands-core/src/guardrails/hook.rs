//! Hook that applies a guardrail to an agent.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::checking::{Blocked, Checks};
use super::prompts::{check_messages, replace_messages};
use super::response_filter::filtered;
use super::results::check_result_content;
use super::settings::Settings;
use super::{GuardedContent, Guardrail};
use crate::hook::{AfterToolCall, BeforeInvocation, Hook, HookContext, HookResult};
use crate::message::ToolResult;
use crate::models::ModelStream;

/// Hook that applies a [`Guardrail`] to prompts, responses and tool results, before they are stored, emitted or sent.
///
/// Add it before other hooks: it sees responses and tool results after all hooks that were added later.
///
/// - A blocked *prompt* is replaced by a fixed text, and the model is not called: the message of the verdict is the response.
/// - A blocked *response* is replaced by the message of the verdict, with
///   [`StopReason::GuardrailIntervened`](crate::models::StopReason::GuardrailIntervened) and without tool calls. Text that was
///   streamed before is announced as void by [`AgentEvent::Redacted`](crate::AgentEvent::Redacted).
/// - A blocked *tool result* becomes an error result with the message of the verdict. The result of a tool that
///   [ends the turn](crate::ToolPolicy::with_ends_turn), such as an agent that the model delegates to, is checked as a response first: if
///   it is blocked, the model gets the error result, and responds itself.
/// - A blocked *response to an interrupt* is an error: the interrupt stays pending, and nothing is stored.
///
/// Streamed text is held back as far as the [`Window`](super::Window) of the guardrail requires, and tool arguments until they
/// are complete. Reasoning that was changed loses the provider's signature. Each change is announced by
/// [`AgentEvent::Guardrail`](crate::AgentEvent::Guardrail) and a `tracing` event.
///
/// Images, audio, video and documents, the system prompt, messages from before the invocation, progress that tools report, and events of
/// agents that are tools are not checked. Such an agent has hooks of its own.
#[derive(Clone)]
pub struct GuardrailHook {
    settings: Arc<Settings>,
}

impl GuardrailHook {
    /// Creates a hook that applies a guardrail to all content.
    pub fn new(guardrail: impl Guardrail + 'static) -> Self {
        Self { settings: Arc::new(Settings::new(Arc::new(guardrail))) }
    }

    /// Checks this content only.
    #[must_use]
    pub fn only(self, content: impl IntoIterator<Item = GuardedContent>) -> Self {
        self.with(|settings| settings.only = Some(content.into_iter().collect()))
    }

    /// Leaves this content unchecked.
    #[must_use]
    pub fn except(self, content: impl IntoIterator<Item = GuardedContent>) -> Self {
        self.with(|settings| settings.except.extend(content))
    }

    /// Timeout of one check. Default: 10 seconds.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with(|settings| settings.timeout = timeout)
    }

    /// Lets content pass unchecked if its check fails: on an error, a panic, a timeout, or an invalid verdict. Default: it is
    /// blocked.
    #[must_use]
    pub fn pass_on_failure(self) -> Self {
        self.with(|settings| settings.passes_on_failure = true)
    }

    /// Text in place of a blocked prompt in the conversation. Default: `[blocked by a guardrail]`.
    #[must_use]
    pub fn blocked_prompt(self, text: impl Into<String>) -> Self {
        self.with(|settings| settings.blocked_prompt = text.into())
    }

    /// Maximum size of the parts of a response that are held back at the same time, in bytes. A larger response is blocked.
    /// Default: 16 MiB.
    #[must_use]
    pub fn max_held_bytes(self, bytes: usize) -> Self {
        self.with(|settings| settings.max_held_bytes = bytes)
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.settings));
        self
    }
}

impl fmt::Debug for GuardrailHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardrailHook").field("guardrail", &self.settings.guardrail.name()).finish_non_exhaustive()
    }
}

#[async_trait]
#[diagnostic::do_not_recommend]
impl Hook for GuardrailHook {
    async fn before_invocation(&self, event: &mut BeforeInvocation<'_>) -> HookResult {
        let settings = &*self.settings;
        if settings.guards(&GuardedContent::InterruptResponse) {
            let mut checks = Checks::new(settings, event.context, GuardedContent::InterruptResponse);
            for response in event.responses.iter_mut() {
                if let Err(Blocked(message)) = checks.json(&mut response.response).await {
                    return Err(format!("a response to an interrupt was refused: {message}").into());
                }
            }
            event.reports.extend(checks.reports());
        }
        if settings.guards(&GuardedContent::Prompt) {
            let mut checks = Checks::new(settings, event.context, GuardedContent::Prompt);
            match check_messages(&mut checks, event.prompt).await {
                Ok(()) => event.reports.extend(checks.reports()),
                Err(Blocked(message)) => {
                    event.reports.extend(checks.blocked());
                    replace_messages(event.prompt, &settings.blocked_prompt);
                    event.deny = Some(message);
                }
            }
        }
        Ok(())
    }

    fn response_stream(&self, context: &HookContext, stream: ModelStream) -> ModelStream {
        let of_response = [GuardedContent::Response, GuardedContent::Reasoning, GuardedContent::ToolArguments];
        if of_response.iter().any(|content| self.settings.guards(content)) {
            filtered(Arc::clone(&self.settings), context.clone(), stream)
        } else {
            stream
        }
    }

    async fn after_tool_call(&self, event: &mut AfterToolCall<'_>) -> HookResult {
        let as_response = (event.ends_turn && !event.result.is_error()).then_some(GuardedContent::Response);
        for content in as_response.into_iter().chain([GuardedContent::ToolResult]) {
            if !self.settings.guards(&content) {
                continue;
            }
            let mut checks = Checks::new(&self.settings, event.context, content);
            match check_result_content(&mut checks, &mut event.result.content).await {
                Ok(()) => event.reports.extend(checks.reports()),
                Err(Blocked(message)) => {
                    event.reports.extend(checks.blocked());
                    *event.result = ToolResult::error(&event.result.tool_use_id, message);
                }
            }
        }
        Ok(())
    }
}

//! Violations of a contract: the broken promise, the expected and the observed behavior.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use crate::message::Message;

type Source = Box<dyn StdError + Send + Sync>;

/// The most characters of a message's text in a violation.
const MAX_TEXT_CHARS: usize = 40;

/// The most bytes of a description in a violation.
const MAX_BYTES: usize = 2_000;

/// A violation of a trait's contract by an implementation.
///
/// `Debug` prints the same text as `Display` and its sources, for tests that unwrap it.
#[non_exhaustive]
pub struct ContractViolation {
    /// The broken promise.
    pub promise: Promise,
    /// The behavior that the contract requires.
    pub expected: String,
    /// The behavior of the implementation.
    pub observed: String,
    source: Option<Source>,
}

macro_rules! promises {
    ($($contract:literal { $($(#[$doc:meta])+ $promise:ident = $text:literal,)+ })+) => {
        /// A promise of a trait's contract.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Promise {
            $($($(#[$doc])+ $promise,)+)+
        }

        impl Promise {
            /// Returns the name of the trait.
            pub fn contract(self) -> &'static str {
                match self {
                    $($(Self::$promise)|+ => $contract,)+
                }
            }

            fn text(self) -> &'static str {
                match self {
                    $($(Self::$promise => $text,)+)+
                }
            }
        }
    };
}

promises! {
    "SessionManager" {
        /// A new agent has no record and no messages, and opening it writes nothing.
        SessionOpenWritesNothing = "opening writes nothing",
        /// Messages and records are read as they were written, in order.
        SessionRoundTrip = "messages and records are read back unchanged and in order",
        /// A range returns the messages at its positions.
        SessionRange = "a range returns the messages at its positions",
        /// Agents of a session, and sessions, don't see each other's data.
        SessionIsolation = "agents and sessions are isolated from each other",
        /// A reader sees all of a batch or none of it.
        SessionAtomicBatch = "a batch is atomic",
        /// A worker with an outdated view gets a conflict, and no data of the other worker is lost.
        SessionConflict = "a worker with an outdated view gets a conflict, and nothing is overwritten",
        /// A worker whose view is up to date gets no conflict.
        SessionNoFalseConflict = "a worker whose view is up to date gets no conflict",
        /// Truncation removes all messages but the first ones, and writes the record with it.
        SessionTruncate = "truncation keeps the first messages and writes the record",
        /// A worker can repeat a write whose future was dropped, or replace it with another one.
        SessionDroppedWrite = "a write whose future was dropped can be repeated or replaced by the same worker",
    }
    "MultiAgentSession" {
        /// Opening and reading a new graph writes nothing.
        MultiAgentOpenWritesNothing = "opening and reading write nothing",
        /// A document is read as it was saved.
        MultiAgentRoundTrip = "documents are read back unchanged",
        /// Graphs of a session, and sessions, don't see each other's documents.
        MultiAgentIsolation = "graphs, agents and sessions are isolated from each other",
        /// A worker with an outdated view gets a conflict, and nothing is overwritten.
        MultiAgentConflict = "a worker with an outdated view gets a conflict, and nothing is overwritten",
        /// A worker whose view is up to date gets no conflict.
        MultiAgentNoFalseConflict = "a worker whose view is up to date gets no conflict",
        /// A worker can save again after a save whose future was dropped.
        MultiAgentDroppedSave = "a save whose future was dropped can be repeated or replaced by the same worker",
    }
    "Model" {
        /// A plain request gets a response.
        ModelResponds = "a plain request gets a response",
        /// A stream ends with a stop event or with an error.
        ModelStreamEnds = "a stream ends with a stop event or an error",
        /// The events of a stream are in order.
        ModelEventOrder = "events are in order",
        /// An incomplete response is an error.
        ModelBrokenResponse = "an incomplete response is an error",
        /// The model's description doesn't change.
        ModelStable = "the model's id, context window and capabilities don't change",
        /// The input tokens of a request can be counted.
        ModelCountsTokens = "token counts are positive and grow with the request",
        /// `Debug` output, errors and events contain no secret.
        ModelHidesSecrets = "debug output, errors and events contain no secret",
    }
    "Tool" {
        /// `spec`, `requires`, `policy`, `limiter` and `checks_input` always return the same value.
        ToolStable = "the tool's description doesn't change",
        /// The name is valid and the input schema is that of an object.
        ToolSpecValid = "the name is valid and the input schema is that of an object",
        /// Arguments that fit the schema are accepted.
        ToolAcceptsInput = "arguments that fit the schema are accepted",
        /// Arguments that don't fit the schema are rejected.
        ToolRejectsInput = "arguments that don't fit the schema are rejected",
        /// A call is not affected by dropped or concurrent calls.
        ToolCallsIndependent = "calls don't affect each other",
    }
    "ConversationManager" {
        /// Tool calls are kept or removed together with their results, and requests to the model are valid.
        ConversationValidInput = "the remaining messages are valid input",
        /// The newest user message is kept.
        ConversationKeepsNewest = "the newest user message is kept",
        /// Pinned messages are kept unchanged.
        ConversationKeepsPinned = "pinned messages are kept",
        /// A reduction makes the conversation smaller, so that retries end.
        ConversationReductionEnds = "a reduction makes the conversation smaller",
        /// An agent that is restored from a session has the same messages.
        ConversationRestored = "a restored agent has the same messages",
    }
    "Hook" {
        /// An ordinary invocation ends, and neither fails nor panics because of the hook.
        HookSucceeds = "ordinary invocations succeed",
        /// Invocations of agents that share the hook end, and no messages get into another conversation.
        HookAgentsIndependent = "agents that share a hook don't affect each other",
        /// An invocation works after one that was dropped or cancelled at any await.
        HookDropped = "an invocation works after one that was dropped or cancelled",
        /// The hook doesn't block the thread, and a cancelled invocation ends within 50 ms.
        HookDoesNotBlock = "the thread is not blocked and a cancelled invocation ends within 50 ms",
        /// The number of consecutive retries, resumptions and interrupts that the hook requests is bounded.
        HookBoundedRepeats = "the number of retries, resumptions and interrupts is bounded",
        /// A denial has a reason that is not blank.
        HookDenialReason = "a denial has a reason",
        /// Messages, calls, results and responses that the hook changes have content and can be stored, and hidden tools have
        /// names of tools.
        HookValidChanges = "changed messages, calls, results and responses have content and can be stored",
        /// The response stream that the hook returns keeps to the contract of models: its events are in order, and it ends
        /// with a stop event or with an error.
        HookResponseStream = "a response stream is in order and ends with a stop event or an error",
    }
    "Promptable" {
        /// `name`, `description`, `requires` and `has_session` always return the same value.
        PromptableStable = "the name, the description, the required values and the session don't change",
        /// A prompt gets a response.
        PromptableResponds = "a prompt gets a response",
        /// The first item is a start or an error.
        PromptableStarts = "a stream begins with `AgentEvent::Start` or an error",
        /// The last item is a response or an error, and nothing follows it.
        PromptableStreamEnds = "a stream ends with a response or an error and stays ended",
        /// A stream that was not polled does no work, blocks no other prompt, and releases its request when it is dropped.
        PromptableLazy = "nothing happens before the first poll",
        /// Dropping a stream at any moment ends its work, and the next prompt works.
        PromptableDropped = "a dropped stream ends its work and the next prompt works",
        /// A cancelled request ends within 50 ms, with the stop reason `Cancelled`.
        PromptableCancelled = "a cancelled request ends with `cancelled` within 50 ms",
        /// Concurrent prompts get responses, or end with a busy error or a session conflict.
        PromptableConcurrent = "concurrent prompts get responses, or end with a busy error or a session conflict",
        /// A response that waits has interrupts, which a request without a prompt and responses returns again. A continuation can be
        /// stored, and the next prompt with it gets a response.
        PromptableContinues = "interrupts are repeated, and conversations are continued",
    }
    "ToolProvider" {
        /// `name` always returns the same value.
        ToolProviderStable = "the name doesn't change",
        /// The tools are listed, and form a valid set.
        ToolProviderListValid = "the listed tools form a valid set",
        /// The list doesn't change while the generation is the same.
        ToolProviderListSteady = "the list doesn't change while the generation is the same",
        /// Reading the generation or listing the tools doesn't change the generation.
        ToolProviderGenerationSteady = "reading the generation or the list doesn't change the generation",
        /// A listing is not affected by dropped or concurrent ones.
        ToolProviderListingsIndependent = "listings don't affect each other",
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl ContractViolation {
    pub(super) fn new(promise: Promise, expected: impl Into<String>, observed: impl Into<String>) -> Self {
        Self { promise, expected: bounded(expected.into()), observed: bounded(observed.into()), source: None }
    }

    /// Creates a violation from an error.
    pub(super) fn error(promise: Promise, expected: impl Into<String>, error: impl Into<Source>) -> Self {
        let source = error.into();
        let observed = format!("an error: {source}");
        Self { source: Some(source), ..Self::new(promise, expected, observed) }
    }
}

/// Returns the start of a long text.
fn bounded(mut text: String) -> String {
    if text.len() > MAX_BYTES {
        text.truncate(text.floor_char_boundary(MAX_BYTES));
        text.push_str("..");
    }
    text
}

impl fmt::Display for ContractViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { promise, expected, observed, .. } = self;
        write!(
            f,
            "the contract of `{}` is broken: {promise}; expected {expected}; observed {observed}",
            promise.contract()
        )
    }
}

crate::error_chain::debug_with_sources!(ContractViolation);

impl StdError for ContractViolation {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Checks a condition.
pub(super) fn ensure(
    holds: bool,
    promise: Promise,
    expected: impl Into<String>,
    observed: impl FnOnce() -> String,
) -> Result<(), ContractViolation> {
    if holds { Ok(()) } else { Err(ContractViolation::new(promise, expected, observed())) }
}

/// Checks that two values are equal.
pub(super) fn ensure_eq<T: PartialEq + fmt::Debug>(
    promise: Promise,
    when: &str,
    expected: &T,
    observed: &T,
) -> Result<(), ContractViolation> {
    ensure(expected == observed, promise, format!("{when}: {expected:?}"), || format!("{observed:?}"))
}

/// Formats messages for a violation.
pub(super) fn shown(messages: &[Arc<Message>]) -> String {
    let shown = |message: &Message| {
        let text = message.text();
        match text.char_indices().nth(MAX_TEXT_CHARS) {
            Some((end, _)) => format!("`{}..`", text.get(..end).unwrap_or_default()),
            None => format!("`{text}`"),
        }
    };
    let messages: Vec<String> = messages.iter().map(|message| shown(message)).collect();
    format!("{} message(s) [{}]", messages.len(), messages.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displays_a_sentence_with_its_sources() {
        let beneath = std::io::Error::other(std::io::Error::other("disk full"));
        let violation = ContractViolation::error(Promise::SessionRoundTrip, "a write to succeed", beneath);
        assert_eq!(
            violation.to_string(),
            "the contract of `SessionManager` is broken: messages and records are read back unchanged and in order; expected a \
             write to succeed; observed an error: disk full"
        );
        assert!(format!("{violation:?}").starts_with(&violation.to_string()));
    }
}

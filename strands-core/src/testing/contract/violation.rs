//! Broken promises: which one, what was expected, and what was observed.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use crate::message::Message;

type Source = Box<dyn StdError + Send + Sync>;

/// The most characters of a message's text that a violation shows.
const SHOWN_CHARS: usize = 40;

/// Maximum length of a description in a violation, in bytes.
const MOST_BYTES: usize = 2_000;

/// A promise of a trait's contract that an implementation has broken.
///
/// `Debug` prints the same text as `Display` and its sources, so that a test can unwrap it.
#[non_exhaustive]
pub struct ContractViolation {
    /// The promise.
    pub promise: Promise,
    /// The behaviour that the contract asks for.
    pub expected: String,
    /// The behaviour of the implementation.
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
        /// An agent that is new to a session has no record and no messages, and opening it writes nothing.
        SessionOpenWritesNothing = "opening writes nothing",
        /// Messages and records are read as they were written, in order.
        SessionRoundTrip = "what was written is read back unchanged and in order",
        /// A range returns the messages at its positions.
        SessionRange = "a range returns the messages at its positions",
        /// The agents of a session, and sessions, don't see each other's data.
        SessionAgentsApart = "agents and sessions are apart",
        /// A reader sees all of a batch or nothing.
        SessionAtomicBatch = "a batch is atomic",
        /// A worker with an old view gets a conflict, and nothing of the other worker is lost.
        SessionConflict = "a worker with an old view gets a conflict, and nothing is overwritten",
        /// A worker whose view is up to date gets no conflict.
        SessionNoFalseConflict = "a worker whose view is up to date gets no conflict",
        /// Truncation removes all messages but the first ones, and writes the record with it.
        SessionTruncate = "truncation keeps the first messages and writes the record",
        /// A worker can repeat a write whose future was dropped, or write something else in its place.
        SessionDroppedWrite = "a write whose future was dropped can be repeated or replaced by the same worker",
    }
    "Model" {
        /// A plain request is answered.
        ModelAnswers = "a plain request is answered",
        /// A stream ends with a stop event or with an error.
        ModelStreamEnds = "a stream ends with a stop event or an error",
        /// The events of a stream come in their order.
        ModelEventOrder = "events come in order",
        /// A response that can't be completed is an error.
        ModelBrokenResponse = "a response that breaks off is an error",
        /// The model's description is always the same.
        ModelStable = "the model's id, context window and capabilities don't change",
        /// The input tokens of a request can be counted.
        ModelCountsTokens = "token counts are positive and grow with the request",
        /// `Debug` output, errors and events hold no secret.
        ModelHidesSecrets = "debug output, errors and events hold no secret",
    }
    "Tool" {
        /// `spec`, `requires`, `policy` and `checks_input` always return the same.
        ToolStable = "the tool's description doesn't change",
        /// The name is valid and the input schema is that of an object.
        ToolSpecValid = "the name is valid and the input schema is one of an object",
        /// Arguments that fit the schema are accepted.
        ToolAcceptsInput = "arguments that fit the schema are accepted",
        /// Arguments that don't fit the schema are refused.
        ToolRefusesInput = "arguments that don't fit the schema are refused",
        /// A call is not disturbed by one that was dropped, nor by one that runs at the same time.
        ToolCallsIndependent = "calls don't disturb each other",
    }
    "ConversationManager" {
        /// Tool calls stay or go with their results, and the model is sent valid input.
        ConversationValidInput = "what is left is valid input",
        /// The newest user message stays.
        ConversationKeepsNewest = "the newest user message stays",
        /// Pinned messages stay as they are.
        ConversationKeepsPinned = "pinned messages stay",
        /// A reduction makes the conversation smaller, so that retrying ends.
        ConversationReductionEnds = "a reduction makes the conversation smaller",
        /// An agent that is built again from a session sees the same messages.
        ConversationRestored = "a restored agent sees the same messages",
    }
    "Hook" {
        /// An ordinary invocation neither fails nor panics because of the hook, and ends.
        HookSucceeds = "ordinary invocations succeed",
        /// Agents that share the hook all end, and nothing of one is in the conversation of another.
        HookAgentsApart = "agents that share a hook don't disturb each other",
        /// An invocation works after one that was dropped or cancelled at any await.
        HookDropped = "an invocation works after one that was dropped or cancelled",
        /// The hook doesn't block the thread, and an invocation that is cancelled ends within 50 ms.
        HookDoesNotBlock = "the thread is not blocked and a cancelled invocation ends within 50 ms",
        /// The hook doesn't ask for retries, resumptions or human input without end.
        HookBoundedRepeats = "the number of retries, resumptions and questions is bounded",
        /// A denial has a reason that is not blank.
        HookDenialReason = "a denial has a reason",
        /// Messages, calls and results that the hook changes have content and can be stored.
        HookValidChanges = "changed messages, calls and results have content and can be stored",
    }
    "Promptable" {
        /// `name` and `description` always return the same.
        PromptableStable = "the name and the description don't change",
        /// A prompt is answered with a response.
        PromptableAnswers = "a prompt is answered",
        /// The first item is a start or an error.
        PromptableStarts = "a stream begins with `AgentEvent::Start` or an error",
        /// The last item is a response or an error, and nothing follows it.
        PromptableStreamEnds = "a stream ends with a response or an error and stays ended",
        /// A stream that was not polled does nothing: it occupies nothing, and is gone when it is dropped.
        PromptableLazy = "nothing happens before the first poll",
        /// A prompt works after one whose stream was dropped at any moment, whose work ends with it.
        PromptableDropped = "a dropped stream ends its work and the next prompt works",
        /// A request that is cancelled ends within 50 ms, with a response that says so.
        PromptableCancelled = "a cancelled request ends with `cancelled` within 50 ms",
        /// Prompts at the same time are answered, refused as busy, or end with a session conflict.
        PromptableConcurrent = "prompts at the same time are answered, refused as busy, or end with a session conflict",
    }
    "ToolProvider" {
        /// `name` always returns the same.
        ToolProviderStable = "the name doesn't change",
        /// The tools are listed, and an agent can be given them.
        ToolProviderListValid = "an agent can be given the listed tools",
        /// The list is the same for as long as the generation is.
        ToolProviderListSteady = "the list stays for as long as the generation does",
        /// The generation is not changed by asking for it, or for the list.
        ToolProviderGenerationSteady = "asking for the generation or the list doesn't change the generation",
        /// A listing is not disturbed by one that was dropped, nor by one at the same time.
        ToolProviderListingsIndependent = "listings don't disturb each other",
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

    /// A violation that is observed as an error.
    pub(super) fn error(promise: Promise, expected: impl Into<String>, error: impl Into<Source>) -> Self {
        let source = error.into();
        let observed = format!("an error: {source}");
        Self { source: Some(source), ..Self::new(promise, expected, observed) }
    }
}

/// The beginning of a text that is long.
fn bounded(mut text: String) -> String {
    if text.len() > MOST_BYTES {
        text.truncate(text.floor_char_boundary(MOST_BYTES));
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

/// Returns the text that a violation shows of messages.
pub(super) fn shown(messages: &[Arc<Message>]) -> String {
    let shown = |message: &Message| {
        let text = message.text();
        match text.char_indices().nth(SHOWN_CHARS) {
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
    fn a_violation_reads_as_a_sentence_with_its_causes() {
        let beneath = std::io::Error::other(std::io::Error::other("disk full"));
        let violation = ContractViolation::error(Promise::SessionRoundTrip, "a write to succeed", beneath);
        assert_eq!(
            violation.to_string(),
            "the contract of `SessionManager` is broken: what was written is read back unchanged and in order; expected a \
             write to succeed; observed an error: disk full"
        );
        assert!(format!("{violation:?}").starts_with(&violation.to_string()));
    }
}

//! Messages about a conversation that does not fit the context window.

use super::messages::{Phrase, contains_any};

/// Phrases for the conversation's length or its limit. One of them close to a phrase of [`TOO_MUCH`] is an overflow.
const LENGTH: &[&str] = &[
    "context length",
    "context window",
    "context size",
    "context limit",
    "maximum context",
    "max context",
    "model context",
    "model's context",
    "context overflow",
    "上下文",
    "sequence length",
    "maximum model length",
    "max_model_len",
    "max_seq_len",
    "max_position_embeddings",
    "max_total_tokens",
    "max_num_tokens",
    "input length",
    "input size",
    "input token",
    "input_tokens",
    "input limit",
    "input text bytes",
    "prompt length",
    "prompt limit",
    "prompt token",
    "prompt_tokens",
    "tokens in prompt",
    "tokens in the prompt",
    "tokens in request",
    "token limit",
    "token count",
    "total tokens",
    "number of tokens",
    "maximum allowed tokens",
    "max tokens of",
    "message tokens",
    "message length",
    "messages length",
    "输入长度",
];

/// Phrases for a limit that is exceeded.
const TOO_MUCH: &[&str] = &[
    "exceed",
    "too long",
    "too large",
    "too big",
    "too many",
    "longer than",
    "greater than",
    "larger than",
    "more than",
    "only supports",
    "is only",
    "not enough",
    "overflow",
    "over the limit",
    "reached",
    "is full",
    "window full",
    "超",
];

/// Subjects of messages that call the conversation too long without naming a unit.
const CONVERSATION: &[&str] =
    &["prompt", "input", "inputs", "input text", "query", "request", "context", "conversation", "message", "messages"];

/// Phrases directly after one of [`CONVERSATION`].
const IS_TOO_LONG: &[&str] =
    &["too long", "is too long", "are too long", "too large", "is too large", "are too large", "is too big"];

/// Other phrases of context overflows. No common error code exists.
const OVERFLOW: &[Phrase] = &[
    &["maximum context length"],
    &["max context length"],
    &["maximum context size"],
    &["maximum context limit"],
    &["maximum model length"],
    &["maximum prompt length"],
    &["maximum input length"],
    &["max_model_len"],
    &["context_length_exceeded"],
    &["context is full"],
    &["contextwindowexceeded"],
    &["context_window_exceeded"],
    &["prompt exceeds"],
    &["conversation exceeds"],
    &["messages exceed"],
    &["prompt has", "configured context size"],
    &["prompt 超长"],
    &["input exceeds the", "context"],
    &["range of input length"],
    &["max input characters"],
    &["max message tokens"],
    &["too many tokens"],
    &["number of input tokens must be"],
    &["malformed input request", "expected maxlength", "actual"],
    &["too large for model"],
    &["is too large to process", "batch size"],
    &["request body too large"],
    &["request payload size exceeds"],
    &["request exceeds the maximum size"],
    &["reduce the length of the messages"],
    &["reduce the length of the input"],
    &["reduce the length of the prompt"],
    &["reduce your prompt"],
    &["shorten the prompt"],
    &["shorten your prompt"],
    &["length of all messages is too long"],
    &["inputs must have less than"],
    &["`inputs` must have less than"],
    &["`inputs` tokens + `max_new_tokens` must be"],
];

/// Phrases of quota errors. They rule out a context overflow.
const QUOTA: &[Phrase] = &[
    &["try again in "],
    &["retry after"],
    &["per second"],
    &["per minute"],
    &["per hour"],
    &["per day"],
    &["for the minute"],
    &["daily"],
    &["weekly"],
    &["monthly"],
    &["your plan"],
    &["quota"],
    &["rate limit"],
    &["tpm limit"],
];

/// Names of output limits and of options. An error about those alone is not about the conversation's length.
const OUTPUT_LIMITS: [&str; 10] = [
    "max_tokens",
    "maxtokens",
    "max_completion_tokens",
    "max_output_tokens",
    "maxoutputtokens",
    "max_new_tokens",
    "completion tokens",
    "output tokens",
    "maximum output",
    "num_ctx",
];

/// Names of the input of a request.
const INPUT: [&str; 6] = ["input", "prompt", "message", "conversation", "request has", "request contains"];

/// Returns true if truncating the conversation may help.
pub(super) fn overflows(message: &str) -> bool {
    let names = |names: &[&str]| names.iter().any(|name| message.contains(name));
    (contains_any(message, OVERFLOW) || exceeds_limit(message) || is_too_long(message))
        && !contains_any(message, QUOTA)
        && (names(&INPUT) || !names(&OUTPUT_LIMITS))
        && !output_alone_is_too_long(message)
}

/// Returns true if a phrase of [`LENGTH`] is close to one of [`TOO_MUCH`], in either order.
fn exceeds_limit(message: &str) -> bool {
    /// Maximum distance, in bytes.
    const NEAR: usize = 96;
    let lengths = || LENGTH.iter().flat_map(|phrase| message.match_indices(phrase));
    let too_much: Vec<usize> =
        TOO_MUCH.iter().flat_map(|phrase| message.match_indices(phrase)).map(|(at, _)| at).collect();
    lengths().any(|(at, _)| too_much.iter().any(|other| other.abs_diff(at) <= NEAR))
}

/// Returns true if a name of [`CONVERSATION`] is directly before a phrase of [`IS_TOO_LONG`].
fn is_too_long(message: &str) -> bool {
    IS_TOO_LONG.iter().flat_map(|phrase| message.match_indices(phrase)).any(|(at, _)| {
        let before = message.get(..at).unwrap_or_default().trim_end();
        let is_in_name = |letter: char| letter.is_alphanumeric() || "_-.'`".contains(letter);
        CONVERSATION.iter().any(|name| before.strip_suffix(name).is_some_and(|rest| !rest.ends_with(is_in_name)))
    })
}

/// Returns true if the requested output alone fills the context window. Truncating the conversation does not help then.
fn output_alone_is_too_long(message: &str) -> bool {
    let window = ["context length is only ", "context length is ", "context window of ", "context length of "];
    let Some(window) = window.iter().find_map(|phrase| number_after(message, phrase)) else {
        return false;
    };
    let output = number_after(message, "is too large: ").or_else(|| {
        let ends = [" in the completion", " of the completion", " in the output", " output tokens"];
        ends.iter().find_map(|phrase| number_before(message, phrase))
    });
    output.is_some_and(|output| output >= window)
}

fn number_after(message: &str, phrase: &str) -> Option<u64> {
    let rest = message.split_once(phrase)?.1;
    let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}

fn number_before(message: &str, phrase: &str) -> Option<u64> {
    let start = message.split_once(phrase)?.0;
    let digits = start.rfind(|letter: char| !letter.is_ascii_digit()).map_or(0, |at| at + 1);
    start.get(digits..).and_then(|number| number.parse().ok())
}

//! Messages about a conversation that does not fit the context window.

use super::messages::{Words, says};

/// Conversations that do not fit the context window. No code for it is in common use.
const OVERFLOW: &[Words] = &[
    &["maximum context length"],
    &["max context length"],
    &["maximum context limit"],
    &["maximum context size"],
    &["max_model_len"],
    &["max_seq_len"],
    &["maximum sequence length"],
    &["max sequence length"],
    &["maximum model length"],
    &["exceed", "context length"],
    &["exceed", "context window"],
    &["exceed", "context size"],
    &["exceed", "context limit"],
    &["longer than", "context length"],
    &["greater than", "context length"],
    &["larger than", "context"],
    &["context length", "exceeded"],
    &["context length is only"],
    &["context_length_exceeded"],
    &["context window", "exceed"],
    &["context window is full"],
    &["context size", "exceeded"],
    &["contextwindowexceeded"],
    &["context_window_exceeded"],
    &["maximum prompt length"],
    &["prompt is too long"],
    &["prompt too long"],
    &["prompt length", "exceed"],
    &["prompt exceeds"],
    &["prompt token", "exceed"],
    &["prompt has", "configured context size"],
    &["input is too long"],
    &["input too long"],
    &["input length", "exceed"],
    &["input length too long"],
    &["exceed", "input length"],
    &["range of input length"],
    &["input token", "exceed"],
    &["input token count", "only supports"],
    &["exceed", "input token"],
    &["max input characters"],
    &["max message tokens"],
    &["too many input tokens"],
    &["too many tokens"],
    &["too many total text bytes"],
    &["exceeds the maximum number of tokens"],
    &["tokens in request more than max tokens"],
    &["exceeded model token limit"],
    &["total tokens", "exceed"],
    &["model maximum"],
    &["too large for model"],
    &["request body too large"],
    &["request payload size exceeds"],
    &["request exceeds the maximum size"],
    &["reduce the length of the messages"],
    &["reduce the length of the input"],
    &["reduce the length of the prompt"],
    &["length of all messages is too long"],
    &["conversation is too long"],
    &["`inputs` must have less than"],
    &["`inputs` tokens + `max_new_tokens` must be"],
];

/// Words of errors that come from a quota, whatever else they say.
const OF_A_QUOTA: &[Words] =
    &[&["try again in "], &["retry after"], &["per minute"], &["per day"], &["quota"], &["rate limit"]];

/// Names of the limit for what the model may write. An error about that alone is none of the conversation's length.
const OUTPUT_LIMITS: [&str; 6] = [
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "maxoutputtokens",
    "completion tokens",
    "output tokens",
];

/// Names of what is asked.
const INPUT: [&str; 6] = ["input", "prompt", "message", "conversation", "request has", "request contains"];

/// Returns true if shortening the conversation may help.
pub(super) fn overflows(message: &str) -> bool {
    let names = |names: &[&str]| names.iter().any(|name| message.contains(name));
    says(message, OVERFLOW)
        && !says(message, OF_A_QUOTA)
        && (names(&INPUT) || !names(&OUTPUT_LIMITS))
        && !output_alone_is_too_long(message)
}

/// True where the response that is asked for fills the window by itself: shortening the conversation does not help.
fn output_alone_is_too_long(message: &str) -> bool {
    let window = ["context length is only ", "context length is ", "context window of ", "context length of "];
    let Some(window) = window.iter().find_map(|words| number_after(message, words)) else {
        return false;
    };
    let output = number_after(message, "is too large: ").or_else(|| {
        let ends = [" in the completion", " of the completion", " in the output", " output tokens"];
        ends.iter().find_map(|words| number_before(message, words))
    });
    output.is_some_and(|output| output >= window)
}

fn number_after(message: &str, words: &str) -> Option<u64> {
    let rest = message.split_once(words)?.1;
    let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}

fn number_before(message: &str, words: &str) -> Option<u64> {
    let start = message.split_once(words)?.0;
    let digits = start.rfind(|letter: char| !letter.is_ascii_digit()).map_or(0, |at| at + 1);
    start.get(digits..).and_then(|number| number.parse().ok())
}

//! Stop reasons and token usage, in the terms of both protocols.

use serde_json::{Value, json};
use strands_core::metrics::Usage;
use strands_core::models::StopReason;

/// Returns the finish reason of Chat Completions.
pub(super) fn finish_reason(reason: &StopReason) -> &'static str {
    match reason {
        StopReason::ContentFiltered | StopReason::GuardrailIntervened => "content_filter",
        _ if is_incomplete(reason) => "length",
        _ => "stop",
    }
}

/// Returns the reason for which a response of Responses is incomplete, if it has a name there.
pub(super) fn incomplete_reason(reason: &StopReason) -> Option<&'static str> {
    match reason {
        StopReason::ContentFiltered | StopReason::GuardrailIntervened => Some("content_filter"),
        StopReason::MaxTokens | StopReason::LimitOutputTokens | StopReason::LimitTotalTokens => {
            Some("max_output_tokens")
        }
        _ => None,
    }
}

/// Returns true if the response is not the whole one.
pub(super) fn is_incomplete(reason: &StopReason) -> bool {
    incomplete_reason(reason).is_some() || reason.is_limit() || *reason == StopReason::Cancelled
}

/// Returns the input tokens with those of the cache, as OpenAI counts them.
fn input_tokens(usage: &Usage) -> u64 {
    let cached = usage.cache_read_input_tokens.unwrap_or_default();
    let written = usage.cache_write_input_tokens.unwrap_or_default();
    usage.input_tokens.saturating_add(cached).saturating_add(written)
}

/// Returns the usage of Chat Completions.
pub(super) fn chat_usage(usage: &Usage) -> Value {
    let input = input_tokens(usage);
    json!({
        "prompt_tokens": input,
        "completion_tokens": usage.output_tokens,
        "total_tokens": input.saturating_add(usage.output_tokens),
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read_input_tokens.unwrap_or_default(),
            "cache_write_tokens": usage.cache_write_input_tokens.unwrap_or_default(),
        },
        "completion_tokens_details": {"reasoning_tokens": 0},
    })
}

/// Returns the usage of Responses.
pub(super) fn responses_usage(usage: &Usage) -> Value {
    let input = input_tokens(usage);
    json!({
        "input_tokens": input,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read_input_tokens.unwrap_or_default(),
            "cache_write_tokens": usage.cache_write_input_tokens.unwrap_or_default(),
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": input.saturating_add(usage.output_tokens),
    })
}

//! Token usage as attributes of a span.

use strands_core::metrics::Usage;

use crate::semconv;
use crate::span::OpenSpan;

/// Sets the attributes of token usage.
pub(super) fn set_usage(span: &OpenSpan, usage: Usage) {
    let prompt = count(usage.prompt_tokens());
    span.set(semconv::PROMPT_TOKENS, prompt);
    span.set(semconv::INPUT_TOKENS, prompt);
    span.set(semconv::COMPLETION_TOKENS, count(usage.output_tokens));
    span.set(semconv::OUTPUT_TOKENS, count(usage.output_tokens));
    span.set(semconv::TOTAL_TOKENS, count(usage.total_tokens));
}

/// Sets the cache usage that is known.
pub(super) fn set_cache_usage(span: &OpenSpan, usage: Usage, latest: bool) {
    for (tokens, name, legacy) in [
        (usage.cache_read_input_tokens, semconv::CACHE_READ_TOKENS, semconv::LEGACY_CACHE_READ_TOKENS),
        (usage.cache_write_input_tokens, semconv::CACHE_CREATION_TOKENS, semconv::LEGACY_CACHE_WRITE_TOKENS),
    ] {
        let Some(tokens) = tokens else { continue };
        span.set(name, count(tokens));
        if !latest {
            span.set(legacy, count(tokens));
        }
    }
}

/// Returns a number of tokens as an attribute has it.
fn count(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX)
}

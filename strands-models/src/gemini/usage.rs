//! Token usage of a response.

use serde::Deserialize;
use serde_json::value::RawValue;
use strands_core::metrics::Usage;

use crate::http::tolerant;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Counts {
    #[serde(deserialize_with = "tolerant::number")]
    prompt_token_count: Option<u64>,
    #[serde(deserialize_with = "tolerant::number")]
    tool_use_prompt_token_count: Option<u64>,
    #[serde(deserialize_with = "tolerant::number")]
    candidates_token_count: Option<u64>,
    #[serde(deserialize_with = "tolerant::number")]
    thoughts_token_count: Option<u64>,
    #[serde(deserialize_with = "tolerant::number")]
    cached_content_token_count: Option<u64>,
    #[serde(deserialize_with = "tolerant::number")]
    total_token_count: Option<u64>,
}

/// Converts token counts. Results of built-in tools are input, and reasoning is output. The provider includes cached tokens
/// in the prompt's count; they are counted separately here. The provider omits zero counts.
pub(super) fn usage(raw: &RawValue) -> Usage {
    let counts: Counts = tolerant::counts(raw);
    let sum = |one: Option<u64>, other: Option<u64>| one.unwrap_or_default().saturating_add(other.unwrap_or_default());
    let input = sum(counts.prompt_token_count, counts.tool_use_prompt_token_count);
    let output = sum(counts.candidates_token_count, counts.thoughts_token_count);
    let cached = counts.cached_content_token_count;
    Usage::new(input.saturating_sub(cached.unwrap_or_default()), output)
        .with_cache(cached, None)
        .with_total(counts.total_token_count.unwrap_or_else(|| input.saturating_add(output)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn usage(counts: &Value) -> Usage {
        super::usage(&serde_json::value::to_raw_value(counts).unwrap())
    }

    #[test]
    fn counts_reasoning_as_output_and_cached_tokens_separately() {
        let raw = json!({"promptTokenCount": 100, "toolUsePromptTokenCount": 20, "candidatesTokenCount": 5,
            "thoughtsTokenCount": 7, "cachedContentTokenCount": 60, "totalTokenCount": 132, "serviceTier": "standard"});
        assert_eq!(usage(&raw), Usage::new(60, 12).with_cache(Some(60), None).with_total(132));
        assert_eq!(usage(&json!({"promptTokenCount": 3})), Usage::new(3, 0));
        assert_eq!(usage(&json!(null)), Usage::default());
    }
}

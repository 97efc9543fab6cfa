//! Token usage of a response.

use serde_json::Value;
use strands_core::metrics::Usage;

use crate::http::tolerant;

/// Converts token counts. Results of built-in tools are input, and reasoning is output. The provider includes cached tokens
/// in the prompt's count; they are counted separately here. The provider omits zero counts.
pub(super) fn usage(raw: &Value) -> Usage {
    let count = |name: &str| raw.get(name).and_then(tolerant::count);
    let sum =
        |names: [&str; 2]| names.map(|name| count(name).unwrap_or_default()).into_iter().fold(0, u64::saturating_add);
    let input = sum(["promptTokenCount", "toolUsePromptTokenCount"]);
    let output = sum(["candidatesTokenCount", "thoughtsTokenCount"]);
    let cached = count("cachedContentTokenCount");
    Usage::new(input.saturating_sub(cached.unwrap_or_default()), output)
        .with_cache(cached, None)
        .with_total(count("totalTokenCount").unwrap_or_else(|| input.saturating_add(output)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn counts_reasoning_as_output_and_cached_tokens_separately() {
        let raw = json!({"promptTokenCount": 100, "toolUsePromptTokenCount": 20, "candidatesTokenCount": 5,
            "thoughtsTokenCount": 7, "cachedContentTokenCount": 60, "totalTokenCount": 132, "serviceTier": "standard"});
        assert_eq!(usage(&raw), Usage::new(60, 12).with_cache(Some(60), None).with_total(132));
        assert_eq!(usage(&json!({"promptTokenCount": 3})), Usage::new(3, 0));
        assert_eq!(usage(&json!(null)), Usage::default());
    }
}

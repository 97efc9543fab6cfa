//! What an answer cost.

use serde::Deserialize;
use serde_json::Value;
use strands_core::metrics::Usage;

/// Counts that are zero are left out.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Counts {
    prompt_token_count: Option<u64>,
    tool_use_prompt_token_count: Option<u64>,
    candidates_token_count: Option<u64>,
    thoughts_token_count: Option<u64>,
    cached_content_token_count: Option<u64>,
    total_token_count: Option<u64>,
}

/// The counts of a chunk, which are only text so far.
pub(super) fn usage_of(json: &str) -> Option<Usage> {
    Some(serde_json::from_str::<Counts>(json).ok()?.usage())
}

/// Results of the provider's tools are read, and thoughts are written. The provider counts tokens of its cache among the
/// prompt; we count them apart.
pub(super) fn usage(raw: &Value) -> Usage {
    Counts::deserialize(raw).unwrap_or_default().usage()
}

impl Counts {
    fn usage(self) -> Usage {
        let sum =
            |one: Option<u64>, other: Option<u64>| one.unwrap_or_default().saturating_add(other.unwrap_or_default());
        let input = sum(self.prompt_token_count, self.tool_use_prompt_token_count);
        let output = sum(self.candidates_token_count, self.thoughts_token_count);
        let cached = self.cached_content_token_count;
        Usage::new(input.saturating_sub(cached.unwrap_or_default()), output)
            .with_cache(cached, None)
            .with_total(self.total_token_count.unwrap_or_else(|| input.saturating_add(output)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn thoughts_are_written_results_are_read_and_the_cache_is_counted_apart() {
        let raw = json!({"promptTokenCount": 100, "toolUsePromptTokenCount": 20, "candidatesTokenCount": 5,
            "thoughtsTokenCount": 7, "cachedContentTokenCount": 60, "totalTokenCount": 132, "serviceTier": "standard"});
        assert_eq!(usage(&raw), Usage::new(60, 12).with_cache(Some(60), None).with_total(132));
        assert_eq!(usage(&json!({"promptTokenCount": 3})), Usage::new(3, 0));
        assert_eq!(usage(&json!(null)), Usage::default());
    }
}

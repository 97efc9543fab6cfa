//! Stop reasons that gateways pass through from the provider behind them, in the words of any protocol.

use strands_core::models::StopReason;

/// Returns the stop reason of a word for a limit or a filter, in any case.
pub(crate) fn limit_or_filter(word: &str) -> Option<StopReason> {
    match word.trim().to_ascii_lowercase().as_str() {
        "length" | "model_length" | "max_tokens" | "max_output_tokens" => Some(StopReason::MaxTokens),
        "content_filter" | "content_filtered" | "sensitive" | "safety" | "recitation" | "blocklist"
        | "prohibited_content" | "spii" | "refusal" => Some(StopReason::ContentFiltered),
        _ => None,
    }
}

/// Returns true for a word that stands for no reason. Some servers send one with every chunk.
#[cfg(any(test, feature = "_chat", feature = "anthropic"))]
pub(crate) fn is_none(word: &str) -> bool {
    ["", "null", "none"].contains(&&*word.trim().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_words_in_any_case() {
        for (word, expected) in [
            ("LENGTH", Some(StopReason::MaxTokens)),
            ("max_tokens", Some(StopReason::MaxTokens)),
            ("SAFETY", Some(StopReason::ContentFiltered)),
            ("stop", None),
            ("", None),
        ] {
            assert_eq!(limit_or_filter(word), expected, "{word}");
        }
        assert!([" ", "Null", "None"].into_iter().all(is_none) && !is_none("stop"));
    }
}

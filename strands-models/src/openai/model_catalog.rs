//! Model catalog of OpenAI: capabilities by model id.

/// Context windows of model families, in tokens. Among families with a common prefix the longest name comes first.
const CONTEXT_WINDOWS: [(&str, u64); 15] = [
    ("gpt-3.5", 16_385),
    ("gpt-4o", 128_000),
    ("gpt-4.1", 1_047_576),
    ("gpt-4-turbo", 128_000),
    ("gpt-5-pro", 128_000),
    ("gpt-5.4-mini", 272_000),
    ("gpt-5.4-nano", 272_000),
    ("gpt-5.4", 1_050_000),
    ("gpt-5.5", 1_050_000),
    ("gpt-5.6", 1_050_000),
    ("gpt-5", 272_000),
    ("gpt-6", 1_050_000),
    ("o1", 200_000),
    ("o3", 200_000),
    ("o4", 200_000),
];

/// Returns the id without the vendor prefix of gateways.
fn plain(model_id: &str) -> &str {
    model_id.strip_prefix("openai/").unwrap_or(model_id)
}

/// Returns the context window in tokens.
pub(super) fn context_window(model_id: &str) -> Option<u64> {
    let id = plain(model_id);
    CONTEXT_WINDOWS.iter().find(|(family, _)| is_of(id, family)).map(|(_, tokens)| *tokens)
}

/// Returns true for reasoning models. Other models refuse a request for encrypted reasoning.
pub(super) fn is_reasoning_model(model_id: &str) -> bool {
    let id = plain(model_id);
    let family = ["o1", "o3", "o4", "gpt-5", "gpt-6", "codex"].iter().any(|family| is_of(id, family));
    family && !id.contains("-chat")
}

/// Returns true for models that follow a JSON schema: all but OpenAI's first ones.
pub(super) fn follows_schemas(model_id: &str) -> bool {
    let id = plain(model_id);
    let able = ["gpt-4o", "gpt-4.1", "gpt-4.5", "gpt-5", "gpt-6", "o1", "o3", "o4", "codex"];
    able.iter().any(|family| is_of(id, family)) && !matches!(id, "o1-mini" | "o1-preview" | "gpt-4o-2024-05-13")
}

/// Returns true for ids of a family: `gpt-5.4-2026-03-05` is of `gpt-5.4`, and `gpt-50` is not of `gpt-5`.
fn is_of(id: &str, family: &str) -> bool {
    id.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.', ':', '@']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinguishes_families() {
        for (id, tokens) in [
            ("gpt-4o-mini", Some(128_000)),
            ("gpt-5.4", Some(1_050_000)),
            ("gpt-5.4-mini-2026-03-17", Some(272_000)),
            ("gpt-5.2", Some(272_000)),
            ("openai/gpt-4.1", Some(1_047_576)),
            ("o4-mini", Some(200_000)),
            ("gpt-50", None),
            ("llama-3.3-70b", None),
        ] {
            assert_eq!(context_window(id), tokens, "{id}");
        }
    }

    #[test]
    fn finds_reasoning_models() {
        for id in ["o3", "o4-mini", "gpt-5", "gpt-5.2-2025-12-11", "openai/gpt-5.4"] {
            assert!(is_reasoning_model(id), "{id}");
        }
        for id in ["gpt-4o", "gpt-4.1", "gpt-5-chat-latest", "grok-4.3", "o1x"] {
            assert!(!is_reasoning_model(id), "{id}");
        }
    }

    #[test]
    fn finds_models_that_follow_schemas() {
        for id in ["gpt-4o-mini", "gpt-5.4", "openai/gpt-4.1", "o3"] {
            assert!(follows_schemas(id), "{id}");
        }
        for id in ["gpt-4-turbo", "gpt-3.5-turbo", "o1-mini", "llama-3.3-70b"] {
            assert!(!follows_schemas(id), "{id}");
        }
    }
}

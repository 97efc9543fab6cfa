//! Properties of Anthropic's models by model id. Source: the overview of each model and its migration guide at
//! <https://platform.claude.com/docs/en/about-claude/models/overview>, November 2026.

/// Use of reasoning without a setting in the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReasoningDefault {
    /// No reasoning.
    Off,
    /// Reasoning, unless it is disabled.
    On,
    /// Reasoning that can't be disabled. Tool calls can't be forced.
    Always,
}

/// Properties of a model that requests depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Traits {
    /// Context window in tokens.
    pub(super) context_window: Option<u64>,
    /// Default of the max output tokens, which the API requires.
    pub(super) max_tokens: u32,
    pub(super) reasoning: ReasoningDefault,
    /// Reasoning is bound to the messages before it: the API rejects it if these have changed.
    pub(super) binds_reasoning: bool,
    /// Native structured output is supported.
    pub(super) structured_output: bool,
}

/// Default limit of the max output tokens. Builders can set more.
const DEFAULT_MAX_TOKENS: u32 = 64_000;

const fn model(context_window: u64, max_tokens: u32, reasoning: ReasoningDefault) -> Traits {
    let newest = !matches!(reasoning, ReasoningDefault::Off);
    Traits {
        context_window: Some(context_window),
        max_tokens,
        reasoning,
        binds_reasoning: false,
        structured_output: newest || context_window > 200_000,
    }
}

const fn structured(traits: Traits) -> Traits {
    Traits { structured_output: true, ..traits }
}

const fn bound(traits: Traits) -> Traits {
    Traits { binds_reasoning: true, ..traits }
}

/// Models of other vendors, on servers with the same protocol.
const UNKNOWN: Traits = Traits {
    context_window: None,
    max_tokens: 8_192,
    reasoning: ReasoningDefault::Off,
    binds_reasoning: false,
    structured_output: false,
};

const NEWEST: Traits = bound(model(1_000_000, DEFAULT_MAX_TOKENS, ReasoningDefault::Always));

const FAMILIES: [(&str, Traits); 25] = [
    ("claude-fable-5", model(1_000_000, DEFAULT_MAX_TOKENS, ReasoningDefault::Always)),
    ("claude-mythos-5", model(1_000_000, DEFAULT_MAX_TOKENS, ReasoningDefault::Always)),
    ("claude-mythos-preview", model(1_000_000, DEFAULT_MAX_TOKENS, ReasoningDefault::Always)),
    ("claude-haiku-5-5", bound(model(1_000_000, DEFAULT_MAX_TOKENS, ReasoningDefault::On))),
    ("claude-opus-5", model(1_000_000, DEFAULT_MAX_TOKENS, ReasoningDefault::On)),
    ("claude-sonnet-5", model(1_000_000, DEFAULT_MAX_TOKENS, ReasoningDefault::On)),
    ("claude-opus-4-8", model(1_000_000, DEFAULT_MAX_TOKENS, ReasoningDefault::Off)),
    ("claude-opus-4-7", model(1_000_000, DEFAULT_MAX_TOKENS, ReasoningDefault::Off)),
    ("claude-opus-4-6", model(1_000_000, DEFAULT_MAX_TOKENS, ReasoningDefault::Off)),
    ("claude-sonnet-4-6", model(1_000_000, DEFAULT_MAX_TOKENS, ReasoningDefault::Off)),
    ("claude-opus-4-5", structured(model(200_000, DEFAULT_MAX_TOKENS, ReasoningDefault::Off))),
    ("claude-sonnet-4-5", structured(model(200_000, DEFAULT_MAX_TOKENS, ReasoningDefault::Off))),
    ("claude-haiku-4-5", structured(model(200_000, DEFAULT_MAX_TOKENS, ReasoningDefault::Off))),
    ("claude-opus-4-1", model(200_000, 32_000, ReasoningDefault::Off)),
    ("claude-opus-4-0", model(200_000, 32_000, ReasoningDefault::Off)),
    ("claude-opus-4", model(200_000, 32_000, ReasoningDefault::Off)),
    ("claude-sonnet-4-0", model(200_000, DEFAULT_MAX_TOKENS, ReasoningDefault::Off)),
    ("claude-sonnet-4", model(200_000, DEFAULT_MAX_TOKENS, ReasoningDefault::Off)),
    ("claude-4-opus", model(200_000, 32_000, ReasoningDefault::Off)),
    ("claude-4-sonnet", model(200_000, DEFAULT_MAX_TOKENS, ReasoningDefault::Off)),
    ("claude-3-7-sonnet", model(200_000, DEFAULT_MAX_TOKENS, ReasoningDefault::Off)),
    ("claude-3-5-sonnet", model(200_000, 8_192, ReasoningDefault::Off)),
    ("claude-3-5-haiku", model(200_000, 8_192, ReasoningDefault::Off)),
    ("claude-3-opus", model(200_000, 4_096, ReasoningDefault::Off)),
    ("claude-3-haiku", model(200_000, 4_096, ReasoningDefault::Off)),
];

/// Prefixes of model lines. Unknown versions have the traits of the newest known model.
const LINES: [&str; 5] = ["claude-fable-", "claude-mythos-", "claude-opus-", "claude-sonnet-", "claude-haiku-"];

/// Returns the traits of a model. Gateways prefix the id with a vendor, and some write versions with a dot.
pub(super) fn traits(model_id: &str) -> Traits {
    let id = model_id.replace('.', "-");
    let id = id.find("claude-").and_then(|at| id.get(at..)).unwrap_or_default();
    if let Some((_, known)) = FAMILIES.iter().find(|(family, _)| is_of(id, family)) {
        return *known;
    }
    if LINES.iter().any(|line| id.starts_with(line)) { NEWEST } else { UNKNOWN }
}

/// `claude-opus-4-20250514` is of the family `claude-opus-4`, and `claude-opus-4-9` is another model.
fn is_of(id: &str, family: &str) -> bool {
    let Some(rest) = id.strip_prefix(family) else {
        return false;
    };
    let is_version = |word: &str| word.len() <= 2 && word.bytes().all(|byte| byte.is_ascii_digit());
    match rest.strip_prefix('-') {
        Some(more) => !more.split(['-', '@']).next().is_some_and(is_version),
        None => rest.is_empty() || rest.starts_with(['@', ':']),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_model_families() {
        for (id, context_window, max_tokens, reasoning) in [
            ("claude-sonnet-4-6", Some(1_000_000), 64_000, ReasoningDefault::Off),
            ("claude-sonnet-4-20250514", Some(200_000), 64_000, ReasoningDefault::Off),
            ("claude-opus-4-1-20250805", Some(200_000), 32_000, ReasoningDefault::Off),
            ("claude-opus-4-0", Some(200_000), 32_000, ReasoningDefault::Off),
            ("claude-haiku-4-5@20251001", Some(200_000), 64_000, ReasoningDefault::Off),
            ("claude-3-5-haiku-latest", Some(200_000), 8_192, ReasoningDefault::Off),
            ("anthropic/claude-haiku-5.5", Some(1_000_000), 64_000, ReasoningDefault::On),
            ("claude-opus-5", Some(1_000_000), 64_000, ReasoningDefault::On),
            ("claude-opus-5-5", Some(1_000_000), 64_000, ReasoningDefault::Always),
            ("claude-fable-5-2", Some(1_000_000), 64_000, ReasoningDefault::Always),
            ("us.anthropic.claude-haiku-4-5-20251001-v1:0", Some(200_000), 64_000, ReasoningDefault::Off),
            ("kimi-k2", None, 8_192, ReasoningDefault::Off),
        ] {
            let traits = traits(id);
            assert_eq!(
                (traits.context_window, traits.max_tokens, traits.reasoning),
                (context_window, max_tokens, reasoning),
                "{id}"
            );
        }
    }

    #[test]
    fn newer_models_bind_reasoning_to_the_conversation() {
        for id in ["claude-fable-5-1", "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-6"] {
            assert!(traits(id).binds_reasoning, "{id}");
        }
        for id in ["claude-fable-5", "claude-opus-5", "claude-sonnet-5", "claude-opus-4-8", "glm-5"] {
            assert!(!traits(id).binds_reasoning, "{id}");
        }
    }

    #[test]
    fn older_models_have_no_structured_output() {
        for (id, held) in
            [("claude-haiku-4-5", true), ("claude-opus-4-1", false), ("claude-opus-5-5", true), ("glm-5", false)]
        {
            assert_eq!(traits(id).structured_output, held, "{id}");
        }
    }
}

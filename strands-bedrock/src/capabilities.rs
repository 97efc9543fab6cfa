//! Model catalog: capabilities of each model family on Bedrock. No other module depends on the names of models.

use strands_core::message::ReasoningContent;

/// Reasoning of earlier turns that a model accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReasoningReplay {
    /// All reasoning; for unknown models.
    All,
    /// Reasoning text with the provider's signature, and redacted content.
    Signed,
    /// Reasoning text without a signature, and redacted content. Signatures are specific to Anthropic's models.
    Unsigned,
    /// Redacted content, but no reasoning text.
    RedactedOnly,
    /// No reasoning.
    Nothing,
}

impl ReasoningReplay {
    /// Returns true if the model accepts this reasoning.
    pub(crate) fn accepts(self, reasoning: &ReasoningContent) -> bool {
        let Some(text) = &reasoning.reasoning_text else {
            return self != Self::Nothing && reasoning.redacted_content.is_some();
        };
        let signature = text.signature.as_deref().unwrap_or_default();
        // Bedrock's signatures are not JSON. A JSON signature is from another provider, whose reasoning can't be replayed.
        if signature.starts_with('{') {
            return false;
        }
        let signed = !signature.is_empty();
        // Bedrock rejects blank text, except with a signature, which stands for reasoning that is not shown.
        if !signed && text.text.trim().is_empty() && reasoning.redacted_content.is_none() {
            return false;
        }
        match self {
            Self::All => true,
            Self::Signed => signed,
            Self::Unsigned => !signed,
            Self::RedactedOnly | Self::Nothing => false,
        }
    }
}

/// Capabilities of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capabilities {
    /// The model reads the status of tool results.
    pub(crate) tool_result_status: bool,
    /// JSON in tool results is sent as text, which the model understands better.
    pub(crate) json_results_as_text: bool,
    /// Reasoning that the model accepts.
    pub(crate) reasoning: ReasoningReplay,
    /// Cache points are placed automatically.
    pub(crate) automatic_caching: bool,
    /// Context window, in tokens.
    pub(crate) context_window: Option<u64>,
    /// Bedrock counts tokens for the model, or may do so.
    pub(crate) counts_tokens: bool,
    /// The model follows a JSON Schema (`outputConfig`); `None` if unknown. Source:
    /// <https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html>, November 2026.
    pub(crate) structured_output: Option<bool>,
}

/// Capabilities of models without a row in the table.
const OTHER: Capabilities = Capabilities {
    tool_result_status: false,
    json_results_as_text: false,
    reasoning: ReasoningReplay::Unsigned,
    automatic_caching: false,
    context_window: None,
    counts_tokens: true,
    structured_output: None,
};

/// Capabilities of models whose id does not name a vendor, such as application inference profiles.
const UNKNOWN: Capabilities = Capabilities { reasoning: ReasoningReplay::All, ..OTHER };

const CLAUDE: Capabilities =
    Capabilities { tool_result_status: true, reasoning: ReasoningReplay::Signed, automatic_caching: true, ..OTHER };

const NOVA: Capabilities = Capabilities { json_results_as_text: true, ..OTHER };

const NO_REASONING_TEXT: Capabilities = Capabilities { reasoning: ReasoningReplay::RedactedOnly, ..OTHER };

const fn window(tokens: u64, capabilities: Capabilities) -> Capabilities {
    Capabilities { context_window: Some(tokens), ..capabilities }
}

const fn uncounted(capabilities: Capabilities) -> Capabilities {
    Capabilities { counts_tokens: false, ..capabilities }
}

const fn structured(capabilities: Capabilities) -> Capabilities {
    Capabilities { structured_output: Some(true), ..capabilities }
}

/// Capabilities by prefix of the base model's id. The longest matching prefix applies.
const TABLE: &[(&str, Capabilities)] = &[
    ("ai21.", uncounted(OTHER)),
    ("amazon.nova-", NOVA),
    ("amazon.nova-2-lite", window(1_000_000, NOVA)),
    ("amazon.nova-2-pro", window(1_000_000, NOVA)),
    ("amazon.nova-lite", Capabilities { reasoning: ReasoningReplay::RedactedOnly, ..window(300_000, NOVA) }),
    ("amazon.nova-micro", window(128_000, NOVA)),
    ("amazon.nova-premier", window(1_000_000, NOVA)),
    ("amazon.nova-pro", Capabilities { reasoning: ReasoningReplay::RedactedOnly, ..window(300_000, NOVA) }),
    ("amazon.titan", uncounted(OTHER)),
    ("anthropic.", CLAUDE),
    ("anthropic.claude-3", window(200_000, CLAUDE)),
    ("anthropic.claude-fable-5", window(1_000_000, CLAUDE)),
    ("anthropic.claude-haiku-4-5", structured(window(200_000, CLAUDE))),
    ("anthropic.claude-haiku-5", window(1_000_000, CLAUDE)),
    ("anthropic.claude-mythos", window(1_000_000, CLAUDE)),
    ("anthropic.claude-opus-4-", window(1_000_000, CLAUDE)),
    ("anthropic.claude-opus-4-1", window(200_000, CLAUDE)),
    ("anthropic.claude-opus-4-2025", window(200_000, CLAUDE)),
    ("anthropic.claude-opus-4-5", structured(window(200_000, CLAUDE))),
    ("anthropic.claude-opus-4-6", structured(window(1_000_000, CLAUDE))),
    ("anthropic.claude-opus-5", window(1_000_000, CLAUDE)),
    ("anthropic.claude-sonnet-4-2025", window(1_000_000, CLAUDE)),
    ("anthropic.claude-sonnet-4-5", structured(window(200_000, CLAUDE))),
    ("anthropic.claude-sonnet-4-6", window(1_000_000, CLAUDE)),
    ("anthropic.claude-sonnet-5", window(1_000_000, CLAUDE)),
    ("cohere.", uncounted(OTHER)),
    ("deepseek.", uncounted(Capabilities { reasoning: ReasoningReplay::Nothing, ..OTHER })),
    ("google.", OTHER),
    ("google.gemma", NO_REASONING_TEXT),
    ("luma.", OTHER),
    ("meta.", uncounted(OTHER)),
    ("meta.llama", uncounted(NO_REASONING_TEXT)),
    ("minimax.", OTHER),
    ("mistral.", uncounted(OTHER)),
    ("mistral.devstral", uncounted(NO_REASONING_TEXT)),
    ("mistral.ministral", uncounted(NO_REASONING_TEXT)),
    ("mistral.mistral-large", uncounted(NO_REASONING_TEXT)),
    ("moonshot.", OTHER),
    ("moonshotai.", OTHER),
    ("nvidia.", OTHER),
    ("nvidia.nemotron-nano-9b", NO_REASONING_TEXT),
    ("nvidia.nemotron-super", NO_REASONING_TEXT),
    ("openai.", OTHER),
    ("openai.gpt-5", window(272_000, NO_REASONING_TEXT)),
    ("openai.gpt-5-pro", window(128_000, NO_REASONING_TEXT)),
    ("openai.gpt-5.4", window(1_050_000, NO_REASONING_TEXT)),
    ("openai.gpt-5.4-mini", window(272_000, NO_REASONING_TEXT)),
    ("openai.gpt-5.4-nano", window(272_000, NO_REASONING_TEXT)),
    ("openai.gpt-5.5", window(1_050_000, NO_REASONING_TEXT)),
    ("openai.gpt-5.6", window(1_050_000, NO_REASONING_TEXT)),
    ("openai.gpt-6", window(1_050_000, NO_REASONING_TEXT)),
    ("qwen.", OTHER),
    ("qwen.qwen3-235b", NO_REASONING_TEXT),
    ("qwen.qwen3-coder", NO_REASONING_TEXT),
    ("stability.", OTHER),
    ("twelvelabs.", OTHER),
    ("writer.", uncounted(OTHER)),
    ("writer.palmyra", uncounted(NO_REASONING_TEXT)),
    ("xai.", OTHER),
    ("xai.grok", NO_REASONING_TEXT),
    ("zai.", OTHER),
    ("zai.glm-4.7", window(203_000, OTHER)),
    ("zai.glm-5", window(200_000, OTHER)),
    ("zai.glm-5.3", window(1_000_000, OTHER)),
];

/// Returns the capabilities of a model. The id may have region prefixes, or be the ARN of a foundation model, a system
/// inference profile or a custom model.
pub(crate) fn of(model_id: &str) -> Capabilities {
    let id = model_id.to_ascii_lowercase();
    if let Some(base) = base_model(&id) {
        return row(base).unwrap_or(OTHER);
    }
    // Custom names, such as `my-claude` behind a gateway.
    if id.contains("claude") || id.contains("anthropic") {
        CLAUDE
    } else if id.contains("deepseek") {
        row("deepseek.").unwrap_or(OTHER)
    } else if id.starts_with("arn:") || !id.contains('.') {
        UNKNOWN
    } else {
        OTHER
    }
}

/// Returns the base model in an id, without region prefixes and ARN. Returns `None` if the id does not name a known vendor.
pub(crate) fn base_model(id: &str) -> Option<&str> {
    id.split('/').rev().find_map(|part| {
        let mut rest = part;
        loop {
            if row(rest).is_some() {
                return Some(rest);
            }
            rest = rest.split_once('.')?.1;
        }
    })
}

fn row(base: &str) -> Option<Capabilities> {
    TABLE
        .iter()
        .filter(|(prefix, _)| base.starts_with(prefix))
        .max_by_key(|(prefix, _)| prefix.len())
        .map(|(_, capabilities)| *capabilities)
}

#[cfg(test)]
mod tests {
    use strands_core::message::ReasoningContent;

    use super::*;

    #[test]
    fn finds_the_base_model_behind_region_prefixes_and_arns() {
        for id in [
            "anthropic.claude-sonnet-4-20250514-v1:0",
            "us.anthropic.claude-sonnet-4-20250514-v1:0",
            "us-gov.anthropic.claude-sonnet-4-20250514-v1:0",
            "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-4-20250514-v1:0",
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-20250514-v1:0",
        ] {
            assert_eq!(base_model(id), Some("anthropic.claude-sonnet-4-20250514-v1:0"), "{id}");
            assert_eq!(of(id).context_window, Some(1_000_000), "{id}");
        }
        let custom = "arn:aws:bedrock:us-east-1:123456789012:custom-model/amazon.nova-lite-v1:0:300k/abc";
        assert!(of(custom).json_results_as_text);
    }

    #[test]
    fn sends_all_reasoning_to_profiles_without_a_vendor() {
        let profile = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3";
        assert_eq!(base_model(profile), None);
        assert_eq!(of(profile), UNKNOWN);
        assert_eq!(of("my-profile"), UNKNOWN);
    }

    #[test]
    fn the_longest_prefix_applies() {
        assert_eq!(of("anthropic.claude-opus-4-7").context_window, Some(1_000_000));
        assert_eq!(of("anthropic.claude-opus-4-1-20250805-v1:0").context_window, Some(200_000));
        assert_eq!(of("openai.gpt-5.4-mini").context_window, Some(272_000));
        assert_eq!(of("us.amazon.nova-2-lite-v1:0").reasoning, ReasoningReplay::Unsigned);
    }

    #[test]
    fn knows_the_models_that_follow_schemas() {
        for (id, follows) in [
            ("us.anthropic.claude-haiku-4-5-20251001-v1:0", Some(true)),
            ("anthropic.claude-opus-4-6-v1", Some(true)),
            ("us.anthropic.claude-sonnet-4-20250514-v1:0", None),
            ("us.amazon.nova-pro-v1:0", None),
        ] {
            assert_eq!(of(id).structured_output, follows, "{id}");
        }
    }

    #[test]
    fn replays_reasoning_that_the_model_accepts() {
        let signed = ReasoningContent::text("hm", Some("sig".to_owned()));
        let unsigned = ReasoningContent::text("hm", None);
        let redacted = ReasoningContent::redacted(vec![1]);
        let foreign = ReasoningContent::text("hm", Some(r#"{"reasoning_item":{}}"#.to_owned()));
        assert!(!of("us.anthropic.claude-opus-5").reasoning.accepts(&foreign));
        let blank = |signature: Option<&str>| ReasoningContent::text(" ", signature.map(str::to_owned));
        assert!(!of("us.amazon.nova-2-lite-v1:0").reasoning.accepts(&blank(None)));
        assert!(of("us.anthropic.claude-opus-5").reasoning.accepts(&blank(Some("sig"))));
        let accepted = |id: &str| [&signed, &unsigned, &redacted].map(|r| of(id).reasoning.accepts(r));
        assert_eq!(accepted("us.anthropic.claude-opus-5"), [true, false, true]);
        assert_eq!(accepted("us.amazon.nova-pro-v1:0"), [false, false, true]);
        assert_eq!(accepted("us.deepseek.r1-v1:0"), [false, false, false]);
        assert_eq!(accepted("openai.gpt-oss-120b-1:0"), [false, true, true]);
        assert_eq!(accepted("arn:aws:bedrock:us-east-1:1:application-inference-profile/x"), [true, true, true]);
    }
}

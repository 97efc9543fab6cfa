//! Capabilities of each family of models on Bedrock: the one place that knows models by name.

use strands_core::message::ReasoningContent;

/// Reasoning from history that a model takes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReasoningReplay {
    /// All of them: nothing is known about the model.
    All,
    /// Those in words only with the provider's signature.
    Signed,
    /// Those in words only without a signature: signatures are Anthropic's.
    Unsigned,
    /// None in words.
    RedactedOnly,
    /// None.
    Nothing,
}

impl ReasoningReplay {
    /// Returns true if the model takes this reasoning back.
    pub(crate) fn accepts(self, reasoning: &ReasoningContent) -> bool {
        let Some(words) = &reasoning.reasoning_text else {
            return self != Self::Nothing && reasoning.redacted_content.is_some();
        };
        let signature = words.signature.as_deref().unwrap_or_default();
        // Bedrock's signatures are no JSON; one that is comes from another provider, whose thoughts mean nothing here.
        if signature.starts_with('{') {
            return false;
        }
        let signed = !signature.is_empty();
        // Blank text is refused here as anywhere else; a signature stands for reasoning that is not shown.
        if !signed && words.text.trim().is_empty() && reasoning.redacted_content.is_none() {
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
    /// The status of a tool result is part of what it reads.
    pub(crate) tool_result_status: bool,
    /// JSON in tool results confuses it, text does not.
    pub(crate) json_results_as_text: bool,
    /// Reasoning that it takes back.
    pub(crate) reasoning: ReasoningReplay,
    /// Cache points may be placed for the caller.
    pub(crate) automatic_caching: bool,
    /// Context window, in tokens.
    pub(crate) context_window: Option<u64>,
    /// Bedrock counts tokens for it, or may.
    pub(crate) counts_tokens: bool,
    /// It follows a JSON Schema (`outputConfig`); `None` where nothing is known. Source:
    /// <https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html>, November 2026.
    pub(crate) structured_output: Option<bool>,
}

/// A model that no row names.
const OTHER: Capabilities = Capabilities {
    tool_result_status: false,
    json_results_as_text: false,
    reasoning: ReasoningReplay::Unsigned,
    automatic_caching: false,
    context_window: None,
    counts_tokens: true,
    structured_output: None,
};

/// A model whose id does not even say whose it is, such as an application inference profile.
const UNKNOWN: Capabilities = Capabilities { reasoning: ReasoningReplay::All, ..OTHER };

const CLAUDE: Capabilities =
    Capabilities { tool_result_status: true, reasoning: ReasoningReplay::Signed, automatic_caching: true, ..OTHER };

const NOVA: Capabilities = Capabilities { json_results_as_text: true, ..OTHER };

const NO_THOUGHTS: Capabilities = Capabilities { reasoning: ReasoningReplay::RedactedOnly, ..OTHER };

const fn window(tokens: u64, capabilities: Capabilities) -> Capabilities {
    Capabilities { context_window: Some(tokens), ..capabilities }
}

const fn uncounted(capabilities: Capabilities) -> Capabilities {
    Capabilities { counts_tokens: false, ..capabilities }
}

const fn structured(capabilities: Capabilities) -> Capabilities {
    Capabilities { structured_output: Some(true), ..capabilities }
}

/// Base models by the beginning of their id; the longest beginning that fits wins.
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
    ("google.gemma", NO_THOUGHTS),
    ("luma.", OTHER),
    ("meta.", uncounted(OTHER)),
    ("meta.llama", uncounted(NO_THOUGHTS)),
    ("minimax.", OTHER),
    ("mistral.", uncounted(OTHER)),
    ("mistral.devstral", uncounted(NO_THOUGHTS)),
    ("mistral.ministral", uncounted(NO_THOUGHTS)),
    ("mistral.mistral-large", uncounted(NO_THOUGHTS)),
    ("moonshot.", OTHER),
    ("moonshotai.", OTHER),
    ("nvidia.", OTHER),
    ("nvidia.nemotron-nano-9b", NO_THOUGHTS),
    ("nvidia.nemotron-super", NO_THOUGHTS),
    ("openai.", OTHER),
    ("openai.gpt-5", window(272_000, NO_THOUGHTS)),
    ("openai.gpt-5-pro", window(128_000, NO_THOUGHTS)),
    ("openai.gpt-5.4", window(1_050_000, NO_THOUGHTS)),
    ("openai.gpt-5.4-mini", window(272_000, NO_THOUGHTS)),
    ("openai.gpt-5.4-nano", window(272_000, NO_THOUGHTS)),
    ("openai.gpt-5.5", window(1_050_000, NO_THOUGHTS)),
    ("openai.gpt-5.6", window(1_050_000, NO_THOUGHTS)),
    ("openai.gpt-6", window(1_050_000, NO_THOUGHTS)),
    ("qwen.", OTHER),
    ("qwen.qwen3-235b", NO_THOUGHTS),
    ("qwen.qwen3-coder", NO_THOUGHTS),
    ("stability.", OTHER),
    ("twelvelabs.", OTHER),
    ("writer.", uncounted(OTHER)),
    ("writer.palmyra", uncounted(NO_THOUGHTS)),
    ("xai.", OTHER),
    ("xai.grok", NO_THOUGHTS),
    ("zai.", OTHER),
    ("zai.glm-4.7", window(203_000, OTHER)),
    ("zai.glm-5", window(200_000, OTHER)),
    ("zai.glm-5.3", window(1_000_000, OTHER)),
];

/// Returns the capabilities of the model of this id. The id may have region prefixes, or be the ARN of a foundation model,
/// a system inference profile or a custom model.
pub(crate) fn of(model_id: &str) -> Capabilities {
    let id = model_id.to_ascii_lowercase();
    if let Some(base) = base_model(&id) {
        return row(base).unwrap_or(OTHER);
    }
    // Names given by hand, such as `my-claude` behind a gateway.
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

/// The base model in an id: without region prefixes, out of an ARN. `None` when the id names no vendor that we know.
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
    fn region_prefixes_and_arns_lead_to_the_base_model() {
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
    fn a_profile_that_names_nobody_loses_nothing() {
        let profile = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3";
        assert_eq!(base_model(profile), None);
        assert_eq!(of(profile), UNKNOWN);
        assert_eq!(of("my-profile"), UNKNOWN);
    }

    #[test]
    fn the_longest_name_wins() {
        assert_eq!(of("anthropic.claude-opus-4-7").context_window, Some(1_000_000));
        assert_eq!(of("anthropic.claude-opus-4-1-20250805-v1:0").context_window, Some(200_000));
        assert_eq!(of("openai.gpt-5.4-mini").context_window, Some(272_000));
        assert_eq!(of("us.amazon.nova-2-lite-v1:0").reasoning, ReasoningReplay::Unsigned);
    }

    #[test]
    fn models_that_are_documented_to_follow_schemas_are_known() {
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
    fn thoughts_are_replayed_where_they_are_accepted() {
        let signed = ReasoningContent::text("hm", Some("sig".to_owned()));
        let unsigned = ReasoningContent::text("hm", None);
        let redacted = ReasoningContent::redacted(vec![1]);
        let foreign = ReasoningContent::text("hm", Some(r#"{"reasoning_item":{}}"#.to_owned()));
        assert!(!of("us.anthropic.claude-opus-5").reasoning.accepts(&foreign));
        let blank = |signature: Option<&str>| ReasoningContent::text(" ", signature.map(str::to_owned));
        assert!(!of("us.amazon.nova-2-lite-v1:0").reasoning.accepts(&blank(None)));
        assert!(of("us.anthropic.claude-opus-5").reasoning.accepts(&blank(Some("sig"))));
        let takes = |id: &str| [&signed, &unsigned, &redacted].map(|r| of(id).reasoning.accepts(r));
        assert_eq!(takes("us.anthropic.claude-opus-5"), [true, false, true]);
        assert_eq!(takes("us.amazon.nova-pro-v1:0"), [false, false, true]);
        assert_eq!(takes("us.deepseek.r1-v1:0"), [false, false, false]);
        assert_eq!(takes("openai.gpt-oss-120b-1:0"), [false, true, true]);
        assert_eq!(takes("arn:aws:bedrock:us-east-1:1:application-inference-profile/x"), [true, true, true]);
    }
}

//! Settings of a request, without its conversation.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::model_catalog::{ReasoningDefault, Traits};
use super::prompt_cache::Caching;
use crate::ReasoningEffort;
use crate::http::{Sampling, ServerTools};

/// Reasoning of a model before its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Thinking {
    /// No reasoning. Models that always use reasoning refuse it.
    Disabled,
    /// Reasoning with a token budget. Models from Claude Opus 4.7 on refuse it: use [`Adaptive`](Self::Adaptive) and a
    /// [`ReasoningEffort`].
    Enabled {
        /// Maximum number of reasoning tokens: at least 1,024 and less than `max_tokens`.
        budget_tokens: u32,
    },
    /// Reasoning as the model decides, guided by the [`ReasoningEffort`].
    Adaptive,
    /// Brief reasoning, only between tool calls. Supported by Claude Sonnet 5.5.
    BetweenTools,
}

/// Display of a model's reasoning. Hidden reasoning is still signed, and is sent back to the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ThinkingDisplay {
    /// A summary.
    Summarized,
    /// No display. The response begins sooner.
    Omitted,
}

/// Handling of reasoning after a change in the conversation before it, as by a conversation manager that truncates it.
/// Newer models bind their reasoning to all content before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StaleThinking {
    /// The provider drops the reasoning and accepts the request.
    Drop,
    /// The provider refuses the request.
    Refuse,
}

/// Service tier of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServiceTier {
    /// Priority capacity if the account has some, else standard capacity.
    Auto,
    /// Standard capacity.
    StandardOnly,
}

impl ServiceTier {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::StandardOnly => "standard_only",
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) sampling: Sampling,
    pub(super) thinking: Option<Thinking>,
    pub(super) display: Option<ThinkingDisplay>,
    pub(super) stale_thinking: Option<StaleThinking>,
    pub(super) reasoning_effort: Option<ReasoningEffort>,
    pub(super) parallel_tool_calls: Option<bool>,
    pub(super) caching: Caching,
    pub(super) server_tools: ServerTools,
    pub(super) user_id: Option<String>,
    pub(super) service_tier: Option<ServiceTier>,
    pub(super) extra: Map<String, Value>,
}

/// `thinking` of a request.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ThinkingField {
    Disabled,
    Enabled {
        budget_tokens: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        display: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        block_binding: Option<Value>,
    },
    Adaptive {
        #[serde(skip_serializing_if = "Option::is_none")]
        display: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        block_binding: Option<Value>,
    },
    BetweenTools,
}

impl Settings {
    /// Returns true if the provider drops stale reasoning: as set, else on models that would refuse it.
    pub(super) fn drops_stale_thinking(&self, traits: &Traits) -> bool {
        let binds = matches!(self.thinking, None | Some(Thinking::Adaptive | Thinking::Enabled { .. }));
        let drop = self.stale_thinking.map(|stale| stale == StaleThinking::Drop);
        binds && drop.unwrap_or(traits.binds_reasoning)
    }

    /// Returns `thinking` of a request. A request that forces a tool call has no reasoning.
    pub(super) fn thinking(&self, traits: &Traits, forced: bool) -> Option<ThinkingField> {
        let display = self.display.map(|display| match display {
            ThinkingDisplay::Summarized => "summarized",
            ThinkingDisplay::Omitted => "omitted",
        });
        let drops = self.drops_stale_thinking(traits);
        let block_binding = drops.then(|| json!({"prefix_mismatch_behavior": "drop_block"}));
        if forced {
            return (traits.reasoning == ReasoningDefault::On).then_some(ThinkingField::Disabled);
        }
        match self.thinking {
            Some(Thinking::Disabled) => Some(ThinkingField::Disabled),
            Some(Thinking::Enabled { budget_tokens }) => {
                Some(ThinkingField::Enabled { budget_tokens, display, block_binding })
            }
            Some(Thinking::Adaptive) => Some(ThinkingField::Adaptive { display, block_binding }),
            Some(Thinking::BetweenTools) => Some(ThinkingField::BetweenTools),
            // The default is sent only with an option of it.
            None => (drops || display.is_some() && traits.reasoning != ReasoningDefault::Off)
                .then_some(ThinkingField::Adaptive { display, block_binding }),
        }
    }

    /// Returns `effort` of a request. Without reasoning it is at most high.
    pub(super) fn effort(&self, thinking: Option<&ThinkingField>) -> Option<&'static str> {
        let effort = self.reasoning_effort?;
        let disabled = matches!(thinking, Some(ThinkingField::Disabled));
        Some(if disabled { effort.min(ReasoningEffort::High) } else { effort }.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::super::model_catalog::traits;
    use super::*;

    fn field(settings: &Settings, model: &str, forced: bool) -> Value {
        serde_json::to_value(settings.thinking(&traits(model), forced)).unwrap()
    }

    #[test]
    fn disables_reasoning_for_forced_tool_calls() {
        let adaptive = Settings {
            thinking: Some(Thinking::Adaptive),
            reasoning_effort: Some(ReasoningEffort::Max),
            ..Settings::default()
        };
        assert_eq!(field(&adaptive, "claude-sonnet-4-6", false), json!({"type": "adaptive"}));
        assert_eq!(field(&adaptive, "claude-sonnet-4-6", true), Value::Null);
        assert_eq!(field(&adaptive, "claude-opus-5", true), json!({"type": "disabled"}));
        assert_eq!(adaptive.effort(Some(&ThinkingField::Disabled)), Some("high"), "more is refused without reasoning");
        assert_eq!(adaptive.effort(None), Some("max"));
    }

    #[test]
    fn drops_stale_reasoning_on_models_that_refuse_it() {
        let dropped = json!({"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "drop_block"}});
        assert_eq!(field(&Settings::default(), "claude-opus-5-5", false), dropped);
        assert_eq!(field(&Settings::default(), "claude-opus-5", false), Value::Null);
        let set = |stale_thinking| Settings { stale_thinking: Some(stale_thinking), ..Settings::default() };
        assert_eq!(field(&set(StaleThinking::Refuse), "claude-opus-5-5", false), Value::Null);
        assert_eq!(field(&set(StaleThinking::Drop), "claude-opus-5", false), dropped);
        let between = Settings { thinking: Some(Thinking::BetweenTools), ..Settings::default() };
        assert_eq!(field(&between, "claude-sonnet-5-5", false), json!({"type": "between_tools"}));
    }

    #[test]
    fn hides_reasoning() {
        let hidden = Settings { display: Some(ThinkingDisplay::Omitted), ..Settings::default() };
        assert_eq!(field(&hidden, "claude-opus-5", false), json!({"type": "adaptive", "display": "omitted"}));
        assert_eq!(field(&hidden, "claude-sonnet-4-6", false), Value::Null, "it has no reasoning by default");
        let budget = Settings { thinking: Some(Thinking::Enabled { budget_tokens: 2048 }), ..hidden };
        assert_eq!(
            field(&budget, "claude-sonnet-4-6", false),
            json!({"type": "enabled", "budget_tokens": 2048, "display": "omitted"})
        );
    }
}

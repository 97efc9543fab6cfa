//! Everything that shapes a request, beside the conversation.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::model_catalog::{ReasoningDefault, Traits};
use super::prompt_cache::Caching;
use crate::http::ServerTools;

/// Reasoning of a model before its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Thinking {
    /// Not at all. Models that always think refuse it.
    Disabled,
    /// With so many tokens at most, 1,024 at least and fewer than the answer may have. Models from Claude Opus 4.7 on
    /// refuse it, and want [`Adaptive`](Self::Adaptive) with an [`Effort`].
    Enabled {
        /// The most tokens to think with.
        budget_tokens: u32,
    },
    /// As much as the model itself thinks right; [`Effort`] says how hard it tries.
    Adaptive,
    /// Only between calls of tools, in brief. Known to Claude Sonnet 5.5.
    BetweenTools,
}

/// Display of a model's reasoning. Hidden reasoning is still signed, and goes back to the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ThinkingDisplay {
    /// Summed up.
    Summarized,
    /// Not at all, which lets the answer begin sooner.
    Omitted,
}

/// Handling of reasoning whose conversation was changed before it, as by a conversation manager that shortens it.
/// Newer models bind their reasoning to all that came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StaleThinking {
    /// The provider drops them, and the conversation goes on.
    Drop,
    /// The provider refuses the request.
    Refuse,
}

/// Effort of a model, in reasoning, text and tool calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Effort {
    /// As little as it can.
    Low,
    /// In between.
    Medium,
    /// As most models do by themselves.
    High,
    /// Harder.
    XHigh,
    /// As hard as it can.
    Max,
}

impl Effort {
    fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
        }
    }
}

/// Service tier of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServiceTier {
    /// Priority capacity where the account has some, else the standard.
    Auto,
    /// The standard.
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
    pub(super) max_tokens: Option<u32>,
    pub(super) temperature: Option<f64>,
    pub(super) top_p: Option<f64>,
    pub(super) top_k: Option<u32>,
    pub(super) stop_sequences: Option<Vec<String>>,
    pub(super) thinking: Option<Thinking>,
    pub(super) display: Option<ThinkingDisplay>,
    pub(super) stale_thinking: Option<StaleThinking>,
    pub(super) effort: Option<Effort>,
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
    /// Whether stale thoughts are to be dropped: as told, else where they would be refused.
    pub(super) fn drops_stale_thinking(&self, traits: &Traits) -> bool {
        let binds = matches!(self.thinking, None | Some(Thinking::Adaptive | Thinking::Enabled { .. }));
        let drop = self.stale_thinking.map(|stale| stale == StaleThinking::Drop);
        binds && drop.unwrap_or(traits.binds_reasoning)
    }

    /// `thinking` of a request. A model that is made to call a tool must not think, so then it does not.
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
            // What is so by itself is said where there is something to add to it.
            None => (drops || display.is_some() && traits.reasoning != ReasoningDefault::Off)
                .then_some(ThinkingField::Adaptive { display, block_binding }),
        }
    }

    /// How hard the model is to try. One that may not think can't try harder than hard.
    pub(super) fn effort(&self, thinking: Option<&ThinkingField>) -> Option<&'static str> {
        let effort = self.effort?;
        let most = if matches!(thinking, Some(ThinkingField::Disabled)) { Effort::High } else { Effort::Max };
        Some(effort.min(most).as_str())
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
    fn a_model_that_must_call_a_tool_does_not_think() {
        let adaptive =
            Settings { thinking: Some(Thinking::Adaptive), effort: Some(Effort::Max), ..Settings::default() };
        assert_eq!(field(&adaptive, "claude-sonnet-4-6", false), json!({"type": "adaptive"}));
        assert_eq!(field(&adaptive, "claude-sonnet-4-6", true), Value::Null);
        assert_eq!(field(&adaptive, "claude-opus-5", true), json!({"type": "disabled"}));
        assert_eq!(adaptive.effort(Some(&ThinkingField::Disabled)), Some("high"), "more is refused without thoughts");
        assert_eq!(adaptive.effort(None), Some("max"));
    }

    #[test]
    fn stale_thoughts_are_dropped_where_they_would_be_refused() {
        let dropped = json!({"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "drop_block"}});
        assert_eq!(field(&Settings::default(), "claude-opus-5-5", false), dropped);
        assert_eq!(field(&Settings::default(), "claude-opus-5", false), Value::Null);
        let told = |stale_thinking| Settings { stale_thinking: Some(stale_thinking), ..Settings::default() };
        assert_eq!(field(&told(StaleThinking::Refuse), "claude-opus-5-5", false), Value::Null);
        assert_eq!(field(&told(StaleThinking::Drop), "claude-opus-5", false), dropped);
        let between = Settings { thinking: Some(Thinking::BetweenTools), ..Settings::default() };
        assert_eq!(field(&between, "claude-sonnet-5-5", false), json!({"type": "between_tools"}));
    }

    #[test]
    fn thoughts_can_be_hidden() {
        let hidden = Settings { display: Some(ThinkingDisplay::Omitted), ..Settings::default() };
        assert_eq!(field(&hidden, "claude-opus-5", false), json!({"type": "adaptive", "display": "omitted"}));
        assert_eq!(field(&hidden, "claude-sonnet-4-6", false), Value::Null, "it does not think unless it is asked to");
        let budget = Settings { thinking: Some(Thinking::Enabled { budget_tokens: 2048 }), ..hidden };
        assert_eq!(
            field(&budget, "claude-sonnet-4-6", false),
            json!({"type": "enabled", "budget_tokens": 2048, "display": "omitted"})
        );
    }
}

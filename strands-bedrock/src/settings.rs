//! Types of a Bedrock model's options.

use std::sync::Arc;

use serde_json::{Map, Value};

/// Guardrail that Bedrock applies to requests and responses, with the handling of blocked text.
///
/// ```
/// use strands::models::bedrock::{Guardrail, GuardrailTrace};
///
/// let guardrail = Guardrail::new("gr-abc123", "1")
///     .trace(GuardrailTrace::EnabledFull)
///     .redact_output(true)
///     .latest_message(true);
/// # let _ = guardrail;
/// ```
#[derive(Clone, Debug)]
pub struct Guardrail {
    pub(crate) id: String,
    pub(crate) version: String,
    pub(crate) trace: GuardrailTrace,
    pub(crate) stream_mode: Option<GuardrailStreamMode>,
    pub(crate) redaction: Arc<Redaction>,
    pub(crate) latest_message: bool,
}

/// Handling of text that a guardrail blocks.
#[derive(Clone, Debug)]
pub(crate) struct Redaction {
    pub(crate) input: bool,
    pub(crate) input_message: String,
    pub(crate) output: bool,
    pub(crate) output_message: String,
}

impl Default for Redaction {
    fn default() -> Self {
        Self {
            input: true,
            input_message: "[User input redacted.]".to_owned(),
            output: false,
            output_message: "[Assistant output redacted.]".to_owned(),
        }
    }
}

impl Guardrail {
    /// Creates a guardrail from an id or ARN and a version (a number, or `DRAFT`).
    pub fn new(id: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            version: version.into(),
            trace: GuardrailTrace::Enabled,
            stream_mode: None,
            redaction: Arc::default(),
            latest_message: false,
        }
    }

    /// Trace of the guardrail in responses. Default: [`GuardrailTrace::Enabled`].
    #[must_use]
    pub fn trace(mut self, trace: GuardrailTrace) -> Self {
        self.trace = trace;
        self
    }

    /// Mode of the guardrail for streamed text. Default: Bedrock's.
    #[must_use]
    pub fn stream_processing_mode(mut self, mode: GuardrailStreamMode) -> Self {
        self.stream_mode = Some(mode);
        self
    }

    /// Replaces a blocked user message in the history, so that it is not blocked again in the next turn. Default: true.
    #[must_use]
    pub fn redact_input(mut self, redact: bool) -> Self {
        Arc::make_mut(&mut self.redaction).input = redact;
        self
    }

    /// Replacement of a blocked user message. Default: `[User input redacted.]`.
    #[must_use]
    pub fn redact_input_message(mut self, message: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.redaction).input_message = message.into();
        self
    }

    /// Replaces a blocked response in the history. The response may have been streamed before it was blocked. Default: false.
    #[must_use]
    pub fn redact_output(mut self, redact: bool) -> Self {
        Arc::make_mut(&mut self.redaction).output = redact;
        self
    }

    /// Replacement of a blocked response. Default: `[Assistant output redacted.]`.
    #[must_use]
    pub fn redact_output_message(mut self, message: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.redaction).output_message = message.into();
        self
    }

    /// Applies the guardrail to the last user message alone, instead of the whole conversation. Default: false.
    #[must_use]
    pub fn latest_message(mut self, latest: bool) -> Self {
        self.latest_message = latest;
        self
    }
}

/// Trace of a guardrail in responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GuardrailTrace {
    /// Detections only.
    Enabled,
    /// All assessments, also those without a detection.
    EnabledFull,
    /// No trace. Blocked text can't be distinguished from masked text then, and both are redacted.
    Disabled,
}

impl GuardrailTrace {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::EnabledFull => "enabled_full",
            Self::Disabled => "disabled",
        }
    }
}

/// Mode of a guardrail for streamed text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GuardrailStreamMode {
    /// Text is streamed after the guardrail has assessed it.
    Sync,
    /// Text is streamed at once; the guardrail may block it later.
    Async,
}

impl GuardrailStreamMode {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Async => "async",
        }
    }
}

/// Placement of cache points: after the tools, the system prompt and the last user message.
///
/// Bedrock refuses a time to live that exceeds that of an earlier cache point, in the order tools, system, messages.
///
/// ```
/// use strands::models::bedrock::{CacheConfig, CacheSection};
///
/// let cache = CacheConfig::new().ttl("1h").tools(CacheSection::On);
/// # let _ = cache;
/// ```
#[derive(Clone, Debug)]
pub struct CacheConfig {
    pub(crate) strategy: CacheStrategy,
    pub(crate) ttl: Option<String>,
    pub(crate) tools: CacheSection,
    pub(crate) system: CacheSection,
    pub(crate) messages: CacheSection,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl CacheConfig {
    /// Creates a placement after the system prompt and the last user message, for models that are known to support it.
    pub fn new() -> Self {
        Self {
            strategy: CacheStrategy::Auto,
            ttl: None,
            tools: CacheSection::Off,
            system: CacheSection::On,
            messages: CacheSection::On,
        }
    }

    /// Models for which cache points are placed. Default: [`CacheStrategy::Auto`].
    #[must_use]
    pub fn strategy(mut self, strategy: CacheStrategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// Time to live of the cache: `"5m"` or `"1h"`. Default: Bedrock's, which is five minutes.
    #[must_use]
    pub fn ttl(mut self, ttl: impl Into<String>) -> Self {
        self.ttl = Some(ttl.into());
        self
    }

    /// Cache point after the tools. Default: [`CacheSection::Off`]; the one after the system prompt includes the tools.
    #[must_use]
    pub fn tools(mut self, section: CacheSection) -> Self {
        self.tools = section;
        self
    }

    /// Cache point after the system prompt, unless the prompt has one. Default: [`CacheSection::On`].
    #[must_use]
    pub fn system(mut self, section: CacheSection) -> Self {
        self.system = section;
        self
    }

    /// Cache point in the last user message; those in earlier messages are removed. Default: [`CacheSection::On`].
    /// With [`CacheSection::Off`], cache points in messages are sent unchanged.
    #[must_use]
    pub fn messages(mut self, section: CacheSection) -> Self {
        self.messages = section;
        self
    }
}

/// Models for which cache points are placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheStrategy {
    /// Models that are known to support it: Anthropic's.
    Auto,
    /// All models, in the form for Anthropic's. For application inference profiles, unless
    /// [`base_model`](crate::BedrockModelBuilder::base_model) is set.
    Anthropic,
}

/// Cache point of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheSection {
    /// No cache point.
    Off,
    /// A cache point with the time to live of [`CacheConfig::ttl`].
    On,
    /// A cache point with another time to live: `"5m"` or `"1h"`.
    Ttl(String),
}

impl CacheSection {
    /// Returns the time to live, or `None` without a cache point.
    pub(crate) fn ttl<'a>(&'a self, inherited: Option<&'a str>) -> Option<Option<&'a str>> {
        match self {
            Self::Off => None,
            Self::On => Some(inherited),
            Self::Ttl(ttl) => Some(Some(ttl)),
        }
    }
}

/// Service tier of a request: its priority and price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServiceTier {
    /// Standard priority and price.
    Default,
    /// Higher priority at a higher price.
    Priority,
    /// Lower priority at a lower price.
    Flex,
    /// Reserved capacity.
    Reserved,
}

impl ServiceTier {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Priority => "priority",
            Self::Flex => "flex",
            Self::Reserved => "reserved",
        }
    }
}

/// Policy for the status of tool results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToolResultStatusPolicy {
    /// Sent to models that are known to accept it: Claude.
    #[default]
    Auto,
    /// Always sent.
    Always,
    /// Never sent.
    Never,
}

/// Settings of a request, without its conversation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) max_tokens: Option<u32>,
    pub(crate) temperature: Option<f64>,
    pub(crate) top_p: Option<f64>,
    pub(crate) stop_sequences: Option<Vec<String>>,
    pub(crate) service_tier: Option<ServiceTier>,
    pub(crate) strict_tools: bool,
    pub(crate) additional_request_fields: Map<String, Value>,
    pub(crate) additional_response_field_paths: Vec<String>,
    pub(crate) extra: Map<String, Value>,
    pub(crate) guardrail: Option<Guardrail>,
    pub(crate) tool_result_status: ToolResultStatusPolicy,
    pub(crate) cache: Option<CacheConfig>,
}

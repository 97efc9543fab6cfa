//! What a Bedrock model can be told, as types: a name that does not exist does not compile.

use serde_json::{Map, Value};

/// A guardrail that Bedrock applies to the call, and what becomes of text that it blocks.
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
    pub(crate) redaction: Redaction,
    pub(crate) latest_message: bool,
}

/// What becomes of text that a guardrail blocks.
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
    /// The guardrail of this id or ARN, in this version (a number, or `DRAFT`).
    pub fn new(id: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            version: version.into(),
            trace: GuardrailTrace::Enabled,
            stream_mode: None,
            redaction: Redaction::default(),
            latest_message: false,
        }
    }

    /// Trace of the guardrail in responses. Default: [`GuardrailTrace::Enabled`].
    #[must_use]
    pub fn trace(mut self, trace: GuardrailTrace) -> Self {
        self.trace = trace;
        self
    }

    /// Mode of the guardrail for streamed text. Default: what Bedrock does by itself.
    #[must_use]
    pub fn stream_processing_mode(mut self, mode: GuardrailStreamMode) -> Self {
        self.stream_mode = Some(mode);
        self
    }

    /// Replaces a blocked user message in history, so that it is not blocked again next turn. Default: true.
    #[must_use]
    pub fn redact_input(mut self, redact: bool) -> Self {
        self.redaction.input = redact;
        self
    }

    /// Text in place of a blocked user message. Default: `[User input redacted.]`.
    #[must_use]
    pub fn redact_input_message(mut self, message: impl Into<String>) -> Self {
        self.redaction.input_message = message.into();
        self
    }

    /// Replaces a blocked response in history. It was streamed before it was known to be blocked. Default: false.
    #[must_use]
    pub fn redact_output(mut self, redact: bool) -> Self {
        self.redaction.output = redact;
        self
    }

    /// Text in place of a blocked response. Default: `[Assistant output redacted.]`.
    #[must_use]
    pub fn redact_output_message(mut self, message: impl Into<String>) -> Self {
        self.redaction.output_message = message.into();
        self
    }

    /// Shows the guardrail only the last user message, instead of the whole conversation.
    /// Default: false.
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
    /// Nothing. Whether text was blocked or only masked is then not known, and both are redacted.
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
    /// Text is held back until the guardrail has seen it.
    Sync,
    /// Text is streamed at once; the guardrail may stop it later.
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

/// Cache points that are placed for the caller: behind the tools, the system prompt and the last user message.
///
/// Bedrock refuses a time to live that is longer than that of an earlier point, in the order tools, system, messages.
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
    /// Points behind the system prompt and the last user message, where the model is known to support them.
    pub fn new() -> Self {
        Self {
            strategy: CacheStrategy::Auto,
            ttl: None,
            tools: CacheSection::Off,
            system: CacheSection::On,
            messages: CacheSection::On,
        }
    }

    /// For which models points are placed. Default: [`CacheStrategy::Auto`].
    #[must_use]
    pub fn strategy(mut self, strategy: CacheStrategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// Time to live of the cache: `"5m"` or `"1h"`. Default: what Bedrock does by itself, which is five minutes.
    #[must_use]
    pub fn ttl(mut self, ttl: impl Into<String>) -> Self {
        self.ttl = Some(ttl.into());
        self
    }

    /// The point behind the tools. Default: [`CacheSection::Off`]; the point behind the system prompt covers the tools too.
    #[must_use]
    pub fn tools(mut self, section: CacheSection) -> Self {
        self.tools = section;
        self
    }

    /// The point behind the system prompt; one that the prompt itself has is kept. Default: [`CacheSection::On`].
    #[must_use]
    pub fn system(mut self, section: CacheSection) -> Self {
        self.system = section;
        self
    }

    /// The point in the last user message; points in earlier messages are taken out. Default: [`CacheSection::On`].
    /// When off, points in messages are sent as they are.
    #[must_use]
    pub fn messages(mut self, section: CacheSection) -> Self {
        self.messages = section;
        self
    }
}

/// For which models cache points are placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheStrategy {
    /// For those that are known to support it: Anthropic's.
    Auto,
    /// For any, in the way Anthropic's models want them. For application inference profiles, or use
    /// [`base_model`](crate::BedrockModelBuilder::base_model).
    Anthropic,
}

/// One of the places for a cache point.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheSection {
    /// No point.
    Off,
    /// A point that lives as long as [`CacheConfig::ttl`] says.
    On,
    /// A point with a time to live of its own: `"5m"` or `"1h"`.
    Ttl(String),
}

impl CacheSection {
    /// `None` when there is no point, else its time to live.
    pub(crate) fn ttl<'a>(&'a self, inherited: Option<&'a str>) -> Option<Option<&'a str>> {
        match self {
            Self::Off => None,
            Self::On => Some(inherited),
            Self::Ttl(ttl) => Some(Some(ttl)),
        }
    }
}

/// Service tier of a call: its priority, and its price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServiceTier {
    /// As usual.
    Default,
    /// Ahead of others, for more money.
    Priority,
    /// Behind others, for less money.
    Flex,
    /// On capacity that was reserved.
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
    /// For the models that are known to read it: Claude.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Everything that shapes a request, beside the conversation.
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

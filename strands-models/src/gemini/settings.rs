//! Settings of a request, without its conversation.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use strands_core::models::OutputSchema;
use strands_core::schema::SchemaDialect;

use crate::ReasoningEffort;
use crate::http::{self, Fields, Sampling, SamplingFields, ServerTools};

/// Category of a safety filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum HarmCategory {
    /// Harassment.
    #[serde(rename = "HARM_CATEGORY_HARASSMENT")]
    Harassment,
    /// Hate speech.
    #[serde(rename = "HARM_CATEGORY_HATE_SPEECH")]
    HateSpeech,
    /// Sexually explicit content.
    #[serde(rename = "HARM_CATEGORY_SEXUALLY_EXPLICIT")]
    SexuallyExplicit,
    /// Dangerous content.
    #[serde(rename = "HARM_CATEGORY_DANGEROUS_CONTENT")]
    DangerousContent,
    /// Content that may harm civic integrity, such as elections.
    #[serde(rename = "HARM_CATEGORY_CIVIC_INTEGRITY")]
    CivicIntegrity,
}

/// Threshold at which a safety filter blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum HarmBlockThreshold {
    /// A little.
    BlockLowAndAbove,
    /// Somewhat.
    BlockMediumAndAbove,
    /// Very.
    BlockOnlyHigh,
    /// It blocks nothing.
    BlockNone,
    /// It is off.
    Off,
}

/// One of the provider's filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct SafetySetting {
    pub(super) category: HarmCategory,
    pub(super) threshold: HarmBlockThreshold,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) sampling: Sampling,
    pub(super) reasoning_effort: Option<ReasoningEffort>,
    pub(super) thinking: Thinking,
    /// Fields of `generationConfig` without a setter.
    pub(super) generation: Map<String, Value>,
    pub(super) safety: Vec<SafetySetting>,
    pub(super) server_tools: ServerTools,
    pub(super) cached_content: Option<String>,
    pub(super) extra: Map<String, Value>,
}

/// `thinkingConfig` of a request, whose level is the reasoning effort.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Thinking {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) include_thoughts: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thinking_budget: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_level: Option<&'static str>,
}

impl Settings {
    fn thinking(&self) -> Thinking {
        let thinking_level = self.reasoning_effort.and_then(|effort| match effort {
            ReasoningEffort::Minimal => Some("MINIMAL"),
            ReasoningEffort::Low => Some("LOW"),
            ReasoningEffort::Medium => Some("MEDIUM"),
            ReasoningEffort::High => Some("HIGH"),
            // The builder rejects the others.
            _ => None,
        });
        Thinking { thinking_level, ..self.thinking }
    }
}

/// `generationConfig` of one request.
#[derive(Clone, Copy)]
pub(super) struct GenerationConfig<'a> {
    pub(super) settings: &'a Settings,
    pub(super) output: Option<&'a OutputSchema>,
}

impl GenerationConfig<'_> {
    /// Returns true if no field is set.
    pub(super) fn is_empty(&self) -> bool {
        let Settings { sampling, generation, .. } = self.settings;
        self.output.is_none()
            && *sampling == Sampling::default()
            && self.settings.thinking() == Thinking::default()
            && generation.is_empty()
    }
}

const SAMPLING: SamplingFields = SamplingFields {
    max_tokens: "maxOutputTokens",
    temperature: "temperature",
    top_p: "topP",
    top_k: "topK",
    seed: "seed",
    stop_sequences: "stopSequences",
};

/// Fields for the format of a response.
const FORMS: [&str; 3] = ["responseMimeType", "responseSchema", "responseJsonSchema"];

impl Serialize for GenerationConfig<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { settings, output } = self;
        // A response can have one format only.
        let is_form = |name: &str| output.is_some() && FORMS.contains(&name);
        let generation = http::without(&settings.generation, is_form);
        let mut fields = Fields { map: serializer.serialize_map(None)?, extra: &generation };
        settings.sampling.put(&mut fields, &SAMPLING)?;
        let thinking = settings.thinking();
        if thinking != Thinking::default() {
            fields.put("thinkingConfig", &thinking)?;
        }
        if let Some(output) = output {
            fields.put("responseMimeType", "application/json")?;
            let schema = output.rewritten("gemini", |schema| SchemaDialect::GEMINI.arguments(schema));
            fields.put("responseJsonSchema", &*schema)?;
        }
        fields.put_extra()?;
        fields.map.end()
    }
}

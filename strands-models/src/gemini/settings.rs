//! Everything that shapes a request beside the conversation.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use strands_core::models::OutputSchema;
use strands_core::schema::SchemaDialect;

use crate::http::{self, Fields, ServerTools};

/// Level of reasoning: Gemini 3 and later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum ThinkingLevel {
    /// As little as it can.
    Minimal,
    /// Little.
    Low,
    /// As much as most questions want.
    Medium,
    /// Much.
    High,
}

/// A category of a safety filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum HarmCategory {
    /// Bullying and threats.
    #[serde(rename = "HARM_CATEGORY_HARASSMENT")]
    Harassment,
    /// Hatred of groups.
    #[serde(rename = "HARM_CATEGORY_HATE_SPEECH")]
    HateSpeech,
    /// Sexually explicit content.
    #[serde(rename = "HARM_CATEGORY_SEXUALLY_EXPLICIT")]
    SexuallyExplicit,
    /// Content that helps to do harm.
    #[serde(rename = "HARM_CATEGORY_DANGEROUS_CONTENT")]
    DangerousContent,
    /// Content that harms elections.
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
    pub(super) max_output_tokens: Option<u32>,
    pub(super) temperature: Option<f64>,
    pub(super) top_p: Option<f64>,
    pub(super) top_k: Option<u32>,
    pub(super) stop_sequences: Option<Vec<String>>,
    pub(super) seed: Option<i32>,
    pub(super) thinking: Thinking,
    /// Fields of `generationConfig` that there is no method for.
    pub(super) generation: Map<String, Value>,
    pub(super) safety: Vec<SafetySetting>,
    pub(super) built_in_tools: ServerTools,
    pub(super) cached_content: Option<String>,
    pub(super) extra: Map<String, Value>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Thinking {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) include_thoughts: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thinking_budget: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thinking_level: Option<ThinkingLevel>,
}

/// `generationConfig` of one request.
#[derive(Clone, Copy)]
pub(super) struct GenerationConfig<'a> {
    pub(super) settings: &'a Settings,
    pub(super) output: Option<&'a OutputSchema>,
}

impl GenerationConfig<'_> {
    /// True where it would say nothing.
    pub(super) fn is_empty(&self) -> bool {
        let Settings {
            max_output_tokens, temperature, top_p, top_k, stop_sequences, seed, thinking, generation, ..
        } = self.settings;
        self.output.is_none()
            && max_output_tokens.is_none()
            && temperature.is_none()
            && top_p.is_none()
            && top_k.is_none()
            && stop_sequences.is_none()
            && seed.is_none()
            && *thinking == Thinking::default()
            && generation.is_empty()
    }
}

/// The fields that say what an answer must be.
const FORMS: [&str; 3] = ["responseMimeType", "responseSchema", "responseJsonSchema"];

impl Serialize for GenerationConfig<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { settings, output } = self;
        // An answer can be held to one form alone.
        let is_form = |name: &str| output.is_some() && FORMS.contains(&name);
        let generation = http::without(&settings.generation, is_form);
        let mut fields = Fields { map: serializer.serialize_map(None)?, extra: &generation };
        fields.put_some("temperature", settings.temperature.as_ref())?;
        fields.put_some("topP", settings.top_p.as_ref())?;
        fields.put_some("topK", settings.top_k.as_ref())?;
        fields.put_some("maxOutputTokens", settings.max_output_tokens.as_ref())?;
        fields.put_some("stopSequences", settings.stop_sequences.as_ref())?;
        fields.put_some("seed", settings.seed.as_ref())?;
        if settings.thinking != Thinking::default() {
            fields.put("thinkingConfig", &settings.thinking)?;
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

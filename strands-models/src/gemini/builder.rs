//! Builder of Gemini models.

use std::sync::Arc;

use serde_json::Value;
use strands_core::models::MessageSerializer;

use super::model_catalog::{self, Traits};
use super::settings::{HarmBlockThreshold, HarmCategory, SafetySetting, Settings};
use super::token_count::TokenCounter;
use super::{GeminiModel, Inner};
use crate::ReasoningEffort;
use crate::http::{
    ApiKey, Connection, DefaultEndpoint, Exchange, ModelBuildError, Options, http_setters, request_setters,
};

/// Default model of Strands' own harness for Google. `gemini-2.5-flash`, the default of Strands for
/// TypeScript, is [shut down][dates] on December 1, 2026.
///
/// [dates]: https://ai.google.dev/gemini-api/docs/deprecations
const DEFAULT_MODEL: &str = "gemini-3.5-flash";

const DEFAULT_ENDPOINT: DefaultEndpoint = DefaultEndpoint {
    base_url: "https://generativelanguage.googleapis.com/v1beta",
    base_url_variable: None,
    key_variables: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
};

/// Efforts that Gemini accepts.
const EFFORTS: [ReasoningEffort; 4] =
    [ReasoningEffort::Minimal, ReasoningEffort::Low, ReasoningEffort::Medium, ReasoningEffort::High];
const EXPECTED_EFFORT: &str = "`Minimal`, `Low`, `Medium` or `High`; to disable reasoning, use `.thinking_budget(0)`";

/// Builder for [`GeminiModel`]. `Debug` shows no secrets.
///
/// ```no_run
/// use strands::models::{GeminiModel, ReasoningEffort};
///
/// # fn example(token: String) -> Result<(), Box<dyn std::error::Error>> {
/// // The API key is in `GEMINI_API_KEY`.
/// let model = GeminiModel::builder().model_id("gemini-3.5-flash").reasoning_effort(ReasoningEffort::Low).build()?;
///
/// // On Google Cloud, with a token instead of an API key.
/// let cloud = GeminiModel::builder()
///     .base_url("https://aiplatform.googleapis.com/v1/projects/my-project/locations/global/publishers/google")
///     .header("authorization", format!("Bearer {token}"))
///     .build()?;
/// # let _ = (model, cloud); Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build()`"]
pub struct GeminiModelBuilder {
    options: Options,
    settings: Settings,
    native_token_count: bool,
}

impl Default for GeminiModelBuilder {
    fn default() -> Self {
        Self { options: Options::new(DEFAULT_MODEL), settings: Settings::default(), native_token_count: false }
    }
}

impl GeminiModelBuilder {
    http_setters! {
        model_id: "With or without the prefix `models/`. Default: `gemini-3.5-flash`.",
        api_key: "Default: the environment variable `GEMINI_API_KEY`, then `GOOGLE_API_KEY`, which are read only if no \
                  [`base_url`](Self::base_url) is set: an API key for another server has to be set along with its URL.",
        base_url: "Default: `https://generativelanguage.googleapis.com/v1beta`. For Google Cloud it ends in \
                   `/publishers/google`, and an `authorization` [`header`](Self::header) replaces the API key.",
    }

    request_setters! {
        max_tokens: "Sent as `maxOutputTokens`. Default: the model's maximum.",
        temperature: "0.0 to 2.0. Google recommends the default for Gemini 3; later models ignore it.",
        top_p: "",
        top_k: "",
        stop_sequences: "5 at most.",
        seed: "Less than 2³¹.",
        reasoning_effort: "`Minimal` to `High`, for Gemini 3 and later (`thinkingLevel`). Set one of this and \
                           [`thinking_budget`](Self::thinking_budget).",
        server_tool: "As in [the API](https://ai.google.dev/api/caching#Tool), along with the agent's tools.\n\n```\n\
                      # use serde_json::json;\n\
                      let builder = strands::models::GeminiModel::builder()\n    \
                          .server_tool(json!({\"googleSearch\": {}}))\n    \
                          .server_tool(json!({\"codeExecution\": {}}));\n\
                      # drop(builder);\n```",
    }

    /// Token budget of reasoning, for Gemini 2.5 (`thinkingBudget`). 0 disables reasoning, -1 lets the model decide.
    pub fn thinking_budget(mut self, tokens: i32) -> Self {
        self.settings.thinking.thinking_budget = Some(tokens);
        self
    }

    /// Requests summaries of the reasoning. Default: false.
    pub fn include_thoughts(mut self, include: bool) -> Self {
        self.settings.thinking.include_thoughts = Some(include);
        self
    }

    /// Sets the threshold of a safety filter. The last threshold of a category counts.
    pub fn safety_setting(mut self, category: HarmCategory, threshold: HarmBlockThreshold) -> Self {
        self.settings.safety.retain(|setting| setting.category != category);
        self.settings.safety.push(SafetySetting { category, threshold });
        self
    }

    /// Name of an existing cache, `cachedContents/…`. It contains a system prompt and tools, and the provider refuses others
    /// along with it: requests are sent without those of the agent, so create the cache with the same.
    pub fn cached_content(mut self, name: impl Into<String>) -> Self {
        self.settings.cached_content = Some(name.into());
        self
    }

    /// Sets a field of the body's `generationConfig` for which this version has no setter. It overrides other setters.
    pub fn generation_config(mut self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        self.settings.generation.insert(field.into(), value.into());
        self
    }

    /// Counts tokens with the provider instead of estimating them. Exact, at the price of one more request each time.
    /// Default: false. An estimate is returned if the provider can't count.
    pub fn native_token_count(mut self, native: bool) -> Self {
        self.native_token_count = native;
        self
    }

    /// Builds the model. Nothing is sent.
    ///
    /// # Errors
    ///
    /// Returns [`ModelBuildError`] for invalid options.
    pub fn build(self) -> Result<GeminiModel, ModelBuildError> {
        self.settings.sampling.check(0.0..=2.0, "from 0 to 2")?;
        self.settings.sampling.check_seed(i32::MAX.unsigned_abs().into(), "less than 2^31")?;
        ReasoningEffort::check(self.settings.reasoning_effort, &EFFORTS, EXPECTED_EFFORT)?;
        let exchange = self.open(|name| std::env::var(name).ok())?;
        let traits = Traits::of(&self.options.model_id, exchange.generation.endpoint.host());
        let context_window =
            self.options.context_window.or_else(|| model_catalog::context_window(&self.options.model_id));
        let settings = Settings { extra: self.options.extra, ..self.settings };
        let Exchanges { generation, counting } = exchange;
        let counting = self.native_token_count.then_some(TokenCounter { exchange: counting });
        let serializer = MessageSerializer::new();
        let inner = Inner { exchange: generation, counting, settings, traits, serializer, context_window };
        Ok(GeminiModel { inner: Arc::new(inner) })
    }

    fn open(&self, environment: impl Fn(&str) -> Option<String>) -> Result<Exchanges, ModelBuildError> {
        let Options { model_id, connection, streaming, .. } = &self.options;
        if model_catalog::name(model_id).trim().is_empty() {
            return Err(ModelBuildError::EmptyModelId);
        }
        let (base_url, api_key) = self.options.find_with_key(DEFAULT_ENDPOINT, &environment)?;
        let api_key = match &api_key {
            Some(key) => ApiKey::Header("x-goog-api-key", key),
            None => ApiKey::None,
        };
        let open = |method: &str, query: Option<(&str, &str)>| {
            // Nothing is sent during reasoning.
            let mut connection = Connection { long_idle: true, ..connection.clone() };
            connection.hints.not_found = "is the base URL right? it usually ends in `/v1beta`";
            connection.query.extend(query.map(|(name, value)| (name.to_owned(), value.to_owned().into())));
            let path = model_catalog::path(model_id, method);
            let path: Vec<&str> = path.iter().map(AsRef::as_ref).collect();
            self.options.open(&connection, &base_url, &path, api_key)
        };
        let generation = if *streaming {
            open("streamGenerateContent", Some(("alt", "sse")))?
        } else {
            open("generateContent", None)?
        };
        Ok(Exchanges { generation, counting: open("countTokens", None)? })
    }
}

struct Exchanges {
    generation: Exchange,
    counting: Exchange,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_reasoning() {
        let model = GeminiModelBuilder::default().api_key("k").build().unwrap();
        assert_eq!(model.inner.exchange.endpoint.idle_timeout().unwrap().as_secs(), 600);
    }

    #[test]
    fn rejects_options_that_the_provider_would_refuse() {
        let builder = || GeminiModelBuilder::default().api_key("k");
        for wrong in [
            builder().temperature(2.5),
            builder().seed(1 << 31),
            builder().reasoning_effort(ReasoningEffort::None),
            builder().reasoning_effort(ReasoningEffort::Max),
        ] {
            assert!(wrong.build().is_err());
        }
        assert!(builder().seed((1 << 31) - 1).reasoning_effort(ReasoningEffort::Minimal).build().is_ok());
    }
}

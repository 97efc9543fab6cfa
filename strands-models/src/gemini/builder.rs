//! How a model of Google's is told what to be.

use std::sync::Arc;

use serde_json::Value;
use strands_core::models::MessageSerializer;

use super::model_catalog::{self, Traits};
use super::settings::{HarmBlockThreshold, HarmCategory, SafetySetting, Settings, ThinkingLevel};
use super::token_count::TokenCounter;
use super::{GeminiModel, Inner};
use crate::http::{ApiKey, Connection, Exchange, ModelBuildError, Options, Place, check, http_options};

/// The model of Strands' own harness for Google, where none is named. `gemini-2.5-flash`, the default of Strands for
/// TypeScript, is [shut down][dates] on December 1, 2026.
///
/// [dates]: https://ai.google.dev/gemini-api/docs/deprecations
const DEFAULT_MODEL: &str = "gemini-3.5-flash";

const PLACE: Place = Place {
    base_url: "https://generativelanguage.googleapis.com/v1beta",
    base_url_variable: None,
    key_variables: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
};

/// Tells a [`GeminiModel`] what to be; [`GeminiModel::builder`] makes one.
///
/// `Debug` shows no key.
///
/// ```no_run
/// use strands::models::GeminiModel;
/// use strands::models::gemini::ThinkingLevel;
///
/// # fn example(token: String) -> Result<(), Box<dyn std::error::Error>> {
/// // With the key in `GEMINI_API_KEY`.
/// let model = GeminiModel::builder().model_id("gemini-3.5-flash").thinking_level(ThinkingLevel::Low).build()?;
///
/// // On Google Cloud, where a token stands in the place of a key.
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
    http_options! {
        model_id: "With or without `models/` before it. Default: `gemini-3.5-flash`.",
        api_key: "Default: the variable `GEMINI_API_KEY`, then `GOOGLE_API_KEY`, which are only read where \
                  [`base_url`](Self::base_url) was not given: another server's key has to be given beside its URL.",
        base_url: "Default: `https://generativelanguage.googleapis.com/v1beta`. For Google Cloud it goes up to \
                   `/publishers/google`, and an `authorization` [`header`](Self::header) stands in the place of the key.",
    }

    /// The most tokens that the model may write in one answer, thoughts included.
    pub fn max_output_tokens(mut self, tokens: u32) -> Self {
        self.settings.max_output_tokens = Some(tokens);
        self
    }

    /// Sampling temperature, from 0 to 2. Google advises against it for Gemini 3, and later
    /// models ignore it.
    pub fn temperature(mut self, temperature: f64) -> Self {
        self.settings.temperature = Some(temperature);
        self
    }

    /// Nucleus sampling (top-p), from 0 to 1.
    pub fn top_p(mut self, top_p: f64) -> Self {
        self.settings.top_p = Some(top_p);
        self
    }

    /// Top-k sampling: the number of likeliest tokens that the model chooses from.
    pub fn top_k(mut self, top_k: u32) -> Self {
        self.settings.top_k = Some(top_k);
        self
    }

    /// Words at which the model stops, 5 at most.
    pub fn stop_sequences(mut self, sequences: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.settings.stop_sequences = Some(sequences.into_iter().map(Into::into).collect());
        self
    }

    /// Seed: the same seed makes the same responses likelier.
    pub fn seed(mut self, seed: i32) -> Self {
        self.settings.seed = Some(seed);
        self
    }

    /// Level of reasoning. For Gemini 3 and later; one of this and
    /// [`thinking_budget`](Self::thinking_budget).
    pub fn thinking_level(mut self, level: ThinkingLevel) -> Self {
        self.settings.thinking.thinking_level = Some(level);
        self
    }

    /// Token budget of reasoning: 0 for none, -1 for as many as it likes. For Gemini 2.5.
    pub fn thinking_budget(mut self, tokens: i32) -> Self {
        self.settings.thinking.thinking_budget = Some(tokens);
        self
    }

    /// Asks for summaries of the reasoning. Default: false, as the provider has it.
    pub fn include_thoughts(mut self, include: bool) -> Self {
        self.settings.thinking.include_thoughts = Some(include);
        self
    }

    /// A filter of the provider's, and when it blocks. The last word on a category counts.
    pub fn safety_setting(mut self, category: HarmCategory, threshold: HarmBlockThreshold) -> Self {
        self.settings.safety.retain(|setting| setting.category != category);
        self.settings.safety.push(SafetySetting { category, threshold });
        self
    }

    /// A tool that the provider itself runs, beside the agent's own, as [the API][tools] has it. What it does is kept in
    /// the conversation and goes back to the provider.
    ///
    /// ```
    /// # use serde_json::json;
    /// let builder = strands::models::GeminiModel::builder()
    ///     .built_in_tool(json!({"googleSearch": {}}))
    ///     .built_in_tool(json!({"codeExecution": {}}));
    /// # drop(builder);
    /// ```
    ///
    /// [tools]: https://ai.google.dev/api/caching#Tool
    pub fn built_in_tool(mut self, tool: impl Into<Value>) -> Self {
        self.settings.built_in_tools.push(tool.into());
        self
    }

    /// A cache that was made before, `cachedContents/…`. It has a system prompt and tools of its own, beside which the
    /// provider refuses others: requests are sent without the agent's, so the cache has to be made with the same.
    pub fn cached_content(mut self, name: impl Into<String>) -> Self {
        self.settings.cached_content = Some(name.into());
        self
    }

    /// A field of the body's `generationConfig` that this version has no method for. It wins over what is sent
    /// otherwise.
    pub fn generation_config(mut self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        self.settings.generation.insert(field.into(), value.into());
        self
    }

    /// Has [`count_tokens`](strands_core::models::Model::count_tokens) ask the provider, which costs a request each
    /// time. Default: false, and it estimates; so it does where the provider does not answer.
    pub fn native_token_count(mut self, native: bool) -> Self {
        self.native_token_count = native;
        self
    }

    /// The model. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ModelBuildError`] for what can't be right.
    pub fn build(self) -> Result<GeminiModel, ModelBuildError> {
        check("temperature", self.settings.temperature, 0.0..=2.0, "from 0 to 2")?;
        check("top_p", self.settings.top_p, 0.0..=1.0, "from 0 to 1")?;
        let exchange = self.open(|name| std::env::var(name).ok())?;
        let traits = Traits::of(&self.options.model_id, exchange.answering.endpoint.host());
        let context_window =
            self.options.context_window.or_else(|| model_catalog::context_window(&self.options.model_id));
        let settings = Settings { extra: self.options.extra, ..self.settings };
        let Exchanges { answering, counting } = exchange;
        let counting = self.native_token_count.then_some(TokenCounter { exchange: counting });
        let serializer = MessageSerializer::new();
        let inner = Inner { exchange: answering, counting, settings, traits, serializer, context_window };
        Ok(GeminiModel { inner: Arc::new(inner) })
    }

    fn open(&self, environment: impl Fn(&str) -> Option<String>) -> Result<Exchanges, ModelBuildError> {
        let Options { model_id, connection, streaming, .. } = &self.options;
        if model_catalog::name(model_id).trim().is_empty() {
            return Err(ModelBuildError::EmptyModelId);
        }
        let (base_url, api_key) = self.options.find_with_key(PLACE, &environment)?;
        let api_key = match &api_key {
            Some(key) => ApiKey::Header("x-goog-api-key", key),
            None => ApiKey::None,
        };
        let open = |method: &str, query: Option<(&str, &str)>| {
            // Nothing is said while a model thinks.
            let mut connection = Connection { patient: true, ..connection.clone() };
            connection.hints.not_found = "is the base URL right? it usually ends in `/v1beta`";
            connection.query.extend(query.map(|(name, value)| (name.to_owned(), value.to_owned().into())));
            let path = model_catalog::path(model_id, method);
            let path: Vec<&str> = path.iter().map(AsRef::as_ref).collect();
            self.options.open(&connection, &base_url, &path, api_key)
        };
        let answering = if *streaming {
            open("streamGenerateContent", Some(("alt", "sse")))?
        } else {
            open("generateContent", None)?
        };
        Ok(Exchanges { answering, counting: open("countTokens", None)? })
    }
}

struct Exchanges {
    answering: Exchange,
    counting: Exchange,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_thinks_in_silence_is_waited_for() {
        let model = GeminiModelBuilder::default().api_key("k").build().unwrap();
        assert_eq!(model.inner.exchange.endpoint.silence().unwrap().as_secs(), 600);
    }
}

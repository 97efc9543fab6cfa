//! How a model of Anthropic's is told what to be.

use std::sync::Arc;

use serde_json::Value;
use strands_core::models::MessageSerializer;

use super::model_catalog::traits;
use super::prompt_cache::CacheTtl;
use super::settings::{Effort, ServiceTier, Settings, StaleThinking, Thinking, ThinkingDisplay};
use super::{AnthropicModel, Inner};
use crate::http::{ApiKey, Exchange, ModelBuildError, Options, Place, check, http_options};

/// The model of Strands for Anthropic, where none is named.
const DEFAULT_MODEL: &str = "claude-sonnet-4-6";
const ANTHROPIC: Place = Place {
    base_url: "https://api.anthropic.com",
    base_url_variable: Some("ANTHROPIC_BASE_URL"),
    key_variables: &["ANTHROPIC_API_KEY"],
};
const VERSION: (&str, &str) = ("anthropic-version", "2023-06-01");
const BETA: &str = "anthropic-beta";
/// Lets a request say what becomes of stale thoughts.
const BINDING_BETA: &str = "thinking-binding-controls-2026-08-01";

/// Tells an [`AnthropicModel`] what to be; [`AnthropicModel::builder`] makes one.
///
/// `Debug` shows no key.
///
/// ```no_run
/// use strands::models::AnthropicModel;
/// use strands::models::anthropic::{CacheTtl, Effort, Thinking};
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// // With the key in `ANTHROPIC_API_KEY`.
/// let model = AnthropicModel::builder()
///     .model_id("claude-sonnet-4-6")
///     .max_tokens(16_384)
///     .thinking(Thinking::Adaptive)
///     .effort(Effort::Medium)
///     .cache(CacheTtl::FiveMinutes)
///     .build()?;
///
/// // With a tool that Anthropic itself runs.
/// let searching = AnthropicModel::builder()
///     .server_tool(serde_json::json!({"type": "web_search_20250305", "name": "web_search", "max_uses": 3}))
///     .build()?;
/// # let _ = (model, searching); Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build()`"]
pub struct AnthropicModelBuilder {
    options: Options,
    settings: Settings,
    betas: Vec<String>,
    counts_tokens: bool,
}

impl Default for AnthropicModelBuilder {
    fn default() -> Self {
        let options = Options::new(DEFAULT_MODEL);
        Self { options, settings: Settings::default(), betas: Vec::new(), counts_tokens: false }
    }
}

impl AnthropicModelBuilder {
    http_options! {
        model_id: "Default: `claude-sonnet-4-6`.",
        api_key: "Default: the variable `ANTHROPIC_API_KEY`, which is only read where [`base_url`](Self::base_url) was not \
                  given: another server's key has to be given beside its URL.",
        base_url: "The version, `/v1`, may be left out. Default: the variable `ANTHROPIC_BASE_URL`, then \
                   `https://api.anthropic.com`.",
    }

    /// The most tokens that the model may write in one answer, thoughts included. Default: as many as the model can, and
    /// no more than 64,000.
    pub fn max_tokens(mut self, tokens: u32) -> Self {
        self.settings.max_tokens = Some(tokens);
        self
    }

    /// Sampling temperature, from 0 to 1. Models from Claude Opus 4.7 on take none.
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

    /// Words at which the model stops.
    pub fn stop_sequences(mut self, sequences: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.settings.stop_sequences = Some(sequences.into_iter().map(Into::into).collect());
        self
    }

    /// Reasoning before the response. Default: as the model does by itself. A model that is made to
    /// call a tool must not think, so for that one request it does not; a model that always thinks is asked to call
    /// instead of made to.
    pub fn thinking(mut self, thinking: Thinking) -> Self {
        self.settings.thinking = Some(thinking);
        self
    }

    /// Display of the model's reasoning. Default: as the model does by itself.
    pub fn thinking_display(mut self, display: ThinkingDisplay) -> Self {
        self.settings.display = Some(display);
        self
    }

    /// Handling of reasoning whose conversation was changed before it. Default: it is dropped, on models that would
    /// refuse it.
    pub fn stale_thinking(mut self, stale: StaleThinking) -> Self {
        self.settings.stale_thinking = Some(stale);
        self
    }

    /// Effort of the model (`output_config.effort`). Models before Claude 4.5 have no efforts.
    pub fn effort(mut self, effort: Effort) -> Self {
        self.settings.effort = Some(effort);
        self
    }

    /// Allows several tool calls in one response. Default: true.
    pub fn parallel_tool_calls(mut self, parallel: bool) -> Self {
        self.settings.parallel_tool_calls = Some(parallel);
        self
    }

    /// Has everything cached that comes before an answer: the tools, the system prompt and the conversation.
    pub fn cache(self, ttl: CacheTtl) -> Self {
        self.cache_tools(ttl).cache_system(ttl).cache_messages(ttl)
    }

    /// Has the tools cached. Cache points of the system prompt and of the conversation are kept beside this, four marks in
    /// all; what comes later is kept no longer than what comes before it.
    pub fn cache_tools(mut self, ttl: CacheTtl) -> Self {
        self.settings.caching.tools = Some(ttl);
        self
    }

    /// Has the system prompt cached, with the tools, which come before it.
    pub fn cache_system(mut self, ttl: CacheTtl) -> Self {
        self.settings.caching.system = Some(ttl);
        self
    }

    /// Has the conversation cached up to its last message, with everything before it.
    pub fn cache_messages(mut self, ttl: CacheTtl) -> Self {
        self.settings.caching.messages = Some(ttl);
        self
    }

    /// A tool that the provider itself runs, as JSON with its `type`, such as `web_search_20250305`. What it does stays in
    /// the conversation as content of the provider's own, and an answer that pauses for it is continued, ten times at
    /// most. It is left out where the model is made to call a tool.
    pub fn server_tool(mut self, tool: impl Into<Value>) -> Self {
        self.settings.server_tools.push(tool.into());
        self
    }

    /// A feature that is not for everybody yet (`anthropic-beta`).
    pub fn beta(mut self, beta: impl Into<String>) -> Self {
        self.betas.push(beta.into());
        self
    }

    /// Opaque id of the program's user (`metadata.user_id`).
    pub fn user_id(mut self, user_id: impl Into<String>) -> Self {
        self.settings.user_id = Some(user_id.into());
        self
    }

    /// Service tier of the requests.
    pub fn service_tier(mut self, tier: ServiceTier) -> Self {
        self.settings.service_tier = Some(tier);
        self
    }

    /// Has the provider count tokens, which is exact and one more request. Default: they are estimated.
    pub fn native_token_count(mut self, native: bool) -> Self {
        self.counts_tokens = native;
        self
    }

    /// The model. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ModelBuildError`] for what can't be right.
    pub fn build(self) -> Result<AnthropicModel, ModelBuildError> {
        self.build_with(&|name| std::env::var(name).ok())
    }

    fn build_with(self, environment: &dyn Fn(&str) -> Option<String>) -> Result<AnthropicModel, ModelBuildError> {
        check("temperature", self.settings.temperature, 0.0..=1.0, "from 0 to 1")?;
        check("top_p", self.settings.top_p, 0.0..=1.0, "from 0 to 1")?;
        self.check_thinking()?;
        for tool in self.settings.server_tools.iter() {
            let named = |name: &str| tool.get(name).and_then(Value::as_str).is_some_and(|word| !word.is_empty());
            if !named("type") || tool.get("input_schema").is_some() {
                return Err(ModelBuildError::InvalidServerTool);
            }
        }
        let traits = traits(&self.options.model_id);
        let exchange = self.open(&["messages"], environment)?;
        let token_counter = match self.counts_tokens {
            true => Some(Exchange { streaming: false, ..self.open(&["messages", "count_tokens"], environment)? }),
            false => None,
        };
        let extra = &self.options.extra;
        let has_own_tools = || ["tools", "mcp_servers", "container"].iter().any(|name| extra.contains_key(*name));
        let may_pause = !extra.contains_key("messages") && (!self.settings.server_tools.is_empty() || has_own_tools());
        let context_window = self.options.context_window.or(traits.context_window);
        let settings = Settings { extra: self.options.extra, ..self.settings };
        let serializer = MessageSerializer::new();
        let inner = Inner { exchange, token_counter, settings, traits, context_window, serializer, may_pause };
        Ok(AnthropicModel { inner: Arc::new(inner) })
    }

    fn check_thinking(&self) -> Result<(), ModelBuildError> {
        let Some(Thinking::Enabled { budget_tokens }) = self.settings.thinking else {
            return Ok(());
        };
        let most = self.settings.max_tokens.unwrap_or_else(|| traits(&self.options.model_id).max_tokens);
        let expected = "at least 1,024 and less than `max_tokens`";
        check("budget_tokens", Some(budget_tokens.into()), 1_024.0..=f64::from(most.saturating_sub(1)), expected)
    }

    fn open(&self, path: &[&str], environment: &dyn Fn(&str) -> Option<String>) -> Result<Exchange, ModelBuildError> {
        let (base_url, api_key) = self.options.find_with_key(ANTHROPIC, environment)?;
        let mut connection = self.options.connection.clone();
        connection.hints.not_found = "is the base URL right? `/v1` and what follows are put behind it";
        // The program's own headers come last, and win.
        let mut headers = vec![(VERSION.0.to_owned(), VERSION.1.to_owned().into())];
        let binding = self.settings.drops_stale_thinking(&traits(&self.options.model_id)).then_some(BINDING_BETA);
        let betas: Vec<&str> = self.betas.iter().map(String::as_str).chain(binding).collect();
        if !betas.is_empty() {
            headers.push((BETA.to_owned(), betas.join(",").into()));
        }
        connection.headers.splice(0..0, headers);
        let versioned = base_url.trim_end().trim_end_matches('/').ends_with("/v1");
        let path: Vec<&str> = if versioned { path.to_vec() } else { [&["v1"], path].concat() };
        let key = api_key.as_ref().map_or(ApiKey::None, |key| ApiKey::Header("x-api-key", key));
        self.options.open(&connection, &base_url, &path, key)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn build(builder: AnthropicModelBuilder) -> Result<AnthropicModel, ModelBuildError> {
        builder.build_with(&|name| (name == "ANTHROPIC_API_KEY").then(|| "secret-key".to_owned()))
    }

    #[test]
    fn a_model_is_built_with_the_key_of_the_environment_and_does_not_show_it() {
        let builder = AnthropicModel::builder();
        assert!(!format!("{builder:?}").contains("secret"));
        let model = build(builder).unwrap();
        assert_eq!(model.inner.exchange.endpoint.host(), "api.anthropic.com");
        assert!(!format!("{model:?}").contains("secret"));
        let missing = AnthropicModel::builder().build_with(&|_| None).unwrap_err();
        assert!(missing.to_string().contains("ANTHROPIC_API_KEY"), "{missing}");
    }

    #[test]
    fn what_the_provider_would_refuse_is_refused_before() {
        let builder = AnthropicModel::builder;
        for wrong in [
            builder().temperature(1.5),
            builder().top_p(-0.1),
            builder().thinking(Thinking::Enabled { budget_tokens: 1_000 }),
            builder().max_tokens(4_096).thinking(Thinking::Enabled { budget_tokens: 4_096 }),
            builder().server_tool(json!({"name": "web_search"})),
            builder().server_tool(json!({"type": "custom", "name": "x", "input_schema": {}})),
            builder().extra("model", "x"),
            builder().model_id(" "),
            builder().beta("a\nb"),
        ] {
            assert!(build(wrong).is_err());
        }
        let right = builder().max_tokens(4_096).thinking(Thinking::Enabled { budget_tokens: 2_048 });
        assert!(build(right).is_ok());
    }
}

//! Builder of Anthropic models.

use std::sync::Arc;

use serde_json::Value;
use strands_core::models::MessageSerializer;

use super::model_catalog::traits;
use super::prompt_cache::CacheTtl;
use super::settings::{ServiceTier, Settings, StaleThinking, Thinking, ThinkingDisplay};
use super::{AnthropicModel, Inner};
use crate::ReasoningEffort;
use crate::http::{ApiKey, DefaultEndpoint, Exchange, ModelBuildError, Options, check, http_setters, request_setters};

/// Default model of Strands for Anthropic.
const DEFAULT_MODEL: &str = "claude-sonnet-4-6";
const ANTHROPIC: DefaultEndpoint = DefaultEndpoint {
    base_url: "https://api.anthropic.com",
    base_url_variable: Some("ANTHROPIC_BASE_URL"),
    key_variables: &["ANTHROPIC_API_KEY"],
};
const VERSION: (&str, &str) = ("anthropic-version", "2023-06-01");
const BETA: &str = "anthropic-beta";
/// Beta feature for the handling of stale reasoning.
const BINDING_BETA: &str = "thinking-binding-controls-2026-08-01";

/// Efforts that Anthropic accepts.
const EFFORTS: [ReasoningEffort; 5] = [
    ReasoningEffort::Low,
    ReasoningEffort::Medium,
    ReasoningEffort::High,
    ReasoningEffort::XHigh,
    ReasoningEffort::Max,
];
const EXPECTED_EFFORT: &str = "`Low`, `Medium`, `High`, `XHigh` or `Max`";

/// Builder for [`AnthropicModel`]. `Debug` shows no secrets.
///
/// ```no_run
/// use strands::models::anthropic::{CacheTtl, Thinking};
/// use strands::models::{AnthropicModel, ReasoningEffort};
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// // The API key is in `ANTHROPIC_API_KEY`.
/// let model = AnthropicModel::builder()
///     .model_id("claude-sonnet-4-6")
///     .max_tokens(16_384)
///     .thinking(Thinking::Adaptive)
///     .reasoning_effort(ReasoningEffort::Medium)
///     .cache(CacheTtl::FiveMinutes)
///     .build()?;
///
/// // With a server tool, which Anthropic itself runs.
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
    http_setters! {
        model_id: "Default: `claude-sonnet-4-6`.",
        api_key: "Default: the environment variable `ANTHROPIC_API_KEY`, which is read only if no \
                  [`base_url`](Self::base_url) is set: an API key for another server has to be set along with its URL.",
        base_url: "`/v1` is appended if it is missing. Default: the environment variable `ANTHROPIC_BASE_URL`, then \
                   `https://api.anthropic.com`.",
    }

    request_setters! {
        max_tokens: "Default: the model's maximum, up to 64,000.",
        temperature: "0.0 to 1.0. Models from Claude Opus 4.7 on accept none.",
        top_p: "",
        top_k: "",
        stop_sequences: "",
        reasoning_effort: "`Low` to `Max`, for reasoning, text and tool calls (`output_config.effort`). Models before Claude 4.5 \
                           accept none. To disable reasoning, use [`thinking`](Self::thinking).",
        parallel_tool_calls: "Default: true.",
        server_tool: "For example `{\"type\": \"web_search_20250305\", \"name\": \"web_search\"}`. A response that pauses for \
                      the tool is continued, up to ten times. Requests that force a tool call are sent without server tools.",
    }

    /// Reasoning before the response. Default: the model's. A request that forces a tool call has no reasoning, since
    /// Anthropic refuses both together; a model that always uses reasoning is offered the tool instead.
    pub fn thinking(mut self, thinking: Thinking) -> Self {
        self.settings.thinking = Some(thinking);
        self
    }

    /// Display of the model's reasoning. Default: the model's.
    pub fn thinking_display(mut self, display: ThinkingDisplay) -> Self {
        self.settings.display = Some(display);
        self
    }

    /// Handling of reasoning after a change in the conversation before it. Default: it is dropped, on models that would
    /// refuse the request.
    pub fn stale_thinking(mut self, stale: StaleThinking) -> Self {
        self.settings.stale_thinking = Some(stale);
        self
    }

    /// Caches the whole prompt: tools, system prompt and conversation.
    pub fn cache(self, ttl: CacheTtl) -> Self {
        self.cache_tools(ttl).cache_system(ttl).cache_messages(ttl)
    }

    /// Caches the tools. Cache points in the system prompt and in the conversation remain, up to four in total. The time to
    /// live of a cache point is at most that of the one before it.
    pub fn cache_tools(mut self, ttl: CacheTtl) -> Self {
        self.settings.caching.tools = Some(ttl);
        self
    }

    /// Caches the system prompt, with the tools before it.
    pub fn cache_system(mut self, ttl: CacheTtl) -> Self {
        self.settings.caching.system = Some(ttl);
        self
    }

    /// Caches the conversation up to its last message, with everything before it.
    pub fn cache_messages(mut self, ttl: CacheTtl) -> Self {
        self.settings.caching.messages = Some(ttl);
        self
    }

    /// Enables a beta feature (`anthropic-beta`).
    pub fn beta(mut self, beta: impl Into<String>) -> Self {
        self.betas.push(beta.into());
        self
    }

    /// Opaque id of the end user (`metadata.user_id`).
    pub fn user_id(mut self, user_id: impl Into<String>) -> Self {
        self.settings.user_id = Some(user_id.into());
        self
    }

    /// Service tier of the requests.
    pub fn service_tier(mut self, tier: ServiceTier) -> Self {
        self.settings.service_tier = Some(tier);
        self
    }

    /// Counts tokens with the provider instead of estimating them. Exact, at the price of one more request each time.
    /// Default: false.
    pub fn native_token_count(mut self, native: bool) -> Self {
        self.counts_tokens = native;
        self
    }

    /// Builds the model. Nothing is sent.
    ///
    /// # Errors
    ///
    /// Returns [`ModelBuildError`] for invalid options.
    pub fn build(self) -> Result<AnthropicModel, ModelBuildError> {
        self.build_with(&|name| std::env::var(name).ok())
    }

    fn build_with(self, environment: &dyn Fn(&str) -> Option<String>) -> Result<AnthropicModel, ModelBuildError> {
        self.settings.sampling.check(0.0..=1.0, "from 0 to 1")?;
        ReasoningEffort::check(self.settings.reasoning_effort, &EFFORTS, EXPECTED_EFFORT)?;
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
        let most = self.settings.sampling.max_tokens.unwrap_or_else(|| traits(&self.options.model_id).max_tokens);
        let expected = "at least 1,024 and less than `max_tokens`";
        check("budget_tokens", Some(budget_tokens.into()), 1_024.0..=f64::from(most.saturating_sub(1)), expected)
    }

    fn open(&self, path: &[&str], environment: &dyn Fn(&str) -> Option<String>) -> Result<Exchange, ModelBuildError> {
        let (base_url, api_key) = self.options.find_with_key(ANTHROPIC, environment)?;
        let mut connection = self.options.connection.clone();
        connection.hints.not_found = "is the base URL right? `/v1` and the path are appended to it";
        // Headers of the program come last, and override these.
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
    fn reads_the_key_of_the_environment_and_hides_it() {
        let builder = AnthropicModel::builder();
        assert!(!format!("{builder:?}").contains("secret"));
        let model = build(builder).unwrap();
        assert_eq!(model.inner.exchange.endpoint.host(), "api.anthropic.com");
        assert!(!format!("{model:?}").contains("secret"));
        let missing = AnthropicModel::builder().build_with(&|_| None).unwrap_err();
        assert!(missing.to_string().contains("ANTHROPIC_API_KEY"), "{missing}");
    }

    #[test]
    fn rejects_options_that_the_provider_would_refuse() {
        let builder = AnthropicModel::builder;
        for wrong in [
            builder().temperature(1.5),
            builder().top_p(-0.1),
            builder().max_tokens(0),
            builder().reasoning_effort(ReasoningEffort::None),
            builder().reasoning_effort(ReasoningEffort::Minimal),
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

//! Builder of a Bedrock model.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_bedrockruntime::Client;
use secrecy::SecretString;
use serde_json::Value;
use strands_core::models::MessageSerializer;

use crate::capabilities;
use crate::client::Connection;
use crate::error::CallContext;
use crate::model::{BedrockModel, Inner};
use crate::settings::{CacheConfig, Guardrail, ServiceTier, Settings, ToolResultStatusPolicy};

/// Default model of Strands.
const DEFAULT_MODEL: &str = "global.anthropic.claude-sonnet-4-6";
const DEFAULT_MAX_RESPONSE: usize = 16 * 1024 * 1024;

/// Builder for [`BedrockModel`]. `Debug` shows no secrets.
///
/// ```no_run
/// use strands::models::BedrockModel;
/// use strands::models::bedrock::{CacheConfig, Guardrail};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let model = BedrockModel::builder()
///     .model_id("us.anthropic.claude-sonnet-4-5-20250929-v1:0")
///     .region("us-east-1")
///     .max_tokens(8_192)
///     .temperature(0.2)
///     .cache(CacheConfig::new())
///     .guardrail(Guardrail::new("gr-abc123", "1"))
///     .build()
///     .await?;
/// # let _ = model; Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until `build()`"]
pub struct BedrockModelBuilder {
    model_id: String,
    base_model: Option<String>,
    connection: Connection,
    sdk_config: Option<SdkConfig>,
    client: Option<Client>,
    settings: Settings,
    timeout: Option<Duration>,
    streaming: bool,
    context_window: Option<u64>,
    structured_output: Option<bool>,
    native_token_count: bool,
    max_response_bytes: usize,
}

/// An error returned by [`BedrockModelBuilder::build`].
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum BedrockBuildError {
    /// The model id is empty.
    #[error(
        "the model id is empty; set it with `.model_id(..)`, such as `us.anthropic.claude-haiku-4-5-20251001-v1:0`"
    )]
    EmptyModelId,
    /// The base URL is invalid.
    #[error("invalid base URL: it must start with `http://` or `https://` and name a host, without user or password")]
    InvalidBaseUrl,
    /// The API key would be sent over plain HTTP to a host that is not loopback.
    #[error("the API key would be sent over plain HTTP; use a base URL with `https://`")]
    PlaintextApiKey,
    /// A number is outside of Bedrock's range.
    #[error("`{field}` is {value}; it must be {expected}")]
    InvalidNumber {
        /// The builder's method.
        field: &'static str,
        /// The given value.
        value: f64,
        /// Description of the valid values.
        expected: &'static str,
    },
    /// A field that has a setter of its own.
    #[error("`extra` can't set `{field}`; use `.{method}(..)`")]
    ReservedField {
        /// The field.
        field: &'static str,
        /// The builder's method for it.
        method: &'static str,
    },
    /// Both a client and a configuration are set.
    #[error("`client` and `sdk_config` are both set; set one of them")]
    TwoClients,
}

strands_core::__debug_with_sources!(BedrockBuildError);

impl Default for BedrockModelBuilder {
    fn default() -> Self {
        Self {
            model_id: DEFAULT_MODEL.to_owned(),
            base_model: None,
            connection: Connection::default(),
            sdk_config: None,
            client: None,
            settings: Settings::default(),
            timeout: None,
            streaming: true,
            context_window: None,
            structured_output: None,
            native_token_count: false,
            max_response_bytes: DEFAULT_MAX_RESPONSE,
        }
    }
}

impl BedrockModelBuilder {
    /// Model id, id of an inference profile (`us.`, `eu.`, `global.` ..), or ARN.
    /// Default: `global.anthropic.claude-sonnet-4-6`.
    pub fn model_id(mut self, model_id: impl Into<String>) -> Self {
        self.model_id = model_id.into();
        self
    }

    /// Base model of [`model_id`](Self::model_id), if the id does not name it: for application inference profiles, and for
    /// provisioned or imported models. The model's capabilities are looked up by this id.
    ///
    /// ```no_run
    /// # use strands::models::BedrockModel;
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let model = BedrockModel::builder()
    ///     .model_id("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4")
    ///     .base_model("anthropic.claude-sonnet-4-5-20250929-v1:0")
    ///     .build()
    ///     .await?;
    /// # let _ = model; Ok(()) }
    /// ```
    pub fn base_model(mut self, base_model: impl Into<String>) -> Self {
        self.base_model = Some(base_model.into());
        self
    }

    /// AWS region. Default: `AWS_REGION`, `AWS_DEFAULT_REGION`, the profile's region, then `us-west-2`.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.connection.region = Some(region.into());
        self
    }

    /// Base URL of the endpoint, for a VPC endpoint, a gateway or a test server. Default: the region's endpoint, or the one in
    /// the AWS configuration (`AWS_ENDPOINT_URL_BEDROCK_RUNTIME`).
    pub fn base_url(mut self, base_url: impl Into<String>) -> Self {
        self.connection.base_url = Some(base_url.into());
        self
    }

    /// Bedrock API key, sent as a bearer token instead of a signature. Default: the environment variable
    /// `AWS_BEARER_TOKEN_BEDROCK`, then AWS credentials (environment, profile, SSO, web identity, container, instance).
    pub fn api_key(mut self, api_key: impl Into<SecretString>) -> Self {
        self.connection.api_key = Some(api_key.into());
        self
    }

    /// Configuration of the AWS SDK to start from: credentials, region, HTTP client and timeouts. Its retries are disabled,
    /// since the agent's loop retries. The model and its clones have a client of their own.
    pub fn sdk_config(mut self, config: &SdkConfig) -> Self {
        self.sdk_config = Some(config.clone());
        self
    }

    /// Client of the AWS SDK whose configuration to use. Its retries are disabled, since the agent's loop retries.
    pub fn client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    /// Maximum number of output tokens of one response, reasoning included. Default: the model's.
    pub fn max_tokens(mut self, tokens: u32) -> Self {
        self.settings.max_tokens = Some(tokens);
        self
    }

    /// Sampling temperature, 0.0 to 1.0.
    pub fn temperature(mut self, temperature: f64) -> Self {
        self.settings.temperature = Some(temperature);
        self
    }

    /// Nucleus sampling (top-p), 0.0 to 1.0.
    pub fn top_p(mut self, top_p: f64) -> Self {
        self.settings.top_p = Some(top_p);
        self
    }

    /// Stop sequences: texts at which the model stops.
    pub fn stop_sequences(mut self, sequences: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.settings.stop_sequences = Some(sequences.into_iter().map(Into::into).collect());
        self
    }

    /// Streams responses (ConverseStream); with `false`, each response is one document (Converse). Default: true.
    pub fn streaming(mut self, streaming: bool) -> Self {
        self.streaming = streaming;
        self
    }

    /// Service tier of the requests: their priority and price.
    pub fn service_tier(mut self, tier: ServiceTier) -> Self {
        self.settings.service_tier = Some(tier);
        self
    }

    /// Enforces the tools' schemas on the arguments of tool calls. Default: false, except for tools that are strict
    /// themselves.
    pub fn strict_tools(mut self, strict: bool) -> Self {
        self.settings.strict_tools = strict;
        self
    }

    /// Sets a field that Converse passes to the model (`additionalModelRequestFields`), such as `thinking` or `top_k`. Fields of
    /// Converse itself are set with [`extra`](Self::extra).
    ///
    /// `thinking` is omitted from requests that force a tool call, since Bedrock refuses both together.
    ///
    /// ```
    /// # use strands::models::BedrockModel;
    /// use serde_json::json;
    ///
    /// let builder = BedrockModel::builder()
    ///     .additional_request_field("thinking", json!({"type": "enabled", "budget_tokens": 4_096}))
    ///     .additional_request_field("anthropic_beta", json!(["interleaved-thinking-2025-05-14"]));
    /// # let _ = builder;
    /// ```
    pub fn additional_request_field(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.settings.additional_request_fields.insert(name.into(), value.into());
        self
    }

    /// Fields of the model's own response to return, as JSON pointers such as `/stop_sequence`.
    pub fn additional_response_field_paths(mut self, paths: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.settings.additional_response_field_paths = paths.into_iter().map(Into::into).collect();
        self
    }

    /// Sets a field of the request's body for which this version has no setter. It overrides every other setter. Fields that
    /// Converse passes to the model are set with [`additional_request_field`](Self::additional_request_field).
    ///
    /// ```
    /// # use strands::models::BedrockModel;
    /// let builder = BedrockModel::builder()
    ///     .extra("requestMetadata", serde_json::json!({"team": "travel"}));
    /// # let _ = builder;
    /// ```
    pub fn extra(mut self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        self.settings.extra.insert(field.into(), value.into());
        self
    }

    /// Guardrail to apply to requests and responses.
    pub fn guardrail(mut self, guardrail: Guardrail) -> Self {
        self.settings.guardrail = Some(guardrail);
        self
    }

    /// Policy for the status of tool results. Default: sent to models that accept it.
    pub fn tool_result_status(mut self, policy: ToolResultStatusPolicy) -> Self {
        self.settings.tool_result_status = policy;
        self
    }

    /// Prompt caching: places cache points. Default: only the cache points of the conversation are sent.
    pub fn cache(mut self, cache: CacheConfig) -> Self {
        self.settings.cache = Some(cache);
        self
    }

    /// Context window in tokens. Default: that of the model, if it is known.
    pub fn context_window(mut self, tokens: u64) -> Self {
        self.context_window = Some(tokens);
        self
    }

    /// Uses the model's native structured output (`outputConfig`). Default: true for models that AWS documents to have it; for
    /// others it is tried after the model has refused a forced tool call.
    ///
    /// With `false`, an agent that asks for structured output forces a tool call instead. After a model has refused
    /// `outputConfig`, it counts as one without.
    ///
    /// ```
    /// # use strands::models::BedrockModel;
    /// let builder = BedrockModel::builder().model_id("openai.gpt-oss-120b-1:0").structured_output(true);
    /// # let _ = builder;
    /// ```
    pub fn structured_output(mut self, enabled: bool) -> Self {
        self.structured_output = Some(enabled);
        self
    }

    /// Counts tokens with Bedrock instead of estimating them, which requires the permission `bedrock:CountTokens`. An estimate is
    /// returned if Bedrock can't count. Default: false.
    pub fn native_token_count(mut self, native: bool) -> Self {
        self.native_token_count = native;
        self
    }

    /// Timeout for connecting. Default: 10 seconds.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connection.connect_timeout = Some(timeout);
        self
    }

    /// Idle timeout: the longest time without a byte, before and within the response. Default: 120 seconds. It does not limit
    /// the duration of a response: see [`timeout`](Self::timeout).
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.connection.idle_timeout = Some(timeout);
        self
    }

    /// Total timeout of one call, from the request to the end of the response, streamed or not, including the search for
    /// credentials. Each retry of an agent is a call of its own. Default: none.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Maximum size of a response, in bytes of content. Default: 16 MiB.
    pub fn max_response_bytes(mut self, bytes: usize) -> Self {
        self.max_response_bytes = bytes;
        self
    }

    /// Builds the model. Nothing is sent; the first request looks for credentials.
    ///
    /// Unlike that of the other builders it is asynchronous, because the AWS SDK reads its configuration files
    /// asynchronously. The region and the client are known afterwards, so that models with the same configuration share the
    /// client, and what it has learned about models, from the first request on.
    ///
    /// # Errors
    ///
    /// Returns [`BedrockBuildError`] for invalid options.
    pub async fn build(self) -> Result<BedrockModel, BedrockBuildError> {
        // The SDK's futures for its configuration files are large, and a task has the size of all futures in it.
        Box::pin(self.into_model()).await
    }

    async fn into_model(self) -> Result<BedrockModel, BedrockBuildError> {
        self.check()?;
        let shared = match (&self.client, &self.sdk_config) {
            (Some(client), _) => Arc::new(self.connection.like(client)),
            (None, Some(config)) => Arc::new(self.connection.over(config)),
            (None, None) => self.connection.clone().shared().await,
        };
        let known_as = self.base_model.as_deref().unwrap_or(&self.model_id);
        let capabilities = capabilities::of(known_as);
        let region = shared.client.config().region().map(|region| region.as_ref().to_owned());
        Ok(BedrockModel::new(Inner {
            context: Arc::new(CallContext { model_id: self.model_id, region, api_key: self.connection.api_key }),
            base_model: self.base_model,
            capabilities,
            context_window: self.context_window.or(capabilities.context_window),
            structured_output: self.structured_output.or(capabilities.structured_output),
            settings: self.settings,
            serializer: MessageSerializer::new(),
            timeout: self.timeout,
            streaming: self.streaming,
            native_token_count: self.native_token_count,
            max_response_bytes: self.max_response_bytes,
            shared,
        }))
    }

    fn check(&self) -> Result<(), BedrockBuildError> {
        if self.model_id.trim().is_empty() {
            return Err(BedrockBuildError::EmptyModelId);
        }
        if self.client.is_some() && self.sdk_config.is_some() {
            return Err(BedrockBuildError::TwoClients);
        }
        check_base_url(&self.connection)?;
        if let Some(tokens) = self.settings.max_tokens.filter(|tokens| *tokens == 0) {
            let (field, value) = ("max_tokens", f64::from(tokens));
            return Err(BedrockBuildError::InvalidNumber { field, value, expected: "at least 1" });
        }
        for (field, value) in [("temperature", self.settings.temperature), ("top_p", self.settings.top_p)] {
            if let Some(value) = value.filter(|value| !(0.0..=1.0).contains(value)) {
                return Err(BedrockBuildError::InvalidNumber { field, value, expected: "from 0 to 1" });
            }
        }
        for (field, method) in [("modelId", "model_id"), ("additionalModelRequestFields", "additional_request_field")] {
            if self.settings.extra.contains_key(field) {
                return Err(BedrockBuildError::ReservedField { field, method });
            }
        }
        Ok(())
    }
}

/// Checks the base URL, which gets the API key.
pub(crate) fn check_base_url(connection: &Connection) -> Result<(), BedrockBuildError> {
    let Some(url) = connection.base_url.as_deref() else { return Ok(()) };
    if !is_base_url(url) {
        return Err(BedrockBuildError::InvalidBaseUrl);
    }
    let has_key = connection.api_key.is_some() || std::env::var_os("AWS_BEARER_TOKEN_BEDROCK").is_some();
    match url.strip_prefix("http://") {
        Some(rest) if has_key && !is_loopback(rest) => Err(BedrockBuildError::PlaintextApiKey),
        _ => Ok(()),
    }
}

/// Returns true if a URL without its scheme names this machine.
fn is_loopback(rest: &str) -> bool {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn is_base_url(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")) else {
        return false;
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    !host.is_empty() && !host.contains('@') && !url.contains(char::is_whitespace)
}

/// Returns a URL without its query, or nothing of one that may contain a password.
fn without_secrets(url: &str) -> &str {
    if is_base_url(url) { url.split(['?', '#']).next().unwrap_or_default() } else { "[no URL]" }
}

impl std::fmt::Debug for BedrockModelBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BedrockModelBuilder")
            .field("model_id", &self.model_id)
            .field("base_model", &self.base_model)
            .field("region", &self.connection.region)
            .field("base_url", &self.connection.base_url.as_deref().map(without_secrets))
            .field("api_key", &self.connection.api_key.as_ref().map(|_| "[redacted]"))
            .field("streaming", &self.streaming)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A task that builds a model keeps the memory of this future until it ends. The future holds the builder and a pointer,
    /// as opposed to the SDK's futures for its configuration files, which have more than 10 KiB.
    #[test]
    fn the_future_of_build_is_small() {
        let size = size_of_val(&BedrockModel::builder().build());
        assert!(size <= size_of::<BedrockModelBuilder>() + 32, "{size}");
        assert!(size <= 1280, "{size}");
    }

    #[test]
    fn an_api_key_is_not_sent_over_plain_http_to_another_host() {
        let check = |url: &str, key: Option<&str>| {
            let api_key = key.map(SecretString::from);
            check_base_url(&Connection { base_url: Some(url.to_owned()), api_key, ..Connection::default() })
        };
        for url in
            ["http://gateway.example/", "http://10.0.0.1:8000", "http://127.0.0.1.example.com", "http://[fe80::1]"]
        {
            assert!(matches!(check(url, Some("k")), Err(BedrockBuildError::PlaintextApiKey)), "{url}");
        }
        for url in ["http://localhost:1", "http://127.0.0.1:1/x", "http://[::1]:1", "https://gateway.example"] {
            assert!(check(url, Some("k")).is_ok(), "{url}");
        }
        assert!(matches!(check("localhost", None), Err(BedrockBuildError::InvalidBaseUrl)));
    }
}

//! Builder of a Bedrock model.

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_bedrockruntime::Client;
use secrecy::SecretString;
use serde_json::Value;

use crate::capabilities;
use crate::client::Connection;
use crate::error::CallContext;
use crate::model::{BedrockModel, Inner};
use crate::settings::{CacheConfig, Guardrail, ServiceTier, Settings, ToolResultStatusPolicy};

/// The model of Strands, where none is named.
const DEFAULT_MODEL: &str = "global.anthropic.claude-sonnet-4-6";
const DEFAULT_MAX_RESPONSE: usize = 16 * 1024 * 1024;

/// Tells a [`BedrockModel`] what to be; [`BedrockModel::builder`] makes one.
///
/// `Debug` shows no key.
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
    streaming: bool,
    context_window: Option<u64>,
    structured_output: Option<bool>,
    native_token_count: bool,
    max_response_bytes: usize,
}

/// An error of building a [`BedrockModel`].
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum BedrockBuildError {
    /// An id without a character in it.
    #[error("the model id is empty; give one such as `us.anthropic.claude-haiku-4-5-20251001-v1:0`")]
    EmptyModelId,
    /// An endpoint that can't be one.
    #[error("endpoint URL must start with `http://` or `https://` and name a host, without user or password")]
    InvalidEndpoint,
    /// A number outside of what Bedrock takes.
    #[error("`{field}` is {value}; it must be {expected}")]
    InvalidNumber {
        /// The builder's method.
        field: &'static str,
        /// The given value.
        value: f64,
        /// Description of the valid values.
        expected: &'static str,
    },
    /// A field of the body that has a method of its own and is no part of the body.
    #[error("`extra` can't set `{field}`, which is not part of the body; use `.model_id(..)`")]
    ReservedField {
        /// The field.
        field: String,
    },
    /// A client and a configuration for another one.
    #[error("`client` and `sdk_config` were both given; one of them is enough")]
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
            streaming: true,
            context_window: None,
            structured_output: None,
            native_token_count: false,
            max_response_bytes: DEFAULT_MAX_RESPONSE,
        }
    }
}

impl BedrockModelBuilder {
    /// The model: a model id, an inference profile's id (`us.`, `eu.`, `global.` ..), or an ARN.
    /// Default: `global.anthropic.claude-sonnet-4-6`.
    pub fn model_id(mut self, model_id: impl Into<String>) -> Self {
        self.model_id = model_id.into();
        self
    }

    /// Base model behind [`model_id`](Self::model_id), where the id does not name it: for application inference profiles
    /// and provisioned or imported models. The capabilities of the model are looked up under this name.
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

    /// The AWS region. Default: `AWS_REGION`, `AWS_DEFAULT_REGION`, the profile's region, then `us-west-2`.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.connection.region = Some(region.into());
        self
    }

    /// Endpoint for requests in place of the region's: a VPC endpoint, a gateway, or a test server.
    pub fn endpoint_url(mut self, url: impl Into<String>) -> Self {
        self.connection.endpoint_url = Some(url.into());
        self
    }

    /// A Bedrock API key, sent as bearer token instead of signing requests. Default: the variable
    /// `AWS_BEARER_TOKEN_BEDROCK`, then AWS credentials (environment, profile, SSO, web identity, container, instance).
    pub fn api_key(mut self, api_key: impl Into<SecretString>) -> Self {
        self.connection.api_key = Some(api_key.into());
        self
    }

    /// A configuration of the AWS SDK to start from: its credentials, region, HTTP client and timeouts. Its retries are
    /// switched off, since the agent's loop retries. The client is made once for this builder's model and its clones.
    pub fn sdk_config(mut self, config: &SdkConfig) -> Self {
        self.sdk_config = Some(config.clone());
        self
    }

    /// A client of the AWS SDK whose configuration to use. Its retries are switched off, since the agent's loop retries.
    pub fn client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    /// The most tokens that the model may write in one answer.
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

    /// Words at which the model stops.
    pub fn stop_sequences(mut self, sequences: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.settings.stop_sequences = Some(sequences.into_iter().map(Into::into).collect());
        self
    }

    /// Streams responses (ConverseStream), or reads them in one piece (Converse). Default: true.
    pub fn streaming(mut self, streaming: bool) -> Self {
        self.streaming = streaming;
        self
    }

    /// Service tier of the calls: their priority and price.
    pub fn service_tier(mut self, tier: ServiceTier) -> Self {
        self.settings.service_tier = Some(tier);
        self
    }

    /// Holds the model to arguments that fit the tools' schemas. Default: false, except for tools
    /// that ask for it themselves.
    pub fn strict_tools(mut self, strict: bool) -> Self {
        self.settings.strict_tools = strict;
        self
    }

    /// A field for the model itself that Converse has no name for (`additionalModelRequestFields`), such as `thinking`.
    ///
    /// `thinking` is left out of requests that force a tool, since Bedrock refuses both together.
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

    /// Several fields for the model itself, as [`additional_request_field`](Self::additional_request_field) takes them.
    pub fn additional_request_fields(mut self, fields: impl IntoIterator<Item = (impl Into<String>, Value)>) -> Self {
        for (name, value) in fields {
            self.settings.additional_request_fields.insert(name.into(), value);
        }
        self
    }

    /// Fields of the model's own answer to hand through, as JSON pointers such as `/stop_sequence`.
    pub fn additional_response_field_paths(mut self, paths: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.settings.additional_response_field_paths = paths.into_iter().map(Into::into).collect();
        self
    }

    /// A field of the request's body that this version has no method for. It wins over what is sent otherwise.
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

    /// A guardrail to apply.
    pub fn guardrail(mut self, guardrail: Guardrail) -> Self {
        self.settings.guardrail = Some(guardrail);
        self
    }

    /// Policy for the status in tool results. Default: sent to the models that read it.
    pub fn tool_result_status(mut self, policy: ToolResultStatusPolicy) -> Self {
        self.settings.tool_result_status = policy;
        self
    }

    /// Places cache points. Default: only those that the conversation itself has are sent.
    pub fn cache(mut self, cache: CacheConfig) -> Self {
        self.settings.cache = Some(cache);
        self
    }

    /// Context window, in tokens. Default: that of the model, if it is known.
    pub fn context_window(mut self, tokens: u64) -> Self {
        self.context_window = Some(tokens);
        self
    }

    /// Switches structured output by the model itself (`outputConfig`) on or off. Default: on for the models that AWS documents
    /// for it; any other model is asked for it once it has refused to be forced to call a tool.
    ///
    /// If it is off, an agent that asks for structured output has the model call a tool. A model that refuses
    /// `outputConfig` counts as one that has none from then on.
    ///
    /// ```
    /// # use strands::models::BedrockModel;
    /// let builder = BedrockModel::builder().model_id("openai.gpt-oss-120b-1:0").structured_output(true);
    /// # let _ = builder;
    /// ```
    pub fn structured_output(mut self, able: bool) -> Self {
        self.structured_output = Some(able);
        self
    }

    /// Counts tokens with Bedrock (it wants the permission `bedrock:CountTokens`). Default: false, and tokens are
    /// estimated; they are too wherever Bedrock does not count.
    pub fn native_token_count(mut self, native: bool) -> Self {
        self.native_token_count = native;
        self
    }

    /// Timeout of connecting. Default: 10 seconds.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connection.connect_timeout = Some(timeout);
        self
    }

    /// Idle timeout: before the response begins, and between any two pieces of it. Default: 120 seconds. The total duration
    /// of a response is not limited.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.connection.idle_timeout = Some(timeout);
        self
    }

    /// The most bytes of content that an answer may have. Default: 16 MiB.
    pub fn max_response_bytes(mut self, bytes: usize) -> Self {
        self.max_response_bytes = bytes;
        self
    }

    /// The model. Nothing is sent: credentials are looked for with the first request.
    ///
    /// # Errors
    ///
    /// [`BedrockBuildError`] for what can't be right.
    pub async fn build(self) -> Result<BedrockModel, BedrockBuildError> {
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
            context: CallContext { model_id: self.model_id, region, api_key: self.connection.api_key },
            base_model: self.base_model,
            capabilities,
            context_window: self.context_window.or(capabilities.context_window),
            structured_output: self.structured_output.or(capabilities.structured_output),
            settings: self.settings,
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
        if let Some(url) = &self.connection.endpoint_url
            && !is_endpoint(url)
        {
            return Err(BedrockBuildError::InvalidEndpoint);
        }
        for (field, value) in [("temperature", self.settings.temperature), ("top_p", self.settings.top_p)] {
            if let Some(value) = value.filter(|value| !(0.0..=1.0).contains(value)) {
                return Err(BedrockBuildError::InvalidNumber { field, value, expected: "from 0 to 1" });
            }
        }
        if self.settings.extra.contains_key("modelId") {
            let field = "modelId".to_owned();
            return Err(BedrockBuildError::ReservedField { field });
        }
        Ok(())
    }
}

fn is_endpoint(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")) else {
        return false;
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    !host.is_empty() && !host.contains('@') && !url.contains(char::is_whitespace)
}

/// A URL without its query, and nothing of one that may have a password in it.
fn shown(url: &str) -> &str {
    if is_endpoint(url) { url.split(['?', '#']).next().unwrap_or_default() } else { "[no URL]" }
}

impl std::fmt::Debug for BedrockModelBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BedrockModelBuilder")
            .field("model_id", &self.model_id)
            .field("base_model", &self.base_model)
            .field("region", &self.connection.region)
            .field("endpoint_url", &self.connection.endpoint_url.as_deref().map(shown))
            .field("api_key", &self.connection.api_key.as_ref().map(|_| "[redacted]"))
            .field("streaming", &self.streaming)
            .finish_non_exhaustive()
    }
}

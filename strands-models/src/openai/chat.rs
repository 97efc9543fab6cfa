//! Model over Chat Completions, at OpenAI or at another server, and its builder.

use std::sync::Arc;

use strands_core::models::{MessageSerializer, ModelCapabilities};

use super::options::{Account, DEFAULT_MODEL, chat_provider, check_settings, context_window, openai_setters};
use super::service::Service;
use super::{hosts, model_catalog};
use crate::chat_completions::{Chat, Dialect, ReasoningReplay, Settings, chat_model, penalty_setters};
use crate::http::{ModelBuildError, Options, SamplingFields, request_setters};

/// Model over OpenAI's Chat Completions, at OpenAI or at any server with the same protocol.
///
/// Cheap to clone. All models share one HTTP client and its connections.
///
/// ```no_run
/// use strands::models::OpenAiModel;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let model = OpenAiModel::builder().model_id("gpt-5.4").build()?;
/// let mut agent = strands::Agent::builder().model(model).build().await?;
/// println!("{}", agent.prompt("What is the capital of Norway?").await?.text());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct OpenAiModel {
    chat: Arc<Chat>,
}

chat_model!(OpenAiModel, OpenAiModelBuilder);

/// Builder for [`OpenAiModel`]. `Debug` shows no secrets.
///
/// ```no_run
/// use strands::models::OpenAiModel;
/// use strands::models::openai::Service;
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// // At OpenAI, with the API key in `OPENAI_API_KEY`.
/// let model = OpenAiModel::builder().model_id("gpt-5.4").max_tokens(8_192).build()?;
///
/// // At any server with the same protocol.
/// let local = OpenAiModel::builder().base_url("http://localhost:1234/v1").model_id("qwen3-8b").build()?;
///
/// // On Azure, with endpoint and key in `AZURE_OPENAI_ENDPOINT` and `AZURE_OPENAI_API_KEY`.
/// let azure = OpenAiModel::builder().service(Service::AZURE).model_id("my-deployment").build()?;
/// # let _ = (model, local, azure); Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build()`"]
pub struct OpenAiModelBuilder {
    options: Options,
    account: Account,
    settings: Settings,
    replay: Option<ReasoningReplay>,
    structured_output: Option<bool>,
    service: Option<Service>,
}

impl Default for OpenAiModelBuilder {
    fn default() -> Self {
        Self {
            options: Options::new(DEFAULT_MODEL),
            account: Account::default(),
            settings: Settings::default(),
            replay: None,
            structured_output: None,
            service: None,
        }
    }
}

impl OpenAiModelBuilder {
    openai_setters!();
    request_setters! {
        max_tokens: "Sent as `max_completion_tokens` to OpenAI, to Azure, and to unknown servers for ids of OpenAI's reasoning \
                     models, and as `max_tokens` otherwise. Default: the provider's.",
        seed: "",
        stop_sequences: "Sent as `stop`. OpenAI accepts 4 at most, its reasoning models none.",
    }

    penalty_setters!();

    /// Uses another service than OpenAI's, with its base URL and its environment variables for the key. Set
    /// [`model_id`](Self::model_id), too.
    pub fn service(mut self, service: Service) -> Self {
        self.service = Some(service);
        self
    }

    /// Form in which reasoning is sent back to the model. Default: the form that the server requires, by its host:
    /// [`Content`](ReasoningReplay::Content) for DeepSeek, Moonshot (Kimi) and Z.ai (GLM), [`Details`](ReasoningReplay::Details)
    /// for OpenRouter, and [`Never`](ReasoningReplay::Never) for OpenAI and all others.
    pub fn reasoning_replay(mut self, replay: ReasoningReplay) -> Self {
        self.replay = Some(replay);
        self
    }

    /// Builds the model. Nothing is sent.
    ///
    /// # Errors
    ///
    /// Returns [`ModelBuildError`] for invalid options.
    pub fn build(self) -> Result<OpenAiModel, ModelBuildError> {
        let environment = |name: &str| std::env::var(name).ok();
        let path = ["chat", "completions"];
        let exchange = match self.service {
            Some(service) => self.account.open_service(service, &self.options, &path, &environment)?,
            None => self.account.open(&self.options, &path, &environment)?,
        };
        check_settings(&self.settings)?;
        let host = exchange.endpoint.host();
        // A gateway in front of a service does not change the behavior of its models.
        let behavior = hosts::of(self.service.and_then(Service::host).unwrap_or(host));
        let replay = self.replay.unwrap_or(behavior.replay);
        let follows_schemas = || behavior.follows_schemas && model_catalog::follows_schemas(&self.options.model_id);
        let follows_schemas = self.structured_output.unwrap_or_else(follows_schemas);
        let max_tokens = max_tokens_field(self.service, behavior.max_tokens, &self.options.model_id);
        let server_tools = !self.settings.server_tools.is_empty();
        Ok(OpenAiModel {
            chat: Arc::new(Chat {
                dialect: Arc::new(Dialect {
                    call_ids: hosts::of(host).call_ids,
                    sampling: SamplingFields { max_tokens, ..SamplingFields::CHAT },
                    ..Dialect::openai(chat_provider(host), replay)
                }),
                context_window: context_window(&self.options),
                capabilities: ModelCapabilities::new()
                    .with_structured_output(follows_schemas)
                    .with_server_tools(server_tools),
                serializer: MessageSerializer::new(),
                settings: self.settings,
                extra: self.options.extra,
                counter: None,
                exchange,
            }),
        })
    }
}

/// Returns the field of the max output tokens: that of the server, else the newer one for models that refuse the older one.
fn max_tokens_field(service: Option<Service>, of_host: Option<&'static str>, model_id: &str) -> &'static str {
    let is_newer = service == Some(Service::AZURE) || model_catalog::is_reasoning_model(model_id);
    of_host.unwrap_or(if is_newer { "max_completion_tokens" } else { "max_tokens" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sends_max_tokens_in_the_field_of_the_server() {
        for (service, host, model_id, expected) in [
            (None, "api.openai.com", "gpt-4o", "max_completion_tokens"),
            (None, "my-resource.openai.azure.com", "my-deployment", "max_completion_tokens"),
            (Some(Service::AZURE), "gateway.example", "my-deployment", "max_completion_tokens"),
            (None, "gateway.example", "gpt-5.4", "max_completion_tokens"),
            (None, "gateway.example", "llama-3.3-70b", "max_tokens"),
            (None, "localhost", "qwen3-8b", "max_tokens"),
            (Some(Service::GROQ), "api.groq.com", "openai/gpt-oss-120b", "max_tokens"),
            (None, "openrouter.ai", "openai/gpt-5.4", "max_tokens"),
            (None, "api.deepseek.com", "deepseek-chat", "max_tokens"),
        ] {
            assert_eq!(max_tokens_field(service, hosts::of(host).max_tokens, model_id), expected, "{host} {model_id}");
        }
    }
}

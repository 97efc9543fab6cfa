//! A model behind Chat Completions, at OpenAI or elsewhere, and how it is told what to be.

use std::sync::Arc;

use strands_core::models::{MessageSerializer, ModelCapabilities};

use super::options::{Account, DEFAULT_MODEL, chat_provider, check_settings, context_window, openai_options};
use super::service::Service;
use super::{hosts, known};
use crate::chat_completions::{Chat, Dialect, ReasoningEffort, ReasoningReplay, Settings, chat_model, chat_options};
use crate::http::{ModelBuildError, Options};

/// A model behind OpenAI's Chat Completions, at OpenAI or at any server that speaks the same protocol.
///
/// Cheap to clone. Models share one HTTP client and its connections.
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

/// Tells an [`OpenAiModel`] what to be; [`OpenAiModel::builder`] makes one.
///
/// `Debug` shows no key.
///
/// ```no_run
/// use strands::models::OpenAiModel;
/// use strands::models::openai::Service;
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// // At OpenAI, with the key in `OPENAI_API_KEY`.
/// let model = OpenAiModel::builder().model_id("gpt-5.4").max_completion_tokens(8_192).build()?;
///
/// // At any server that speaks the same protocol.
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
    effort: Option<ReasoningEffort>,
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
            effort: None,
            replay: None,
            structured_output: None,
            service: None,
        }
    }
}

impl OpenAiModelBuilder {
    openai_options!();
    chat_options!();

    /// The most tokens that the model may write in one answer, thoughts included (`max_completion_tokens`).
    pub fn max_completion_tokens(mut self, tokens: u32) -> Self {
        self.settings.set("max_completion_tokens", tokens);
        self
    }

    /// The same by its older name (`max_tokens`), which OpenAI's models that think refuse and many other servers want.
    pub fn max_tokens(mut self, tokens: u32) -> Self {
        self.settings.set("max_tokens", tokens);
        self
    }

    /// Uses another service than OpenAI's, with its base URL and its environment variables for the key. Set
    /// [`model_id`](Self::model_id), too.
    pub fn service(mut self, service: Service) -> Self {
        self.service = Some(service);
        self
    }

    /// Form in which the model gets its reasoning back. Default: the form that the server is known to want, by its host:
    /// [`Content`](ReasoningReplay::Content) for DeepSeek, Moonshot (Kimi) and Z.ai (GLM), [`Details`](ReasoningReplay::Details)
    /// for OpenRouter, and [`Never`](ReasoningReplay::Never) for OpenAI and all others.
    pub fn reasoning_replay(mut self, replay: ReasoningReplay) -> Self {
        self.replay = Some(replay);
        self
    }

    /// The model. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ModelBuildError`] for what can't be right.
    pub fn build(mut self) -> Result<OpenAiModel, ModelBuildError> {
        let environment = |name: &str| std::env::var(name).ok();
        let path = ["chat", "completions"];
        let exchange = match self.service {
            Some(service) => self.account.open_service(service, &self.options, &path, &environment)?,
            None => self.account.open(&self.options, &path, &environment)?,
        };
        check_settings(&self.settings)?;
        if let Some(effort) = self.effort {
            self.settings.set("reasoning_effort", effort.as_str());
        }
        let host = exchange.endpoint.host();
        // A gateway in front of a service does not change what its models want.
        let behavior = hosts::of(self.service.and_then(Service::host).unwrap_or(host));
        let replay = self.replay.unwrap_or(behavior.replay);
        let able = || behavior.follows_schemas && known::follows_schemas(&self.options.model_id);
        let able = self.structured_output.unwrap_or_else(able);
        let server_tools = !self.settings.server_tools.is_empty();
        Ok(OpenAiModel {
            chat: Arc::new(Chat {
                dialect: Arc::new(Dialect {
                    call_ids: hosts::of(host).call_ids,
                    ..Dialect::openai(chat_provider(host), replay)
                }),
                context_window: context_window(&self.options),
                capabilities: ModelCapabilities::new().with_structured_output(able).with_server_tools(server_tools),
                serializer: MessageSerializer::new(),
                settings: self.settings,
                extra: self.options.extra,
                counter: None,
                exchange,
            }),
        })
    }
}

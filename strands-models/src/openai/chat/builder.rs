//! How a model behind Chat Completions is told what to be.

use std::sync::Arc;

use super::request::Settings;
use super::thoughts::ReasoningReplay;
use super::{Inner, OpenAiModel};
use crate::http::{ModelBuildError, Options};
use crate::openai::options::{Account, DEFAULT_MODEL, check_sampling, context_window, openai_options};

/// Tells an [`OpenAiModel`] what to be; [`OpenAiModel::builder`] makes one.
///
/// `Debug` shows no key.
///
/// ```no_run
/// use strands_models::OpenAiModel;
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// // At OpenAI, with the key in `OPENAI_API_KEY`.
/// let model = OpenAiModel::builder().model_id("gpt-5.4").max_completion_tokens(8_192).build()?;
///
/// // At any server that speaks the same protocol.
/// let local = OpenAiModel::builder().base_url("http://localhost:1234/v1").model_id("qwen3-8b").build()?;
///
/// // On Azure.
/// let azure = OpenAiModel::builder()
///     .base_url("https://my-resource.openai.azure.com/openai/deployments/my-deployment")
///     .query("api-version", "2024-10-21")
///     .header("api-key", std::env::var("AZURE_OPENAI_API_KEY")?)
///     .model_id("gpt-4o")
///     .build()?;
/// # let _ = (model, local, azure); Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build()`"]
pub struct OpenAiModelBuilder {
    options: Options,
    account: Account,
    settings: Settings,
    replay: Option<ReasoningReplay>,
}

impl Default for OpenAiModelBuilder {
    fn default() -> Self {
        let options = Options::new(DEFAULT_MODEL);
        Self { options, account: Account::default(), settings: Settings::default(), replay: None }
    }
}

impl OpenAiModelBuilder {
    openai_options!();

    /// The most tokens that the model may write in one answer, thoughts included (`max_completion_tokens`).
    pub fn max_completion_tokens(mut self, tokens: u32) -> Self {
        self.settings.max_completion_tokens = Some(tokens);
        self
    }

    /// The same by its older name (`max_tokens`), which OpenAI's models that think refuse and many other servers want.
    pub fn max_tokens(mut self, tokens: u32) -> Self {
        self.settings.max_tokens = Some(tokens);
        self
    }

    /// Words at which the model stops (`stop`).
    pub fn stop_sequences(mut self, sequences: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.settings.stop = Some(sequences.into_iter().map(Into::into).collect());
        self
    }

    /// In which form the model gets its thoughts back. Default: the form that the server is known to want, by its host;
    /// OpenAI takes none.
    pub fn reasoning_replay(mut self, replay: ReasoningReplay) -> Self {
        self.replay = Some(replay);
        self
    }

    /// The model. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ModelBuildError`] for what can't be right.
    pub fn build(self) -> Result<OpenAiModel, ModelBuildError> {
        let exchange = self.account.open(&self.options, &["chat", "completions"], &|name| std::env::var(name).ok())?;
        check_sampling(self.settings.temperature, self.settings.top_p)?;
        let context_window = context_window(&self.options);
        let settings = Settings {
            replay: self.replay.unwrap_or_else(|| ReasoningReplay::of_host(exchange.endpoint.host())),
            extra: self.options.extra,
            ..self.settings
        };
        Ok(OpenAiModel { inner: Arc::new(Inner { exchange, settings, context_window }) })
    }
}

//! How a model behind Responses is told what to be.

use std::sync::Arc;

use super::request::Settings;
use super::{Inner, OpenAiResponsesModel};
use crate::http::{ModelBuildError, Options};
use crate::openai::known;
use crate::openai::options::{Account, DEFAULT_MODEL, check_sampling, context_window, openai_options};

/// How a model's thoughts are summed up for the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReasoningSummary {
    /// As the model can.
    Auto,
    /// Briefly.
    Concise,
    /// At length.
    Detailed,
}

impl ReasoningSummary {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Concise => "concise",
            Self::Detailed => "detailed",
        }
    }
}

/// Tells an [`OpenAiResponsesModel`] what to be; [`OpenAiResponsesModel::builder`] makes one.
///
/// `Debug` shows no key.
///
/// ```no_run
/// use strands_models::{OpenAiResponsesModel, ReasoningEffort, ReasoningSummary};
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let model = OpenAiResponsesModel::builder()
///     .model_id("gpt-5.4")
///     .reasoning_effort(ReasoningEffort::High)
///     .reasoning_summary(ReasoningSummary::Auto)
///     .max_output_tokens(16_384)
///     .build()?;
///
/// let grok = OpenAiResponsesModel::builder()
///     .base_url("https://api.x.ai/v1")
///     .api_key(std::env::var("XAI_API_KEY")?)
///     .model_id("grok-4.3")
///     .build()?;
/// # let _ = (model, grok); Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build()`"]
pub struct OpenAiResponsesModelBuilder {
    options: Options,
    account: Account,
    settings: Settings,
    encrypted_reasoning: Option<bool>,
}

impl Default for OpenAiResponsesModelBuilder {
    fn default() -> Self {
        let options = Options::new(DEFAULT_MODEL);
        Self { options, account: Account::default(), settings: Settings::default(), encrypted_reasoning: None }
    }
}

impl OpenAiResponsesModelBuilder {
    openai_options!();

    /// The most tokens that the model may write in one answer, thoughts included.
    pub fn max_output_tokens(mut self, tokens: u32) -> Self {
        self.settings.max_output_tokens = Some(tokens);
        self
    }

    /// Asks for a summary of the model's thoughts; without it they are not shown.
    pub fn reasoning_summary(mut self, summary: ReasoningSummary) -> Self {
        self.settings.reasoning_summary = Some(summary);
        self
    }

    /// Whether to ask for the model's thoughts in encrypted form, which go back with the next request, so that it need not
    /// think them again. Default: for models that are known to think, and where effort or summary are set; others refuse
    /// to be asked.
    pub fn encrypted_reasoning(mut self, encrypted: bool) -> Self {
        self.encrypted_reasoning = Some(encrypted);
        self
    }

    /// The model. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ModelBuildError`] for what can't be right.
    pub fn build(self) -> Result<OpenAiResponsesModel, ModelBuildError> {
        let exchange = self.account.open(&self.options, &["responses"], &|name| std::env::var(name).ok())?;
        check_sampling(self.settings.temperature, self.settings.top_p)?;
        let thinks = || {
            let asked = self.settings.reasoning_effort.is_some() || self.settings.reasoning_summary.is_some();
            asked || known::thinks(&self.options.model_id)
        };
        let context_window = context_window(&self.options);
        let settings = Settings {
            encrypted_reasoning: self.encrypted_reasoning.unwrap_or_else(thinks),
            extra: self.options.extra,
            ..self.settings
        };
        Ok(OpenAiResponsesModel { inner: Arc::new(Inner { exchange, settings, context_window }) })
    }
}

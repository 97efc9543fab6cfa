//! Builder of models behind Responses.

use std::sync::Arc;

use serde_json::{Map, Value};
use strands_core::models::{MessageSerializer, ModelCapabilities};

use super::request::{ENCRYPTED_REASONING, Shape};
use super::{Inner, OpenAiResponsesModel};
use crate::chat_completions::{ReasoningEffort, Settings};
use crate::http::{ModelBuildError, Options};
use crate::openai::options::{
    Account, DEFAULT_MODEL, check_settings, context_window, openai_options, responses_provider,
};
use crate::openai::{hosts, known};

/// Length of the summary of a model's reasoning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReasoningSummary {
    /// The most detailed summary that the model has.
    Auto,
    /// A short summary.
    Concise,
    /// A long summary.
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
/// use strands::models::OpenAiResponsesModel;
/// use strands::models::openai::{ReasoningEffort, ReasoningSummary};
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
    effort: Option<ReasoningEffort>,
    summary: Option<ReasoningSummary>,
    stateful: bool,
    structured_output: Option<bool>,
    encrypted_reasoning: Option<bool>,
}

impl Default for OpenAiResponsesModelBuilder {
    fn default() -> Self {
        Self {
            options: Options::new(DEFAULT_MODEL),
            account: Account::default(),
            settings: Settings::default(),
            effort: None,
            summary: None,
            stateful: false,
            structured_output: None,
            encrypted_reasoning: None,
        }
    }
}

impl OpenAiResponsesModelBuilder {
    openai_options!();

    /// Max output tokens of one response, reasoning included.
    pub fn max_output_tokens(mut self, tokens: u32) -> Self {
        self.settings.set("max_output_tokens", tokens);
        self
    }

    /// Asks for a summary of the model's reasoning; without it reasoning is not shown.
    pub fn reasoning_summary(mut self, summary: ReasoningSummary) -> Self {
        self.summary = Some(summary);
        self
    }

    /// Asks for the model's reasoning in encrypted form, which goes back with the next request, so that the model does not repeat
    /// it. Default: true for models that are known to reason, and if effort or summary are set; others refuse the request. False
    /// for [`stateful`](Self::stateful) models, whose reasoning stays at the provider. Reasoning that a server sends in plain text
    /// always goes back.
    pub fn encrypted_reasoning(mut self, encrypted: bool) -> Self {
        self.encrypted_reasoning = Some(encrypted);
        self
    }

    /// Has the provider store the conversation, so that each request only carries what is new (`store`,
    /// `previous_response_id`). Default: false.
    ///
    /// The id under which an answer is kept stands at its end, as content that only this provider understands, so that it
    /// is stored with the conversation; what was said since the last one is sent. Where there is none, and where the
    /// provider has forgotten it, everything is. What a hook or a conversation manager changes in older messages does not
    /// reach the provider until the conversation is too long for the model there: then it goes on from the one here.
    pub fn stateful(mut self, stateful: bool) -> Self {
        self.stateful = stateful;
        self
    }

    /// The model. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ModelBuildError`] for what can't be right.
    pub fn build(mut self) -> Result<OpenAiResponsesModel, ModelBuildError> {
        let environment = |name: &str| std::env::var(name).ok();
        let exchange = self.account.open(&self.options, &["responses"], &environment)?;
        check_settings(&self.settings)?;
        for (field, method) in [("store", "stateful"), ("previous_response_id", "stateful")] {
            if self.options.extra.contains_key(field) {
                return Err(ModelBuildError::ReservedField { field, method });
            }
        }
        let context_window = context_window(&self.options);
        let model_id = &self.options.model_id;
        let host = exchange.endpoint.host();
        let able = || hosts::of(host).follows_schemas && known::follows_schemas(model_id);
        let able = self.structured_output.unwrap_or_else(able);
        let thinks = || self.effort.is_some() || self.summary.is_some() || known::thinks(model_id);
        let encrypted_reasoning = self.encrypted_reasoning.unwrap_or_else(|| !self.stateful && thinks());
        let effort = self.effort.map(|effort| ("effort", effort.as_str()));
        let summary = self.summary.map(|summary| ("summary", summary.as_str()));
        let reasoning = effort.into_iter().chain(summary).map(|(name, word)| (name.to_owned(), word.into()));
        let text = match self.options.extra.get_mut("text").map(Value::take) {
            Some(Value::Object(text)) => text,
            _ => Map::new(),
        };
        self.options.extra.shift_remove("text");
        if encrypted_reasoning
            && let Some(Value::Array(include)) = self.options.extra.get_mut("include")
            && !include.iter().any(|included| included == ENCRYPTED_REASONING)
        {
            include.push(ENCRYPTED_REASONING.into());
        }
        let server_tools = !self.settings.server_tools.is_empty();
        let capabilities = ModelCapabilities::new().with_structured_output(able).with_server_tools(server_tools);
        let shape = Shape {
            provider: responses_provider(host),
            serializer: MessageSerializer::new(),
            settings: self.settings,
            reasoning: reasoning.collect(),
            encrypted_reasoning,
            stateful: self.stateful,
            text,
            extra: self.options.extra,
        };
        Ok(OpenAiResponsesModel { inner: Arc::new(Inner { exchange, shape, context_window, capabilities }) })
    }
}

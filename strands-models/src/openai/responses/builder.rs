//! Builder of models over Responses.

use std::sync::Arc;

use serde_json::{Map, Value};
use strands_core::models::{MessageSerializer, ModelCapabilities};

use super::request::{ENCRYPTED_REASONING, Shape};
use super::{Inner, OpenAiResponsesModel};
use crate::chat_completions::Settings;
use crate::http::{ModelBuildError, Options, request_setters};
use crate::openai::options::{
    Account, DEFAULT_MODEL, check_settings, context_window, openai_setters, responses_provider,
};
use crate::openai::{hosts, model_catalog};

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

/// Builder for [`OpenAiResponsesModel`]. `Debug` shows no secrets.
///
/// ```no_run
/// use strands::models::openai::ReasoningSummary;
/// use strands::models::{OpenAiResponsesModel, ReasoningEffort};
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let model = OpenAiResponsesModel::builder()
///     .model_id("gpt-5.4")
///     .reasoning_effort(ReasoningEffort::High)
///     .reasoning_summary(ReasoningSummary::Auto)
///     .max_tokens(16_384)
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
            summary: None,
            stateful: false,
            structured_output: None,
            encrypted_reasoning: None,
        }
    }
}

impl OpenAiResponsesModelBuilder {
    openai_setters!();

    request_setters! { max_tokens: "Sent as `max_output_tokens`. Default: the provider's." }

    /// Requests a summary of the model's reasoning. Default: reasoning is hidden.
    pub fn reasoning_summary(mut self, summary: ReasoningSummary) -> Self {
        self.summary = Some(summary);
        self
    }

    /// Requests the model's reasoning in encrypted form, which is sent back with the next request, so that the model does not
    /// repeat it. Default: true for known reasoning models, and if reasoning effort or summary is set; other models refuse the
    /// request. False for [`stateful`](Self::stateful) models, whose reasoning stays at the provider. Reasoning that a server
    /// sends in plain text is always sent back.
    pub fn encrypted_reasoning(mut self, encrypted: bool) -> Self {
        self.encrypted_reasoning = Some(encrypted);
        self
    }

    /// Stores the conversation at the provider, so that each request contains only new messages (`store`,
    /// `previous_response_id`). Default: false.
    ///
    /// Each response ends with its id as provider content, which is persisted with the conversation. Messages after the
    /// last id are sent; without an id, or if the provider no longer has the response, all messages are. Changes that a
    /// hook or a conversation manager makes to older messages are not sent until the stored conversation exceeds the
    /// context window: then all messages are sent again.
    pub fn stateful(mut self, stateful: bool) -> Self {
        self.stateful = stateful;
        self
    }

    /// Builds the model. Nothing is sent.
    ///
    /// # Errors
    ///
    /// Returns [`ModelBuildError`] for invalid options.
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
        let follows_schemas = || hosts::of(host).follows_schemas && model_catalog::follows_schemas(model_id);
        let follows_schemas = self.structured_output.unwrap_or_else(follows_schemas);
        let effort = self.settings.reasoning_effort;
        let is_reasoning = || effort.is_some() || self.summary.is_some() || model_catalog::is_reasoning_model(model_id);
        let encrypted_reasoning = self.encrypted_reasoning.unwrap_or_else(|| !self.stateful && is_reasoning());
        let effort = effort.map(|effort| ("effort", effort.as_str()));
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
        let capabilities =
            ModelCapabilities::new().with_structured_output(follows_schemas).with_server_tools(server_tools);
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

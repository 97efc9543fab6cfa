//! Dialect of Chat Completions: the differences between servers, as data, so that the protocol itself is implemented once.

use std::borrow::Cow;

use serde_json::Value;
use strands_core::models::{CallIdForm, ModelErrorKind};
use strands_core::schema::SchemaDialect;

use super::ReasoningReplay;
use super::content::Media;
use crate::http::{ErrorResponse, SamplingFields};

/// Dialect of a server.
#[derive(Clone, Debug)]
pub(crate) struct Dialect {
    /// Name of the provider in messages. Provider content under this name is sent.
    pub(crate) provider: Cow<'static, str>,
    /// Media that may be sent.
    pub(crate) media: Media,
    /// Fields of the sampling options.
    pub(crate) sampling: SamplingFields,
    /// True if usage is requested with `stream_options`.
    pub(crate) asks_for_usage: bool,
    /// `tool_choice` for any tool.
    pub(crate) any_tool: &'static str,
    /// True if `tool_choice` accepts a name. Otherwise the chosen tool is sent alone.
    pub(crate) named_choice: bool,
    /// Form of tool-call ids, if the server does not accept any.
    pub(crate) call_ids: Option<CallIdForm>,
    /// True if a tool message may contain media. Otherwise they follow in a user message.
    pub(crate) media_in_results: bool,
    /// Assistant message between tool results and a user message, if the server does not accept one after the other.
    pub(crate) after_results: Option<&'static str>,
    /// JSON Schema that the server accepts.
    pub(crate) schemas: &'static SchemaDialect,
    /// Form in which reasoning is sent back to the model.
    pub(crate) replay: ReasoningReplay,
    /// True if an assistant message without reasoning is sent with an empty `reasoning_content`, in that form.
    pub(crate) empty_reasoning: bool,
    /// Classifies errors that only this server has; `None` for all others.
    pub(crate) classify: fn(&mut ErrorResponse, &Value) -> Option<ModelErrorKind>,
}

impl Dialect {
    /// Returns OpenAI's dialect.
    pub(crate) fn openai(provider: impl Into<Cow<'static, str>>, replay: ReasoningReplay) -> Self {
        Self {
            provider: provider.into(),
            media: Media::OPENAI,
            sampling: SamplingFields::CHAT,
            asks_for_usage: true,
            any_tool: "required",
            named_choice: true,
            call_ids: None,
            media_in_results: false,
            after_results: None,
            schemas: &SchemaDialect::OPENAI,
            replay,
            empty_reasoning: true,
            classify: |_, _| None,
        }
    }

    /// Returns a call id in the form that the server accepts.
    pub(super) fn call_id<'a>(&self, id: &'a str) -> Cow<'a, str> {
        self.call_ids.map_or(Cow::Borrowed(id), |form| form.apply(id))
    }
}

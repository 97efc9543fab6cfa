//! What a server wants otherwise than OpenAI does: data, so that the protocol itself is written once.

use std::borrow::Cow;

use serde_json::Value;
use strands_core::models::{CallIdForm, ModelErrorKind};
use strands_core::schema::SchemaDialect;

use super::ReasoningReplay;
use super::content::Media;
use crate::http::Refusal;

/// How a server speaks Chat Completions.
#[derive(Clone, Debug)]
pub(crate) struct Dialect {
    /// The name under which answers begin, and whose content in a conversation is sent.
    pub(crate) provider: Cow<'static, str>,
    /// What may be sent beside text.
    pub(crate) media: Media,
    /// Whether usage has to be asked for, with `stream_options`.
    pub(crate) asks_for_usage: bool,
    /// Whether content that is one text is sent as text, and not as a list with a part.
    pub(crate) plain_text: bool,
    /// The `tool_choice` for any tool.
    pub(crate) any_tool: &'static str,
    /// Whether `tool_choice` takes a name. Where it does not, that tool is sent alone.
    pub(crate) named_choice: bool,
    /// The ids of calls that the server takes, where it does not take any.
    pub(crate) call_ids: Option<CallIdForm>,
    /// Whether a tool's message may have media. Where not, they follow in a user's.
    pub(crate) media_in_results: bool,
    /// What the model is made to say between the results of tools and a user's words, where these may not follow.
    pub(crate) after_results: Option<&'static str>,
    /// The JSON Schema that it accepts.
    pub(crate) schemas: &'static SchemaDialect,
    /// The form in which the model gets its reasoning back.
    pub(crate) replay: ReasoningReplay,
    /// True if an assistant message without reasoning has an empty `reasoning_content`, where that is the form.
    pub(crate) empty_reasoning: bool,
    /// What only this server says when it does not do what it was asked; the rest is sorted as everybody's.
    pub(crate) sort: fn(&mut Refusal, &Value) -> Option<ModelErrorKind>,
}

impl Dialect {
    /// As OpenAI speaks.
    pub(crate) fn openai(provider: impl Into<Cow<'static, str>>, replay: ReasoningReplay) -> Self {
        Self {
            provider: provider.into(),
            media: Media::OPENAI,
            asks_for_usage: true,
            plain_text: false,
            any_tool: "required",
            named_choice: true,
            call_ids: None,
            media_in_results: false,
            after_results: None,
            schemas: &SchemaDialect::OPENAI,
            replay,
            empty_reasoning: true,
            sort: |_, _| None,
        }
    }

    /// The id of a call as the server takes it.
    pub(super) fn call_id<'a>(&self, id: &'a str) -> Cow<'a, str> {
        self.call_ids.map_or(Cow::Borrowed(id), |form| form.apply(id))
    }
}

//! What a builder was told about the answers it wants, in the protocol's own words.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::http::{ModelBuildError, ServerTools, check};

/// Everything that shapes a request, beside the conversation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// Fields of the body.
    pub(crate) fields: Map<String, Value>,
    /// It goes only with tools.
    pub(crate) parallel_tool_calls: Option<bool>,
    /// Tools that the provider itself runs.
    pub(crate) server_tools: ServerTools,
}

impl Settings {
    pub(crate) fn set(&mut self, field: &str, value: impl Into<Value>) {
        self.fields.insert(field.to_owned(), value.into());
    }

    /// Refuses a number that the provider would refuse; `expected` puts the range in words.
    pub(crate) fn check(
        &self,
        field: &'static str,
        range: RangeInclusive<f64>,
        expected: &'static str,
    ) -> Result<(), ModelBuildError> {
        // What is no number has become null.
        let value = self.fields.get(field).map(|value| value.as_f64().unwrap_or(f64::NAN));
        check(field, value, range, expected)
    }

    /// Refuses tools that no provider runs.
    pub(crate) fn check_server_tools(&self) -> Result<(), ModelBuildError> {
        let is_servers = |tool: &Value| tool.get("type").and_then(Value::as_str).is_some_and(|kind| kind != "function");
        if self.server_tools.iter().all(is_servers) { Ok(()) } else { Err(ModelBuildError::InvalidServerTool) }
    }
}

/// Methods of a builder with a field `settings`, each for a field of the body that is a number or a truth.
macro_rules! setting_methods {
    ($($(#[$doc:meta])* $method:ident($value:ident: $kind:ty) => $field:literal;)+) => {
        $(
            $(#[$doc])*
            pub fn $method(mut self, $value: $kind) -> Self {
                self.settings.set($field, $value);
                self
            }
        )+
    };
}

/// The methods of every builder with a field `settings`, whatever it speaks.
macro_rules! sampling_options {
    (temperature: $temperature:literal) => {
        /// Sampling temperature,
        #[doc = $temperature]
        pub fn temperature(mut self, temperature: f64) -> Self {
            self.settings.set("temperature", temperature);
            self
        }

        /// Nucleus sampling (top-p), from 0 to 1.
        pub fn top_p(mut self, top_p: f64) -> Self {
            self.settings.set("top_p", top_p);
            self
        }

        /// Allows several tool calls in one response. Default: what the provider does by itself.
        pub fn parallel_tool_calls(mut self, parallel: bool) -> Self {
            self.settings.parallel_tool_calls = Some(parallel);
            self
        }
    };
}

/// The method of builders whose providers run tools.
macro_rules! server_tool_option {
    () => {
        /// A tool that the provider itself runs, as it is described to it: `{"type": "web_search"}`. What the provider does
        /// with it stays in the conversation as content of its own.
        pub fn server_tool(mut self, tool: serde_json::Value) -> Self {
            self.settings.server_tools.push(tool);
            self
        }
    };
}

/// The methods of every builder for Chat Completions.
macro_rules! chat_options {
    () => {
        /// Words at which the model stops (`stop`).
        pub fn stop_sequences(mut self, sequences: impl IntoIterator<Item = impl Into<String>>) -> Self {
            let sequences: Vec<String> = sequences.into_iter().map(Into::into).collect();
            self.settings.set("stop", sequences);
            self
        }

        crate::chat_completions::setting_methods! {
            /// How much words are avoided that were said before at all, from -2 to 2.
            presence_penalty(penalty: f64) => "presence_penalty";
            /// How much words are avoided the oftener they were said before, from -2 to 2.
            frequency_penalty(penalty: f64) => "frequency_penalty";
        }
    };
}

pub(crate) use {chat_options, sampling_options, server_tool_option, setting_methods};

//! Settings of a request over one of OpenAI's protocols, and setters of the builders.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::ReasoningEffort;
use crate::http::{ModelBuildError, Sampling, ServerTools, check};

/// Settings of a request, without its conversation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) sampling: Sampling,
    pub(crate) reasoning_effort: Option<ReasoningEffort>,
    /// Other fields of the body.
    pub(crate) fields: Map<String, Value>,
    /// Sent only with tools.
    pub(crate) parallel_tool_calls: Option<bool>,
    /// Tools that the provider itself runs.
    pub(crate) server_tools: ServerTools,
}

impl Settings {
    pub(crate) fn set(&mut self, field: &str, value: impl Into<Value>) {
        self.fields.insert(field.to_owned(), value.into());
    }

    /// Checks the range of a field; `expected` describes it.
    ///
    /// # Errors
    ///
    /// Returns [`ModelBuildError::InvalidNumber`] for a number outside of it.
    pub(crate) fn check(
        &self,
        field: &'static str,
        range: RangeInclusive<f64>,
        expected: &'static str,
    ) -> Result<(), ModelBuildError> {
        // A float that JSON can't hold has become null.
        let value = self.fields.get(field).map(|value| value.as_f64().unwrap_or(f64::NAN));
        check(field, value, range, expected)
    }

    /// Checks the ranges of `presence_penalty` and `frequency_penalty`.
    ///
    /// # Errors
    ///
    /// Returns [`ModelBuildError::InvalidNumber`] for a penalty out of range.
    pub(crate) fn check_penalties(&self) -> Result<(), ModelBuildError> {
        self.check("presence_penalty", -2.0..=2.0, "from -2 to 2")?;
        self.check("frequency_penalty", -2.0..=2.0, "from -2 to 2")
    }

    /// Checks that no server tool is a function.
    ///
    /// # Errors
    ///
    /// Returns [`ModelBuildError::InvalidServerTool`].
    pub(crate) fn check_server_tools(&self) -> Result<(), ModelBuildError> {
        let is_server_tool =
            |tool: &Value| tool.get("type").and_then(Value::as_str).is_some_and(|kind| kind != "function");
        if self.server_tools.iter().all(is_server_tool) { Ok(()) } else { Err(ModelBuildError::InvalidServerTool) }
    }
}

/// Setters of a builder with a field `settings`, each for a number or a boolean in the body.
macro_rules! field_setters {
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

/// Setters of all builders for Chat Completions.
macro_rules! penalty_setters {
    () => {
        crate::chat_completions::field_setters! {
            /// Penalty for tokens that have occurred before, -2.0 to 2.0.
            presence_penalty(penalty: f64) => "presence_penalty";
            /// Penalty for tokens by the number of their occurrences, -2.0 to 2.0.
            frequency_penalty(penalty: f64) => "frequency_penalty";
        }
    };
}

pub(crate) use {field_setters, penalty_setters};

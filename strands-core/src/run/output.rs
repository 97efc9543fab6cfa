//! Structured output of a run, in its stored form.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::tool_spec::ToolSpec;

/// Tool whose arguments are the structured output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct OutputTool {
    pub(crate) spec: ToolSpec,
    /// True if the output is wrapped in the only field of the arguments, since it is not an object.
    #[serde(default, rename = "wrapped", skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_wrapped: bool,
}

/// Requested structured output, with its attempts and its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Output {
    #[serde(flatten)]
    pub(super) tool: OutputTool,
    pub(super) forced: bool,
    pub(super) attempts: u32,
    /// The value, unwrapped.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<Value>,
}

/// Deserializes a value that is present, since `null` is a valid output.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl OutputTool {
    /// Returns true if both have the same name and schema. Descriptions may differ.
    pub(super) fn is_same_output(&self, other: &Self) -> bool {
        let is_same_form = self.is_wrapped == other.is_wrapped && self.spec.name == other.spec.name;
        is_same_form && self.spec.input_schema == other.spec.input_schema
    }
}

impl Output {
    pub(super) fn of(tool: OutputTool) -> Self {
        Self { tool, forced: false, attempts: 0, value: None }
    }
}

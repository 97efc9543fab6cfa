//! The structured output that a run is to end with, as it is stored.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::tool_spec::ToolSpec;

/// The tool whose arguments are the structured output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct OutputTool {
    pub(crate) spec: ToolSpec,
    /// True if the output is the only field of the arguments, since it is not an object itself.
    #[serde(default, rename = "wrapped", skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_wrapped: bool,
}

/// The structured output, and the attempts to get it.
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

/// Reads a value that is there: `null` is an output, too.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl OutputTool {
    /// True if both ask for the same values. Descriptions may differ.
    pub(super) fn asks_for_the_same(&self, other: &Self) -> bool {
        let same_form = self.is_wrapped == other.is_wrapped && self.spec.name == other.spec.name;
        same_form && self.spec.input_schema == other.spec.input_schema
    }
}

impl Output {
    pub(super) fn of(tool: OutputTool) -> Self {
        Self { tool, forced: false, attempts: 0, value: None }
    }
}

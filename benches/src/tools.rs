//! The tool that all sides call, and tools that are never called.

use serde_json::{Value, json};
use strands::{Tool, ToolContext, ToolError, ToolOutput, ToolSpec, async_trait, tool};

/// Returns the weather forecast.
#[expect(clippy::unused_async, reason = "a real tool would await a service")]
#[tool]
pub(crate) async fn forecast(
    /// City name, such as "Oslo".
    city: String,
    /// Number of days ahead.
    days: u8,
) -> String {
    format!("{city}: rain on {days} of {days} days, source: yr.no")
}

/// A tool without arguments that the model never calls.
#[derive(Debug)]
pub(crate) struct Unused {
    spec: ToolSpec,
}

impl Unused {
    pub(crate) fn many(count: usize) -> impl Iterator<Item = Self> {
        let schema = json!({"type": "object", "properties": {}});
        (0..count).map(move |at| Self { spec: ToolSpec::new(format!("tool_{at}"), "Does nothing.", schema.clone()) })
    }
}

#[async_trait]
impl Tool for Unused {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, _: &ToolContext, _: Value) -> Result<ToolOutput, ToolError> {
        Ok(ToolOutput::text("done"))
    }
}

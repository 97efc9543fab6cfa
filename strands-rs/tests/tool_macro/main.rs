//! Behavior of `#[tool]` and `#[toolset]` through the `Tool` trait.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests and their tools may panic"
)]
#![allow(clippy::unused_async, reason = "the signatures of these tools are under test")]

mod arguments;
mod content;
mod descriptions;
mod in_agent;
mod injected;
mod properties;
mod return_values;
mod running;
mod schemas;
mod toolset;

use strands::message::ToolResultContent;
use strands::serde_json::Value;
use strands::testing::ToolContextBuilder;
use strands::{Tool, ToolError, ToolOutput};

/// Calls a tool without injected values.
async fn call(tool: impl Tool, input: Value) -> Result<ToolOutput, ToolError> {
    let ctx = ToolContextBuilder::new(tool.spec().name.clone()).build();
    tool.call(&ctx, input).await
}

/// Returns the text of a call's error.
async fn rejection(tool: impl Tool, input: Value) -> String {
    let error = call(tool, input).await.expect_err("the call fails");
    assert!(error.is_invalid_input(), "{error} is not about the input");
    error.to_string()
}

/// Returns the text output of a call.
async fn text(tool: impl Tool, input: Value) -> String {
    match call(tool, input).await.expect("the call succeeds").content() {
        [ToolResultContent::Text(text)] => text.clone(),
        other => panic!("expected one text, got {other:?}"),
    }
}

/// Returns the JSON output of a call.
async fn json(tool: impl Tool, input: Value) -> Value {
    match call(tool, input).await.expect("the call succeeds").content() {
        [ToolResultContent::Json(json)] => json.clone(),
        other => panic!("expected one JSON value, got {other:?}"),
    }
}

//! Promises of `#[tool]` and `#[toolset]`, seen through the `Tool` trait as an agent sees it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic, and so may its tools"
)]
#![allow(clippy::unused_async, reason = "what matters of these tools is their signature")]

mod answers;
mod arguments;
mod content;
mod descriptions;
mod host;
mod in_agent;
mod properties;
mod running;
mod schemas;
mod toolset;

use strands::message::ToolResultContent;
use strands::serde_json::Value;
use strands::testing::ToolContextBuilder;
use strands::{Tool, ToolError, ToolOutput};

/// Calls a tool with nothing injected.
async fn call(tool: impl Tool, input: Value) -> Result<ToolOutput, ToolError> {
    let ctx = ToolContextBuilder::new(tool.spec().name.clone()).build();
    tool.call(&ctx, input).await
}

/// The text of the error that a call ends with.
async fn refusal(tool: impl Tool, input: Value) -> String {
    let error = call(tool, input).await.expect_err("the call is refused");
    assert!(error.is_invalid_input(), "{error} is not about the input");
    error.to_string()
}

/// The one text that a call answers with.
async fn text(tool: impl Tool, input: Value) -> String {
    match call(tool, input).await.expect("the call succeeds").content() {
        [ToolResultContent::Text(text)] => text.clone(),
        other => panic!("expected one text, got {other:?}"),
    }
}

/// The one JSON value that a call answers with.
async fn json(tool: impl Tool, input: Value) -> Value {
    match call(tool, input).await.expect("the call succeeds").content() {
        [ToolResultContent::Json(json)] => json.clone(),
        other => panic!("expected one JSON value, got {other:?}"),
    }
}

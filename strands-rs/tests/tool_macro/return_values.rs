//! Return values of tool functions. Types decide on the conversion, not their spelling.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;

use anyhow::Context as _;
use serde::Serialize;
use strands::message::{ToolResultContent, ToolResultStatus};
use strands::serde_json::{Value, json};
use strands::testing::ToolContextBuilder;
use strands::{IntoToolOutput, Tool, ToolContext, ToolError, ToolOutput, tool};

use crate::{call, json, text};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[derive(Serialize)]
struct Forecast {
    celsius: f64,
}

/// Returns nothing.
#[tool]
fn nothing() {}

/// Returns text.
#[tool]
fn borrowed_text() -> &'static str {
    "sunny"
}

/// Returns a part of an argument.
#[tool]
async fn part(of: &str) -> &str {
    of.split(' ').next().unwrap_or_default()
}

/// Returns data.
#[tool]
async fn data() -> Forecast {
    Forecast { celsius: 1.5 }
}

/// Returns an alias of a result.
#[tool]
async fn alias(fail: bool) -> Outcome<Forecast> {
    if fail { Err("the station is offline".into()) } else { Ok(Forecast { celsius: 2.0 }) }
}

/// Returns an opaque type.
#[tool]
fn opaque() -> impl Serialize + Send {
    vec![1, 2]
}

/// Returns a result with opaque types.
#[tool]
fn opaque_result() -> Result<impl Serialize, impl Error + Send + Sync + 'static> {
    "12".parse::<u8>()
}

/// Returns an option.
#[tool]
fn maybe() -> Option<u8> {
    None
}

/// Never fails.
#[tool(struct = NeverFails)]
fn infallible() -> Result<String, Infallible> {
    Ok("fine".to_owned())
}

/// Returns an output.
#[tool]
fn output() -> ToolOutput {
    ToolOutput::error("no such city")
}

/// Returns content blocks.
#[tool]
fn blocks() -> Vec<ToolResultContent> {
    vec![ToolResultContent::Text("a".into()), ToolResultContent::Json(json!(1))]
}

/// Implements `IntoToolOutput` and `Serialize`.
#[derive(Serialize)]
struct Both;

impl IntoToolOutput for Both {
    fn into_tool_output(self) -> Result<ToolOutput, ToolError> {
        Ok(ToolOutput::text("explicit"))
    }
}

/// Returns a value with two conversions.
#[tool]
fn both_conversions() -> Both {
    Both
}

#[tokio::test]
async fn converts_any_sensible_return_value() {
    assert!(call(Nothing, json!({})).await.is_ok());
    assert_eq!(text(BorrowedText, json!({})).await, "sunny");
    assert_eq!(text(Part, json!({"of": "New York"})).await, "New");
    assert_eq!(json(Data, json!({})).await, json!({"celsius": 1.5}));
    assert_eq!(json(Alias, json!({"fail": false})).await, json!({"celsius": 2.0}));
    assert_eq!(json(Opaque, json!({})).await, json!([1, 2]));
    assert_eq!(json(OpaqueResult, json!({})).await, json!(12));
    assert_eq!(json(Maybe, json!({})).await, Value::Null);
    assert_eq!(text(NeverFails, json!({})).await, "fine");
    assert_eq!(text(BothConversions, json!({})).await, "explicit");
    let bad_news = call(Output, json!({})).await.unwrap();
    assert_eq!(bad_news.status(), &ToolResultStatus::Error);
    assert_eq!(call(Blocks, json!({})).await.unwrap().content().len(), 2);
}

#[derive(Debug)]
struct Offline;

impl fmt::Display for Offline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("offline")
    }
}

impl Error for Offline {}

/// Fails with a `String`.
#[tool]
fn text_failure() -> Result<(), String> {
    Err("no".to_owned())
}

/// Fails with a string slice.
#[tool]
fn borrowed_text_failure() -> Result<(), &'static str> {
    Err("no")
}

/// Fails with an error type.
#[tool]
async fn own_failure() -> Result<u8, Offline> {
    Err(Offline)
}

/// Fails with `anyhow::Error`.
#[tool]
async fn any_failure() -> anyhow::Result<String> {
    Err(anyhow::Error::from(Offline).context("asking the station"))
}

/// Fails with a text for the model.
#[tool]
async fn explicit_failure() -> Result<(), ToolError> {
    Err(ToolError::new("try Bergen"))
}

/// Fails with a text for the model, in a box.
#[tool]
fn boxed_failure() -> Outcome<()> {
    Err(Box::new(ToolError::new("try Bergen")))
}

#[tokio::test]
async fn error_results_include_the_sources() {
    for (tool, said, explicit) in [
        (&TextFailure as &dyn Tool, "no", false),
        (&BorrowedTextFailure, "no", false),
        (&OwnFailure, "offline", false),
        (&AnyFailure, "asking the station: offline", false),
        (&ExplicitFailure, "try Bergen", true),
        (&BoxedFailure, "try Bergen", true),
    ] {
        let ctx = ToolContextBuilder::new("test").build();
        let error = tool.call(&ctx, json!({})).await.unwrap_err();
        assert_eq!(error.to_string(), said);
        assert_eq!(error.is_explicit(), explicit, "{said}");
        assert!(!error.is_invalid_input());
    }
}

/// Interrupts, inside of `anyhow::Error`.
#[tool]
fn ask_anyhow(ctx: &ToolContext) -> anyhow::Result<String> {
    let answer = ctx.interrupt("approval", "sure?")?;
    Ok(answer.to_string())
}

/// Interrupts, inside of `anyhow::Error` with a context.
#[tool]
async fn ask_in_context(ctx: &ToolContext) -> anyhow::Result<String> {
    let answer = ctx.interrupt("approval", "sure?").context("asking")?;
    Ok(answer.to_string())
}

/// Interrupts, inside of a boxed error.
#[tool]
fn ask_boxed(ctx: &ToolContext) -> Outcome<String> {
    Ok(ctx.interrupt("approval", "sure?")?.to_string())
}

#[tokio::test]
async fn interrupts_survive_conversions_of_the_error_type() {
    for tool in [&AskAnyhow as &dyn Tool, &AskInContext, &AskBoxed] {
        let ctx = ToolContextBuilder::new("test").build();
        let error = tool.call(&ctx, json!({})).await.unwrap_err();
        assert_eq!(error.pending_interrupts().first().map(|interrupt| interrupt.name.as_str()), Some("approval"));
        let ctx = ToolContextBuilder::new("test").interrupt_response("approval", "yes").build();
        assert!(tool.call(&ctx, json!({})).await.is_ok());
    }
}

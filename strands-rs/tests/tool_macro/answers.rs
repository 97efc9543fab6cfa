//! Return values of tool functions: types decide, not their spelling.

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

/// Nothing.
#[tool]
fn nothing() {}

/// Text.
#[tool]
fn lent_text() -> &'static str {
    "sunny"
}

/// An argument's part.
#[tool]
async fn part(of: &str) -> &str {
    of.split(' ').next().unwrap_or_default()
}

/// Data.
#[tool]
async fn data() -> Forecast {
    Forecast { celsius: 1.5 }
}

/// An alias of a result.
#[tool]
async fn alias(fail: bool) -> Outcome<Forecast> {
    if fail { Err("the station is offline".into()) } else { Ok(Forecast { celsius: 2.0 }) }
}

/// Something.
#[tool]
fn opaque() -> impl Serialize + Send {
    vec![1, 2]
}

/// A result of something.
#[tool]
fn opaque_result() -> Result<impl Serialize, impl Error + Send + Sync + 'static> {
    "12".parse::<u8>()
}

/// Maybe.
#[tool]
fn maybe() -> Option<u8> {
    None
}

/// Never fails.
#[tool(struct = NeverFails)]
fn infallible() -> Result<String, Infallible> {
    Ok("fine".to_owned())
}

/// An output.
#[tool]
fn output() -> ToolOutput {
    ToolOutput::error("no such city")
}

/// Pieces.
#[tool]
fn pieces() -> Vec<ToolResultContent> {
    vec![ToolResultContent::Text("a".into()), ToolResultContent::Json(json!(1))]
}

/// Its own way, though it could be JSON.
#[derive(Serialize)]
struct Both;

impl IntoToolOutput for Both {
    fn into_tool_output(self) -> Result<ToolOutput, ToolError> {
        Ok(ToolOutput::text("explicit"))
    }
}

/// Both.
#[tool]
fn says_both() -> Both {
    Both
}

#[tokio::test]
async fn any_sensible_value_is_an_answer() {
    assert!(call(Nothing, json!({})).await.is_ok());
    assert_eq!(text(LentText, json!({})).await, "sunny");
    assert_eq!(text(Part, json!({"of": "New York"})).await, "New");
    assert_eq!(json(Data, json!({})).await, json!({"celsius": 1.5}));
    assert_eq!(json(Alias, json!({"fail": false})).await, json!({"celsius": 2.0}));
    assert_eq!(json(Opaque, json!({})).await, json!([1, 2]));
    assert_eq!(json(OpaqueResult, json!({})).await, json!(12));
    assert_eq!(json(Maybe, json!({})).await, Value::Null);
    assert_eq!(text(NeverFails, json!({})).await, "fine");
    assert_eq!(text(SaysBoth, json!({})).await, "explicit");
    let bad_news = call(Output, json!({})).await.unwrap();
    assert_eq!(bad_news.status(), &ToolResultStatus::Error);
    assert_eq!(call(Pieces, json!({})).await.unwrap().content().len(), 2);
}

#[derive(Debug)]
struct Offline;

impl fmt::Display for Offline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("offline")
    }
}

impl Error for Offline {}

/// Fails as a text.
#[tool]
fn text_failure() -> Result<(), String> {
    Err("no".to_owned())
}

/// Fails as a lent text.
#[tool]
fn lent_failure() -> Result<(), &'static str> {
    Err("no")
}

/// Fails as its own type.
#[tool]
async fn own_failure() -> Result<u8, Offline> {
    Err(Offline)
}

/// Fails as anyhow.
#[tool]
async fn any_failure() -> anyhow::Result<String> {
    Err(anyhow::Error::from(Offline).context("asking the station"))
}

/// Fails with words for the model.
#[tool]
async fn explicit_failure() -> Result<(), ToolError> {
    Err(ToolError::new("try Bergen"))
}

/// Fails with words for the model, in a box.
#[tool]
fn boxed_failure() -> Outcome<()> {
    Err(Box::new(ToolError::new("try Bergen")))
}

#[tokio::test]
async fn any_error_is_told_with_its_sources() {
    for (tool, said, explicit) in [
        (&TextFailure as &dyn Tool, "no", false),
        (&LentFailure, "no", false),
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

/// Asks a human, within anyhow.
#[tool]
fn ask_anyhow(ctx: &ToolContext) -> anyhow::Result<String> {
    let answer = ctx.interrupt("approval", "sure?")?;
    Ok(answer.to_string())
}

/// Asks a human, within anyhow and a context.
#[tool]
async fn ask_in_context(ctx: &ToolContext) -> anyhow::Result<String> {
    let answer = ctx.interrupt("approval", "sure?").context("asking")?;
    Ok(answer.to_string())
}

/// Asks a human, within an error of its own.
#[tool]
fn ask_boxed(ctx: &ToolContext) -> Outcome<String> {
    Ok(ctx.interrupt("approval", "sure?")?.to_string())
}

#[tokio::test]
async fn a_question_to_a_human_survives_the_error_type() {
    for tool in [&AskAnyhow as &dyn Tool, &AskInContext, &AskBoxed] {
        let ctx = ToolContextBuilder::new("test").build();
        let error = tool.call(&ctx, json!({})).await.unwrap_err();
        assert_eq!(error.as_interrupt().map(|interrupt| interrupt.name.as_str()), Some("approval"));
        let ctx = ToolContextBuilder::new("test").answer("approval", "yes").build();
        assert!(tool.call(&ctx, json!({})).await.is_ok());
    }
}

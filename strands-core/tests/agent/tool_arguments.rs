//! Validation of arguments and outputs: unsupported schemas are rejected early, and errors name the field.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, BuildError, JsonSchemaErrorKind, ToolOutput, ToolPolicy, ToolRunner, ToolSetError};

use crate::support::{FnTool, agent, assert_whole, naming, newest_results, template, tool};

/// A tool that returns its arguments, and a counter of its runs.
fn echo(schema: Value) -> (FnTool, Arc<AtomicUsize>) {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let echo = tool("echo", move |_, input| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move { Ok(ToolOutput::text(input.to_string())) }
    });
    (echo.schema(schema), runs)
}

/// Returns the result of one tool call, or its error if the tool did not run.
async fn result_of(schema: Value, policy: ToolPolicy, input: Value) -> Result<Value, String> {
    let (echo, runs) = echo(schema);
    let model = ScriptedModel::new([ScriptedTurn::tool_use("echo", input), ScriptedTurn::text("done")]);
    let mut agent = agent(&model, [echo.policy(policy)]).await;
    agent.prompt("go").await.unwrap();
    assert_whole(&mut agent).await;
    let (is_error, text) = newest_results(agent.messages()).remove(0);
    assert_eq!(runs.load(Ordering::SeqCst), usize::from(!is_error));
    if is_error { Err(text) } else { Ok(serde_json::from_str(&text).unwrap()) }
}

fn in_object(property: Value) -> Value {
    json!({"type": "object", "properties": {"v": property}})
}

#[tokio::test]
async fn unsupported_schemas_fail_build_and_set_tools() {
    for (property, pointer) in [
        (json!({"type": "dict"}), "/properties/v/type"),
        (json!({"pattern": "(?=x)y"}), "/properties/v/pattern"),
        (json!({"$ref": "https://example.com/s.json"}), "/properties/v/$ref"),
        (json!({"divisibleBy": 2}), "/properties/v/divisibleBy"),
    ] {
        let model = ScriptedModel::responding("x");
        let unsupported = || echo(in_object(property.clone())).0;
        let is_it = |error: &ToolSetError| match error {
            ToolSetError::UnsupportedSchema { name, error } => name == "echo" && error.pointer() == pointer,
            _ => false,
        };
        let built = template(&model, [unsupported()]).build().await;
        assert!(matches!(built.unwrap_err(), BuildError::Tools(error) if is_it(&error)), "{property}");
        let mut agent: Agent = agent(&model, [naming("one")]).await;
        let set = agent.set_tools([unsupported()]);
        assert!(matches!(set.unwrap_err(), BuildError::Tools(error) if is_it(&error)), "{property}");
        assert_eq!(agent.tools().iter().len(), 1, "the old tools stay");
        assert!(is_it(&ToolRunner::new([unsupported()]).unwrap_err()), "{property}");
    }
}

#[test]
fn argument_errors_name_the_path_and_the_expected_value() {
    let error = ToolRunner::new([echo(in_object(json!({"type": "dict"}))).0]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the input schema of tool `echo` is not supported: unknown type `dict` at `/properties/v/type`; use `object`"
    );
    let ToolSetError::UnsupportedSchema { error, .. } = error else { panic!() };
    assert_eq!(error.kind(), &JsonSchemaErrorKind::UnknownType { name: "dict".into() });
}

#[tokio::test]
async fn arguments_over_a_limit_do_not_run_the_tool() {
    // Each level of the schema doubles the work.
    let mut schema =
        json!({"type": "object", "$ref": "#/$defs/l0", "unevaluatedProperties": false, "$defs": {"l30": {}}});
    for level in 0..30 {
        let below = format!("#/$defs/l{}", level + 1);
        schema["$defs"][format!("l{level}")] = json!({"allOf": [{"$ref": below}, {"allOf": [{"$ref": below}]}]});
    }
    let error = result_of(schema, ToolPolicy::new(), json!({"a": 1})).await.unwrap_err();
    assert_eq!(error, "they take too many steps to be validated; make them smaller");
    let many = json!({"v": vec![json!(1); 150_000]});
    let numbers = in_object(json!({"items": {"type": "integer"}}));
    assert_eq!(result_of(numbers.clone(), ToolPolicy::new(), many.clone()).await.as_ref(), Ok(&many));
    let mut wrong = many;
    wrong["v"].as_array_mut().unwrap().push("x".into());
    let error = result_of(numbers, ToolPolicy::new(), wrong).await.unwrap_err();
    assert_eq!(error, "`v[150000]`: expected integer, got string `x`");
}

#[tokio::test]
async fn numeric_strings_are_read_if_enabled() {
    let schema = in_object(json!({"type": "integer", "maximum": 7}));
    let lenient = ToolPolicy::new().with_numeric_strings(true);
    assert_eq!(result_of(schema.clone(), lenient, json!({"v": "3"})).await, Ok(json!({"v": 3})));
    assert_eq!(
        result_of(schema.clone(), lenient, json!({"v": "8"})).await.unwrap_err(),
        "`v`: must be at most 7, got 8"
    );
    let expected = "`v`: expected integer, got string `3 km`";
    assert_eq!(result_of(schema.clone(), lenient, json!({"v": "3 km"})).await.unwrap_err(), expected);
    let expected = "`v`: expected integer, got string `3`";
    assert_eq!(result_of(schema, ToolPolicy::new(), json!({"v": "3"})).await.unwrap_err(), expected);
}

#[tokio::test]
async fn the_result_of_an_unknown_tool_is_bounded() {
    let long = "n".repeat(6_900_000);
    let model = ScriptedModel::new([ScriptedTurn::tool_use(long.as_str(), json!({})), ScriptedTurn::text("done")]);
    let tools = ["a", "b", "c"].map(naming);
    let mut agent = agent(&model, tools).await;
    agent.prompt("go").await.unwrap();
    let (is_error, text) = newest_results(agent.messages()).remove(0);
    assert!(is_error && text.len() < 300 && text.ends_with("The tools are: a, b, c"), "{} bytes", text.len());
    let text = result_of(in_object(json!({"type": "integer"})), ToolPolicy::new(), json!([long])).await.unwrap_err();
    assert!(text.len() < 300, "{} bytes", text.len());
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
struct Order {
    amount: u32,
    tip: u32,
    #[serde(flatten)]
    payment: Payment,
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Payment {
    Card { number: u64 },
    Cash,
}

/// Returns the error result for an output that does not match the schema.
async fn output_error<T>(name: &str, wrong: Value, right: Value) -> String
where
    T: serde::de::DeserializeOwned + JsonSchema + Send + 'static,
{
    let turns = [wrong, right].map(|input| ScriptedTurn::tool_use(name, input));
    let model = ScriptedModel::new(turns);
    let mut agent = agent(&model, []).await;
    agent.prompt("go").output::<T>().await.unwrap();
    newest_results(&model.requests()[1].messages).remove(0).1
}

#[tokio::test]
async fn output_errors_name_the_fields() {
    // A type with a flattened enum is wrapped, since its root is a union.
    let right = json!({"amount": 3, "tip": 1, "kind": "cash"});
    for (wrong, expected) in [
        (json!({"amount": 3.0, "tip": 2.5, "kind": "cash"}), "`value.tip`: expected integer, got number 2.5."),
        (json!({"amount": 3, "tip": 1, "kind": "iou"}), "`value.kind` is `iou`: expected one of `card`, `cash`."),
        (json!({"amount": 3, "tip": 1, "kind": "card"}), "`value.number`: required (`value.kind` is `card`)."),
        (json!({"tip": -1, "kind": "cash"}), "`value.amount`: required"),
    ] {
        let text = output_error::<Order>("Order", json!({"value": wrong}), json!({"value": right})).await;
        assert!(text.contains(expected), "{text}");
    }
    let wrong = json!({"value": [{"amount": 1, "tip": "x", "kind": "cash"}]});
    let text = output_error::<Vec<Order>>("Array_of_Order", wrong, json!({"value": []})).await;
    assert!(text.contains("`value[0].tip`: expected integer, got string `x`"), "{text}");
}

#[tokio::test]
async fn a_float_with_an_integral_value_is_an_integer() {
    let output = json!({"amount": 3.0, "tip": 1, "kind": "card", "number": 4.0});
    let model = ScriptedModel::new([ScriptedTurn::tool_use("Order", output)]);
    let mut agent = agent(&model, []).await;
    let order = agent.prompt("go").output::<Order>().await.unwrap().into_output().unwrap();
    assert_eq!(order, Order { amount: 3, tip: 1, payment: Payment::Card { number: 4 } });
    let model = ScriptedModel::new([ScriptedTurn::tool_use("uint8", json!({"value": 3.0}))]);
    let mut agent = crate::support::agent(&model, []).await;
    assert_eq!(agent.prompt("go").output::<u8>().await.unwrap().into_output().unwrap(), 3);
}

//! Structured output of unusual types and in unusual forms.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use futures_util::StreamExt;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use strands_core::AgentResponse;
use strands_core::models::{ModelCapabilities, StopReason, StreamEvent};
use strands_core::testing::{ScriptedModel, ScriptedTurn};

use crate::support::{agent, listen};

fn native() -> ModelCapabilities {
    ModelCapabilities::new().with_structured_output(true)
}

fn text(text: &str, letters: usize) -> ScriptedTurn {
    let all: Vec<char> = text.chars().collect();
    let chunks = all.chunks(letters).map(|chunk| StreamEvent::text(0, chunk.iter().collect::<String>()));
    let events = std::iter::once(StreamEvent::start()).chain(chunks);
    ScriptedTurn::events(events.chain([StreamEvent::stop(StopReason::EndTurn)]).collect::<Vec<_>>())
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, PartialEq)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Both {
    A { value: u8, output: String },
    B { x: u8 },
}

#[tokio::test]
async fn a_byte_order_mark_is_skipped() {
    let model = ScriptedModel::new([ScriptedTurn::text("\u{feff}{\"value\": 3}")]).with_capabilities(native());
    let mut agent = agent(&model, []).await;
    assert_eq!(agent.prompt("go").output::<u8>().await.unwrap().into_output().unwrap(), 3);
}

#[tokio::test]
async fn malformed_output_is_rejected_without_a_panic() {
    let deep = "[".repeat(100_000);
    let nested = format!("{{\"value\": {}1{}}}", "[".repeat(105), "]".repeat(105));
    let long = format!("{{\"value\": \"{}", "x".repeat(3_000_000));
    for reply in [
        deep.as_str(),
        &nested,
        &long,
        r#"{"value": 1e999}"#,
        r#"{"value": 1.}"#,
        r#"{"value": 01}"#,
        r#"{"value": "\ud800"}"#,
        r#"{"value": "\udc00x"}"#,
        r#"{"value": "\ud800\u0041"}"#,
        "```json\n1\n```\n```json\n2\n```",
        "```json5\n{}\n```",
        "`",
        "```",
        "``````",
        "````json\n```",
        "{\"value\": \"\u{1}\"}",
        "nul",
        "{\"value\" 1}",
        "{,}",
        "\u{0}",
    ] {
        let model = ScriptedModel::new((0..6).map(|_| text(reply, 1000))).with_capabilities(native());
        let mut agent = agent(&model, []).await;
        let (_, ended) = listen(agent.prompt("go").output::<Vec<Value>>().stream()).await;
        assert!(ended.is_err(), "{}: {ended:?}", reply.chars().take(40).collect::<String>());
    }
}

/// A truncated bare string is not accepted as the output.
#[tokio::test]
async fn a_truncated_bare_string_is_not_an_output() {
    for cut in ["\"so fa", "[\"so fa", "so \"far"] {
        let model = ScriptedModel::new([
            ScriptedTurn::raw_tool_uses([("string", cut)]),
            ScriptedTurn::tool_use("string", json!({"value": "so far"})),
        ]);
        let mut agent = agent(&model, []).await;
        let output = agent.prompt("go").output::<String>().await.unwrap().into_output().unwrap();
        assert_eq!(output, "so far", "from {cut}");
    }
}

#[tokio::test]
async fn a_truncated_bare_value_is_not_an_output() {
    let model = ScriptedModel::new([
        ScriptedTurn::raw_tool_uses([("AnyValue", "[1, 2")]),
        ScriptedTurn::tool_use("AnyValue", json!({"value": [1, 2]})),
    ]);
    let mut agent = agent(&model, []).await;
    assert_eq!(agent.prompt("go").output::<Value>().await.unwrap().into_output().unwrap(), json!([1, 2]));
}

#[tokio::test]
async fn reads_arguments_in_a_json_string() {
    let model = ScriptedModel::new([
        ScriptedTurn::tool_use("Array_of_uint8", json!("{\"value\": [1]}")),
        ScriptedTurn::tool_use("Array_of_uint8", json!({"value": [1]})),
    ]);
    let mut agent = agent(&model, []).await;
    assert_eq!(agent.prompt("go").output::<Vec<u8>>().await.unwrap().into_output().unwrap(), [1]);
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, PartialEq)]
#[serde(untagged)]
enum Untagged {
    Number(u32),
    Words(Vec<String>),
    Named { value: String },
    Map(BTreeMap<String, u8>),
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, PartialEq)]
struct Flat {
    id: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, PartialEq)]
struct FlatEnum {
    id: u8,
    #[serde(flatten)]
    kind: Kind,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, PartialEq)]
#[serde(tag = "kind")]
enum Kind {
    A { value: u8 },
    B { output: u8 },
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, PartialEq)]
struct Value_<T> {
    value: T,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, PartialEq)]
struct Unit;

#[derive(Debug, Serialize, Deserialize, JsonSchema, PartialEq)]
struct Empty {}

#[derive(Debug, Serialize, Deserialize, JsonSchema, PartialEq)]
struct Newtype(Vec<Kind>);

#[derive(Debug, Serialize, Deserialize, JsonSchema, PartialEq)]
#[schemars(rename = "Root")]
enum Root {
    Leaf(u8),
    Tree(Vec<Root>),
}

/// Sends the value wrapped or bare, in each output mode, and reads the output, also as JSON.
async fn everywhere<T: Serialize + DeserializeOwned + JsonSchema + Debug + PartialEq + 'static>(value: Value) {
    for able in [native(), ModelCapabilities::new(), ModelCapabilities::new().with_tool_choice(false)] {
        for bare in [false, true] {
            // Arguments that are null count as missing.
            if bare && value.is_null() && !able.structured_output {
                continue;
            }
            let given = value.clone();
            let model = ScriptedModel::from_fn(move |request| {
                let spec = request.tools.iter().last();
                let schema = match request.output_schema {
                    Some(output) => &output.schema,
                    None => &spec.unwrap().input_schema,
                };
                assert_eq!(schema["type"], "object", "{schema:#}");
                let keys: Vec<_> =
                    schema["properties"].as_object().map(|p| p.keys().cloned().collect()).unwrap_or_default();
                let is_wrapped = keys.len() == 1 && given.get(&keys[0]).is_none();
                let given = if !bare && is_wrapped { json!({keys[0].as_str(): given}) } else { given.clone() };
                match spec {
                    Some(spec) if request.output_schema.is_none() => ScriptedTurn::tool_use(spec.name.as_str(), given),
                    _ => ScriptedTurn::text(given.to_string()),
                }
            })
            .with_capabilities(able);
            let mut agent = agent(&model, []).await;
            let response = agent.prompt("go").output::<T>().await;
            let response = response.unwrap_or_else(|error| panic!("{value}, {able:?}, bare: {bare}: {error}"));
            let text = serde_json::to_string(&response).unwrap();
            let read: AgentResponse<T> = serde_json::from_str(&text).unwrap();
            let expected: T = serde_json::from_value(value.clone()).unwrap();
            assert_eq!(read.into_output().unwrap(), expected, "from {text}");
            assert_eq!(response.into_output().unwrap(), expected, "{able:?}, bare: {bare}");
        }
    }
}

#[tokio::test]
async fn schemas_with_unusual_roots_produce_outputs() {
    everywhere::<Option<u8>>(json!(null)).await;
    everywhere::<Option<u8>>(json!(3)).await;
    everywhere::<()>(json!(null)).await;
    everywhere::<Unit>(json!(null)).await;
    everywhere::<Empty>(json!({})).await;
    everywhere::<Option<Option<Empty>>>(json!({})).await;
    everywhere::<HashMap<String, u8>>(json!({"value": 3})).await;
    everywhere::<HashMap<String, HashMap<String, u8>>>(json!({"value": {"value": 3}})).await;
    everywhere::<Value>(json!(null)).await;
    everywhere::<Value>(json!([1, {"a": 1}])).await;
    everywhere::<Value>(json!({"a": 1})).await;
    everywhere::<Untagged>(json!(7)).await;
    everywhere::<Untagged>(json!({"value": "x"})).await;
    everywhere::<Untagged>(json!({"a": 1})).await;
    everywhere::<Flat>(json!({"id": 1, "value": 7, "x": [1]})).await;
    everywhere::<FlatEnum>(json!({"id": 1, "kind": "A", "value": 3})).await;
    everywhere::<FlatEnum>(json!({"id": 1, "kind": "B", "output": 3})).await;
    everywhere::<Value_<Vec<u8>>>(json!({"value": [1]})).await;
    everywhere::<Option<Value_<Option<Vec<u8>>>>>(json!({"value": null})).await;
    everywhere::<Newtype>(json!([{"kind": "A", "value": 1}])).await;
    everywhere::<Root>(json!({"Tree": [{"Leaf": 1}, {"Tree": []}]})).await;
    everywhere::<Vec<Root>>(json!([{"Leaf": 1}])).await;
    everywhere::<char>(json!("é")).await;
    everywhere::<u128>(json!(1)).await;
    everywhere::<i64>(json!(-9007199254740993_i64)).await;
    everywhere::<f64>(json!(-0.0)).await;
    everywhere::<(u8, String, Option<bool>)>(json!([1, "x", null])).await;
    everywhere::<Result<u8, String>>(json!({"Err": "no"})).await;
    everywhere::<Both>(json!({"kind": "a", "value": 1, "output": "x"})).await;
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema, PartialEq)]
#[serde(default)]
struct Settings {
    theme: String,
}

/// The wrapper's field is present, and the type declares no such field: its value is the output.
#[tokio::test]
async fn an_extra_field_before_a_wrapped_value_is_ignored() {
    let model = ScriptedModel::new([ScriptedTurn::raw_tool_uses([(
        "Nullable_Settings",
        r#"{"reason": "asked", "value": {"theme": "dark"}}"#,
    )])]);
    let mut agent = agent(&model, []).await;
    let output = agent.prompt("go").output::<Option<Settings>>().await.unwrap().into_output().unwrap();
    assert_eq!(output, Some(Settings { theme: "dark".into() }));
}

/// Providers with closed objects only (OpenAI's strict mode) can't enforce an open wrapper, and the wrapper has one
/// field by definition.
#[tokio::test]
async fn a_wrapper_schema_has_no_additional_properties() {
    let model = ScriptedModel::new([text(r#"{"value": 1}"#, 20)]).with_capabilities(native());
    let mut agent = agent(&model, []).await;
    agent.prompt("go").output::<u8>().await.unwrap();
    let schema = model.requests()[0].output_schema.as_ref().unwrap().schema.clone();
    assert_eq!(schema["additionalProperties"], json!(false), "{schema:#}");
}

/// The message has a remedy that the program can apply.
#[tokio::test]
async fn the_error_for_a_duplicate_output_name_works_for_foreign_types() {
    let model = ScriptedModel::new([]);
    let mut agent = agent(&model, [crate::support::naming("string")]).await;
    let error = agent.prompt("go").output::<String>().await.unwrap_err().to_string();
    // `String` can't be renamed.
    assert!(error.contains("newtype") || error.contains("struct"), "{error}");
}

#[tokio::test]
async fn a_streamed_null_output_ends_with_null() {
    let model = ScriptedModel::new([text(r#"{"value": null}"#, 1)]).with_capabilities(native());
    let mut agent = agent(&model, []).await;
    let mut stream = agent.prompt("go").output::<Option<u8>>().stream();
    let mut last = None;
    while let Some(event) = stream.next().await {
        last = Some(serde_json::to_value(event.unwrap()).unwrap());
    }
    assert_eq!(last.unwrap()["response"]["output"], json!(null));
}

/// An object that has the wrapper's field is wrapped: the type does not have that field.
#[tokio::test]
async fn an_invalid_wrapped_value_is_not_replaced_by_a_default() {
    let turns = [json!({"value": 3}), json!({"value": {"theme": "dark"}})]
        .map(|input| ScriptedTurn::tool_use("Nullable_Settings", input));
    let mut agent = agent(&ScriptedModel::new(turns), []).await;
    let output = agent.prompt("go").output::<Option<Settings>>().await.unwrap().into_output().unwrap();
    assert_eq!(output, Some(Settings { theme: "dark".into() }));
}

/// A provider's rejection of one schema does not apply to another type of the same name.
#[tokio::test]
async fn different_types_with_one_name_are_rejected_separately() {
    #[derive(Debug, Deserialize, JsonSchema)]
    #[schemars(rename = "Trip")]
    struct Long {
        city: String,
    }
    #[derive(Debug, Deserialize, JsonSchema)]
    #[schemars(rename = "Trip")]
    struct Short {
        id: u8,
    }
    let model = ScriptedModel::from_fn(|request| match request.output_schema {
        Some(output) if output.schema["properties"].get("city").is_some() => {
            let details = strands_core::models::ErrorDetails::new().with_status(400).boxed();
            ScriptedTurn::error(strands_core::models::ModelError::InvalidRequest { details })
        }
        Some(_) => ScriptedTurn::text(r#"{"id": 1}"#),
        None => ScriptedTurn::tool_use("Trip", json!({"city": "Oslo", "id": 1})),
    })
    .with_capabilities(native());
    let mut agent = agent(&model, []).await;
    for _ in 0..2 {
        assert_eq!(agent.prompt("go").output::<Long>().await.unwrap().into_output().unwrap().city, "Oslo");
    }
    assert_eq!(agent.prompt("go").output::<Short>().await.unwrap().into_output().unwrap().id, 1);
    let native: Vec<_> = model.requests().iter().map(|request| request.output_schema.is_some()).collect();
    assert_eq!(native, [true, false, false, true]);
}

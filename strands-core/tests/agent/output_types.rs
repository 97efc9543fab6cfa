//! Structured output of every kind of type, in every output mode.

use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, Ordering};

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use strands_core::models::{ModelCapabilities, ModelRequest};
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::{AgentError, Prompt, ToolOutput};

use crate::support::{FnTool, assert_whole, template, tool};

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
enum Color {
    Red,
    Green,
}

/// A booking.
#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Booking {
    Flight { number: u32 },
    Hotel { name: String, stars: Option<u8> },
}

/// Has a field with the name of the wrapper's field.
#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
enum Reading {
    Degrees(f64),
    Words(String),
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
struct Nested {
    inner: Option<Option<Box<Nested>>>,
    stars: Option<Option<u8>>,
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
struct Plan {
    bookings: Vec<Booking>,
    then: Option<Box<Plan>>,
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Tree {
    Leaf(i32),
    Node(Vec<Tree>),
}

/// The output mode.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Native,
    Forced,
    Offered,
}

/// The form of the model's output.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    AsAsked,
    Bare,
    Fenced(&'static str, &'static str),
}

const MODES: [Mode; 3] = [Mode::Native, Mode::Forced, Mode::Offered];
const FORMS: [Form; 5] = [
    Form::AsAsked,
    Form::Bare,
    Form::Fenced("```json\n", "\n```"),
    Form::Fenced(" \r\n```JSON  \r\n", "\r\n```\r\n "),
    Form::Fenced("```\n", "```"),
];

fn capabilities(mode: Mode) -> ModelCapabilities {
    let able = ModelCapabilities::new();
    match mode {
        Mode::Native => able.with_structured_output(true),
        Mode::Forced => able,
        Mode::Offered => able.with_tool_choice(false),
    }
}

/// The value as the schema requires it.
fn as_asked(schema: &Value, value: &Value) -> Value {
    assert_eq!(schema["type"], "object", "{schema:#}");
    assert!(["oneOf", "anyOf", "allOf", "$ref"].iter().all(|union| schema.get(union).is_none()), "{schema:#}");
    let fields = schema["properties"].as_object().unwrap();
    let is_wrapped = fields.len() == 1 && value.get(fields.keys().next().unwrap()).is_none();
    if is_wrapped { json!({fields.keys().next().unwrap(): value}) } else { value.clone() }
}

/// A model that returns the value in the requested output mode.
fn giving(value: Value, mode: Mode, form: Form) -> ScriptedModel {
    let respond = move |request: &ModelRequest<'_>| {
        if mode == Mode::Forced && request.tool_choice.is_none() {
            return ScriptedTurn::text("I would say so.");
        }
        let spec = request.tools.iter().last();
        let schema = match request.output_schema {
            Some(output) => &output.schema,
            None => &spec.unwrap().input_schema,
        };
        let given = match form {
            Form::Bare => value.clone(),
            Form::AsAsked | Form::Fenced(..) => as_asked(schema, &value),
        };
        match (form, spec) {
            // The response to a forced call may be text.
            (Form::Fenced(begin, end), _) => ScriptedTurn::text(format!("{begin}{given}{end}")),
            (_, Some(spec)) if request.output_schema.is_none() => ScriptedTurn::tool_use(spec.name.as_str(), given),
            _ => ScriptedTurn::text(given.to_string()),
        }
    };
    ScriptedModel::from_fn(respond).with_capabilities(capabilities(mode))
}

async fn in_every_mode<T: DeserializeOwned + JsonSchema + PartialEq + Debug + 'static>(value: Value, expected: T) {
    for mode in MODES {
        for form in FORMS {
            // Text is not accepted as output in the first request that offers the tool.
            let model = giving(value.clone(), mode, form);
            let mut agent = template(&model, []).build().await.unwrap();
            let response = agent.prompt("go").output::<T>().await;
            let response = response.unwrap_or_else(|error| panic!("{value}, {mode:?}, {form:?}: {error}"));
            assert_eq!(response.into_output().unwrap(), expected, "{mode:?}, {form:?}");
            assert_whole(&mut agent).await;
        }
    }
}

#[tokio::test]
async fn enums() {
    in_every_mode(json!("Red"), Color::Red).await;
    in_every_mode(json!(["Green", "Red"]), (Color::Green, Color::Red)).await;
}

#[tokio::test]
async fn tagged_enums() {
    in_every_mode(json!({"kind": "flight", "number": 7}), Booking::Flight { number: 7 }).await;
    let hotel = Booking::Hotel { name: "Grand".into(), stars: None };
    in_every_mode(json!({"kind": "hotel", "name": "Grand", "stars": null}), hotel).await;
    in_every_mode(json!({"kind": "degrees", "value": 3.5}), Reading::Degrees(3.5)).await;
    in_every_mode(json!({"value": "mild", "kind": "words"}), Reading::Words("mild".into())).await;
}

#[tokio::test]
async fn lists() {
    let bookings = vec![Booking::Flight { number: 1 }, Booking::Hotel { name: "x".into(), stars: Some(3) }];
    let json = json!([{"kind": "flight", "number": 1}, {"kind": "hotel", "name": "x", "stars": 3}]);
    in_every_mode(json, bookings).await;
    in_every_mode(json!([]), Vec::<String>::new()).await;
}

#[tokio::test]
async fn scalars() {
    in_every_mode(json!(7), 7_u8).await;
    in_every_mode(json!(-2.5), -2.5_f64).await;
    in_every_mode(json!(true), true).await;
    in_every_mode(json!("a \"quoted\" text"), "a \"quoted\" text".to_owned()).await;
}

#[tokio::test]
async fn nested_options() {
    let leaf = Nested { inner: None, stars: Some(Some(1)) };
    let json = json!({"inner": {"inner": null, "stars": 1}, "stars": null});
    in_every_mode(json, Nested { inner: Some(Some(Box::new(leaf))), stars: None }).await;
    in_every_mode(json!([null, 3]), Some(vec![None, Some(3_u8)])).await;
}

#[tokio::test]
async fn recursive_types() {
    let json = json!({"bookings": [{"kind": "flight", "number": 7}], "then": {"bookings": [], "then": null}});
    let then = Some(Box::new(Plan { bookings: vec![], then: None }));
    in_every_mode(json, Plan { bookings: vec![Booking::Flight { number: 7 }], then }).await;
    let tree = Tree::Node(vec![Tree::Leaf(1), Tree::Node(vec![Tree::Leaf(-2)])]);
    in_every_mode(json!({"node": [{"leaf": 1}, {"node": [{"leaf": -2}]}]}), tree).await;
}

/// Dangling references of a schema.
fn dangling(schema: &Value, root: &Value) -> Vec<String> {
    match schema {
        Value::Array(items) => items.iter().flat_map(|item| dangling(item, root)).collect(),
        Value::Object(fields) => {
            let reference = fields.get("$ref").and_then(Value::as_str);
            let is_lost = |reference: &&str| root.pointer(reference.trim_start_matches('#')).is_none();
            let lost = reference.filter(is_lost).map(str::to_owned);
            lost.into_iter().chain(fields.values().flat_map(|field| dangling(field, root))).collect()
        }
        _ => Vec::new(),
    }
}

async fn schema_of<T: DeserializeOwned + JsonSchema + 'static>() -> Value {
    let model = ScriptedModel::responding("x").with_capabilities(capabilities(Mode::Native));
    let mut agent = template(&model, []).build().await.unwrap();
    agent.prompt("go").output::<T>().await.err();
    let schema = model.requests()[0].output_schema.as_ref().unwrap().schema.clone();
    assert_eq!(dangling(&schema, &schema), [""; 0], "{schema:#}");
    schema
}

#[tokio::test]
async fn a_wrapped_schema_has_one_field() {
    let number = schema_of::<u8>().await;
    assert_eq!((&number["properties"]["value"]["type"], &number["required"]), (&json!("integer"), &json!(["value"])));
    let list = schema_of::<Vec<Booking>>().await;
    assert_eq!(list["properties"]["value"]["items"], json!({"$ref": "#/$defs/Booking"}));
    assert!(list["$defs"]["Booking"]["oneOf"].is_array());
    // A root that refers to itself still does after it has moved.
    let tree = schema_of::<Tree>().await.to_string();
    assert!(!tree.contains(r##""$ref":"#""##), "{tree}");
    let plan = schema_of::<Plan>().await;
    assert!(plan["properties"]["bookings"].is_object(), "an object is not wrapped: {plan:#}");
}

#[tokio::test]
async fn an_invalid_output_is_reported_to_the_model_and_corrected() {
    for (wrong, expected) in [
        (json!({"value": 300}), "300"),
        (json!({"answer": 3}), "missing field `value`"),
        (json!({"value": "three"}), "three"),
        (json!("three"), "three"),
    ] {
        let turns = [ScriptedTurn::tool_use("uint8", wrong), ScriptedTurn::tool_use("uint8", json!({"value": 3}))];
        let model = ScriptedModel::new(turns);
        let mut agent = template(&model, []).build().await.unwrap();
        assert_eq!(agent.prompt("go").output::<u8>().await.unwrap().into_output().unwrap(), 3);
        let results = crate::support::newest_results(&model.requests()[1].messages);
        assert!(results[0].0 && results[0].1.contains(expected), "{results:?}");
    }
}

#[tokio::test]
async fn truncated_arguments_are_not_a_bare_text() {
    let cut = ScriptedTurn::raw_tool_uses([("string", r#"{"value": "so fa"#)]);
    let model = ScriptedModel::new([cut, ScriptedTurn::tool_use("string", json!({"value": "so far"}))]);
    let mut agent = template(&model, []).build().await.unwrap();
    assert_eq!(agent.prompt("go").output::<String>().await.unwrap().into_output().unwrap(), "so far");
}

#[tokio::test]
async fn the_first_valid_output_of_a_response_counts() {
    let calls = [json!({"value": "no"}), json!({"value": 1}), json!({"value": 2})].map(|input| ("uint8", input));
    let model = ScriptedModel::new([ScriptedTurn::tool_uses(calls)]);
    let mut agent = template(&model, []).build().await.unwrap();
    assert_eq!(agent.prompt("go").output::<u8>().await.unwrap().into_output().unwrap(), 1);
}

#[tokio::test]
async fn rejects_text_around_a_code_fence() {
    for text in ["Here you are:\n```json\n{\"value\": 3}\n```", "```json\n{\"value\": 3}\n```\nDone."] {
        let model = ScriptedModel::responding(text).with_capabilities(capabilities(Mode::Native));
        let mut agent = template(&model, []).build().await.unwrap();
        let error = agent.prompt("go").output::<u8>().await.unwrap_err();
        assert!(matches!(&error, AgentError::InvalidOutput { .. }), "{error:?}");
    }
}

fn asking() -> FnTool {
    tool("asks", |ctx, _| async move { ToolOutput::serialize(&ctx.interrupt("sure", "?")?) })
}

/// Suspends an invocation that requests a `T`, and resumes it in a process that does not know the type.
async fn elsewhere<T: DeserializeOwned + JsonSchema + PartialEq + Debug + 'static>(value: Value) {
    for form in [Form::AsAsked, Form::Bare] {
        let sessions = InMemorySessionManager::new("s");
        let worker = |model: &ScriptedModel| template(model, [asking()]).session_manager(sessions.clone());
        let model = ScriptedModel::new([ScriptedTurn::tool_use("asks", json!({}))]);
        let mut first = worker(&model).build().await.unwrap();
        let interrupts = first.prompt("go").output::<T>().await.unwrap().interrupts;
        drop(first);

        // The output is validated against the stored schema.
        let (is_second, value) = (AtomicBool::new(false), value.clone());
        let given = value.clone();
        let model = ScriptedModel::from_fn(move |request| {
            let spec = request.tools.iter().last().unwrap();
            let input = match (is_second.swap(true, Ordering::Relaxed), form) {
                (false, _) => json!({"value": {"nonsense": []}}),
                (true, Form::Bare) => given.clone(),
                (true, _) => as_asked(&spec.input_schema, &given),
            };
            ScriptedTurn::tool_use(spec.name.as_str(), input)
        });
        let mut second = worker(&model).build().await.unwrap();
        let resumed = second.prompt(Prompt::none()).resume([interrupts[0].respond("y")]);
        let output = resumed.await.unwrap().output.unwrap();
        assert_eq!((output, model.requests().len()), (value, 2), "{form:?}");
    }
}

#[tokio::test]
async fn a_suspended_run_produces_its_output_in_another_process() {
    elsewhere::<Color>(json!("Green")).await;
    elsewhere::<Booking>(json!({"kind": "flight", "number": 7})).await;
    elsewhere::<Vec<Booking>>(json!([{"kind": "flight", "number": 7}])).await;
    elsewhere::<u8>(json!(7)).await;
    elsewhere::<Option<Vec<Option<u8>>>>(json!([null, 3])).await;
    elsewhere::<Plan>(json!({"bookings": [], "then": {"bookings": [], "then": null}})).await;
    elsewhere::<Tree>(json!({"node": [{"leaf": 1}, {"node": []}]})).await;
}

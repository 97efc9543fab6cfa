//! Structured output on Bedrock: the modes in which it is requested, and the fallbacks after errors.

use std::collections::BTreeMap;

use crate::loopback::{CLAUDE, NOVA, ask, builder, turn, weather_tools};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use strands_bedrock::{BedrockModel, BedrockModelBuilder};
use strands_core::models::{Model, ModelError, ModelRequest, OutputSchema, ToolChoice};
use strands_core::{Agent, RetryPolicy};
use strands_testkit::converse::ConverseStream;
use strands_testkit::provider::structured::every_kind_of_output;
use strands_testkit::{Response, Server};

/// A model that follows schemas according to AWS.
const FOLLOWING: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

const NO_FORCED_CHOICE: &str = "This model doesn't support the toolConfig.toolChoice.tool field.";
const NO_OUTPUT_CONFIG: &str = "This model doesn't support the outputConfig field. Remove outputConfig and try again.";
const REFUSED_SCHEMA: &str = "output_config.format.schema: Schema is too complex";

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
struct Trip {
    city: String,
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
struct Stay {
    nights: u8,
}

fn oslo() -> Trip {
    Trip { city: "Oslo".to_owned() }
}

fn text_response(text: &str) -> Response {
    ConverseStream::text_turn(text).response()
}

fn tool_call_response() -> Response {
    ConverseStream::tool_turn("Trip", "t-1", &json!({"city": "Oslo"})).response()
}

fn validation_error(message: &str) -> Response {
    Response::json(400, &json!({"message": message})).header("x-amzn-errortype", "ValidationException")
}

async fn output<T: DeserializeOwned + JsonSchema + 'static>(builder: BedrockModelBuilder) -> T {
    let retry = RetryPolicy::new().max_attempts(1);
    let model = builder.build().await.unwrap();
    let mut agent = Agent::builder().model(model).retry(retry).build().await.unwrap();
    agent.prompt("Where to?").output::<T>().await.unwrap().into_output().unwrap()
}

/// Returns the modes in which the output was requested.
fn modes(server: &Server) -> Vec<&'static str> {
    let mode = |body: &Value| match (body.get("outputConfig").is_some(), &body["toolConfig"]["toolChoice"]) {
        (true, Value::Null) => "native",
        (true, choice) if choice.get("auto").is_some() => "native",
        (false, choice) if choice.get("tool").is_some() => "forced",
        (false, choice) if choice.get("auto").is_some() => "offered",
        other => panic!("{other:?}: {body}"),
    };
    server.requests().iter().map(|request| mode(&request.json())).collect()
}

#[tokio::test]
async fn every_kind_of_output_of_claude() {
    every_kind_of_output(&crate::loopback::provider::CLAUDE).await;
}

#[tokio::test]
async fn every_kind_of_output_of_nova() {
    every_kind_of_output(&crate::loopback::provider::NOVA).await;
}

#[tokio::test]
async fn uses_native_output_for_models_that_follow_schemas() {
    let server = Server::sequence([text_response(r#"{"city": "Oslo"}"#)]).await;
    let thinking = json!({"type": "adaptive"});
    let builder = builder(&server.url())
        .model_id(FOLLOWING)
        .additional_request_field("thinking", thinking.clone())
        .extra("outputConfig", json!({"other": 1}));
    assert_eq!(output::<Trip>(builder).await, oslo());
    let body = server.requests()[0].json();
    assert_eq!(body["outputConfig"]["other"], 1, "the program's own fields are sent too");
    let format = &body["outputConfig"]["textFormat"];
    assert_eq!((&format["type"], &format["structure"]["jsonSchema"]["name"]), (&json!("json_schema"), &json!("Trip")));
    let schema: Value = serde_json::from_str(format["structure"]["jsonSchema"]["schema"].as_str().unwrap()).unwrap();
    assert_eq!(schema["additionalProperties"], json!(false));
    assert!(body.get("toolConfig").is_none());
    assert_eq!(
        body["additionalModelRequestFields"]["thinking"], thinking,
        "thinking is omitted only for a forced tool call"
    );
}

#[tokio::test]
async fn does_not_repeat_a_mode_that_a_model_has_rejected() {
    let json = || text_response(r#"{"city": "Oslo"}"#);
    let server = Server::sequence([
        text_response("Oslo."),
        validation_error(NO_FORCED_CHOICE),
        json(),
        // A new agent starts with the schema.
        json(),
        validation_error(NO_OUTPUT_CONFIG),
        tool_call_response(),
        tool_call_response(),
    ])
    .await;
    let model = || builder(&server.url());
    let capabilities = || async { model().build().await.unwrap().capabilities() };
    assert!(capabilities().await.tool_choice && !capabilities().await.structured_output);
    assert_eq!(output::<Trip>(model()).await, oslo());
    assert!(!capabilities().await.tool_choice && capabilities().await.structured_output);
    assert_eq!(output::<Trip>(model()).await, oslo());
    assert_eq!(output::<Trip>(model()).await, oslo());
    assert!(!capabilities().await.tool_choice && !capabilities().await.structured_output);
    assert_eq!(output::<Trip>(model()).await, oslo());
    assert_eq!(modes(&server), ["offered", "forced", "native", "native", "native", "offered", "offered"]);
    // Limits are remembered for each model.
    let other = model().model_id(FOLLOWING).build().await.unwrap().capabilities();
    assert!(other.tool_choice && other.structured_output);
}

#[tokio::test]
async fn remembers_rejected_schemas_one_by_one() {
    let stay = text_response(r#"{"nights": 2}"#);
    let server =
        Server::sequence([validation_error(REFUSED_SCHEMA), tool_call_response(), tool_call_response(), stay]).await;
    let model = || builder(&server.url()).model_id(FOLLOWING);
    assert_eq!(output::<Trip>(model()).await, oslo());
    assert_eq!(output::<Trip>(model()).await, oslo());
    assert_eq!(output::<Stay>(model()).await, Stay { nights: 2 });
    assert_eq!(modes(&server), ["native", "forced", "forced", "native"]);
}

#[tokio::test]
async fn does_not_send_a_schema_that_would_lose_meaning() {
    let call = ConverseStream::tool_turn("Map_of_string", "t-1", &json!({"Oslo": "sunny"})).response();
    let server = Server::sequence([call]).await;
    let expected = BTreeMap::from([("Oslo".to_owned(), "sunny".to_owned())]);
    assert_eq!(output::<BTreeMap<String, String>>(builder(&server.url()).model_id(FOLLOWING)).await, expected);
    assert_eq!(modes(&server), ["forced"]);

    let model = builder(&server.url()).model_id(FOLLOWING).build().await.unwrap();
    let messages = ask("hi");
    let schema = OutputSchema::new("Open", json!({"type": "object", "additionalProperties": {"type": "string"}}));
    let refused = model.stream(ModelRequest::new(&messages).with_output_schema(&schema)).await.err().unwrap();
    assert!(matches!(refused, ModelError::InvalidRequest { .. }), "{refused:?}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn the_builder_overrides_support_for_schemas() {
    let server = Server::sequence([tool_call_response(), text_response(r#"{"city": "Oslo"}"#)]).await;
    let model = || builder(&server.url());
    assert_eq!(output::<Trip>(model().model_id(FOLLOWING).structured_output(false)).await, oslo());
    assert_eq!(output::<Trip>(model().model_id(NOVA).structured_output(true)).await, oslo());
    assert_eq!(modes(&server), ["offered", "native"]);
}

#[tokio::test]
async fn does_not_replace_a_tool_call_that_the_caller_forces() {
    let server = Server::repeat(validation_error(NO_FORCED_CHOICE)).await;
    let model: BedrockModel = builder(&server.url()).model_id(CLAUDE).build().await.unwrap();
    let (messages, tools, choice) = (ask("hi"), weather_tools(), ToolChoice::Any {});
    let request = ModelRequest::new(&messages).with_tools(&tools).with_tool_choice(&choice);
    assert!(matches!(turn(&model, request).await, Err(ModelError::InvalidRequest { .. })));
    assert_eq!(server.requests().len(), 1);
    assert!(!model.capabilities().tool_choice);
}

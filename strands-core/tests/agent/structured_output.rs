//! Structured output: its output modes, and recovery from invalid output.

use futures_util::StreamExt;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use strands_core::message::Role;
use strands_core::models::{
    ErrorDetails, Model, ModelCapabilities, ModelError, ModelRequest, ModelStream, StopReason, ToolChoice,
};
use strands_core::testing::{RecordedRequest, ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentError, AgentEvent, Limits, Prompt, ToolOutput};

use crate::support::{agent, assert_whole, naming, newest_results, tool};
use crate::valid_history::flaw;

/// A journey.
#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
struct Trip {
    city: String,
    nights: u8,
}

fn right() -> ScriptedTurn {
    ScriptedTurn::tool_use("Trip", json!({"city": "Oslo", "nights": 2}))
}

fn wrong() -> ScriptedTurn {
    ScriptedTurn::tool_use("Trip", json!({"city": "Oslo", "nights": "two"}))
}

fn oslo() -> Trip {
    Trip { city: "Oslo".into(), nights: 2 }
}

#[tokio::test]
async fn a_call_of_the_output_tool_ends_the_turn() {
    let model = ScriptedModel::new([right(), ScriptedTurn::text("unreachable")]);
    let mut agent = agent(&model, [naming("one")]).await;
    let response = agent.prompt("plan").output::<Trip>().await.unwrap();
    assert_eq!((response.stop_reason.clone(), response.turns), (StopReason::EndTurn, 1));
    assert_eq!(response.into_output().unwrap(), oslo());
    assert_eq!(model.requests()[0].tools, ["one", "Trip"]);
    assert_eq!(model.requests()[0].tool_choice, None);
    assert_whole(&mut agent).await;
    // The next prompt has no structured output.
    agent.prompt("thanks").await.unwrap();
    assert_eq!(model.requests()[1].tools, ["one"]);
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn a_tool_call_and_the_output_can_share_a_response() {
    let batch = ScriptedTurn::tool_uses([("one", json!({})), ("Trip", json!({"city": "Oslo", "nights": 2}))]);
    let model = ScriptedModel::new([batch]);
    let mut agent = agent(&model, [naming("one")]).await;
    let response = agent.prompt("plan").output::<Trip>().await.unwrap();
    assert_eq!(response.into_output().unwrap(), oslo());
    assert_eq!(newest_results(agent.messages())[0], (false, "one".into()));
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn an_invalid_output_is_reported_to_the_model() {
    let model = ScriptedModel::new([wrong(), right()]);
    let mut agent = agent(&model, []).await;
    let response = agent.prompt("plan").output::<Trip>().await.unwrap();
    assert_eq!(response.into_output().unwrap(), oslo());
    let (error, text) = newest_results(&model.requests()[1].messages).remove(0);
    assert!(error && text.contains("`nights`: expected integer, got string `two`"), "{text}");
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn malformed_output_arguments_are_reported_to_the_model() {
    let model = ScriptedModel::new([ScriptedTurn::raw_tool_uses([("Trip", "{\"city\": ")]), right()]);
    let mut agent = agent(&model, []).await;
    assert_eq!(agent.prompt("plan").output::<Trip>().await.unwrap().into_output().unwrap(), oslo());
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn a_valid_output_among_invalid_ones_is_taken() {
    let pair =
        ScriptedTurn::tool_uses([("Trip", json!({"city": "Oslo", "nights": 2})), ("Trip", json!({"city": "Rome"}))]);
    let model = ScriptedModel::new([pair]);
    let mut agent = agent(&model, []).await;
    assert_eq!(agent.prompt("plan").output::<Trip>().await.unwrap().into_output().unwrap(), oslo());
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn a_text_response_is_followed_by_a_forced_tool_call() {
    let model = ScriptedModel::new([ScriptedTurn::text("Oslo, I would say."), right()]);
    let mut agent = agent(&model, []).await;
    let response = agent.prompt("plan").output::<Trip>().await.unwrap();
    assert_eq!(response.into_output().unwrap(), oslo());
    let request = &model.requests()[1];
    assert_eq!(request.tool_choice, Some(ToolChoice::Tool { name: "Trip".into() }));
    assert_eq!(request.messages[2].text(), "You must format the previous response as structured output.");
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn accepts_json_text_in_place_of_a_forced_call() {
    let text = ScriptedTurn::text(r#" {"city": "Oslo", "nights": 2} "#);
    let model = ScriptedModel::new([ScriptedTurn::text("hm"), text]);
    let mut agent = agent(&model, []).await;
    let response = agent.prompt("plan").output::<Trip>().await.unwrap();
    assert_eq!(response.into_output().unwrap(), oslo());
    assert_whole(&mut agent).await;
}

/// A provider that can enforce a schema.
const NATIVE: ModelCapabilities = ModelCapabilities::new().with_structured_output(true);

#[tokio::test]
async fn uses_native_output_without_tools() {
    let model = ScriptedModel::new([ScriptedTurn::text(r#"{"city": "Oslo", "nights": 2}"#)]).with_capabilities(NATIVE);
    let mut agent = agent(&model, []).await;
    let response = agent.prompt("plan").output::<Trip>().await.unwrap();
    assert_eq!(response.into_output().unwrap(), oslo());
    let request = &model.requests()[0];
    assert_eq!((&request.tool_choice, request.tools.len()), (&None, 0));
    let schema = request.output_schema.as_ref().unwrap();
    assert_eq!((schema.name.as_str(), schema.description.as_deref()), ("Trip", Some("A journey.")));
    assert_eq!(schema.schema["properties"]["city"]["type"], "string");
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn uses_native_output_after_a_text_response() {
    let model = ScriptedModel::new([
        ScriptedTurn::text("Oslo, I would say."),
        ScriptedTurn::text(r#"{"city": "Oslo", "nights": "two"}"#),
        ScriptedTurn::text(r#"{"city": "Oslo", "nights": 2}"#),
    ])
    .with_capabilities(NATIVE);
    let mut agent = agent(&model, [naming("one")]).await;
    let response = agent.prompt("plan").output::<Trip>().await.unwrap();
    assert_eq!(response.into_output().unwrap(), oslo());
    let requests = model.requests();
    assert!(requests[0].output_schema.is_none(), "tools may be called first");
    assert_eq!(requests[0].tools, ["one", "Trip"]);
    assert!(requests[1].output_schema.is_some() && requests[1].tool_choice.is_none());
    let mistake = requests[2].messages.last().unwrap().text();
    assert!(mistake.contains("`nights`: expected integer"), "the model gets the mismatch: {mistake}");
    assert_whole(&mut agent).await;
}

fn refusal(status: u16) -> ScriptedTurn {
    let details = ErrorDetails::new().with_status(status).with_body("Invalid schema for response_format");
    ScriptedTurn::error(ModelError::InvalidRequest { details: details.boxed() })
}

#[tokio::test]
async fn falls_back_to_a_tool_if_the_schema_is_rejected() {
    let model = ScriptedModel::new([refusal(400), right(), right()]).with_capabilities(NATIVE);
    let mut agent = agent(&model, []).await;
    let mut events = Vec::new();
    let mut stream = agent.prompt("plan").output::<Trip>().stream();
    while let Some(event) = stream.next().await {
        events.push(event.unwrap());
    }
    drop(stream);
    assert!(events.iter().any(|event| matches!(event, AgentEvent::Retry { discards_output: false, .. })), "{events:?}");
    assert!(model.requests()[0].output_schema.is_some());
    let forced = Some(ToolChoice::Tool { name: "Trip".into() });
    // The schema is not sent to this model again.
    assert_eq!(agent.prompt("plan").output::<Trip>().await.unwrap().into_output().unwrap(), oslo());
    for (at, choice) in [(1, &forced), (2, &None)] {
        let request = &model.requests()[at];
        assert_eq!((&request.tools, &request.tool_choice), (&vec!["Trip".to_owned()], choice));
        assert!(request.output_schema.is_none());
    }
    assert_whole(&mut agent).await;

    // Another model may accept it.
    let other = ScriptedModel::new([ScriptedTurn::text(r#"{"city": "Oslo", "nights": 2}"#)]).with_capabilities(NATIVE);
    agent.set_model(other.clone());
    agent.prompt("plan").output::<Trip>().await.unwrap();
    assert!(other.requests()[0].output_schema.is_some());
}

#[tokio::test]
async fn falls_back_to_a_tool_after_tool_calls() {
    let model = ScriptedModel::new([ScriptedTurn::text("Oslo."), refusal(400), right()]).with_capabilities(NATIVE);
    let mut agent = agent(&model, [naming("one")]).await;
    let response = agent.prompt("plan").output::<Trip>().await.unwrap();
    assert_eq!(response.into_output().unwrap(), oslo());
    assert_eq!(model.requests()[2].tools, ["one", "Trip"]);
    assert_eq!(model.requests()[2].tool_choice, Some(ToolChoice::Tool { name: "Trip".into() }));
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn offers_the_tool_if_it_cannot_be_forced() {
    // "Thinking mode does not support this tool_choice".
    let model = ScriptedModel::new([ScriptedTurn::text("Oslo."), refusal(400), right()]);
    let mut agent = agent(&model, []).await;
    let response = agent.prompt("plan").output::<Trip>().await.unwrap();
    assert_eq!(response.into_output().unwrap(), oslo());
    let choices: Vec<_> = model.requests().iter().map(|request| request.tool_choice.is_some()).collect();
    assert_eq!(choices, [false, true, false]);
    assert_whole(&mut agent).await;

    let model = ScriptedModel::new([ScriptedTurn::text("Oslo."), refusal(400), refusal(400), right()]);
    let mut agent = self::agent(&model, []).await;
    let error = agent.prompt("plan").output::<Trip>().await.unwrap_err();
    assert!(matches!(error, AgentError::Model { .. }), "{error:?}");
    assert_eq!(model.requests().len(), 3, "the schema is not the cause");
}

#[tokio::test]
async fn repeated_malformed_output_switches_the_output_mode() {
    let malformed = || ScriptedTurn::error(ModelError::MalformedOutput { details: Box::default() });
    let turns = [ScriptedTurn::text("Oslo."), malformed(), malformed(), malformed(), right()];
    let model = ScriptedModel::new(turns);
    let mut agent = agent(&model, []).await;
    let response = agent.prompt("plan").output::<Trip>().await.unwrap();
    assert_eq!(response.into_output().unwrap(), oslo());
    let choices: Vec<_> = model.requests().iter().map(|request| request.tool_choice.is_some()).collect();
    assert_eq!(choices, [false, true, true, true, false]);
    assert_whole(&mut agent).await;
}

/// A model whose provider records unsupported capabilities at the first rejected request.
#[derive(Clone, Debug)]
struct Learning {
    script: ScriptedModel,
    before: ModelCapabilities,
    after: ModelCapabilities,
}

#[async_trait::async_trait]
impl Model for Learning {
    fn model_id(&self) -> &str {
        "learning"
    }

    fn capabilities(&self) -> ModelCapabilities {
        let is_forced = |request: &RecordedRequest| request.tool_choice.is_some();
        if self.script.requests().iter().any(is_forced) { self.after } else { self.before }
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        self.script.stream(request).await
    }
}

/// The output modes of the requests: `native`, `forced` or `offered`.
fn output_modes(model: &ScriptedModel) -> Vec<&'static str> {
    let mode = |request: &RecordedRequest| match (&request.output_schema, &request.tool_choice) {
        (Some(_), None) => "native",
        (None, Some(_)) => "forced",
        (None, None) => "offered",
        both => panic!("{both:?}"),
    };
    model.requests().iter().map(mode).collect()
}

#[tokio::test]
async fn capabilities_learned_from_an_error_switch_the_output_mode() {
    let unable = ModelCapabilities::new().with_tool_choice(false);
    let json = || ScriptedTurn::text(r#"{"city": "Oslo", "nights": 2}"#);
    // The forced call is rejected, then the schema; the tool is offered last.
    let script = ScriptedModel::new([ScriptedTurn::text("Oslo."), refusal(400), refusal(400), right(), json()]);
    let before = ModelCapabilities::new();
    let model = Learning { script: script.clone(), before, after: unable.with_structured_output(true) };
    let mut agent = Agent::builder().model(model.clone()).build().await.unwrap();
    assert_eq!(agent.prompt("plan").output::<Trip>().await.unwrap().into_output().unwrap(), oslo());
    assert_eq!(output_modes(&script), ["offered", "forced", "native", "offered"]);
    // An agent that is built later starts with the recorded capabilities.
    let mut later = Agent::builder().model(model).build().await.unwrap();
    assert_eq!(later.prompt("plan").output::<Trip>().await.unwrap().into_output().unwrap(), oslo());
    assert_eq!(output_modes(&script).last(), Some(&"native"));

    // A tool call is not forced if the model is known not to support it.
    let script = ScriptedModel::new([ScriptedTurn::text("Oslo."), right()]);
    let model = Learning { script: script.clone(), before: unable, after: unable };
    let mut agent = Agent::builder().model(model).build().await.unwrap();
    assert_eq!(agent.prompt("plan").output::<Trip>().await.unwrap().into_output().unwrap(), oslo());
    assert_eq!(output_modes(&script), ["offered", "offered"]);
}

#[tokio::test]
async fn errors_unrelated_to_the_schema_are_returned() {
    let model = ScriptedModel::new([refusal(404), right()]).with_capabilities(NATIVE);
    let mut agent = agent(&model, []).await;
    let error = agent.prompt("plan").output::<Trip>().await.unwrap_err();
    assert!(matches!(error, AgentError::Model { attempts: 1, .. }), "{error:?}");
    assert_eq!(model.requests().len(), 1);
}

#[tokio::test]
async fn server_tools_run_before_native_output() {
    let turns = [ScriptedTurn::text("It rains in Oslo."), ScriptedTurn::text(r#"{"city": "Oslo", "nights": 2}"#)];
    let model = ScriptedModel::new(turns).with_capabilities(NATIVE.with_server_tools(true));
    let mut agent = agent(&model, []).await;
    let response = agent.prompt("plan").output::<Trip>().await.unwrap();
    assert_eq!(response.into_output().unwrap(), oslo());
    let requests = model.requests();
    assert!(requests[0].output_schema.is_none() && requests[0].tools.is_empty());
    assert!(requests[1].output_schema.is_some());
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn a_missing_output_is_an_error_after_three_attempts() {
    for (what, turn) in [("talks", (|| ScriptedTurn::text("no")) as fn() -> ScriptedTurn), ("errs", wrong)] {
        let model = ScriptedModel::from_fn(move |_| turn());
        let mut agent = agent(&model, []).await;
        let error = agent.prompt("plan").output::<Trip>().await.unwrap_err();
        let AgentError::InvalidOutput { output, attempts: 3, reason } = &error else { panic!("{what}: {error:?}") };
        assert_eq!(output, "Trip");
        assert!(
            if what == "talks" {
                reason.contains("without calling")
            } else {
                reason.contains("`nights`: expected integer")
            },
            "{reason}"
        );
        assert!(model.requests().len() <= 4);
        assert_whole(&mut agent).await;
    }
}

#[tokio::test]
async fn a_turn_that_ends_early_has_no_output() {
    let model = ScriptedModel::from_fn(|_| ScriptedTurn::text("still thinking"));
    let mut agent = agent(&model, []).await;
    let response = agent.prompt("plan").output::<Trip>().limits(Limits::new().turns(1)).await.unwrap();
    assert_eq!(response.stop_reason, StopReason::LimitTurns);
    let error = response.into_output().unwrap_err();
    assert_eq!(error.to_string(), "the invocation ended with `limit_turns` before there was an output");
    // The message that requests the output was not sent, and is not left in the history.
    assert_eq!(agent.messages().last().unwrap().role, Role::Assistant);
    assert_whole(&mut agent).await;

    let model = ScriptedModel::from_fn(|_| ScriptedTurn::text("too lo").with_stop_reason(StopReason::MaxTokens));
    let mut agent = self::agent(&model, []).await;
    let error = agent.prompt("plan").output::<Trip>().await.unwrap().into_output().unwrap_err();
    assert!(matches!(error, AgentError::NoOutput { stop_reason: StopReason::MaxTokens }));
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Booking {
    Flight { number: u32 },
    Hotel { name: String, stars: Option<u8> },
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
struct Plan {
    bookings: Vec<Booking>,
    then: Option<Box<Plan>>,
}

#[tokio::test]
async fn unions_and_recursive_types_keep_their_schema() {
    let input = json!({
        "bookings": [{"kind": "flight", "number": 7}, {"kind": "hotel", "name": "Grand"}],
        "then": {"bookings": []},
    });
    let schemas = std::sync::Arc::new(std::sync::Mutex::new(Value::Null));
    let seen = std::sync::Arc::clone(&schemas);
    let model = ScriptedModel::from_fn(move |request| {
        *seen.lock().unwrap() = request.tools.iter().last().unwrap().input_schema.clone();
        ScriptedTurn::tool_use("Plan", input.clone())
    });
    let mut agent = agent(&model, []).await;
    let plan = agent.prompt("plan").output::<Plan>().await.unwrap().into_output().unwrap();
    let hotel = Booking::Hotel { name: "Grand".into(), stars: None };
    assert_eq!(plan.bookings, [Booking::Flight { number: 7 }, hotel]);
    assert_eq!(plan.then.unwrap().bookings, []);
    let schema = schemas.lock().unwrap().clone();
    assert_eq!(schema["type"], "object");
    let definitions = schema["$defs"].as_object().unwrap();
    assert!(definitions["Booking"]["oneOf"].as_array().unwrap().len() == 2, "{schema:#}");
    assert!(schema.to_string().contains("\"$ref\""), "{schema:#}");
}

#[tokio::test]
async fn rejects_an_output_type_with_the_name_of_a_tool() {
    let model = ScriptedModel::responding("never");
    let mut agent = agent(&model, [naming("Trip"), naming("trip-2")]).await;
    let error = agent.prompt("plan").output::<Trip>().await.unwrap_err();
    assert!(matches!(&error, AgentError::OutputType { .. }), "{error:?}");
    assert!(error.to_string().contains("the agent has a tool named `Trip`"), "{error}");
    assert_eq!((model.requests().len(), agent.messages().len()), (0, 0));
}

#[tokio::test]
async fn an_interrupt_and_an_output_can_share_a_turn() {
    let asks = tool("asks", |ctx, _| async move { ToolOutput::serialize(&ctx.interrupt("sure", "?")?) });
    let batch = ScriptedTurn::tool_uses([("asks", json!({})), ("Trip", json!({"city": "Oslo", "nights": 2}))]);
    let model = ScriptedModel::new([batch, ScriptedTurn::text("plain")]);
    let mut agent = agent(&model, [asks]).await;
    let response = agent.prompt("plan").output::<Trip>().await.unwrap();
    let interrupts = response.interrupts.clone();
    assert_eq!(response.stop_reason, StopReason::Interrupt);
    let responses = [interrupts[0].respond("y")];
    let response = agent.prompt(Prompt::none()).resume(responses).output::<Trip>().await.unwrap();
    assert_eq!(response.into_output().unwrap(), oslo());
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn an_output_can_be_requested_at_resume() {
    let asking = || tool("asks", |ctx, _| async move { ToolOutput::serialize(&ctx.interrupt("sure", "?")?) });
    // Only the resuming invocation requests it.
    let model = ScriptedModel::new([ScriptedTurn::tool_use("asks", json!({})), wrong(), right()]);
    let mut agent = agent(&model, [asking()]).await;
    let interrupts = agent.prompt("plan").await.unwrap().interrupts;
    let responses = [interrupts[0].respond("y")];
    let response = agent.prompt(Prompt::none()).resume(responses).output::<Trip>().await.unwrap();
    assert_eq!(response.into_output().unwrap(), oslo());

    // Only the first invocation did: the output is still requested, and validated against its schema.
    let model = ScriptedModel::new([ScriptedTurn::tool_use("asks", json!({})), wrong(), right()]);
    let mut agent = self::agent(&model, [asking()]).await;
    let interrupts = agent.prompt("plan").output::<Trip>().await.unwrap().interrupts;
    let response = agent.prompt(Prompt::none()).resume([interrupts[0].respond("y")]).await.unwrap();
    assert_eq!(serde_json::from_value::<Trip>(response.output.unwrap()).unwrap(), oslo());
    for request in model.requests() {
        assert_eq!(flaw(&request.messages, false), None);
    }
}

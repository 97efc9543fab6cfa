//! Partial values of a structured output while it is streamed.

use futures_util::StreamExt;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use strands_core::models::{ErrorDetails, ModelCapabilities, ModelError, StopReason, StreamEvent, ToolUseStart};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{AgentEvent, AgentResponse, RetryPolicy};

use crate::support::{agent, listen, naming, template};

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
struct Trip {
    city: String,
    nights: u8,
}

fn native() -> ModelCapabilities {
    ModelCapabilities::new().with_structured_output(true)
}

/// A response with this text, in chunks of this many letters.
fn text(text: &str, letters: usize) -> ScriptedTurn {
    let mut events = vec![StreamEvent::start()];
    events.extend(chunks(text, letters).map(|chunk| StreamEvent::text(0, chunk)));
    events.extend([StreamEvent::block_stop(0), StreamEvent::stop(StopReason::EndTurn)]);
    ScriptedTurn::events(events)
}

/// A tool call whose arguments are streamed in chunks of this many letters.
fn call(name: &str, input: &str, letters: usize) -> ScriptedTurn {
    let mut events = vec![StreamEvent::start(), StreamEvent::tool_use(0, ToolUseStart::new("t-1", name))];
    events.extend(chunks(input, letters).map(|chunk| StreamEvent::tool_input(0, chunk)));
    events.extend([StreamEvent::block_stop(0), StreamEvent::stop(StopReason::ToolUse)]);
    ScriptedTurn::events(events)
}

fn chunks(text: &str, letters: usize) -> impl Iterator<Item = String> {
    let all: Vec<char> = text.chars().collect();
    all.chunks(letters).map(|chunk| chunk.iter().collect()).collect::<Vec<String>>().into_iter()
}

fn partial<T>(events: &[AgentEvent<T>]) -> Vec<Value> {
    let value = |event: &AgentEvent<T>| match event {
        AgentEvent::PartialOutput { value } => Some(value.clone()),
        _ => None,
    };
    events.iter().filter_map(value).collect()
}

async fn streamed<T: DeserializeOwned + JsonSchema + std::fmt::Debug + 'static>(
    model: &ScriptedModel,
) -> (Vec<AgentEvent<T>>, AgentResponse<T>) {
    let mut agent = agent(model, []).await;
    let (events, ended) = listen(agent.prompt("go").output::<T>().stream()).await;
    (events, ended.unwrap())
}

#[tokio::test]
async fn a_structured_stream_ends_with_the_output() {
    let model = ScriptedModel::new([ScriptedTurn::tool_use("Trip", json!({"city": "Oslo", "nights": 2}))]);
    let mut agent = agent(&model, []).await;
    let mut stream = agent.prompt("go").output::<Trip>().stream();
    let mut trip = None;
    while let Some(event) = stream.next().await {
        if let AgentEvent::Result { response } = event.unwrap() {
            trip = Some(response.into_output().unwrap());
        }
    }
    assert_eq!(trip.unwrap(), Trip { city: "Oslo".into(), nights: 2 });
}

#[tokio::test]
async fn native_output_is_streamed_as_partial_values() {
    let json = r#"{"city": "Os\u006co", "nights": 2}"#;
    let model = ScriptedModel::new([text(json, 5)]).with_capabilities(native());
    let (events, response) = streamed::<Trip>(&model).await;
    let expected = [
        json!({}),
        json!({"city": ""}),
        json!({"city": "Os"}),
        json!({"city": "Oslo"}),
        json!({"city": "Oslo", "nights": 2}),
    ];
    assert_eq!(partial(&events), expected);
    assert_eq!(response.into_output().unwrap(), Trip { city: "Oslo".into(), nights: 2 });
    for pair in events.windows(2) {
        if let AgentEvent::PartialOutput { .. } = &pair[1] {
            assert!(matches!(&pair[0], AgentEvent::TextDelta { .. }), "{pair:?}");
        }
    }
}

#[tokio::test]
async fn arguments_of_the_output_tool_are_streamed_unwrapped() {
    let model = ScriptedModel::new([call("Array_of_string", r#"{"value": ["Oslo", "Bergen"]}"#, 6)]);
    let (events, response) = streamed::<Vec<String>>(&model).await;
    let expected = [json!([""]), json!(["Oslo"]), json!(["Oslo", "Berg"]), json!(["Oslo", "Bergen"])];
    assert_eq!(partial(&events), expected);
    assert_eq!(response.into_output().unwrap(), ["Oslo", "Bergen"]);
}

#[tokio::test]
async fn partial_values_are_read_from_fences_and_bare_values() {
    for reply in ["```json\r\n{\"value\": [1, 23]}\r\n```", "```\n[1, 23]\n```", "[1, 23]"] {
        let model = ScriptedModel::new([text(reply, 1)]).with_capabilities(native());
        let (events, response) = streamed::<Vec<u8>>(&model).await;
        assert_eq!(partial(&events), [json!([]), json!([1]), json!([1, 23])], "{reply:?}");
        assert_eq!(response.into_output().unwrap(), [1, 23]);
    }
}

#[tokio::test]
async fn other_text_and_other_tools_produce_no_partial_values() {
    let input = ScriptedTurn::tool_use("one", json!({"a": 1}));
    let model = ScriptedModel::new([input, ScriptedTurn::text("[1]"), ScriptedTurn::text("[2]")]);
    let model = model.with_capabilities(native());
    let mut agent = agent(&model, [naming("one")]).await;
    let (events, ended) = listen(agent.prompt("go").output::<Vec<u8>>().stream()).await;
    assert_eq!(partial(&events), [json!([2])], "the schema is sent with the last request alone");
    assert_eq!(ended.unwrap().into_output().unwrap(), [2]);
    // Without a requested output there are no partial values.
    let (events, _) = listen(agent.prompt("go").stream()).await;
    assert_eq!(partial(&events), [Value::Null; 0]);
}

#[tokio::test]
async fn a_retry_retracts_partial_values() {
    let broken = text(r#"["Ber"]"#, 2).breaking_after(3, ModelError::transport("gone"));
    let model = ScriptedModel::new([broken, text(r#"["Oslo"]"#, 2)]).with_capabilities(native());
    let retry = RetryPolicy::new().initial_delay(std::time::Duration::from_millis(1));
    let mut agent = template(&model, []).retry(retry).build().await.unwrap();
    let (events, ended) = listen(agent.prompt("go").output::<Vec<String>>().stream()).await;
    let retried = events.iter().position(|event| matches!(event, AgentEvent::Retry { discards_output: true, .. }));
    let (before, after) = events.split_at(retried.unwrap());
    assert_eq!(partial(before), [json!([""]), json!(["Be"])]);
    assert_eq!(partial(after), [json!([""]), json!(["Os"]), json!(["Oslo"])]);
    assert_eq!(ended.unwrap().into_output().unwrap(), ["Oslo"]);
}

#[tokio::test]
async fn an_invalid_output_starts_a_new_cycle() {
    let model =
        ScriptedModel::new([call("Trip", r#"{"city": 1}"#, 3), call("Trip", r#"{"city": "O", "nights": 1}"#, 9)]);
    let (events, _) = streamed::<Trip>(&model).await;
    let cycles: Vec<_> = events
        .iter()
        .enumerate()
        .filter(|(_, event)| matches!(event, AgentEvent::CycleStart { .. }))
        .map(|(at, _)| at)
        .collect();
    let (before, after) = events.split_at(cycles[1]);
    assert_eq!(partial(before).last(), Some(&json!({"city": 1})));
    assert_eq!(partial(after).last(), Some(&json!({"city": "O", "nights": 1})));
}

#[tokio::test]
async fn a_rejected_output_mode_leaves_no_partial_values() {
    let details = ErrorDetails::new().with_status(400).boxed();
    let refused = ScriptedTurn::error(ModelError::InvalidRequest { details });
    let model = ScriptedModel::new([refused, call("uint8", r#"{"value": 42}"#, 1)]).with_capabilities(native());
    let (events, response) = streamed::<u8>(&model).await;
    assert_eq!(partial(&events), [json!(42)], "a number is streamed once it is complete");
    assert_eq!(response.into_output().unwrap(), 42);
}

#[tokio::test]
async fn partial_values_are_read_over_joined_text_blocks() {
    let model = || {
        let reply = [(0, "[1"), (1, ""), (2, ", 2]")].map(|(index, chunk)| StreamEvent::text(index, chunk));
        let mut events = vec![StreamEvent::start()];
        events.extend(reply);
        events.push(StreamEvent::stop(StopReason::EndTurn));
        ScriptedModel::new([ScriptedTurn::events(events)]).with_capabilities(native())
    };
    let (events, response) = streamed::<Vec<u8>>(&model()).await;
    assert_eq!(partial(&events), [json!([]), json!([1, 2])]);
    assert_eq!(response.into_output().unwrap(), [1, 2]);
}

//! Partial values of a structured output are prefixes of it, for every output of the model.

use std::collections::BTreeMap;
use std::fmt::Debug;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use strands_core::AgentEvent;
use strands_core::models::{ErrorDetails, ModelCapabilities, ModelError, StopReason, StreamEvent, ToolUseStart};
use strands_core::testing::{ScriptedModel, ScriptedTurn};

use crate::support::{agent, listen};

fn native() -> ModelCapabilities {
    ModelCapabilities::new().with_structured_output(true)
}

fn partial<T>(events: &[AgentEvent<T>]) -> Vec<Value> {
    let value = |event: &AgentEvent<T>| match event {
        AgentEvent::PartialOutput { value } => Some(value.clone()),
        _ => None,
    };
    events.iter().filter_map(value).collect()
}

/// Returns true if `prefix` is a prefix of `whole`, as the documentation of `PartialOutput` defines it.
fn is_prefix(prefix: &Value, whole: &Value) -> bool {
    match (prefix, whole) {
        (Value::String(a), Value::String(b)) => b.starts_with(a.as_str()),
        (Value::Array(a), Value::Array(b)) => a.len() <= b.len() && a.iter().zip(b).all(|(a, b)| is_prefix(a, b)),
        (Value::Object(a), Value::Object(b)) => a.iter().all(|(k, v)| b.get(k).is_some_and(|w| is_prefix(v, w))),
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (a, b) => a == b,
    }
}

fn call(index: usize, id: &str, name: &str, input: &str) -> Vec<StreamEvent> {
    let mut events = vec![StreamEvent::tool_use(index, ToolUseStart::new(id, name))];
    let letters: Vec<char> = input.chars().collect();
    events.extend(letters.chunks(3).map(|chunk| StreamEvent::tool_input(index, chunk.iter().collect::<String>())));
    events.push(StreamEvent::block_stop(index));
    events
}

fn turn(blocks: impl IntoIterator<Item = Vec<StreamEvent>>, stop: StopReason) -> ScriptedTurn {
    let mut events = vec![StreamEvent::start()];
    events.extend(blocks.into_iter().flatten());
    events.push(StreamEvent::stop(stop));
    ScriptedTurn::events(events)
}

fn text(text: &str, letters: usize) -> ScriptedTurn {
    let all: Vec<char> = text.chars().collect();
    let chunks = all.chunks(letters).map(|chunk| StreamEvent::text(0, chunk.iter().collect::<String>()));
    turn([chunks.collect()], StopReason::EndTurn)
}

/// Returns the output and the partial values since the last cycle or retry. Fails unless each continues the one before.
async fn streamed<T: Serialize + DeserializeOwned + JsonSchema + Debug + 'static>(
    model: &ScriptedModel,
) -> (Value, Vec<Value>) {
    let mut agent = agent(model, []).await;
    let (events, ended) = listen(agent.prompt("go").output::<T>().stream()).await;
    let output = serde_json::to_value(ended.unwrap().into_output().unwrap()).unwrap();
    let from = events
        .iter()
        .rposition(|e| matches!(e, AgentEvent::CycleStart { .. } | AgentEvent::Retry { .. }))
        .unwrap_or_default();
    let values = partial(&events[from..]);
    for pair in values.windows(2) {
        assert!(is_prefix(&pair[0], &pair[1]), "{} is not continued by {}", pair[0], pair[1]);
        assert_ne!(pair[0], pair[1]);
    }
    (output, values)
}

/// The partial values are prefixes of the output.
async fn assert_prefixes<T: Serialize + DeserializeOwned + JsonSchema + Debug + 'static>(
    model: &ScriptedModel,
) -> Value {
    let (output, values) = streamed::<T>(model).await;
    for value in &values {
        assert!(is_prefix(value, &output), "{value} is no prefix of {output}; all: {values:?}");
    }
    output
}

#[tokio::test]
async fn partial_values_after_an_extra_field_are_prefixes() {
    let model = ScriptedModel::new([turn(
        [call(0, "a", "Array_of_uint8", r#"{"reason": "so", "value": [1, 2]}"#)],
        StopReason::ToolUse,
    )]);
    assert_eq!(assert_prefixes::<Vec<u8>>(&model).await, json!([1, 2]));
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, PartialEq)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Both {
    A { value: u8, output: String },
    B { x: u8 },
}

#[tokio::test]
async fn partial_values_of_a_bare_value_with_the_wrapper_key_are_prefixes() {
    let model =
        ScriptedModel::new([text(r#"{"output": "Oslo", "value": 1, "kind": "a"}"#, 2)]).with_capabilities(native());
    assert_prefixes::<Both>(&model).await;
}

#[tokio::test]
async fn partial_values_of_malformed_output_are_prefixes() {
    for reply in [
        r#"{"value": "a\ud83d\ude00b\u00e9\n\"]}"}"#,
        r#"{"value": "```json\n{}\n```"}"#,
        "```json\n{\"value\": \"```\"}\n```",
        "\u{a0}{\"value\": \"x\"}",
        "```json\n\n\"bare\"\n\n```",
        "{\"value\": \"\u{10ffff}\u{feff}\"}",
        "{\"v\\u0061lue\": \"abc\"}",
        "{\"value\": \"abc\"} ",
    ] {
        for letters in 1..6 {
            let model = ScriptedModel::new([text(reply, letters)]).with_capabilities(native());
            assert_prefixes::<String>(&model).await;
        }
    }
    for reply in ["[-0, 1e3, 1E-2, 0.5]", "{\"value\": [-0.0, 18446744073709551615]}", "[]"] {
        let model = ScriptedModel::new([text(reply, 1)]).with_capabilities(native());
        assert_prefixes::<Vec<f64>>(&model).await;
    }
}

/// The stream of an attempt that overflows the context is retracted, like that of any other discarded attempt.
#[tokio::test]
async fn a_context_overflow_retracts_partial_values() {
    let broken =
        text(r#"["Ber"]"#, 2).breaking_after(3, ModelError::ContextOverflow { details: ErrorDetails::new().boxed() });
    let model = ScriptedModel::new([text("hi", 2), text("hi", 2), text("hi", 2), broken, text(r#"["Oslo"]"#, 2)])
        .with_capabilities(native());
    let mut agent = agent(&model, []).await;
    for _ in 0..3 {
        agent.prompt("go").await.unwrap();
    }
    let (events, ended) = listen(agent.prompt("go").output::<Vec<String>>().stream()).await;
    assert_eq!(ended.unwrap().into_output().unwrap(), ["Oslo"]);
    let begins = events.iter().rposition(|event| {
        matches!(event, AgentEvent::CycleStart { .. } | AgentEvent::Retry { discards_output: true, .. })
    });
    let reply: String = events[begins.unwrap()..]
        .iter()
        .filter_map(|event| match event {
            AgentEvent::TextDelta { text } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(reply, r#"["Oslo"]"#, "{:?}", partial(&events));
}

#[tokio::test]
async fn partial_values_of_a_second_call_are_not_streamed() {
    let calls = [
        call(0, "a", "Array_of_uint16", r#"{"value": [70000]}"#),
        call(1, "b", "Array_of_uint16", r#"{"value": [1, 2]}"#),
    ];
    let model = ScriptedModel::new([turn(calls, StopReason::ToolUse)]);
    let (output, values) = streamed::<Vec<u16>>(&model).await;
    assert_eq!((output, values), (json!([1, 2]), vec![json!([]), json!([70000])]));
}

#[tokio::test]
async fn a_second_call_is_streamed_if_the_first_had_no_values() {
    let calls = [call(0, "a", "Array_of_uint16", "nothing"), call(1, "b", "Array_of_uint16", r#"{"value": [1, 2]}"#)];
    let model = ScriptedModel::new([turn(calls, StopReason::ToolUse)]);
    let (output, values) = streamed::<Vec<u16>>(&model).await;
    assert_eq!((output, values.last()), (json!([1, 2]), Some(&json!([1, 2]))));
}

#[tokio::test]
async fn partial_values_of_a_call_do_not_follow_those_of_text() {
    for (reply, seen) in [("[9, 8]", json!([9, 8])), ("Let me see.", json!([1, 2])), ("{\"why\": 1", json!([1, 2]))] {
        let blocks = [vec![StreamEvent::text(0, reply)], call(1, "a", "Array_of_uint8", r#"{"value": [1, 2]}"#)];
        let model = ScriptedModel::new([turn(blocks, StopReason::ToolUse)]).with_capabilities(native());
        let (output, values) = streamed::<Vec<u8>>(&model).await;
        assert_eq!((output, values.last()), (json!([1, 2]), Some(&seen)), "{reply}");
    }
}

#[tokio::test]
async fn partial_values_end_at_a_repeated_field() {
    let model = ScriptedModel::new([text(r#"{"a": "Oslo", "b": "x", "a": "Bergen"}"#, 1)]).with_capabilities(native());
    let (output, values) = streamed::<BTreeMap<String, String>>(&model).await;
    assert_eq!(output, json!({"a": "Bergen", "b": "x"}));
    assert_eq!(values.last(), Some(&json!({"a": "Oslo", "b": "x"})));

    let model = ScriptedModel::new([text(r#"{"value": [1], "value": [2]}"#, 1)]).with_capabilities(native());
    let (output, values) = streamed::<Vec<u8>>(&model).await;
    assert_eq!((output, values), (json!([2]), vec![json!([]), json!([1])]));
}

/// A map may have the wrapper's field itself: the object is wrapped if the value of the field fits.
#[tokio::test]
async fn partial_values_of_maps_wait_until_unambiguous() {
    type Map = Option<BTreeMap<String, u8>>;
    for (reply, expected) in
        [(r#"{"value": {"a": 1}}"#, json!({"a": 1})), (r#"{"value": 1, "b": 2}"#, json!({"value": 1, "b": 2}))]
    {
        let model = ScriptedModel::new([text(reply, 1)]).with_capabilities(native());
        assert_eq!(streamed::<Map>(&model).await, (expected.clone(), vec![expected]));
    }
    let model = ScriptedModel::new([text(r#"{"value": [1, 2]}"#, 1)]).with_capabilities(native());
    assert_eq!(streamed::<Value>(&model).await.1, [json!([]), json!([1]), json!([1, 2])], "every value matches");
}

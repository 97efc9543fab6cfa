//! Tool call deltas whose index does not follow the protocol.

use serde_json::{Value, json};
use strands_core::models::ModelError;
use strands_testkit::case::{Case, cases};

use crate::case::{Expected, start};

#[tokio::test]
async fn separates_shared_cases_with_one_index() {
    let expected = [
        ("empty-object-first.json", Expected::weather_in(&["Oslo"])),
        ("same-index-interleaved-by-id.json", Expected::weather_in(&["Oslo", "Rome"])),
    ];
    let files = expected.each_ref().map(|(file, _)| *file);
    for (case, (_, expected)) in cases("one-index-interleaved", &files).into_iter().flatten().zip(&expected) {
        expected.check(&case).await;
    }
}

/// Returns a delta of a call: its index, its id, the name of its tool and its arguments.
fn piece(index: Value, id: &str, name: &str, arguments: &str) -> Value {
    let or_null = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
    json!({"index": index, "id": or_null(id), "function": {"name": or_null(name), "arguments": arguments}})
}

/// Returns a case in which each chunk has these deltas.
fn case(provider: &str, name: &str, chunks: &[Vec<Value>]) -> Case {
    let chunk =
        |delta: Value, reason: Value| json!({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]});
    let mut calls: Vec<_> = chunks.iter().map(|pieces| chunk(json!({"tool_calls": pieces}), Value::Null)).collect();
    calls.push(chunk(json!({}), json!("tool_calls")));
    let hi = chunk(json!({"content": "Hi."}), json!("stop"));
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let case = json!({"provider": provider, "prompts": ["w"],
        "tools": [{"name": "get_weather", "schema": schema, "result": "sunny"}],
        "replies": [{"sse": calls, "done": true}, {"sse": [hi], "done": true}]});
    Case::parse(&format!("{provider}: {name}"), &case.to_string())
}

/// Returns the providers that speak Chat Completions.
fn providers() -> impl Iterator<Item = &'static str> {
    let all = [(cfg!(feature = "mistral"), "mistral"), (cfg!(feature = "llamacpp"), "llamacpp"), (true, "openai")];
    all.into_iter().filter(|(is_there, _)| *is_there).map(|(_, provider)| provider)
}

const WEATHER: &str = "get_weather";
const OSLO: &str = "{\"city\":\"Oslo\"}";
const ROME: &str = "{\"city\":\"Rome\"}";

#[tokio::test]
async fn reads_one_call_with_any_numbering() {
    let zero = || json!(0);
    for (name, chunks) in [
        ("an empty object first", vec![piece(zero(), "a", WEATHER, "{}"), piece(zero(), "", "", OSLO)]),
        ("an empty object last", vec![piece(zero(), "a", WEATHER, OSLO), piece(zero(), "", "", "{}")]),
        (
            "all of it again",
            vec![piece(zero(), "a", WEATHER, ""), piece(zero(), "", "", OSLO), piece(zero(), "a", WEATHER, OSLO)],
        ),
        ("all of it again without an id", vec![piece(zero(), "", WEATHER, OSLO), piece(zero(), "", WEATHER, OSLO)]),
        (
            "arguments again in pieces",
            vec![
                piece(zero(), "a", WEATHER, "{\"city\":"),
                piece(zero(), "a", "", "\"Oslo\"}"),
                piece(zero(), "a", "", "{\"city\":"),
                piece(zero(), "a", "", "\"Oslo\"}"),
            ],
        ),
        (
            "another id in each piece",
            vec![piece(zero(), "a", WEATHER, "{\"city\":"), piece(zero(), "b", "", "\"Oslo\"}")],
        ),
        ("the id last", vec![piece(zero(), "", WEATHER, "{\"city\":"), piece(zero(), "a", "", "\"Oslo\"}")]),
        (
            "the name last",
            vec![
                piece(zero(), "a", "", "{}"),
                piece(zero(), "a", "", "{\"city\":"),
                piece(zero(), "a", WEATHER, "\"Oslo\"}"),
            ],
        ),
        (
            "the name in each piece",
            vec![piece(zero(), "", WEATHER, "{\"city\":"), piece(zero(), "", WEATHER, "\"Oslo\"}")],
        ),
        ("the name at the end", vec![piece(zero(), "", WEATHER, OSLO), piece(zero(), "", WEATHER, "")]),
        (
            "another index in each piece",
            vec![piece(json!(0), "a", WEATHER, "{\"city\":"), piece(json!(1), "a", "", "\"Oslo\"}")],
        ),
        ("no index", vec![piece(Value::Null, "a", WEATHER, "{\"city\":"), piece(Value::Null, "", "", "\"Oslo\"}")]),
        (
            "no index, then one",
            vec![piece(Value::Null, "a", WEATHER, "{\"city\":"), piece(zero(), "", "", "\"Oslo\"}")],
        ),
    ] {
        let chunks: Vec<_> = chunks.into_iter().map(|piece| vec![piece]).collect();
        for provider in providers() {
            Expected::weather_in(&["Oslo"]).check(&case(provider, name, &chunks)).await;
        }
    }
}

#[tokio::test]
async fn separates_two_calls() {
    let half = ["{\"city\":", "\"Oslo\"}", "\"Rome\"}"];
    for (name, index) in [("index 0", json!(0)), ("index -1", json!(-1)), ("no index", Value::Null)] {
        let piece = |id: &str, name: &str, arguments: &str| vec![piece(index.clone(), id, name, arguments)];
        for (how, chunks) in [
            (
                "interleaved by id",
                vec![
                    piece("a", WEATHER, half[0]),
                    piece("b", WEATHER, half[0]),
                    piece("a", "", half[1]),
                    piece("b", "", half[2]),
                ],
            ),
            (
                "one after the other",
                vec![
                    piece("a", WEATHER, half[0]),
                    piece("", "", half[1]),
                    piece("b", WEATHER, half[0]),
                    piece("", "", half[2]),
                ],
            ),
            (
                "with empty objects first",
                vec![piece("a", WEATHER, "{}"), piece("b", WEATHER, "{}"), piece("b", "", ROME), piece("a", "", OSLO)],
            ),
            ("without ids", vec![piece("", WEATHER, OSLO), piece("", WEATHER, ROME)]),
            ("in one chunk", vec![[piece("", WEATHER, OSLO), piece("", WEATHER, ROME)].concat()]),
        ] {
            Expected::weather_in(&["Oslo", "Rome"]).check(&case("openai", &format!("{name}, {how}"), &chunks)).await;
        }
    }
}

#[tokio::test]
async fn reads_equal_calls_in_one_chunk_as_two() {
    let chunk = vec![piece(json!(0), "", WEATHER, OSLO), piece(json!(0), "", WEATHER, OSLO)];
    Expected::weather_in(&["Oslo", "Oslo"]).check(&case("openai", "equal calls", &[chunk])).await;
    let bare = || piece(json!(0), "", "now", "{}");
    let mut case = case("openai", "equal calls without arguments", &[vec![bare(), bare()]]);
    case.tools[0].name = "now".to_owned();
    case.tools[0].schema = json!({"type": "object"});
    let mut running = start(&case).await;
    running.prompt().await.unwrap();
    assert_eq!(running.called(), [("now".to_owned(), json!({})), ("now".to_owned(), json!({}))]);
}

#[tokio::test]
async fn no_tool_runs_with_contradictory_arguments() {
    for chunks in [
        [piece(json!(0), "a", WEATHER, OSLO), piece(json!(0), "", "", ROME)],
        [piece(json!(0), "a", WEATHER, "{\"ci"), piece(json!(0), "", "", OSLO)],
        [piece(json!(0), "a", WEATHER, OSLO), piece(json!(0), "a", "", "{\"city\":")],
        [piece(json!(0), "a", WEATHER, ""), piece(json!(0), "", "", "")],
    ] {
        let name = format!("{chunks:?}");
        let chunks = chunks.map(|piece| vec![piece]);
        let running = Expected::text("Hi.").check(&case("openai", &name, &chunks)).await;
        let told = running.bodies()[1]["messages"].as_array().unwrap().last().unwrap()["content"].clone();
        assert!(told.as_str().unwrap().starts_with("Error"), "{name}: {told}");
    }
}

#[tokio::test]
async fn an_ambiguous_delta_is_an_error() {
    let chunks = [
        piece(json!(0), "a", WEATHER, "{\"city\":"),
        piece(json!(0), "b", WEATHER, "{\"city\":"),
        piece(json!(0), "a", "", "\"Oslo\""),
        piece(json!(0), "", "", "}"),
    ];
    let begun = [piece(json!(0), "a", WEATHER, ""), piece(json!(0), "b", WEATHER, "")];
    let unnumbered = [piece(Value::Null, "a", WEATHER, ""), piece(Value::Null, "b", WEATHER, "")];
    for chunks in [
        chunks.to_vec(),
        [&chunks[..3], &[piece(json!(0), "c", "", "}")]].concat(),
        [&begun[..], &[piece(json!(0), "", "", OSLO)]].concat(),
        [&unnumbered[..], &[piece(Value::Null, "", "", OSLO)]].concat(),
    ] {
        let chunks: Vec<_> = chunks.into_iter().map(|piece| vec![piece]).collect();
        let running = start(&case("openai", "ambiguous", &chunks)).await;
        let error = running.turn().await.unwrap_err();
        assert!(matches!(error, ModelError::Protocol { .. }), "{error:?}");
        assert!(error.to_string().contains("several tool calls"), "{error}");
    }
}

/// Calls of Responses that all have index 0, or no index.
#[tokio::test]
async fn separates_items_with_one_index() {
    for index in [json!(0), Value::Null, json!("0")] {
        let item = |id: &str, arguments: &str| json!({"type": "function_call", "id": id, "call_id": format!("call_{id}"), "name": WEATHER, "arguments": arguments});
        let event = |kind: &str, item: Value| json!({"type": kind, "output_index": index, "item": item});
        let delta = |id: &str, delta: &str| json!({"type": "response.function_call_arguments.delta", "output_index": index, "item_id": id, "delta": delta});
        let calls = json!([
            event("response.output_item.added", item("a", "")),
            event("response.output_item.added", item("b", "{}")),
            delta("a", "{}"),
            delta("b", "{\"city\":"),
            delta("a", OSLO),
            delta("b", "\"Rome\"}"),
            event("response.output_item.done", item("b", ROME)),
            event("response.output_item.done", item("a", OSLO)),
            {"type": "response.completed", "response": {"status": "completed"}},
        ]);
        let text = json!([{"type": "message", "content": [{"type": "output_text", "text": "Hi."}]}]);
        let case = json!({"provider": "responses", "prompts": ["w"],
            "tools": [{"name": WEATHER, "schema": {"type": "object"}, "result": "sunny"}],
            "replies": [{"anthropic": calls}, {"json": {"status": "completed", "output": text}}]});
        Expected::weather_in(&["Oslo", "Rome"])
            .check(&Case::parse(&format!("responses, index {index}"), &case.to_string()))
            .await;
    }
}

//! Secrets in recordings: a recorded file is shared, and contains no secret in any encoding.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use strands_core::ToolOutput;
use strands_core::message::ProviderContent;
use strands_core::models::{
    ErrorDetails, ModelError, ReasoningDelta, Recorder, RequestMatching, RequestPart, StopReason, StreamEvent,
    ToolUseStart,
};
use strands_core::testing::{ScriptedModel, ScriptedTurn};

use crate::recording::{Paper, ask, builder, recorded, replay};
use crate::support::tool;

#[tokio::test(start_paused = true)]
async fn recordings_have_no_secrets_and_the_program_sees_all() {
    const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
    let inputs = Arc::new(Mutex::new(Vec::new()));
    let writer = Arc::clone(&inputs);
    let keep = tool("keep", move |_, input: Value| {
        writer.lock().unwrap().push(input.clone());
        async move { Ok(ToolOutput::json(json!({"password": "hunter2", "kept": input}))) }
    });
    let script = || {
        ScriptedModel::new([
            ScriptedTurn::tool_use("keep", json!({"api_key": "hunter2", "note": format!("{KEY}!")})),
            ScriptedTurn::error(ModelError::Throttled {
                retry_after: Some(Duration::ZERO),
                details: ErrorDetails::new().with_body(format!("bad key {KEY}")).boxed(),
            }),
            ScriptedTurn::text(format!("I keep {KEY} safe")),
        ])
    };
    let prompt = format!("keep {KEY}, sir");
    let paper = Paper::new();
    let recorder = Recorder::new(script(), paper.clone());
    let build = |model| builder(model, [keep.clone()]).system_prompt(format!("Your key is {KEY}.")).build();
    let mut agent = build(recorder).await.unwrap();
    assert!(agent.prompt(prompt.as_str()).await.unwrap().text().contains(KEY));
    assert_eq!(inputs.lock().unwrap()[0]["api_key"], "hunter2");
    let recording = paper.text();
    assert!(!recording.contains("AKIA") && !recording.contains("hunter2"), "{recording}");
    assert!(recording.contains("I keep [scrubbed] safe") && recording.contains("keep [scrubbed], sir"), "{recording}");

    // The program still sends its secrets, and the request matches.
    let model = replay(&recording).matching(RequestMatching::exact().without(RequestPart::ToolResultText));
    let mut agent = builder(model.clone(), [keep]).system_prompt(format!("Your key is {KEY}.")).build().await.unwrap();
    let response = agent.prompt(prompt.as_str()).await.unwrap();
    assert_eq!(response.text(), "I keep [scrubbed] safe");
    model.finish().unwrap();
}

#[tokio::test(start_paused = true)]
async fn custom_scrubbing_applies_to_recordings() {
    fn nameless(value: &mut Value) {
        match value {
            Value::String(text) => *text = text.replace("Ada", "[name]"),
            Value::Array(values) => values.iter_mut().for_each(nameless),
            Value::Object(fields) => fields.values_mut().for_each(nameless),
            _ => {}
        }
    }
    let text = |index, chunks: &[&str]| chunks.iter().map(|chunk| StreamEvent::text(index, *chunk)).collect::<Vec<_>>();
    let call = [
        StreamEvent::tool_use(2, ToolUseStart::new("t-1", "look")),
        StreamEvent::tool_input(2, "{\"who\": \"A"),
        StreamEvent::tool_input(2, "da\"}"),
    ];
    let events = [vec![StreamEvent::start()], text(0, &["Hello A", "d", "a"]), text(1, &["Bob", "by"]), call.to_vec()];
    let turn = ScriptedTurn::events(events.concat().into_iter().chain([StreamEvent::stop(StopReason::ToolUse)]));
    let paper = Paper::new();
    let recorder = Recorder::new(ScriptedModel::new([turn]), paper.clone()).scrub(nameless);
    ask(&recorder, "I am Ada").await;
    assert!(!paper.text().contains("Ada"));

    assert!(
        ask(&replay(&paper.text()), "I am Ada").await.1.is_some(),
        "without the scrub function the request differs"
    );
    let (events, error) = ask(&replay(&paper.text()).scrub(nameless), "I am Ada").await;
    assert!(error.is_none());
    let expected = [
        StreamEvent::start(),
        StreamEvent::text(0, "Hello [name]"),
        StreamEvent::text(1, "Bob"),
        StreamEvent::text(1, "by"),
        StreamEvent::tool_use(2, ToolUseStart::new("t-1", "look")),
        StreamEvent::tool_input(2, "{\"who\":\"[name]\"}"),
        StreamEvent::stop(StopReason::ToolUse),
    ];
    assert_eq!(events, expected, "unchanged text keeps its chunks");
}

#[tokio::test(start_paused = true)]
async fn secrets_are_removed_from_provider_content() {
    let own = |secret: &str| StreamEvent::provider_content(1, ProviderContent::new("p", json!({"password": secret})));
    let redaction = |secret: &str| StreamEvent::RedactContent {
        redact_user_content_message: Some(format!("password: {secret}")),
        redact_assistant_content_message: None,
    };
    // Some providers give all calls the same id.
    let calls = |secret: &str| {
        let call = |id, input: String| {
            [StreamEvent::tool_use(0, ToolUseStart::new(id, "look")), StreamEvent::tool_input(0, input)]
        };
        [call("t-1", json!({"at": 1}).to_string()), call("t-2", json!({"password": secret}).to_string())].concat()
    };
    let turn = |secret: &str| {
        let mut events = vec![own(secret), redaction(secret)];
        events.extend(calls(secret));
        events.push(StreamEvent::stop(StopReason::ToolUse));
        events
    };
    let recording = recorded(ScriptedTurn::events(turn("hunter2"))).await;
    assert!(!recording.contains("hunter2"), "{recording}");
    assert_eq!(ask(&replay(&recording), "go").await.0, turn("[scrubbed]"));
}

/// Splits a text into chunks.
fn cut(text: &str, at: &[usize]) -> Vec<String> {
    let mut cuts: Vec<_> = at.iter().map(|at| text.floor_char_boundary(at % (text.len() + 1))).collect();
    cuts.sort_unstable();
    let mut chunks = Vec::new();
    let mut from = 0;
    for to in cuts.into_iter().chain([text.len()]) {
        chunks.push(text.get(from..to).unwrap().to_owned());
        from = to;
    }
    chunks
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn secrets_split_over_deltas_are_removed(
        secret in prop::sample::select(&[
            "AKIAIOSFODNN7EXAMPLE",
            "sk-proj-abcdEFGH12345678",
            "Bearer abcdef0123456789",
            "xoxb-1234567890-abcdefghij",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefghijklmnop",
            "password=abcdef0123456789",
            "{\"client_secret\": \"abcdef0123456789\"}",
        ][..]),
        (before, after) in ("[a-z {\"]{0,6}", "[a-z }\"]{0,6}"),
        cuts in prop::collection::vec(any::<usize>(), 0..8),
        (kind, stops) in (0..4, any::<bool>()),
    ) {
        let text = format!("{before} {secret} {after}");
        let input = json!({"note": text}).to_string();
        let mut events = vec![StreamEvent::start(), StreamEvent::tool_use(3, ToolUseStart::new("t-1", "look"))];
        for chunk in cut(if kind == 2 { &input } else { &text }, &cuts) {
            events.push(match kind {
                0 => StreamEvent::text(3, chunk),
                1 => StreamEvent::reasoning(3, ReasoningDelta::Text(chunk)),
                2 => StreamEvent::tool_input(3, chunk),
                _ => StreamEvent::reasoning(3, ReasoningDelta::Signature(chunk)),
            });
            // Another block in between makes no difference.
            events.push(StreamEvent::text(0, "meanwhile"));
        }
        if stops {
            events.push(StreamEvent::stop(StopReason::EndTurn));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let recording = runtime.block_on(recorded(ScriptedTurn::events(events)));
        let end = secret.get(secret.len() - 10..secret.len() - 2).unwrap();
        assert!(!recording.contains(end), "{end}: {recording}");
        assert!(recording.contains("[scrubbed]"));
    }
}

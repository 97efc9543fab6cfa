//! Tests of [`TurnBuilder`].

use serde_json::json;

use super::*;
use crate::message::{ContentBlock, ProviderContent, ReasoningContent};
use crate::models::{ModelError, ModelErrorKind, ReasoningDelta, StreamEvent, ToolUseStart};

fn turn(events: impl IntoIterator<Item = StreamEvent>) -> Result<Turn, ModelError> {
    let mut builder = TurnBuilder::new(1024);
    for event in events {
        builder.push(&event)?;
    }
    builder.finish()
}

fn call(index: usize, id: &str, input: &str) -> [StreamEvent; 3] {
    [
        StreamEvent::tool_use(index, ToolUseStart::new(id, "look")),
        StreamEvent::tool_input(index, input),
        StreamEvent::block_stop(index),
    ]
}

#[test]
fn assembles_interleaved_blocks_by_index() {
    let turn = turn([
        StreamEvent::start(),
        StreamEvent::tool_use(1, ToolUseStart::new("a", "look")),
        StreamEvent::tool_use(2, ToolUseStart::new("b", "look")),
        StreamEvent::tool_input(2, r#"{"at":"#),
        StreamEvent::tool_input(1, r#"{"at":1}"#),
        StreamEvent::tool_input(2, "2}"),
        StreamEvent::stop(StopReason::ToolUse),
    ])
    .unwrap();
    let inputs: Vec<_> = turn.message.tool_uses().map(|call| call.input.clone()).collect();
    assert_eq!(inputs, [json!({"at": 1}), json!({"at": 2})]);
}

#[test]
fn rejects_a_stream_without_a_stop_event() {
    let error = turn([StreamEvent::start(), StreamEvent::text(0, "half")]).unwrap_err();
    assert!(matches!(error, ModelError::Transport { .. }), "{error:?}");
    assert!(error.is_retryable());
}

#[test]
fn rejects_tool_use_without_calls_unless_there_is_text() {
    assert!(matches!(turn([StreamEvent::stop(StopReason::ToolUse)]), Err(ModelError::Protocol { .. })));
    let turn = turn([StreamEvent::text(0, "hi"), StreamEvent::stop(StopReason::ToolUse)]).unwrap();
    assert_eq!(turn.stop_reason, StopReason::EndTurn);
}

#[test]
fn keeps_malformed_arguments_as_a_string() {
    let mut events = call(0, "a", "{\"at\": ").to_vec();
    events.push(StreamEvent::stop(StopReason::EndTurn));
    let turn = turn(events).unwrap();
    assert_eq!(turn.stop_reason, StopReason::ToolUse);
    assert_eq!(turn.message.tool_uses().next().unwrap().input, json!("{\"at\": "));
}

#[test]
fn makes_missing_and_repeated_call_ids_unique() {
    use std::collections::HashSet;

    let mut events: Vec<_> = ["", "a", "a"].iter().enumerate().flat_map(|(at, id)| call(at, id, "")).collect();
    events.push(StreamEvent::stop(StopReason::ToolUse));
    let ids: HashSet<_> = turn(events).unwrap().message.tool_uses().map(|call| call.tool_use_id.clone()).collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.contains("a") && ids.contains("a_2") && !ids.contains(""), "{ids:?}");
}

#[test]
fn replaces_calls_truncated_by_max_tokens_with_a_note() {
    let mut events = call(0, "a", "{\"at\"").to_vec();
    events.push(StreamEvent::stop(StopReason::MaxTokens));
    let turn = turn(events).unwrap();
    assert_eq!(turn.stop_reason, StopReason::MaxTokens);
    assert_eq!(
        turn.message.text(),
        "The selected tool look's tool use was incomplete due to maximum token limits being reached."
    );
}

#[test]
fn limits_the_number_of_empty_blocks() {
    let endless = (0..).map(|index| StreamEvent::text(index, ""));
    assert!(matches!(turn(endless), Err(ModelError::ResponseTooLarge { .. })));
    let endless = (0..).map(|index| StreamEvent::tool_use(index, ToolUseStart::new("", "")));
    assert!(matches!(turn(endless), Err(ModelError::ResponseTooLarge { .. })));
}

#[test]
fn a_redacted_response_has_no_tool_calls() {
    let redacted = StreamEvent::RedactContent {
        redact_user_content_message: None,
        redact_assistant_content_message: Some("[redacted]".into()),
    };
    let mut events = call(0, "a", "{}").to_vec();
    events.extend([redacted, StreamEvent::stop(StopReason::ToolUse)]);
    let turn = turn(events).unwrap();
    assert_eq!((turn.message.text().as_str(), turn.stop_reason), ("[redacted]", StopReason::EndTurn));
}

#[test]
fn limits_the_size_of_a_response() {
    let endless = std::iter::repeat_with(|| StreamEvent::text(0, "x".repeat(100)));
    assert!(matches!(turn(endless), Err(ModelError::ResponseTooLarge { limit: Some(1024), .. })));
}

#[test]
fn reasoning_keeps_its_signature_and_encrypted_content() {
    let turn = turn([
        StreamEvent::reasoning(0, ReasoningDelta::Text("hm".into())),
        StreamEvent::reasoning(0, ReasoningDelta::Signature("sig".into())),
        StreamEvent::block_stop(0),
        StreamEvent::reasoning(1, ReasoningDelta::RedactedContent(vec![1, 2].into())),
        StreamEvent::text(2, "so"),
        StreamEvent::stop(StopReason::EndTurn),
    ])
    .unwrap();
    assert_eq!(
        turn.message.content,
        [
            ContentBlock::Reasoning(ReasoningContent::text("hm", Some("sig".into()))),
            ContentBlock::Reasoning(ReasoningContent::redacted(vec![1, 2])),
            ContentBlock::text("so"),
        ]
    );
}

#[test]
fn keeps_provider_specific_content_and_metadata() {
    let own = ProviderContent::new("a", json!({"type": "search", "query": "rain"}));
    let events = [
        StreamEvent::start_from("a"),
        StreamEvent::text(0, "Let me look."),
        StreamEvent::provider_content(1, own.clone()),
        StreamEvent::text(2, "It rains."),
        StreamEvent::stop(StopReason::EndTurn),
        StreamEvent::metadata(Usage::new(1, 2), ModelMetrics::default()).with_provider_usage(json!({"in": 1})),
    ];
    let message = turn(events).unwrap().message;
    assert_eq!(message.content[1], ContentBlock::Provider(own));
    assert_eq!(message.text(), "Let me look.\nIt rains.");
    let known = message.metadata.as_ref().unwrap();
    assert_eq!((known.provider.as_deref(), known.provider_usage.as_deref()), (Some("a"), Some(&json!({"in": 1}))));

    let large = ProviderContent::new("a", json!({"found": ["x".repeat(2048)]}));
    let error = turn([StreamEvent::provider_content(0, large)]).unwrap_err();
    assert!(matches!(error, ModelError::ResponseTooLarge { limit: Some(1024), .. }), "{error:?}");
}

#[test]
fn returns_stop_reasons_that_are_errors_as_errors() {
    for (reason, kind) in [
        ("model_context_window_exceeded", ModelErrorKind::ContextOverflow),
        ("malformed_tool_use", ModelErrorKind::MalformedOutput),
        ("aborted", ModelErrorKind::Transport),
    ] {
        let error = turn([StreamEvent::text(0, "half"), StreamEvent::stop(StopReason::from(reason))]).unwrap_err();
        assert_eq!((error.kind(), error.details().code()), (kind, Some(reason)));
    }
    let paused = turn([StreamEvent::text(0, "half"), StreamEvent::stop(StopReason::from("pause_turn"))]).unwrap();
    assert_eq!(paused.stop_reason.as_str(), "pause_turn");
}

#[test]
fn replaces_lone_surrogates_in_arguments() {
    let call = |chunks: &[&str]| {
        let begun = StreamEvent::tool_use(0, ToolUseStart::new("a", "f"));
        let chunks = chunks.iter().map(|chunk| StreamEvent::tool_input(0, *chunk));
        let events = [begun].into_iter().chain(chunks).chain([StreamEvent::stop(StopReason::ToolUse)]);
        turn(events).unwrap().message.tool_uses().next().unwrap().input.clone()
    };
    assert_eq!(call(&[r#"{"a":"\ud83d"#, r#"\ude00"}"#]), json!({"a": "😀"}));
    assert_eq!(call(&[r#"{"a":"\ud83d"#, r#"x"}"#]), json!({"a": "\u{fffd}x"}));
}

//! Unknown events, fields and kinds of content are accepted; known ones must be complete.

use serde_json::json;
use strands_core::AgentEvent;

use crate::{read, written};

#[test]
fn preserves_events_of_unknown_types() {
    for text in [
        r#"{"type":"hologram","depth":3,"layers":[{"type":"text_delta"}],"start":null}"#,
        r#"{"depth":0.1,"type":"Start"}"#,
        r#"{"type":""}"#,
        // The name of a variant that is not an event type.
        r#"{"type":"unknown"}"#,
    ] {
        let event: AgentEvent = serde_json::from_str(text).unwrap();
        assert!(matches!(event, AgentEvent::Unknown(_)), "{text}");
        assert_eq!(written(&event), text);
    }
}

#[test]
fn preserves_an_unknown_event_in_a_node() {
    let json = json!({"type": "node", "path": ["writer"], "event": {"type": "hologram", "depth": 3}});
    let event = read(&json);
    assert!(matches!(event.leaf(), AgentEvent::Unknown(_)));
    assert_eq!(written(&event), json.to_string());
}

#[test]
fn preserves_an_unknown_kind_of_media_source() {
    for source in [
        json!({"stream": {"id": "x"}}),
        json!({"s3Location": {"uri": "s3://bucket/key"}}),
        json!({"location": {"type": "s3", "uri": "s3://bucket/key"}, "expires": 3}),
        json!({}),
    ] {
        let block = json!({"image": {"format": "png", "source": source}});
        let event = json!({"type": "message", "message": {"role": "user", "content": [block]}});
        assert_eq!(written(&read(&event)), event.to_string());
    }
}

#[test]
fn preserves_unknown_values_and_kinds_of_content() {
    for event in [
        json!({"type": "message", "message": {"role": "user", "content": [{"hologram": 1}]}}),
        json!({"type": "message", "message": {"role": "user", "content": [
            {"image": {"format": "tiff", "source": {"location": {"type": "ipfs"}}}},
            {"toolResult": {"toolUseId": "a", "status": "unsure", "content": [{"hologram": 1}]}},
        ]}}),
    ] {
        assert_eq!(written(&read(&event)), event.to_string());
    }
}

/// Numbers of an unknown event have the range and precision of `i64`, `u64` and `f64`.
#[test]
fn preserves_64_bit_numbers_of_unknown_events() {
    for text in ["18446744073709551615", "-9223372036854775808", "0.1", "1e300"] {
        let event: AgentEvent = serde_json::from_str(&format!(r#"{{"type":"hologram","x":{text}}}"#)).unwrap();
        let AgentEvent::Unknown(fields) = &event else { panic!("{event:?}") };
        assert_eq!(fields["x"], serde_json::from_str::<serde_json::Value>(text).unwrap());
        assert_eq!(read(&serde_json::from_str(&written(&event)).unwrap()).path().len(), 0);
    }
    assert!(serde_json::from_str::<AgentEvent>(r#"{"type":"hologram","x":1e400}"#).is_err());
}

#[test]
fn ignores_unknown_fields_of_known_events() {
    let event = read(&json!({"type": "text_delta", "text": "Hel", "confidence": 0.5}));
    assert_eq!(written(&event), r#"{"type":"text_delta","text":"Hel"}"#);
}

#[test]
fn rejects_known_types_with_missing_or_wrong_fields() {
    for (json, expected) in [
        (json!({"type": "text_delta"}), "in event `text_delta`: missing field `text`"),
        (
            json!({"type": "text_delta", "text": 1}),
            "in event `text_delta`: invalid type: integer `1`, expected a string",
        ),
        (
            json!({"type": "retry", "attempt": 1, "delay_ms": -1, "error": "", "discards_output": false}),
            "in event `retry`: ",
        ),
        (
            json!({"type": "message", "message": {"role": "narrator", "content": []}}),
            "in event `message`: unknown variant `narrator`, expected `user` or `assistant`",
        ),
        (
            json!({"type": "node", "path": ["a"], "event": {"type": "text_delta"}}),
            "in event `node`: in event `text_delta`: missing field `text`",
        ),
        (
            json!({"type": "node", "path": [], "event": {"type": "text_delta", "text": ""}}),
            "in event `node`: the path is empty",
        ),
        (json!({"text": "Hel"}), "missing event `type`: expected a string"),
        (json!({"type": 1}), "missing event `type`: expected a string"),
        (json!("text_delta"), "invalid type: string \"text_delta\", expected a map"),
    ] {
        let error = serde_json::from_str::<AgentEvent>(&json.to_string()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn rejects_invalid_durations_and_does_not_overflow() {
    let result = |total: f64, start: f64, took: f64, count: u64| {
        let trace = json!({
            "id": "00000000-0000-4000-8000-000000000000", "name": "Cycle 1", "raw_name": null, "parent_id": null,
            "start_time": start, "end_time": null, "duration": took, "children": [], "metadata": {}, "message": null,
        });
        let stats = json!({
            "call_count": 0, "success_count": count, "error_count": count,
            "total_time": 0.0, "average_time": 0.0, "success_rate": 0.0,
        });
        let metrics = json!({
            "total_cycles": u64::MAX, "total_duration": total, "average_cycle_time": 0.0,
            "tool_usage": {"one": {"tool_info": {"tool_use_id": "a", "name": "one", "input_params": {}}, "execution_stats": stats}},
            "accumulated_usage": {}, "accumulated_metrics": {"latencyMs": 0}, "agent_invocations": [], "traces": [trace],
        });
        let response = json!({
            "message": {"role": "assistant", "content": []}, "stop_reason": "end_turn", "usage": {}, "turns": 0, "metrics": metrics,
        });
        serde_json::from_value::<AgentEvent>(json!({"type": "result", "response": response}))
    };
    for numbers in [(-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1e300)] {
        assert!(result(numbers.0, numbers.1, numbers.2, 0).is_err(), "{numbers:?}");
    }
    written(&result(1e19, 1.8e19, 1.8e19, u64::MAX).unwrap());
}

#[test]
fn reads_typed_events_in_nodes() {
    let event = json!({"type": "node", "path": ["a"], "event": {"type": "partial_output", "value": null}});
    assert!(serde_json::from_value::<AgentEvent<u8>>(event).is_ok());
}

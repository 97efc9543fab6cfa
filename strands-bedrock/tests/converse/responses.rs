//! Responses of a loopback server, read through the real AWS client: the basic behavior, without recordings.

use crate::loopback::{CLAUDE, answer, ask, builder, events, kind, model, turn, weather_tools};
use serde_json::{Value, json};
use strands_bedrock::Guardrail;
use strands_core::message::{ContentBlock, ReasoningContent};
use strands_core::metrics::Usage;
use strands_core::models::{ModelRequest, StopReason, StreamEvent};
use strands_testkit::converse::ConverseStream;
use strands_testkit::eventstream::Frame;
use strands_testkit::{Response, Server, Splits};

#[tokio::test]
async fn reads_streamed_text_and_a_tool_call() {
    let stream = ConverseStream::new()
        .text(["Let me ", "look."])
        .tool_use("get_weather", "t-1", ["{\"city\":", " \"Oslo\"}"])
        .stop("tool_use")
        .usage(12, 3);
    let server = Server::repeat(stream.response()).await;
    let model = model(&server.url()).await;
    let (messages, tools) = (ask("Weather in Oslo?"), weather_tools());
    let turn = turn(&model, ModelRequest::new(&messages).with_tools(&tools)).await.unwrap();
    assert_eq!(turn.stop_reason, StopReason::ToolUse);
    assert_eq!(turn.message.text(), "Let me look.");
    let call = turn.message.tool_uses().next().unwrap();
    assert_eq!((call.tool_use_id.as_str(), call.name.as_str()), ("t-1", "get_weather"));
    assert_eq!(call.input, json!({"city": "Oslo"}));
    assert_eq!(turn.usage, Usage::new(12, 3));
    assert_eq!(turn.metrics.latency_ms, 100);
    assert!(turn.metrics.time_to_first_byte_ms.is_some());

    let request = &server.requests()[0];
    assert_eq!(request.method, "POST");
    assert_eq!(request.path.replace("%3A", ":"), format!("/model/{CLAUDE}/converse-stream"));
    assert!(request.sends_credential("authorization", "Bearer test-key"));
    assert!(request.header("user-agent").unwrap().contains("strands-rs"));
    assert_eq!(request.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn reads_streams_in_chunks_of_any_size() {
    let stream = ConverseStream::new()
        .reasoning(["let me ", "see"], "sig")
        .text(["It is ", "sunny in Tromsø."])
        .stop("end_turn")
        .usage(1, 2);
    for splits in [Splits::Every(1), Splits::Every(7), Splits::Random { seed: 7, max: 40 }] {
        let server = Server::repeat(stream.response().splits(splits.clone())).await;
        let turn = answer(&model(&server.url()).await, "hi").await.unwrap();
        let expected = [
            ContentBlock::Reasoning(ReasoningContent::text("let me see", Some("sig".into()))),
            ContentBlock::text("It is sunny in Tromsø."),
        ];
        assert_eq!(turn.message.content, expected, "{splits:?}");
    }
}

#[tokio::test]
async fn returns_reasoning_citations_and_response_fields() {
    let delta = |index: u64, delta: Value| json!({"contentBlockIndex": index, "delta": delta});
    let citation = json!({"title": "doc", "location": {"documentChar": {"documentIndex": 0, "start": 0, "end": 5}}, "sourceContent": [{"text": "sky"}]});
    let stream = ConverseStream::new()
        .event("contentBlockDelta", &delta(0, json!({"reasoningContent": {"redactedContent": "AQID"}})))
        .event("contentBlockStop", &json!({"contentBlockIndex": 0}))
        .event("contentBlockDelta", &delta(1, json!({"text": "The sky is blue."})))
        .event("contentBlockDelta", &delta(1, json!({"citation": citation})))
        .event("contentBlockStop", &json!({"contentBlockIndex": 1}))
        .event("messageStop", &json!({"stopReason": "stop_sequence", "additionalModelResponseFields": {"stop_sequence": "END"}}))
        .event("metadata", &json!({
            "usage": {"inputTokens": 3, "outputTokens": 4, "totalTokens": 17, "cacheReadInputTokens": 8, "cacheWriteInputTokens": 2},
            "metrics": {"latencyMs": 5},
        }));
    let server = Server::repeat(stream.response()).await;
    let turn = answer(&model(&server.url()).await, "hi").await.unwrap();
    assert_eq!(turn.message.content[0], ContentBlock::Reasoning(ReasoningContent::redacted(vec![1, 2, 3])));
    let ContentBlock::Citations(cited) = &turn.message.content[1] else {
        panic!("{:?}", turn.message.content);
    };
    assert_eq!(serde_json::to_value(&cited.citations[0]).unwrap(), citation);
    assert_eq!(turn.message.text(), "The sky is blue.");
    assert_eq!(turn.stop_reason, StopReason::StopSequence);
    assert_eq!(turn.response_fields, Some(json!({"stop_sequence": "END"})));
    assert_eq!(turn.usage, Usage::new(3, 4).with_total(17).with_cache(Some(8), Some(2)));
}

#[tokio::test]
async fn skips_events_and_fields_of_newer_versions() {
    let stream = ConverseStream::new()
        .event("contentBlockStart", &json!({"contentBlockIndex": 0, "start": {}}))
        .event("somethingNew", &json!({"x": 1}))
        .event("contentBlockDelta", &json!({"contentBlockIndex": 0, "delta": {"hologram": {}}}))
        .event(
            "contentBlockDelta",
            &json!({"contentBlockIndex": 0, "delta": {"text": "ok", "mood": "good"}, "p": "abcd"}),
        )
        .event("contentBlockStop", &json!({"contentBlockIndex": 0}))
        .stop("end_turn")
        .usage(1, 1);
    let server = Server::repeat(stream.response()).await;
    let turn = answer(&model(&server.url()).await, "hi").await.unwrap();
    assert_eq!(turn.message.content, [ContentBlock::text("ok")]);
    assert_eq!(turn.stop_reason, StopReason::EndTurn);

    let stream = ConverseStream::new().text(["ok"]).stop("newer_reason");
    let server = Server::repeat(stream.response()).await;
    let turn = answer(&model(&server.url()).await, "hi").await.unwrap();
    assert_eq!(turn.stop_reason.as_str(), "newer_reason");
}

/// Returns the call and the result of a server tool.
fn server_tool_blocks() -> [Value; 2] {
    [
        json!({"toolUse": {"toolUseId": "s", "name": "nova_grounding", "type": "server_tool_use", "input": {"query": "rain"}}}),
        json!({"toolResult": {"toolUseId": "s", "type": "nova_grounding_result", "status": "success",
            "content": [{"text": "It "}, {"json": {"rains": true}}]}}),
    ]
}

#[tokio::test]
async fn sends_blocks_of_server_tools_back_unchanged() {
    let [call, result] = server_tool_blocks();
    let start = json!({"toolUse": {"toolUseId": "s", "name": "nova_grounding", "type": "server_tool_use"}});
    let stream = ConverseStream::new()
        .event("contentBlockDelta", &json!({"contentBlockIndex": 0, "delta": {"text": "Let me look."}}))
        .event("contentBlockStop", &json!({"contentBlockIndex": 0}))
        .event("contentBlockStart", &json!({"contentBlockIndex": 1, "start": start}))
        .event("contentBlockDelta", &json!({"contentBlockIndex": 1, "delta": {"toolUse": {"input": "{\"query\":"}}}))
        .event("contentBlockDelta", &json!({"contentBlockIndex": 1, "delta": {"toolUse": {"input": "\"rain\"}"}}}))
        .event("contentBlockStop", &json!({"contentBlockIndex": 1}))
        .event(
            "contentBlockStart",
            &json!({"contentBlockIndex": 2, "start": {"toolResult":
            {"toolUseId": "s", "type": "nova_grounding_result", "status": "success"}}}),
        )
        .event("contentBlockDelta", &json!({"contentBlockIndex": 2, "delta": {"toolResult": [{"text": "It "}]}}))
        .event(
            "contentBlockDelta",
            &json!({"contentBlockIndex": 2, "delta": {"toolResult": [{"json": {"rains": true}}]}}),
        )
        .event("contentBlockStop", &json!({"contentBlockIndex": 2}))
        .event("contentBlockDelta", &json!({"contentBlockIndex": 3, "delta": {"text": "It rains."}}))
        .event("contentBlockStop", &json!({"contentBlockIndex": 3}))
        .stop("end_turn")
        .usage(1, 1);
    let whole = json!({
        "output": {"message": {"role": "assistant", "content": [{"text": "Let me look."}, call, result, {"text": "It rains."}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
    });
    for (streaming, response) in [(true, stream.response()), (false, Response::json(200, &whole))] {
        let server = Server::repeat(response).await;
        let model = builder(&server.url()).streaming(streaming).build().await.unwrap();
        let mut agent = strands_core::Agent::builder().model(model).build().await.unwrap();
        let response = agent.prompt("Does it rain?").await.unwrap();
        assert_eq!(response.text(), "Let me look.\nIt rains.");
        let metadata = agent.messages()[1].metadata.as_ref().unwrap();
        assert_eq!(metadata.provider.as_deref(), Some("bedrock"));
        assert_eq!(metadata.provider_usage.as_ref().unwrap()["inputTokens"], 1);
        agent.prompt("And now?").await.unwrap();
        let body: Value = serde_json::from_slice(&server.requests()[1].body).unwrap();
        let [call, result] = server_tool_blocks();
        assert_eq!(
            body["messages"][1]["content"],
            json!([{"text": "Let me look."}, call, result, {"text": "It rains."}]),
            "streaming: {streaming}"
        );
    }
}

#[tokio::test]
async fn reads_a_response_without_streaming() {
    let body = json!({
        "output": {"message": {"role": "assistant", "content": [
            {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "sig"}}},
            {"text": "Let me look."},
            {"citationsContent": {"content": [{"text": "a"}, {"text": "b"}], "citations": [{"title": "t"}]}},
            {"toolUse": {"toolUseId": "t-1", "name": "get_weather", "input": {"z": 1, "a": {"y": 2, "b": 3}}}},
            {"toolUse": {"toolUseId": "s", "name": "nova_grounding", "input": {}, "type": "server_tool_use"}},
            {"hologram": {}},
        ]}},
        "stopReason": "tool_use",
        "usage": {"inputTokens": 5, "outputTokens": 6, "totalTokens": 11},
        "metrics": {"latencyMs": 7},
        "additionalModelResponseFields": {"x": 1},
    });
    let server = Server::repeat(Response::json(200, &body)).await;
    let model = builder(&server.url()).streaming(false).build().await.unwrap();
    let turn = answer(&model, "hi").await.unwrap();
    assert!(server.requests()[0].path.ends_with("/converse"));
    assert_eq!(turn.message.content.len(), 5);
    assert_eq!(turn.message.content[0], ContentBlock::Reasoning(ReasoningContent::text("hm", Some("sig".into()))));
    assert_eq!(turn.message.text(), "Let me look.\nab");
    let call = turn.message.tool_uses().next().unwrap();
    assert_eq!(call.input.to_string(), r#"{"z":1,"a":{"y":2,"b":3}}"#, "keys keep their order");
    assert_eq!(turn.usage, Usage::new(5, 6));
    assert_eq!(turn.metrics.latency_ms, 7);
    assert_eq!(turn.response_fields, Some(json!({"x": 1})));
    assert_eq!(turn.stop_reason, StopReason::ToolUse);
}

fn blocked(action: &str) -> Value {
    json!({"guardrail": {"outputAssessments": {"gr": [{"contentPolicy": {"filters": [{"action": action, "detected": true}]}}]}}})
}

fn metadata(trace: Option<Value>) -> Value {
    let mut metadata =
        json!({"usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}, "metrics": {"latencyMs": 1}});
    if let Some(trace) = trace {
        metadata["trace"] = trace;
    }
    metadata
}

#[tokio::test]
async fn redacts_blocked_text_but_not_masked_text() {
    let stopped = || ConverseStream::new().text(["{NAME} is here"]).stop("guardrail_intervened");
    for (name, stream, redacted) in [
        ("blocked", stopped().event("metadata", &metadata(Some(blocked("BLOCKED")))), true),
        ("masked", stopped().event("metadata", &metadata(Some(blocked("ANONYMIZED")))), false),
        ("no trace", stopped().event("metadata", &metadata(None)), true),
        ("no metadata", stopped(), true),
    ] {
        let server = Server::repeat(stream.response()).await;
        let guardrail = Guardrail::new("gr", "1").redact_output(true).redact_output_message("[gone]");
        let model = builder(&server.url()).guardrail(guardrail).build().await.unwrap();
        let turn = answer(&model, "hi").await.unwrap();
        assert_eq!(turn.stop_reason, StopReason::GuardrailIntervened, "{name}");
        let (text, user) = if redacted { ("[gone]", Some("[User input redacted.]")) } else { ("{NAME} is here", None) };
        assert_eq!((turn.message.text().as_str(), turn.redact_user.as_deref()), (text, user), "{name}");
    }
}

#[tokio::test]
async fn sends_the_redaction_before_metadata() {
    let stream = ConverseStream::new()
        .text(["x"])
        .stop("guardrail_intervened")
        .event("metadata", &metadata(Some(blocked("BLOCKED"))));
    let server = Server::repeat(stream.response()).await;
    let (messages, model) = (ask("hi"), model(&server.url()).await);
    let (events, error) = events(&model, ModelRequest::new(&messages)).await;
    assert!(error.is_none());
    let at = |wanted: fn(&StreamEvent) -> bool| events.iter().position(wanted).unwrap();
    let redaction = at(|event| matches!(event, StreamEvent::RedactContent { .. }));
    assert!(redaction < at(|event| matches!(event, StreamEvent::Metadata { .. })));
}

#[tokio::test]
async fn invalid_frames_are_protocol_errors() {
    for (name, frame) in [
        ("no JSON", Frame::event("contentBlockDelta", &json!({})).payload("{\"delta\":")),
        ("no message type", Frame { headers: Vec::new(), payload: "{}".into() }),
        (
            "bad base64",
            Frame::event("contentBlockDelta", &json!({"delta": {"reasoningContent": {"redactedContent": "?"}}})),
        ),
    ] {
        let stream = ConverseStream::new().text(["half"]).frame(frame);
        let server = Server::repeat(stream.response()).await;
        let error = answer(&model(&server.url()).await, "hi").await.unwrap_err();
        assert_eq!(kind(&error), "protocol", "{name}: {error:?}");
    }
    let server = Server::repeat(Response::json(200, &json!({"Output": {}}))).await;
    let model = builder(&server.url()).streaming(false).build().await.unwrap();
    assert_eq!(kind(&answer(&model, "hi").await.unwrap_err()), "protocol");
}

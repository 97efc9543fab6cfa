//! Answers of our own making, through the real AWS client against a loopback server: what every user relies on, without
//! recordings.

mod loopback;

use std::sync::Arc;

use loopback::{CLAUDE, answer, ask, builder, events, kind, model, turn, weather_tools};
use serde_json::json;
use strands_core::message::{ContentBlock, Message, ReasoningContent};
use strands_core::metrics::Usage;
use strands_core::model::{ModelRequest, StopReason, StreamEvent, ToolChoice};
use strands_testkit::converse::ConverseStream;
use strands_testkit::eventstream::Frame;
use strands_testkit::{Response, Server, Splits};

#[tokio::test]
async fn streamed_text_and_a_tool_call() {
    let stream = ConverseStream::new()
        .text(["Let me ", "look."])
        .tool_use("get_weather", "t-1", ["{\"city\":", " \"Oslo\"}"])
        .stop("tool_use")
        .usage(12, 3);
    let server = Server::repeat(stream.response()).await;
    let model = model(&server.url()).await;
    let (messages, tools) = (ask("Weather in Oslo?"), weather_tools());
    let turn = turn(&model, ModelRequest::new(&messages).with_tools(&tools))
        .await
        .unwrap();
    assert_eq!(turn.stop_reason, StopReason::ToolUse);
    assert_eq!(turn.message.text(), "Let me look.");
    let call = turn.message.tool_uses().next().unwrap();
    assert_eq!((call.tool_use_id.as_str(), call.name.as_str()), ("t-1", "get_weather"));
    assert_eq!(call.input, json!({"city": "Oslo"}));
    assert_eq!(turn.usage, Usage::new(12, 3));
    assert_eq!(turn.metrics.latency_ms, 100);

    let request = &server.requests()[0];
    assert_eq!(request.method, "POST");
    assert_eq!(
        request.path.replace("%3A", ":"),
        format!("/model/{CLAUDE}/converse-stream")
    );
    assert!(request.sends_credential("authorization", "Bearer test-key"));
    assert!(request.header("user-agent").unwrap().contains("strands-rs"));
    assert_eq!(request.header("content-type"), Some("application/json"));
}

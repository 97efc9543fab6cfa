//! Error responses of the models on Bedrock, and stop reasons that are errors.

use crate::loopback::provider::CLAUDE;
use crate::loopback::{answer, model};
use serde_json::{Value, json};
use strands_core::models::{ModelError, ModelErrorKind};
use strands_testkit::converse::ConverseStream;
use strands_testkit::eventstream::Frame;
use strands_testkit::provider::{Provider as _, Tuned};
use strands_testkit::recording::shared_path;
use strands_testkit::{Response, Server};

/// Returns the error of a model whose server sends this response.
async fn failure(response: Response, whole: bool) -> ModelError {
    let server = Server::repeat(response).await;
    let model = CLAUDE.model(&server.url(), Tuned { whole, ..Tuned::default() }).await;
    answer(&*model, "hi").await.unwrap_err()
}

#[tokio::test]
async fn classifies_messages_like_other_providers() {
    use ModelErrorKind::{ContextOverflow, InvalidRequest, Throttled};

    for (code, message, expected) in [
        ("ValidationException", "Input is too long for requested model.", ContextOverflow),
        ("ValidationException", "prompt is too long: 203245 tokens > 200000 maximum", ContextOverflow),
        (
            "ValidationException",
            "Input Tokens Exceeded: Number of input tokens exceeds maximum length.",
            ContextOverflow,
        ),
        ("ValidationException", "400 Bad Request: Too many input tokens. Max input tokens: 8192", ContextOverflow),
        (
            "ValidationException",
            "Prompt contains 9 tokens, too large for model with 8 maximum context length",
            ContextOverflow,
        ),
        ("", "The input (9001 tokens) is longer than the model's context length (8192 tokens).", ContextOverflow),
        ("ThrottlingException", "Too many tokens, please wait before trying again.", Throttled),
        ("", "Too many tokens per day, please wait before trying again.", Throttled),
        ("ValidationException", "The maximum tokens you requested exceeds the model limit of 4096.", InvalidRequest),
    ] {
        let response = Response::json(400, &json!({"message": message})).header("x-amzn-errortype", code);
        let error = failure(response, false).await;
        assert_eq!(error.kind(), expected, "{message}: {error:?}");
        let code = if code.is_empty() { "validationException" } else { code };
        let stream = ConverseStream::new().text(["half"]).exception(code, message);
        let error = failure(stream.response(), false).await;
        assert_eq!(error.kind(), expected, "in a stream: {message}: {error:?}");
    }
}

#[tokio::test]
async fn classifies_the_messages_of_the_shared_table() {
    let Some(table) = shared_path("cases/context-overflow-words/table.json") else {
        return;
    };
    let table: Vec<Value> = serde_json::from_slice(&std::fs::read(table).unwrap()).unwrap();
    let cases: Vec<_> = table.iter().filter(|refused| refused["provider"] == "bedrock").collect();
    assert!(cases.len() >= 3, "{}", cases.len());
    for refused in cases {
        let status = u16::try_from(refused["status"].as_u64().unwrap()).unwrap();
        let error = failure(Response::json(status, &refused["body"]), false).await;
        assert_eq!(format!("{:?}", error.kind()), refused["expect"], "{refused}: {error:?}");
    }
}

#[tokio::test]
async fn some_stop_reasons_are_errors() {
    for (reason, expected) in [
        ("model_context_window_exceeded", ModelErrorKind::ContextOverflow),
        ("malformed_tool_use", ModelErrorKind::MalformedOutput),
        ("malformed_model_output", ModelErrorKind::MalformedOutput),
    ] {
        let stream = ConverseStream::new().text(["half"]).stop(reason).usage(1, 1);
        let document = json!({"output": {"message": {"role": "assistant", "content": [{"text": "half"}]}},
            "stopReason": reason, "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}});
        for (response, whole) in [(stream.response(), false), (Response::json(200, &document), true)] {
            let error = failure(response, whole).await;
            assert_eq!(error.kind(), expected, "{reason}: {error:?}");
            assert_eq!(error.details().code(), Some(reason));
            let source = std::error::Error::source(&error).unwrap().to_string();
            assert!(source.contains("calling Bedrock model"), "{source}");
        }
    }
}

#[tokio::test]
async fn replaces_invalid_characters_only() {
    let halves: [(&[u8], &str); 4] = [
        (b"\\ud83d", "\u{fffd}fine"),
        (b"\xff", "\u{fffd}fine"),
        (b"\\ud83d\\ude00", "😀fine"),
        (b"\\\\ud83d", "\\ud83dfine"),
    ];
    for (half, expected) in halves {
        let payload = [br#"{"contentBlockIndex":0,"delta":{"text":""#, half, br#"fine"}}"#].concat();
        let delta = Frame::event("contentBlockDelta", &Value::Null).payload(payload);
        let stream = ConverseStream::new().text([]).frame(delta).stop("end_turn").usage(1, 1);
        let document =
            [br#"{"output":{"message":{"content":[{"text":""#, half, br#"fine"}]}},"stopReason":"end_turn"}"#].concat();
        let document = Response::new(200).content_type("application/json").body(document);
        for (response, whole) in [(stream.response(), false), (document, true)] {
            let server = Server::repeat(response).await;
            let model = CLAUDE.model(&server.url(), Tuned { whole, ..Tuned::default() }).await;
            assert_eq!(answer(&*model, "hi").await.unwrap().message.text(), expected, "{half:?}");
        }
    }
}

#[tokio::test]
async fn a_host_without_an_address_is_unreachable() {
    let error = answer(&model("https://no-such-host.invalid:9").await, "hi").await.unwrap_err();
    assert_eq!(error.kind(), ModelErrorKind::Unreachable, "{error:?}");
}

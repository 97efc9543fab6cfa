//! Requests without an example in the reference client, or with deliberate differences.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use strands_core::Agent;
use strands_core::message::Message;
use strands_core::models::{Model, ModelError, ModelRequest, OutputSchema};
use strands_models::ReasoningEffort;
use strands_models::{ModelBuildError, OllamaModel, OllamaModelBuilder};
use strands_testkit::provider::{Provider, answer, ask, turn, weather_tools};
use strands_testkit::{Request, Response, Server};

use super::{Ollama, model};

/// The body that a model sends for a request.
async fn sent(model: impl FnOnce(&str) -> OllamaModelBuilder, request: ModelRequest<'_>) -> Request {
    let server = Server::repeat(Ollama.response(Ollama.fine())).await;
    turn(&model(&server.url()).build().unwrap(), request).await.unwrap();
    server.requests().remove(0)
}

async fn conversation(history: Value) -> Value {
    let history: Vec<_> = serde_json::from_value::<Vec<Message>>(history).unwrap().into_iter().map(Arc::new).collect();
    sent(model, ModelRequest::new(&history)).await.json()["messages"].take()
}

#[tokio::test]
async fn serializes_all_options() {
    let history = ask("hi");
    let configured = |url: &str| {
        model(url)
            .max_tokens(100)
            .num_ctx(8_192)
            .temperature(0.5)
            .top_p(0.9)
            .top_k(40)
            .min_p(0.05)
            .seed(7)
            .stop_sequences(["END"])
            .option("repeat_penalty", 1.1)
            .option("top_k", 20)
            .reasoning_effort(ReasoningEffort::High)
            .keep_alive(Duration::MAX)
            .truncate(false)
            .extra("shift", false)
    };
    assert_eq!(configured("http://localhost:1").build().unwrap().context_window(), Some(8_192));
    let request = sent(configured, ModelRequest::new(&history)).await;
    assert!(request.sends_credential("authorization", "Bearer test-key"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    let mut body = request.json();
    let body = body.as_object_mut().unwrap();
    assert_eq!(body.keys().next_back().unwrap(), "messages", "what changes comes last");
    body.shift_remove("messages");
    assert_eq!(
        Value::Object(body.clone()),
        json!({"model": "qwen3:8b", "stream": true, "options": {"num_ctx": 8_192, "num_predict": 100, "temperature": 0.5,
            "top_p": 0.9, "top_k": 20, "min_p": 0.05, "seed": 7, "stop": ["END"], "repeat_penalty": 1.1},
            "think": "high", "keep_alive": -1, "truncate": false, "tools": [], "shift": false})
    );
}

#[test]
fn rejects_invalid_options() {
    let wrong = |builder: OllamaModelBuilder| builder.build().unwrap_err();
    let model = || model("http://localhost:1");
    assert!(matches!(wrong(OllamaModel::builder().base_url("http://localhost:1")), ModelBuildError::EmptyModelId));
    for (builder, field) in [
        (model().temperature(-0.1), "temperature"),
        (model().temperature(f64::NAN), "temperature"),
        (model().top_p(1.1), "top_p"),
        (model().min_p(-1.0), "min_p"),
    ] {
        let error = wrong(builder);
        assert!(matches!(error, ModelBuildError::InvalidNumber { field: named, .. } if named == field), "{error}");
    }
}

#[tokio::test]
async fn sends_text_documents_as_text() {
    let document = |name: &str, format: &str, bytes: &str| {
        json!({"document": {"name": name, "format": format, "context": "old",
            "source": {"bytes": {"__bytes_encoded__": true, "data": bytes}}}})
    };
    let said = conversation(json!([{"role": "user", "content": [
        {"text": "Read."},
        document("notes", "md", "IyBUaXRsZQ=="),
        document("report", "pdf", "JVBERi0="),
        document("bytes", "txt", "/w=="),
        {"cachePoint": {"type": "default"}},
        {"video": {"format": "mp4", "source": {"bytes": {"__bytes_encoded__": true, "data": "AAAA"}}}},
        {"audio": {"format": "mp3", "source": {"bytes": {"__bytes_encoded__": true, "data": "AAAA"}}}},
    ]}]))
    .await;
    assert_eq!(
        said[0]["content"],
        "Read.\nDocument \"notes\" (old):\n# Title\n\
         [The document \"report\", which can't be shown to this model: it is not text.]\n\
         [The document \"bytes\", which can't be shown to this model: it is not text.]\n\
         [A video that can't be shown to this model.]\n[An audio clip that can't be played to this model.]"
    );
}

#[tokio::test]
async fn sends_images_with_their_message() {
    let image = json!({"image": {"format": "png", "source": {"bytes": {"__bytes_encoded__": true, "data": "AAAA"}}}});
    let said = conversation(json!([
        {"role": "user", "content": [{"text": "Compare."}, image, {"guardContent": {"image": {"format": "png",
            "source": {"bytes": {"__bytes_encoded__": true, "data": "BBBB"}}}}}]},
        {"role": "assistant", "content": [{"toolUse": {"toolUseId": "a", "name": "shot", "input": null}}]},
        {"role": "user", "content": [{"toolResult": {"toolUseId": "a", "content": [image, {"json": {"a": [1]}}]}}]},
    ]))
    .await;
    assert_eq!(
        said,
        json!([
            {"role": "user", "content": "Compare.", "images": ["AAAA", "BBBB"]},
            {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "shot", "arguments": {}}}]},
            {"role": "tool", "content": "{\"a\":[1]}", "images": ["AAAA"], "tool_name": "shot", "tool_call_id": "a"},
        ])
    );
}

#[tokio::test]
async fn requests_structured_output_with_a_schema_and_without_tools() {
    let (history, tools) = (ask("Where?"), weather_tools());
    let output = OutputSchema::new("Place", json!({"type": "object", "properties": {"city": {"type": "string"}}}));
    let request = ModelRequest::new(&history).with_tools(&tools).with_output_schema(&output);
    let body = sent(model, request).await.json();
    assert_eq!(body["format"], output.schema);
    assert!(body.get("tools").is_none(), "{body}");
    let capabilities = model("http://localhost:1").build().unwrap().capabilities();
    assert!(capabilities.structured_output && !capabilities.tool_choice);
}

#[tokio::test]
async fn advises_pulling_a_missing_model() {
    let refusal = Response::json(404, &json!({"error": "model 'qwen3:8b' not found"}));
    let server = Server::repeat(refusal).await;
    let error = answer(&model(&server.url()).build().unwrap(), "hi").await.unwrap_err();
    assert!(matches!(error, ModelError::InvalidRequest { .. }), "{error:?}");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.ends_with("download it with `ollama pull qwen3:8b`"), "{source}");
}

#[tokio::test]
async fn reports_the_status_of_an_error_response() {
    let streamed = Response::json(500, &json!({"error": "the input length exceeds the context length"}));
    let server = Server::repeat(streamed).await;
    let mut agent = Agent::builder().model(model(&server.url()).build().unwrap()).build().await.unwrap();
    assert!(
        agent.prompt("hi").await.unwrap_err().to_string().contains("context"),
        "the conversation can't be shortened"
    );
}

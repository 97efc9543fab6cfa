//! Requests to Mistral that differ from those to other providers.

use std::sync::Arc;

use serde_json::{Value, json};
use strands_core::message::Message;
use strands_core::models::{Model, ModelRequest, OutputSchema, ToolChoice};
use strands_models::ModelBuildError;
use strands_models::ReasoningEffort;
use strands_testkit::provider::{ask, weather_tools};

use super::{builder, plain};
use crate::chat_completions::body;

async fn conversation(messages: Value) -> Value {
    let messages: Vec<Message> = serde_json::from_value(messages).unwrap();
    let messages: Vec<_> = messages.into_iter().map(Arc::new).collect();
    body(plain, ModelRequest::new(&messages)).await["messages"].take()
}

#[tokio::test]
async fn sends_valid_ids_in_calls_and_results() {
    let call = |id: &str| json!({"toolUse": {"toolUseId": id, "name": "f", "input": {}}});
    let result = |id: &str| json!({"toolResult": {"toolUseId": id, "content": [{"text": "ok"}]}});
    let sent = conversation(json!([
        {"role": "user", "content": [{"text": "hi"}]},
        {"role": "assistant", "content": [call("tooluse_abc-1"), call("tooluse_abc-2"), call("D681PevKs")]},
        {"role": "user", "content": [result("tooluse_abc-1"), result("tooluse_abc-2"), result("D681PevKs")]},
    ]))
    .await;
    let called: Vec<_> =
        sent[1]["tool_calls"].as_array().unwrap().iter().map(|call| call["id"].as_str().unwrap()).collect();
    let answered: Vec<_> = [2, 3, 4].iter().map(|at| sent[*at]["tool_call_id"].as_str().unwrap()).collect();
    assert_eq!(called, answered);
    assert_eq!(called[2], "D681PevKs");
    assert_ne!(called[0], called[1]);
    for id in called {
        assert!(id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
    }
}

#[tokio::test]
async fn inserts_an_assistant_message_after_tool_results() {
    let sent = conversation(json!([
        {"role": "user", "content": [{"text": "hi"}]},
        {"role": "assistant", "content": [{"toolUse": {"toolUseId": "D681PevKs", "name": "f", "input": {}}}]},
        {"role": "user", "content": [
            {"toolResult": {"toolUseId": "D681PevKs", "content": [{"text": "here"}, {"image": {"format": "png", "source": {"bytes": "AQI="}}}]}},
            {"text": "and now?"},
        ]},
    ]))
    .await;
    assert_eq!(
        sent.as_array().unwrap()[2..],
        [
            json!({"role": "tool", "tool_call_id": "D681PevKs", "content": [
                {"type": "text", "text": "here"},
                {"type": "image_url", "image_url": "data:image/png;base64,AQI="},
            ]}),
            json!({"role": "assistant", "content": "Done."}),
            json!({"role": "user", "content": "and now?"}),
        ]
    );
}

#[tokio::test]
async fn sends_media_in_the_format_of_mistral() {
    let document = |name: &str, format: &str, bytes: &str| json!({"document": {"name": name, "format": format, "source": {"bytes": bytes}}});
    let sent = conversation(json!([
        {"role": "user", "content": [
            document("report", "pdf", "AQI="),
            document("notes", "md", "IyBIaQ=="),
            {"audio": {"format": "flac", "source": {"bytes": "AQI="}}},
        ]},
    ]))
    .await;
    assert_eq!(
        sent[0]["content"],
        json!([
            {"type": "document_url", "document_url": "data:application/pdf;base64,AQI=", "document_name": "report.pdf"},
            {"type": "text", "text": "<document name=\"notes.md\">\n# Hi\n</document>"},
            {"type": "input_audio", "input_audio": "AQI="},
        ])
    );
}

#[tokio::test]
async fn sends_reasoning_and_files_back_to_mistral_only() {
    let content = json!([
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "sig"}}},
        {"text": "", "providerContent": {"provider": "mistral", "content": {"type": "tool_file", "file_id": "f"}}},
        {"text": "", "providerContent": {"provider": "gemini", "content": {"type": "x"}}},
        {"text": "So."},
    ]);
    let said = |provider: Value| json!({"role": "assistant", "content": content, "metadata": {"provider": provider}});
    let sent = conversation(json!([
        {"role": "user", "content": [{"text": "hi"}]},
        said(json!("mistral")),
        {"role": "user", "content": [{"text": "why?"}]},
        said(json!("anthropic")),
        {"role": "user", "content": [{"text": "why?"}]},
        said(json!(null)),
        {"role": "user", "content": [{"text": "why?"}]},
    ]))
    .await;
    let thinking = json!({"type": "thinking", "thinking": [{"type": "text", "text": "hm"}], "signature": "sig"});
    let (file, text) = (json!({"type": "tool_file", "file_id": "f"}), json!({"type": "text", "text": "So."}));
    assert_eq!(sent[1]["content"], json!([thinking, file, text]));
    assert_eq!(sent[3]["content"], json!([file, text]), "content of Mistral's names its provider");
    assert_eq!(sent[5]["content"], json!([file, text]), "the provider of the reasoning is unknown");
}

#[tokio::test]
async fn sends_the_options_of_the_builder() {
    let model = |url: &str| -> Arc<dyn Model> {
        let builder = builder(url).temperature(0.5).max_tokens(7).seed(11).safe_prompt(true).stop_sequences(["."]);
        let builder = builder.reasoning_effort(ReasoningEffort::High).prompt_cache_key("k").parallel_tool_calls(false);
        let builder = builder.presence_penalty(0.5).frequency_penalty(-0.5).extra("metadata", json!({"a": 1}));
        Arc::new(builder.server_tool(json!({"type": "web_search"})).build().unwrap())
    };
    let (messages, tools) = (ask("hi"), weather_tools());
    let any = ToolChoice::Any {};
    let sent = body(model, ModelRequest::new(&messages).with_tools(&tools).with_tool_choice(&any)).await;
    for (field, value) in [
        ("temperature", json!(0.5)),
        ("max_tokens", json!(7)),
        ("random_seed", json!(11)),
        ("safe_prompt", json!(true)),
        ("stop", json!(["."])),
        ("reasoning_effort", json!("high")),
        ("prompt_cache_key", json!("k")),
        ("parallel_tool_calls", json!(false)),
        ("presence_penalty", json!(0.5)),
        ("frequency_penalty", json!(-0.5)),
        ("metadata", json!({"a": 1})),
        ("tool_choice", json!("any")),
    ] {
        assert_eq!(sent[field], value, "{field}");
    }
    assert_eq!(sent["tools"][0]["function"]["name"], "get_weather");
    assert_eq!(sent["tools"][1], json!({"type": "web_search"}));
    assert!(sent.get("stream_options").is_none(), "Mistral rejects unknown fields");
}

#[tokio::test]
async fn sends_the_output_schema() {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": false});
    let output = OutputSchema::new("city", schema.clone()).with_description("A city.");
    let (messages, tools) = (ask("hi"), weather_tools());
    assert!(plain("http://localhost:1").capabilities().structured_output);
    let sent = body(plain, ModelRequest::new(&messages).with_tools(&tools).with_output_schema(&output)).await;
    let expected = json!({"name": "city", "description": "A city.", "schema": schema, "strict": true});
    assert_eq!(sent["response_format"], json!({"type": "json_schema", "json_schema": expected}));
    assert!(sent.get("tools").is_none(), "tools are left out");
}

#[test]
fn rejects_invalid_options() {
    let build = |builder: strands_models::MistralModelBuilder| builder.build().err();
    for error in [
        build(builder("http://localhost:1").temperature(1.6)),
        build(builder("http://localhost:1").temperature(f64::NAN)),
        build(builder("http://localhost:1").top_p(-0.1)),
        build(builder("http://localhost:1").presence_penalty(3.0)),
    ] {
        assert!(matches!(error, Some(ModelBuildError::InvalidNumber { .. })), "{error:?}");
    }
}

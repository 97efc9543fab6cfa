//! Requests for which the reference client has no example, or a worse one.

use std::sync::Arc;

use serde_json::{Value, json};
use strands_core::message::{Message, SystemBlock};
use strands_core::models::{Model, ModelRequest, ToolChoice, ToolSpecs};
use strands_core::tool::ToolSpec;
use strands_models::ReasoningEffort;
use strands_models::openai::{ReasoningReplay, ReasoningSummary, Service};
use strands_models::{ModelBuildError, OpenAiModel};
use strands_testkit::provider::{Provider, answer, ask, turn, weather_tools};
use strands_testkit::{Request, Server};

use super::{Api, BOTH, chat, responses};

fn messages(messages: Value) -> Vec<Arc<Message>> {
    serde_json::from_value::<Vec<Message>>(messages).unwrap().into_iter().map(Arc::new).collect()
}

/// Returns the request that a model sends.
async fn sent(api: Api, model: impl FnOnce(&str) -> Arc<dyn Model>, request: ModelRequest<'_>) -> Request {
    let server = Server::repeat(api.response(api.fine())).await;
    turn(&*model(&server.url()), request).await.unwrap();
    server.requests().remove(0)
}

/// Returns the conversation as both protocols send it.
async fn conversation(history: Value) -> (Value, Value) {
    let history = messages(history);
    let request = ModelRequest::new(&history);
    let of_chat = sent(Api::Chat, |url| Api::Chat.plain(url), request).await.json();
    let of_responses = sent(Api::Responses, |url| Api::Responses.plain(url), request).await.json();
    (of_chat["messages"].clone(), of_responses["input"].clone())
}

#[tokio::test]
async fn sends_options_of_chat_completions() {
    let (history, tools) = (ask("hi"), weather_tools());
    let request = ModelRequest::new(&history).with_tools(&tools);
    let model = |url: &str| -> Arc<dyn Model> {
        let builder = chat(url)
            .model_id("gpt-5.4")
            .max_tokens(100)
            .temperature(0.5)
            .top_p(0.9)
            .stop_sequences(["END"])
            .reasoning_effort(ReasoningEffort::Minimal)
            .parallel_tool_calls(false)
            .organization("org")
            .project("proj")
            .seed(7)
            .extra("temperature", 1);
        Arc::new(builder.build().unwrap())
    };
    let request = sent(Api::Chat, model, request).await;
    assert_eq!(request.header("openai-organization"), Some("org"));
    assert_eq!(request.header("openai-project"), Some("proj"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert!(request.header("user-agent").unwrap().starts_with("strands-rs/"));
    let mut body = request.json();
    let body = body.as_object_mut().unwrap();
    assert_eq!(body.keys().next_back().unwrap(), "messages", "the part that changes comes last");
    body.shift_remove("messages");
    body.shift_remove("tools");
    assert_eq!(
        Value::Object(body.clone()),
        json!({"model": "gpt-5.4", "stream": true, "stream_options": {"include_usage": true}, "max_completion_tokens": 100,
            "top_p": 0.9, "stop": ["END"], "reasoning_effort": "minimal", "parallel_tool_calls": false, "seed": 7,
            "temperature": 1})
    );
}

#[tokio::test]
async fn sends_paths_and_headers_of_each_service() {
    let history = ask("hi");
    let request = ModelRequest::new(&history);
    for (service, path, header, other) in [
        (Service::AZURE, "/openai/v1/chat/completions", "api-key", "authorization"),
        (Service::GROQ, "/chat/completions", "authorization", "api-key"),
    ] {
        let model = |url: &str| -> Arc<dyn Model> {
            let builder = OpenAiModel::builder().service(service).model_id("my-model").base_url(url).api_key("k");
            Arc::new(builder.build().unwrap())
        };
        let request = sent(Api::Chat, model, request).await;
        assert_eq!(request.path, path, "{service:?}");
        assert!(request.header(header).is_some() && request.header(other).is_none(), "{service:?}");
        assert_eq!(request.json()["model"], "my-model");
    }
}

#[tokio::test]
async fn sends_options_of_responses() {
    let history = ask("hi");
    let system = [SystemBlock::from("Be kind."), SystemBlock::from("Be brief.")];
    let choice = ToolChoice::Any {};
    let request = ModelRequest::new(&history).with_system(&system).with_tool_choice(&choice);
    let model = |url: &str| -> Arc<dyn Model> {
        let builder = responses(url)
            .max_tokens(100)
            .reasoning_effort(ReasoningEffort::XHigh)
            .reasoning_summary(ReasoningSummary::Detailed)
            .parallel_tool_calls(true)
            .extra("text", json!({"verbosity": "low"}));
        Arc::new(builder.build().unwrap())
    };
    let mut body = sent(Api::Responses, model, request).await.json();
    body.as_object_mut().unwrap().shift_remove("input");
    // No fields about tools without tools.
    assert_eq!(
        body,
        json!({"model": "gpt-4o", "stream": true, "store": false, "max_output_tokens": 100,
            "reasoning": {"effort": "xhigh", "summary": "detailed"}, "include": ["reasoning.encrypted_content"],
            "instructions": "Be kind.\nBe brief.", "text": {"verbosity": "low"}})
    );
}

#[tokio::test]
async fn requests_encrypted_reasoning_from_reasoning_models() {
    for (id, told, expected) in [
        ("gpt-5.4", None, true),
        ("gpt-4o", None, false),
        ("gpt-5.4", Some(false), false),
        ("grok-4", Some(true), true),
    ] {
        let history = ask("hi");
        let model = |url: &str| -> Arc<dyn Model> {
            let builder = responses(url).model_id(id);
            let builder = if let Some(told) = told { builder.encrypted_reasoning(told) } else { builder };
            Arc::new(builder.build().unwrap())
        };
        let body = sent(Api::Responses, model, ModelRequest::new(&history)).await.json();
        assert_eq!(body.get("include").is_some(), expected, "{id}");
    }
    // Another `include` value does not replace the encrypted reasoning.
    let history = ask("hi");
    let model = |url: &str| -> Arc<dyn Model> {
        let more = json!(["web_search_call.action.sources"]);
        Arc::new(responses(url).model_id("gpt-5.4").extra("include", more).build().unwrap())
    };
    let body = sent(Api::Responses, model, ModelRequest::new(&history)).await.json();
    assert_eq!(body["include"], json!(["web_search_call.action.sources", "reasoning.encrypted_content"]));
}

#[tokio::test]
async fn sends_content_of_users() {
    let media = |name: &str, format: &str| json!({(name): {"format": format, "source": {"bytes": "AQI="}}});
    let (chat, responses) = conversation(json!([{"role": "user", "content": [
        {"text": "look"},
        media("image", "png"),
        {"document": {"name": "q3", "format": "pdf", "source": {"bytes": "AQI="}}},
        media("audio", "wav"),
        media("audio", "flac"),
        media("video", "mp4"),
        {"guardContent": {"text": {"text": "guarded"}}},
        {"image": {"format": "png", "source": {"location": {"type": "s3", "uri": "s3://b/k"}}}},
        {"newKind": {"x": 1}},
    ]}]))
    .await;
    let text = |kind: &str, text: &str| json!({"type": kind, "text": text});
    assert_eq!(
        chat[0]["content"],
        json!([
            text("text", "look"),
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AQI=", "detail": "auto"}},
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,AQI=", "filename": "q3.pdf"}},
            {"type": "input_audio", "input_audio": {"data": "AQI=", "format": "wav"}},
            text("text", "[An audio clip that can't be played to this model.]"),
            text("text", "[A video that can't be shown to this model.]"),
            text("text", "guarded"),
            text("text", "[An image that can't be shown to this model: it is stored elsewhere.]"),
        ])
    );
    assert_eq!(
        responses[0]["content"],
        json!([
            text("input_text", "look"),
            {"type": "input_image", "image_url": "data:image/png;base64,AQI="},
            {"type": "input_file", "filename": "q3.pdf", "file_data": "data:application/pdf;base64,AQI="},
            text("input_text", "[An audio clip that can't be played to this model.]"),
            text("input_text", "[An audio clip that can't be played to this model.]"),
            text("input_text", "[A video that can't be shown to this model.]"),
            text("input_text", "guarded"),
            text("input_text", "[An image that can't be shown to this model: it is stored elsewhere.]"),
        ])
    );
}

#[tokio::test]
async fn sends_tool_results() {
    let result = |id: &str, status: &str, content: Value| json!({"toolResult": {"toolUseId": id, "status": status, "content": content}});
    let call = |id: &str, input: Value| json!({"toolUse": {"toolUseId": id, "name": "f", "input": input}});
    let (chat, responses) = conversation(json!([
        {"role": "user", "content": [{"text": "go"}]},
        {"role": "assistant", "content": [call("a", json!({"x": 1})), call("b", json!("{broken")), call("c", json!({}))]},
        {"role": "user", "content": [
            result("a", "success", json!([
                {"document": {"name": "q3", "format": "pdf", "source": {"bytes": "AQI="}}},
                {"image": {"format": "png", "source": {"bytes": "AQI="}}},
            ])),
            {"text": "and then?"},
            result("b", "error", json!([{"text": "the arguments are no JSON"}])),
            result("c", "error", json!([{"text": "error: no such thing"}, {"json": {"why": [1, 2]}}])),
        ]},
    ]))
    .await;
    let arguments: Vec<_> =
        chat[1]["tool_calls"].as_array().unwrap().iter().map(|call| call["function"]["arguments"].clone()).collect();
    assert_eq!(arguments, [json!("{\"x\":1}"), json!("{}"), json!("{}")]);
    assert!(chat[1].get("content").is_none());
    let note = |what: &str| {
        json!({"type": "text", "text": format!("Tool successfully returned {what}. The {} is being provided in the following user message.",
            what.split(' ').next_back().unwrap())})
    };
    assert_eq!(
        chat.as_array().unwrap()[2..],
        [
            json!({"role": "tool", "tool_call_id": "a", "content": [note("a document"), note("an image")]}),
            json!({"role": "tool", "tool_call_id": "b", "content": "Error: the arguments are no JSON"}),
            json!({"role": "tool", "tool_call_id": "c", "content": "error: no such thing\n{\"why\":[1,2]}"}),
            json!({"role": "user", "content": [
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,AQI=", "filename": "q3.pdf"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AQI=", "detail": "auto"}},
            ]}),
            json!({"role": "user", "content": "and then?"}),
        ]
    );
    let outputs = &responses.as_array().unwrap()[4..];
    assert_eq!(outputs[0]["output"][0]["type"], "input_file");
    assert_eq!(outputs[0]["output"][1]["type"], "input_image");
    assert_eq!(outputs[1]["output"], "Error: the arguments are no JSON");
    assert_eq!(outputs[2]["output"], "error: no such thing\n{\"why\":[1,2]}");
    assert_eq!(outputs[3]["role"], "user");
}

#[tokio::test]
async fn sends_conversations_of_other_providers() {
    let (chat, responses) = conversation(json!([
        {"role": "user", "content": [{"text": "hi"}, {"cachePoint": {"type": "default"}}]},
        {"role": "assistant", "content": [
            {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "EqQBCkYIBxgCKkD"}}},
            {"reasoningContent": {"redactedContent": "AQI="}},
            {"citationsContent": {"citations": [{"title": "A"}], "content": [{"text": "It is "}, {"text": "so."}]}},
            {"image": {"format": "png", "source": {"bytes": "AQI="}}},
        ]},
        {"role": "user", "content": [{"text": "go on"}]},
        {"role": "assistant", "content": [{"reasoningContent": {"reasoningText": {"text": "cut off"}}}]},
        {"role": "user", "content": [{"text": "well?"}]},
    ]))
    .await;
    let note = "[Media that can't be shown to this model.]";
    assert_eq!(
        chat[1],
        json!({"role": "assistant", "content": [{"type": "text", "text": "It is so."}, {"type": "text", "text": note}]})
    );
    assert_eq!(chat.as_array().unwrap().len(), 4, "reasoning alone is not a message: {chat}");
    assert_eq!(responses[1], json!({"role": "assistant", "content": "It is so."}));
    assert_eq!(responses[2], json!({"role": "assistant", "content": note}));
    assert_eq!(responses.as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn sends_reasoning_back_with_its_calls() {
    let item = |id: &str| json!({"type": "reasoning", "id": id, "summary": [], "encrypted_content": "xyz"});
    let thought = |id: &str| {
        let signature = json!({"reasoning_item": item(id)}).to_string();
        json!({"reasoningContent": {"reasoningText": {"text": "hm", "signature": signature}}})
    };
    let call = json!({"toolUse": {"toolUseId": "a", "name": "f", "input": {}}});
    let (chat, responses) = conversation(json!([
        {"role": "user", "content": [{"text": "hi"}]},
        {"role": "assistant", "content": [thought("rs_1"), {"text": "So."}, thought("rs_2"), call]},
        {"role": "user", "content": [{"toolResult": {"toolUseId": "a", "content": [{"text": "ok"}]}}]},
        {"role": "assistant", "content": [{"text": "Well."}, thought("rs_3")]},
        {"role": "user", "content": [{"text": "go on"}]},
    ]))
    .await;
    let kinds: Vec<_> = responses.as_array().unwrap().iter().map(|item| item.get("id").or(item.get("type"))).collect();
    let expected = [
        None,
        Some(json!("rs_1")),
        None,
        Some(json!("rs_2")),
        Some(json!("function_call")),
        Some(json!("function_call_output")),
        None,
        None,
    ];
    assert_eq!(
        kinds,
        expected.iter().map(Option::as_ref).collect::<Vec<_>>(),
        "a thought without an outcome stays behind"
    );
    assert_eq!(responses[1], item("rs_1"));
    assert!(!chat.to_string().contains("xyz"), "OpenAI's Chat Completions accepts no reasoning");

    let history = messages(json!([
        {"role": "user", "content": [{"text": "hi"}]},
        {"role": "assistant", "content": [thought("rs_1"), {"text": "So."}]},
        {"role": "user", "content": [{"text": "go on"}]},
    ]));
    let model = |url: &str| -> Arc<dyn Model> {
        Arc::new(super::chat(url).reasoning_replay(ReasoningReplay::Content).build().unwrap())
    };
    let body = sent(Api::Chat, model, ModelRequest::new(&history)).await.json();
    assert_eq!(body["messages"][1]["reasoning_content"], "hm");
}

#[tokio::test]
async fn tools_keep_their_order_and_may_be_forced() {
    let specs: ToolSpecs = ["zeta", "alpha"]
        .map(|name| ToolSpec::new(name, "", json!({"type": "object", "properties": {"b": {}, "a": {}}})))
        .into_iter()
        .collect();
    let (history, choice) = (ask("hi"), ToolChoice::Tool { name: "alpha".to_owned() });
    let request = ModelRequest::new(&history).with_tools(&specs).with_tool_choice(&choice);
    for api in BOTH {
        let request = sent(api, |url| api.plain(url), request).await;
        let text = std::str::from_utf8(&request.body).unwrap();
        assert!(text.find("zeta").unwrap() < text.find("alpha").unwrap());
        assert!(text.contains(r#""properties":{"b":{},"a":{}}"#), "{text}");
        let choice = &request.json()["tool_choice"];
        assert_eq!(choice["function"]["name"].as_str().or(choice["name"].as_str()), Some("alpha"));
    }
}

#[test]
fn rejects_invalid_options() {
    let url = "http://localhost:1";
    let numbers = [
        chat(url).temperature(2.5).build().err(),
        chat(url).top_p(-0.1).build().err(),
        chat(url).temperature(f64::NAN).build().err(),
        responses(url).temperature(3.0).build().err(),
        responses(url).top_p(1.1).build().err(),
    ];
    for error in numbers {
        assert!(matches!(error, Some(ModelBuildError::InvalidNumber { .. })), "{error:?}");
    }
    assert!(matches!(chat(url).model_id("").build().err(), Some(ModelBuildError::EmptyModelId)));
    assert!(matches!(chat(url).base_url("nowhere").build().err(), Some(ModelBuildError::InvalidBaseUrl { .. })));
    assert!(matches!(chat(url).extra("stream", false).build().err(), Some(ModelBuildError::ReservedField { .. })));
}

#[tokio::test]
async fn reports_its_model_id_and_context_window() {
    let model = chat("http://localhost:1").model_id("gpt-5.4").build().unwrap();
    assert_eq!((model.model_id(), model.context_window()), ("gpt-5.4", Some(1_050_000)));
    let model = responses("http://localhost:1").model_id("grok-4").context_window(256_000).build().unwrap();
    assert_eq!((model.model_id(), model.context_window()), ("grok-4", Some(256_000)));
}

#[tokio::test]
async fn uses_a_custom_client() {
    let client = reqwest_client();
    for api in BOTH {
        let server = Server::repeat(api.response(api.fine())).await;
        let model: Arc<dyn Model> = match api {
            Api::Chat => Arc::new(chat(&server.url()).client(client.clone()).build().unwrap()),
            Api::Responses => Arc::new(responses(&server.url()).client(client.clone()).build().unwrap()),
        };
        answer(&*model, "hi").await.unwrap();
        assert_eq!(server.requests()[0].header("user-agent"), Some("mine"));
    }
}

fn reqwest_client() -> reqwest::Client {
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder().tls_backend_preconfigured(tls).user_agent("mine").build().unwrap()
}

//! Requests to llama.cpp's server that differ from those to other servers.

use std::sync::Arc;

use serde_json::{Value, json};
use strands_core::message::Message;
use strands_core::models::{Model, ModelRequest, OutputSchema, ToolChoice, ToolSpecs};
use strands_core::tool::ToolSpec;
use strands_models::ModelBuildError;
use strands_models::ReasoningEffort;
use strands_models::llamacpp::Mirostat;
use strands_testkit::provider::{ask, kind, weather_tools};
use strands_testkit::{Response, Server};

use super::{builder, error, plain};
use crate::chat_completions::body;

async fn conversation(messages: Value) -> Value {
    let messages: Vec<Message> = serde_json::from_value(messages).unwrap();
    let messages: Vec<_> = messages.into_iter().map(Arc::new).collect();
    body(plain, ModelRequest::new(&messages)).await["messages"].take()
}

#[tokio::test]
async fn sends_the_options_of_the_builder() {
    let model = |url: &str| -> Arc<dyn Model> {
        let builder = builder(url).top_k(40).min_p(0.05).typical_p(0.9).repeat_penalty(1.1).repeat_last_n(-1).seed(7);
        let builder = builder.mirostat(Mirostat::V2).mirostat_tau(5.0).mirostat_eta(0.1).cache_prompt(false);
        let builder = builder.dry_multiplier(0.8).dry_base(1.75).dry_allowed_length(2).dry_penalty_last_n(64);
        let builder = builder.dry_sequence_breakers(["\n"]).xtc_probability(0.1).xtc_threshold(0.2).slot(1);
        let builder = builder.dynatemp_range(0.1).dynatemp_exponent(1.0).min_keep(1).ignore_eos(false);
        let builder =
            builder.samplers(["top_k", "temperature"]).logit_bias([(json!(15_043), 1.0), (json!("no"), -1.0)]);
        let builder = builder.template_argument("enable_thinking", false).reasoning_effort(ReasoningEffort::Low);
        Arc::new(builder.max_predict_ms(500).max_tokens(9).grammar("root ::= \"yes\"").build().unwrap())
    };
    let messages = ask("hi");
    let sent = body(model, ModelRequest::new(&messages)).await;
    for (field, value) in [
        ("model", json!("default")),
        ("top_k", json!(40)),
        ("min_p", json!(0.05)),
        ("typical_p", json!(0.9)),
        ("repeat_penalty", json!(1.1)),
        ("repeat_last_n", json!(-1)),
        ("seed", json!(7)),
        ("mirostat", json!(2)),
        ("mirostat_tau", json!(5.0)),
        ("mirostat_eta", json!(0.1)),
        ("cache_prompt", json!(false)),
        ("dry_multiplier", json!(0.8)),
        ("dry_base", json!(1.75)),
        ("dry_allowed_length", json!(2)),
        ("dry_penalty_last_n", json!(64)),
        ("dry_sequence_breakers", json!(["\n"])),
        ("xtc_probability", json!(0.1)),
        ("xtc_threshold", json!(0.2)),
        ("id_slot", json!(1)),
        ("dynatemp_range", json!(0.1)),
        ("dynatemp_exponent", json!(1.0)),
        ("min_keep", json!(1)),
        ("ignore_eos", json!(false)),
        ("samplers", json!(["top_k", "temperature"])),
        ("logit_bias", json!([[15_043, 1.0], ["no", -1.0]])),
        ("chat_template_kwargs", json!({"enable_thinking": false})),
        ("reasoning_effort", json!("low")),
        ("t_max_predict_ms", json!(500)),
        ("max_tokens", json!(9)),
        ("grammar", json!("root ::= \"yes\"")),
        ("stream_options", json!({"include_usage": true})),
    ] {
        assert_eq!(sent[field], value, "{field}");
    }
}

#[tokio::test]
async fn sends_only_the_forced_tool() {
    let tools: ToolSpecs =
        ["look", "book"].map(|name| ToolSpec::new(name, "", json!({"type": "object"}))).into_iter().collect();
    let messages = ask("hi");
    let book = ToolChoice::Tool { name: "book".to_owned() };
    for (choice, names, word) in
        [(&ToolChoice::Any {}, vec!["look", "book"], "required"), (&book, vec!["book"], "required")]
    {
        let sent = body(plain, ModelRequest::new(&messages).with_tools(&tools).with_tool_choice(choice)).await;
        let sent_names: Vec<_> =
            sent["tools"].as_array().unwrap().iter().map(|tool| &tool["function"]["name"]).collect();
        assert_eq!(sent_names, names);
        assert_eq!(sent["tool_choice"], word);
    }
}

#[tokio::test]
async fn sends_one_response_format() {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let output = OutputSchema::new("city", schema.clone());
    let (messages, tools) = (ask("hi"), weather_tools());
    let model = |url: &str| -> Arc<dyn Model> { Arc::new(builder(url).json_schema(json!({})).build().unwrap()) };
    let sent = body(model, ModelRequest::new(&messages).with_tools(&tools).with_output_schema(&output)).await;
    assert_eq!(sent["response_format"]["json_schema"], json!({"name": "city", "schema": schema, "strict": true}));
    assert!(
        sent.get("json_schema").is_none() && sent.get("tools").is_none(),
        "the server takes one form alone: {sent}"
    );
}

#[tokio::test]
async fn sends_media_in_the_format_of_the_server() {
    let document = |name: &str, format: &str, bytes: &str| json!({"document": {"name": name, "format": format, "source": {"bytes": bytes}}});
    let sent = conversation(json!([
        {"role": "user", "content": [
            document("report", "pdf", "AQI="),
            document("notes", "md", "IyBIaQ=="),
            {"audio": {"format": "wav", "source": {"bytes": "AQI="}}},
            {"image": {"format": "png", "source": {"bytes": "AQI="}}},
        ]},
    ]))
    .await;
    assert_eq!(
        sent[0]["content"],
        json!([
            {"type": "text", "text": "[A document that can't be shown to this model: it reads no files.]"},
            {"type": "text", "text": "<document name=\"notes.md\">\n# Hi\n</document>"},
            {"type": "input_audio", "input_audio": {"data": "AQI=", "format": "wav"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AQI=", "detail": "auto"}},
        ])
    );
}

#[tokio::test]
async fn sends_reasoning_back_to_its_provider_only() {
    let said = |provider: &str| {
        json!({"role": "assistant", "metadata": {"provider": provider},
            "content": [{"reasoningContent": {"reasoningText": {"text": "hm"}}}, {"text": "So."}]})
    };
    let sent = conversation(json!([
        {"role": "user", "content": [{"text": "hi"}]},
        said("llamacpp"),
        {"role": "user", "content": [{"text": "why?"}]},
        said("anthropic"),
        {"role": "user", "content": [{"text": "why?"}]},
    ]))
    .await;
    assert_eq!(sent[1]["reasoning_content"], "hm");
    assert!(sent[3].get("reasoning_content").is_none());
}

#[tokio::test]
async fn counts_tokens_on_the_server() {
    let counted = json!({"object": "response.input_tokens", "input_tokens": 11});
    let answers = [
        Response::json(200, &counted),
        Response::json(200, &json!([])),
        Response::json(503, &error(503, "unavailable_error", "Loading model")),
    ];
    let server = Server::sequence(answers).await;
    let model = plain(&server.url());
    let messages = ask("hi");
    assert_eq!(model.count_tokens(ModelRequest::new(&messages)).await.unwrap(), 11);
    for expected in ["protocol", "overloaded"] {
        let failed = model.count_tokens(ModelRequest::new(&messages)).await.unwrap_err();
        assert_eq!(kind(&failed), expected);
    }
    let request = &server.requests()[0];
    assert_eq!(request.path, "/v1/chat/completions/input_tokens");
    assert_eq!(request.json()["messages"][0]["role"], "user");
}

#[test]
fn rejects_invalid_options() {
    for builder in [builder("http://localhost:1").temperature(-1.0), builder("http://localhost:1").min_p(1.5)] {
        let error = builder.build().err();
        assert!(matches!(error, Some(ModelBuildError::InvalidNumber { .. })), "{error:?}");
    }
    assert!(builder("http://localhost:1").temperature(5.0).build().is_ok(), "the server has no upper bound");
}

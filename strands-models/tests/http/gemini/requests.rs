//! Requests without an example in the reference client, or with deliberate differences.

use std::sync::Arc;

use serde_json::{Value, json};
use strands_core::message::{Message, MessageMetadata, SystemBlock};
use strands_core::models::{Model, ModelRequest, OutputSchema, SerializedMessages, ToolChoice, estimate_tokens};
use strands_models::ReasoningEffort;
use strands_models::gemini::{HarmBlockThreshold, HarmCategory};
use strands_models::{GeminiModel, GeminiModelBuilder, ModelBuildError};
use strands_testkit::provider::{Provider, answer, ask, turn, weather_tools};
use strands_testkit::{Request, Response, Server};

use super::{Gemini, builder, plain};

fn messages(messages: Value) -> Vec<Arc<Message>> {
    serde_json::from_value::<Vec<Message>>(messages).unwrap().into_iter().map(Arc::new).collect()
}

/// The body that a model sends for a request.
async fn sent(tell: impl FnOnce(GeminiModelBuilder) -> GeminiModelBuilder, request: ModelRequest<'_>) -> Request {
    let server = Server::repeat(Gemini.response(Gemini.fine())).await;
    turn(&tell(builder(&server.url())).build().unwrap(), request).await.unwrap();
    server.requests().remove(0)
}

/// The conversation as a model of this id is sent it.
async fn contents_for(model_id: &str, history: &[Arc<Message>]) -> Value {
    sent(|builder| builder.model_id(model_id), ModelRequest::new(history)).await.json()["contents"].take()
}

async fn contents(history: Value) -> Value {
    contents_for("gemini-3.5-flash", &messages(history)).await
}

#[tokio::test]
async fn serializes_all_options() {
    let history = ask("hi");
    let system = [SystemBlock::from("Be kind."), SystemBlock::from("Be brief.")];
    let tell = |builder: GeminiModelBuilder| {
        builder
            .max_tokens(100)
            .temperature(0.5)
            .top_p(0.9)
            .top_k(40)
            .stop_sequences(["END"])
            .seed(7)
            .reasoning_effort(ReasoningEffort::Low)
            .include_thoughts(true)
            .generation_config("responseModalities", json!(["TEXT"]))
            .generation_config("temperature", 1)
            .safety_setting(HarmCategory::Harassment, HarmBlockThreshold::BlockNone)
            .safety_setting(HarmCategory::Harassment, HarmBlockThreshold::BlockOnlyHigh)
            .extra("labels", json!({"team": "a"}))
    };
    let request = sent(tell, ModelRequest::new(&history).with_system(&system)).await;
    assert!(request.sends_credential("x-goog-api-key", "test-key"));
    assert_eq!(request.header("authorization"), None);
    assert_eq!(request.parameter("alt"), Some("sse"));
    let body = request.json();
    assert_eq!(body.as_object().unwrap().keys().next_back().unwrap(), "contents", "what changes comes last");
    assert_eq!(
        body,
        json!({
            "systemInstruction": {"role": "user", "parts": [{"text": "Be kind.\nBe brief."}]},
            "generationConfig": {"topP": 0.9, "topK": 40, "maxOutputTokens": 100, "stopSequences": ["END"], "seed": 7,
                "thinkingConfig": {"includeThoughts": true, "thinkingLevel": "LOW"},
                "responseModalities": ["TEXT"], "temperature": 1},
            "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_ONLY_HIGH"}],
            "labels": {"team": "a"},
            "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
        })
    );
}

#[tokio::test]
async fn sends_requests_to_the_models_path() {
    for (model_id, path) in [
        ("gemini-3.5-flash", "/v1beta/models/gemini-3.5-flash:generateContent"),
        ("models/gemini-3.5-flash", "/v1beta/models/gemini-3.5-flash:generateContent"),
        ("tunedModels/mine", "/v1beta/tunedModels/mine:generateContent"),
        ("a b?c", "/v1beta/models/a%20b%3Fc:generateContent"),
    ] {
        let server = Server::repeat(Response::json(200, &Gemini.fine_document())).await;
        let model = builder(&server.url()).model_id(model_id).streaming(false).build().unwrap();
        assert_eq!(answer(&model, "hi").await.unwrap().message.text(), "fine.");
        let request = server.requests().remove(0);
        assert_eq!(request.path, path);
        assert_eq!(request.parameter("alt"), None);
        assert_eq!(model.model_id(), model_id);
    }
}

#[tokio::test]
async fn groups_tool_results_and_names_their_tools() {
    let call = |id: &str, name: &str, input: Value| json!({"toolUse": {"toolUseId": id, "name": name, "input": input}});
    let result = |id: &str, status: &str, content: Value| json!({"toolResult": {"toolUseId": id, "status": status, "content": content}});
    let sent = contents(json!([
        {"role": "user", "content": [{"text": "go"}]},
        {"role": "assistant", "content": [
            call("a", "f", json!({"x": 1})), call("b", "f", json!("{\"x\": ")), call("c", "not a name!", json!({}))]},
        {"role": "user", "content": [
            {"text": "well?"},
            result("a", "success", json!([{"json": {"y": 1}}])),
            result("b", "error", json!([{"text": "boom"}])),
            result("c", "success", json!([])),
            result("gone", "success", json!([{"text": "late"}])),
        ]},
    ]))
    .await;
    let response = |id: &str, name: &str, response: Value| json!({"functionResponse": {"id": id, "name": name, "response": response}});
    assert_eq!(
        sent[1]["parts"],
        json!([
            {"functionCall": {"id": "a", "name": "f", "args": {"x": 1}},
                "thoughtSignature": "skip_thought_signature_validator"},
            {"functionCall": {"id": "b", "name": "f", "args": {}}},
            {"functionCall": {"id": "c", "name": "INVALID_TOOL_NAME", "args": {}}},
        ])
    );
    assert_eq!(
        sent[2]["parts"],
        json!([
            response("a", "f", json!({"output": [{"json": {"y": 1}}]})),
            response("b", "f", json!({"error": [{"text": "boom"}]})),
            response("c", "INVALID_TOOL_NAME", json!({"output": [{"text": "[The tool returned nothing.]"}]})),
            response("gone", "gone", json!({"output": [{"text": "late"}]})),
            {"text": "well?"},
        ])
    );
}

/// A step of one call, signed or not, by this provider.
fn step(signature: Option<&str>, provider: Option<&str>) -> Vec<Arc<Message>> {
    let call = |id: &str| json!({"toolUse": {"toolUseId": id, "name": "f", "input": {}}});
    let mut signed = call("b");
    if let Some(signature) = signature {
        signed["toolUse"]["reasoningSignature"] = json!(signature);
    }
    let thought = json!({"reasoningContent": {"reasoningText": {"text": "hm", "signature": "b3RoZXI="}}});
    let mut said: Message =
        serde_json::from_value(json!({"role": "assistant", "content": [thought, call("a"), signed]})).unwrap();
    let mut metadata = MessageMetadata::default();
    metadata.provider = provider.map(str::to_owned);
    said.metadata = Some(metadata);
    let result = |id: &str| json!({"toolResult": {"toolUseId": id, "status": "success", "content": []}});
    let mut history = messages(json!([{"role": "user", "content": [{"text": "go"}]},
        {"role": "user", "content": [result("a"), result("b")]}]));
    history.insert(1, Arc::new(said));
    history
}

#[tokio::test]
async fn adds_placeholder_signatures_to_unsigned_calls() {
    const MARK: Option<&str> = Some("skip_thought_signature_validator");
    for (model_id, signature, provider, expected) in [
        ("gemini-3.5-flash", None, Some("gemini"), [MARK, None]),
        ("gemini-3.5-flash", None, None, [MARK, None]),
        ("gemini-3.5-flash", Some("c2ln"), Some("gemini"), [None, Some("c2ln")]),
        ("gemini-3.5-flash", Some("c2ln"), None, [None, Some("c2ln")]),
        ("gemini-3.5-flash", Some("c2ln"), Some("anthropic"), [MARK, None]),
        ("gemini-3.5-flash", Some("{no base64}"), None, [MARK, None]),
        ("gemini-2.5-flash", None, Some("anthropic"), [None, None]),
        ("gemini-2.5-flash", Some("c2ln"), Some("gemini"), [None, Some("c2ln")]),
        ("gemini-4-argon", None, Some("anthropic"), [MARK, None]),
        ("gemini-flash-latest", None, Some("anthropic"), [MARK, None]),
    ] {
        let sent = contents_for(model_id, &step(signature, provider)).await;
        let parts = sent[1]["parts"].as_array().unwrap();
        let calls = parts.iter().filter(|part| part.get("functionCall").is_some());
        let signatures: Vec<_> = calls.map(|call| call.get("thoughtSignature").and_then(Value::as_str)).collect();
        assert_eq!(signatures, expected, "{model_id} {signature:?} {provider:?}");
        let reasoning = parts.iter().filter(|part| part.get("thought").is_some()).count();
        assert_eq!(reasoning, usize::from(provider != Some("anthropic")), "reasoning of another provider is not sent");
    }
}

#[tokio::test]
async fn sends_media_of_tool_results() {
    let history = messages(json!([
        {"role": "user", "content": [{"text": "go"}]},
        {"role": "assistant", "content": [{"toolUse": {"toolUseId": "a", "name": "f", "input": {}, "reasoningSignature": "c2ln"}}]},
        {"role": "user", "content": [{"toolResult": {"toolUseId": "a", "status": "success", "content": [
            {"image": {"format": "png", "source": {"bytes": "AAEC"}}},
            {"image": {"format": "gif", "source": {"bytes": "AAEC"}}},
            {"document": {"name": "d", "format": "pdf", "source": {"location": {"type": "s3", "uri": "s3://b/d"}}}},
        ]}}, {"text": "and?"}]},
    ]));
    let separate = |medium: &str, name: &str| json!({"text": format!("Tool successfully returned {medium}. The {name} is being provided with this result.")});
    let note = json!({"text": "[A document that can't be shown to this model: it is stored elsewhere.]"});
    let output = json!({"output": [separate("an image", "image"), separate("an image", "image"), note]});
    let inline = |mime: &str| json!({"inlineData": {"mimeType": mime, "data": "AAEC"}});
    let newer = contents_for("gemini-3.5-flash", &history).await;
    let response = json!({"id": "a", "name": "f", "response": output, "parts": [inline("image/png")]});
    assert_eq!(newer[2]["parts"], json!([{"functionResponse": response}, inline("image/gif"), {"text": "and?"}]));
    let older = contents_for("gemini-2.5-flash", &history).await;
    let response = json!({"id": "a", "name": "f", "response": output});
    assert_eq!(
        older[2]["parts"],
        json!([{"functionResponse": response}, inline("image/png"), inline("image/gif"), {"text": "and?"}])
    );
}

#[tokio::test]
async fn sends_media_inline_or_by_uri_or_as_a_note() {
    let bytes = || json!({"bytes": "AAEC"});
    let at = |uri: &str| json!({"location": {"type": "uri", "uri": uri}});
    let sent = contents(json!([{"role": "user", "content": [
        {"video": {"format": "three_gp", "source": bytes()}},
        {"audio": {"format": "mp3", "source": bytes()}},
        {"image": {"format": "heic", "source": bytes()}},
        {"document": {"name": "n", "source": bytes()}},
        {"video": {"format": "mp4", "source": at("https://youtu.be/x")}},
        {"document": {"name": "d", "format": "pdf", "source": at("gs://b/d.pdf")}},
        {"audio": {"format": "wav", "source": at("s3://b/s.wav")}},
        {"guardContent": {"text": {"text": "guarded"}}},
        {"cachePoint": {"type": "default"}},
        {"text": ""},
    ]}]))
    .await;
    let inline = |mime: &str| json!({"inlineData": {"mimeType": mime, "data": "AAEC"}});
    assert_eq!(
        sent[0]["parts"],
        json!([
            inline("video/3gpp"),
            inline("audio/mp3"),
            inline("image/heic"),
            inline("application/octet-stream"),
            {"fileData": {"mimeType": "video/mp4", "fileUri": "https://youtu.be/x"}},
            {"fileData": {"mimeType": "application/pdf", "fileUri": "gs://b/d.pdf"}},
            {"text": "[An audio clip that can't be played to this model: it is stored elsewhere.]"},
            {"text": "guarded"},
        ])
    );
}

#[tokio::test]
async fn skips_content_of_other_providers() {
    let sent = contents(json!([
        {"role": "user", "content": [{"text": "go"}]},
        {"role": "assistant", "content": [{"reasoningContent": {"redactedContent": "AAEC"}}]},
        {"role": "user", "content": [{"text": "and?"}]},
        {"role": "assistant", "content": [
            {"reasoningContent": {"reasoningText": {"text": "", "signature": "no base64!"}}},
            {"text": "", "providerContent": {"provider": "anthropic", "content": {"type": "server_tool_use"}}},
            {"citationsContent": {"content": [{"text": "a"}, {"text": "b"}], "citations": []}},
        ]},
        {"role": "user", "content": [{"text": "well?"}]},
    ]))
    .await;
    let said = |role: &str, text: &str| json!({"role": role, "parts": [{"text": text}]});
    assert_eq!(sent, json!([said("user", "go"), said("user", "and?"), said("model", "ab"), said("user", "well?")]));
}

#[tokio::test]
async fn an_output_schema_replaces_tools() {
    let (history, tools, any) = (ask("hi"), weather_tools(), ToolChoice::Any {});
    let schema = OutputSchema::new("Trip", json!({"type": "object", "properties": {"to": {"type": "string"}}}));
    let request = ModelRequest::new(&history).with_tools(&tools).with_tool_choice(&any).with_output_schema(&schema);
    // A response has one format.
    let told = |builder: GeminiModelBuilder| {
        builder.server_tool(json!({"googleSearch": {}})).generation_config("responseSchema", json!({"type": "OBJECT"}))
    };
    let body = sent(told, request).await.json();
    assert_eq!(
        body["generationConfig"],
        json!({"responseMimeType": "application/json", "responseJsonSchema": schema.schema})
    );
    assert!(body.get("tools").is_none() && body.get("toolConfig").is_none(), "{body}");
    assert!(plain("http://localhost").capabilities().structured_output);
    let gemma = GeminiModel::builder().model_id("gemma-3-27b-it").api_key("k").build().unwrap();
    assert!(!gemma.capabilities().structured_output && !gemma.capabilities().server_tools);
    let searching = GeminiModel::builder().api_key("k").server_tool(json!({"googleSearch": {}})).build().unwrap();
    assert!(searching.capabilities().server_tools, "they run before the answer is held to the schema");
}

#[tokio::test]
async fn cached_content_replaces_tools_and_system_prompt() {
    let (history, tools, system) = (ask("hi"), weather_tools(), [SystemBlock::from("Be kind.")]);
    let request = ModelRequest::new(&history).with_tools(&tools).with_system(&system);
    let body = sent(|builder| builder.cached_content("cachedContents/x"), request).await.json();
    assert_eq!(
        body,
        json!({"cachedContent": "cachedContents/x", "contents": [{"role": "user", "parts": [{"text": "hi"}]}]})
    );
}

#[tokio::test]
async fn counts_tokens_as_configured() {
    let (history, tools) = (ask("hi"), weather_tools());
    let request = ModelRequest::new(&history).with_tools(&tools);
    let server = Server::repeat(Response::json(200, &json!({"totalTokens": 1234}))).await;
    let estimating = builder(&server.url()).build().unwrap();
    assert_eq!(estimating.count_tokens(request).await.unwrap(), estimate_tokens(&request));
    assert!(server.requests().is_empty());

    let counting = builder(&server.url()).native_token_count(true).build().unwrap();
    assert_eq!(counting.count_tokens(request).await.unwrap(), 1234);
    let asked = server.requests().remove(0);
    assert_eq!(asked.path, "/v1beta/models/gemini-3.5-flash:countTokens");
    assert_eq!(asked.parameter("alt"), None);
    let asked = asked.json();
    let whole = &asked["generateContentRequest"];
    assert_eq!(whole["model"], "models/gemini-3.5-flash");
    assert!(whole["contents"].is_array() && whole["tools"].is_array(), "{whole}");

    let broken = Server::repeat(Response::new(500)).await;
    let counting = builder(&broken.url()).native_token_count(true).build().unwrap();
    assert_eq!(counting.count_tokens(request).await.unwrap(), estimate_tokens(&request));
}

#[tokio::test]
async fn requests_begin_with_the_bytes_of_the_previous_one() {
    let (mut history, tools) = (step(Some("c2ln"), Some("gemini")), weather_tools());
    let first = sent(|builder| builder, ModelRequest::new(&history).with_tools(&tools)).await;
    history.push(Arc::new(Message::assistant("done")));
    history.push(Arc::new(Message::user("more")));
    let second = sent(|builder| builder, ModelRequest::new(&history).with_tools(&tools)).await;
    let common = first.body.strip_suffix(b"]}").unwrap();
    assert!(second.body.starts_with(common));
}

#[tokio::test]
async fn serialized_messages_do_not_change_requests() {
    let history = [step(Some("c2ln"), Some("gemini")), step(None, Some("anthropic")), ask("and?")].concat();
    let server = Server::repeat(Gemini.response(Gemini.fine())).await;
    let (model, other) = (plain(&server.url()), plain(&server.url()));
    let written = SerializedMessages::default();
    for length in [1, 3, 4, 6, 7] {
        // The oldest messages may be trimmed. A result without its call keeps its serialized name.
        for known in [&history[..length], &history[length / 2..length]] {
            let request = ModelRequest::new(known);
            turn(&*model, request.with_serialized(&written)).await.unwrap();
            turn(&*other, request).await.unwrap();
            let [kept, anew] = &server.requests()[server.requests().len() - 2..] else { panic!() };
            let orphans = known[0].tool_results().next().is_some();
            assert!(orphans || kept.body == anew.body, "{}\n{}", kept.json(), anew.json());
        }
    }
}

#[test]
fn rejects_invalid_options() {
    let builder = || GeminiModel::builder().api_key("k");
    assert!(builder().build().is_ok());
    assert_eq!(builder().build().unwrap().context_window(), Some(1_048_576));
    for wrong in [
        builder().model_id(" "),
        builder().model_id("models/"),
        builder().temperature(2.5),
        builder().top_p(-0.1),
        builder().base_url("localhost"),
        builder().api_key("a\nb"),
        builder().extra("model", "x"),
    ] {
        let error: ModelBuildError = wrong.build().unwrap_err();
        assert!(!error.to_string().is_empty());
    }
}

#[tokio::test]
async fn a_token_replaces_the_api_key() {
    let server = Server::repeat(Gemini.response(Gemini.fine())).await;
    let model = GeminiModel::builder().base_url(server.url()).header("authorization", "Bearer token").build().unwrap();
    answer(&model, "hi").await.unwrap();
    let request = server.requests().remove(0);
    assert!(request.sends_credential("authorization", "Bearer token"));
    assert_eq!(request.header("x-goog-api-key"), None);
    assert_eq!(request.path, "/models/gemini-3.5-flash:streamGenerateContent");
}

//! Requests without an example in the reference client, or with deliberate differences.

use std::sync::Arc;

use serde_json::{Value, json};
use strands_core::message::{CachePoint, Message, SystemBlock};
use strands_core::models::{Model, ModelRequest, OutputSchema, SerializedMessages, ToolChoice};
use strands_models::AnthropicModelBuilder;
use strands_models::ReasoningEffort;
use strands_models::anthropic::{CacheTtl, ServiceTier, StaleThinking, Thinking};
use strands_testkit::provider::{Provider, ask, turn, weather_tools};
use strands_testkit::{Request, Server};

use super::{Anthropic, model};

/// The body that a model sends for a request.
async fn sent(told: impl FnOnce(AnthropicModelBuilder) -> AnthropicModelBuilder, request: ModelRequest<'_>) -> Request {
    let server = Server::repeat(Anthropic.response(Anthropic.fine())).await;
    let model = told(model(&server.url())).build().unwrap();
    turn(&model, request).await.unwrap();
    server.requests().remove(0)
}

fn messages(messages: Value) -> Vec<Arc<Message>> {
    serde_json::from_value::<Vec<Message>>(messages).unwrap().into_iter().map(Arc::new).collect()
}

/// The messages of a conversation as they are sent.
async fn conversation(history: Value) -> Value {
    let history = messages(history);
    sent(|builder| builder, ModelRequest::new(&history)).await.json()["messages"].clone()
}

#[tokio::test]
async fn serializes_all_options() {
    let (history, tools) = (ask("hi"), weather_tools());
    let request = ModelRequest::new(&history).with_tools(&tools);
    let request = sent(
        |builder| {
            builder
                .max_tokens(4_096)
                .temperature(0.5)
                .top_p(0.9)
                .top_k(40)
                .stop_sequences(["END"])
                .thinking(Thinking::Enabled { budget_tokens: 2_048 })
                .reasoning_effort(ReasoningEffort::XHigh)
                .parallel_tool_calls(false)
                .user_id("u-1")
                .service_tier(ServiceTier::StandardOnly)
                .beta("one")
                .beta("two")
                .server_tool(json!({"type": "web_search_20250305", "name": "web_search"}))
                .extra("inference_geo", "eu")
        },
        request,
    )
    .await;
    assert_eq!(request.header("anthropic-version"), Some("2023-06-01"));
    assert_eq!(request.header("anthropic-beta"), Some("one,two"));
    // The key itself is not shown; the suite checks that it arrives.
    assert!(request.header("x-api-key").is_some());
    assert_eq!(request.header("authorization"), None);
    let mut body = request.json();
    let tools = body["tools"].take();
    assert_eq!(
        (tools[0]["name"].as_str(), tools[1]["type"].as_str()),
        (Some("get_weather"), Some("web_search_20250305"))
    );
    assert_eq!(
        body,
        json!({"model": "claude-sonnet-4-6", "max_tokens": 4096, "stream": true, "temperature": 0.5, "top_p": 0.9, "top_k": 40,
            "stop_sequences": ["END"], "metadata": {"user_id": "u-1"}, "service_tier": "standard_only",
            "thinking": {"type": "enabled", "budget_tokens": 2048}, "output_config": {"effort": "xhigh"},
            "tools": null, "tool_choice": {"type": "auto", "disable_parallel_tool_use": true}, "inference_geo": "eu",
            "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]})
    );
    let last = body.as_object().unwrap().keys().next_back().unwrap();
    assert_eq!(last, "messages", "what grows comes last");
}

#[tokio::test]
async fn omits_unset_options() {
    let history = ask("hi");
    let body = sent(|builder| builder, ModelRequest::new(&history)).await.json();
    let expected = json!({"model": "claude-sonnet-4-6", "max_tokens": 64_000, "stream": true,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]});
    assert_eq!(body, expected);
    let versioned = sent(
        |builder| {
            let url = format!("{builder:?}");
            let port = url.split("127.0.0.1:").nth(1).unwrap().split('"').next().unwrap().to_owned();
            builder.base_url(format!("http://127.0.0.1:{port}/v1/"))
        },
        ModelRequest::new(&history),
    );
    assert_eq!(versioned.await.path, "/v1/messages", "the version may be part of the base URL");
}

#[tokio::test]
async fn disables_reasoning_for_forced_calls() {
    let (history, tools) = (ask("hi"), weather_tools());
    let any = ToolChoice::Any {};
    let request = ModelRequest::new(&history).with_tools(&tools).with_tool_choice(&any);
    let body = |id: &'static str| {
        let told = move |builder: AnthropicModelBuilder| {
            let search = json!({"type": "web_search_20250305", "name": "web_search"});
            builder.model_id(id).thinking(Thinking::Adaptive).server_tool(search)
        };
        async move { sent(told, request).await.json() }
    };
    let forced = body("claude-sonnet-4-6").await;
    assert_eq!((&forced["tool_choice"], forced.get("thinking")), (&json!({"type": "any"}), None));
    assert_eq!(forced["tools"].as_array().unwrap().len(), 1, "the provider's own would be no answer to that");
    assert_eq!(body("claude-opus-5").await["thinking"], json!({"type": "disabled"}));
    let always = body("claude-opus-5-5").await;
    assert_eq!(always["tool_choice"], json!({"type": "auto"}));
    assert_eq!(always["thinking"]["type"], "adaptive");
    let server = "http://127.0.0.1:1";
    let can = |id: &str| model(server).model_id(id).build().unwrap().capabilities();
    assert!(can("claude-opus-5").tool_choice && !can("claude-opus-5-5").tool_choice);
    assert!(can("claude-opus-5-5").structured_output && !can("claude-3-5-haiku-latest").structured_output);
    let searching = model(server).server_tool(json!({"type": "web_search_20250305", "name": "web_search"}));
    assert!(searching.build().unwrap().capabilities().server_tools && !can("claude-opus-5").server_tools);
}

#[tokio::test]
async fn drops_stale_reasoning_for_models_that_bind_it() {
    let history = ask("hi");
    let request = |stale: Option<StaleThinking>| {
        let told = move |builder: AnthropicModelBuilder| {
            let builder = builder.model_id("claude-opus-5-5").beta("one");
            stale.map(|stale| builder.clone().stale_thinking(stale)).unwrap_or(builder)
        };
        let history = &history;
        async move { sent(told, ModelRequest::new(history)).await }
    };
    let dropped = request(None).await;
    assert_eq!(dropped.header("anthropic-beta"), Some("one,thinking-binding-controls-2026-08-01"));
    assert_eq!(dropped.json()["thinking"]["block_binding"], json!({"prefix_mismatch_behavior": "drop_block"}));
    // With reasoning disabled, stale reasoning can't be allowed, so it is omitted.
    let thought = json!({"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}});
    let said = messages(json!([
        {"role": "user", "content": [{"text": "hi"}]},
        {"role": "assistant", "content": [thought, {"text": "hello"}]},
        {"role": "user", "content": [{"text": "bye"}]},
    ]));
    for (thinking, kinds) in [(Thinking::Disabled, 1), (Thinking::Adaptive, 2)] {
        let told = |builder: AnthropicModelBuilder| builder.model_id("claude-haiku-5-5").thinking(thinking);
        let body = sent(told, ModelRequest::new(&said)).await.json();
        assert_eq!(body["messages"][1]["content"].as_array().unwrap().len(), kinds, "{thinking:?}");
    }
    let refused = request(Some(StaleThinking::Refuse)).await;
    assert_eq!(refused.header("anthropic-beta"), Some("one"));
    assert!(refused.json().get("thinking").is_none());
}

#[tokio::test]
async fn places_at_most_four_cache_points() {
    let history = messages(json!([
        {"role": "user", "content": [{"text": "a"}, {"cachePoint": {"type": "default"}}]},
        {"role": "assistant", "content": [{"text": "b"}, {"toolUse": {"toolUseId": "t", "name": "get_weather", "input": {}}},
            {"cachePoint": {"type": "default"}}]},
        {"role": "user", "content": [{"toolResult": {"toolUseId": "t", "status": "success", "content": [{"text": "c"}]}}, {"text": "d"}]},
    ]));
    let tools = weather_tools();
    let system = [SystemBlock::from("s"), SystemBlock::CachePoint(CachePoint::new(Some("1h".to_owned()))), "".into()];
    let request = ModelRequest::new(&history).with_tools(&tools).with_system(&system);
    let body = sent(|builder| builder.cache_tools(CacheTtl::OneHour).cache_messages(CacheTtl::FiveMinutes), request)
        .await
        .json();
    let hour = json!({"type": "ephemeral", "ttl": "1h"});
    assert_eq!(body["tools"][0]["cache_control"], hour);
    assert_eq!(body["system"], json!([{"type": "text", "text": "s", "cache_control": hour}]));
    let short = json!({"type": "ephemeral"});
    let content = |at: usize| body["messages"][at]["content"].clone();
    assert!(content(0)[0].get("cache_control").is_none(), "the fifth mark is that of the earliest message");
    assert_eq!(content(1)[1]["cache_control"], short);
    assert_eq!(content(2)[1], json!({"type": "text", "text": "d", "cache_control": short}));
    assert_eq!(body.to_string().matches("cache_control").count(), 4);
}

#[tokio::test]
async fn serialized_messages_do_not_change_requests() {
    let told = |role: &str, block: Value| json!({"role": role, "content": [block, {"text": "and so on"}]});
    let call = json!({"toolUse": {"toolUseId": "t", "name": "get_weather", "input": {"city": "Oslo"}}});
    let result = json!({"toolResult": {"toolUseId": "t", "status": "success", "content": [{"text": "sun"}]}});
    let document = json!({"document": {"format": "txt", "name": "d", "source": {"bytes": "c28="}}});
    let place = json!({"type": "char_location", "document_index": 0, "start_char_index": 0, "end_char_index": 2});
    let cited = json!({"citationsContent": {"content": [{"text": "So."}], "citations": [{"anthropic": place}]}});
    let history = messages(json!([
        told("user", document),
        told("assistant", call),
        told("user", result),
        told("assistant", json!({"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}})),
        told("user", json!({"text": "so?"})),
        told("assistant", cited),
        told("user", json!({"text": "bye"})),
    ]));
    let output = OutputSchema::new("Any", json!({"type": "object"}));
    let server = Server::repeat(Anthropic.response(Anthropic.fine())).await;
    let model = model(&server.url()).cache(CacheTtl::FiveMinutes).build().unwrap();
    let written = SerializedMessages::default();
    // The document is among the messages that go at the end.
    for range in [0..1, 0..3, 0..5, 0..3, 0..7, 2..7] {
        let history = &history[range];
        for request in [ModelRequest::new(history), ModelRequest::new(history).with_output_schema(&output)] {
            turn(&model, request).await.unwrap();
            turn(&model, request.with_serialized(&written)).await.unwrap();
        }
    }
    let sent = server.requests();
    assert_eq!(sent.len(), 24);
    for both in sent.chunks(2) {
        assert_eq!(both[0].body, both[1].body);
    }
}

#[tokio::test]
async fn accepts_a_history_of_other_providers() {
    let sent = conversation(json!([
        {"role": "user", "content": [{"text": " "}, {"text": "hi"}, {"video": {"format": "mp4", "source": {"bytes": "AAE="}}},
            {"audio": {"format": "mp3", "source": {"bytes": "AAE="}}}, {"guardContent": {"text": {"text": "guarded"}}}]},
        {"role": "assistant", "content": [{"reasoningContent": {"reasoningText": {"text": "unsigned"}}},
            {"toolUse": {"toolUseId": "call:1/2", "name": "get weather!", "input": "{\"city\""}}]},
        {"role": "user", "content": [{"text": "and this"},
            {"toolResult": {"toolUseId": "call:1/2", "status": "error", "content": [{"text": ""}]}}]},
        {"role": "assistant", "content": [{"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}}]},
        {"role": "user", "content": [{"cachePoint": {"type": "default"}}]},
    ]))
    .await;
    let note = |note: &str| json!({"type": "text", "text": note});
    let id = sent[1]["content"][0]["id"].as_str().unwrap();
    assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)), "{id}");
    assert_eq!(
        sent,
        json!([
            {"role": "user", "content": [note("hi"), note("[A video that can't be shown to this model.]"),
                note("[An audio clip that can't be played to this model.]"), note("guarded")]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "INVALID_TOOL_NAME", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": [note("Error: the tool failed.")], "is_error": true}, note("and this")]},
            {"role": "assistant", "content": [note("[blank text]")]},
            {"role": "user", "content": [note("[blank text]")]},
        ])
    );
}

#[tokio::test]
async fn sends_provider_content_of_programs_unchanged() {
    let found = json!({"type": "search_result", "source": "https://a.b/", "title": "A", "content": [{"type": "text", "text": "so"}]});
    let own = |provider: &str| json!({"text": "", "providerContent": {"provider": provider, "content": found}});
    let sent =
        conversation(json!([{"role": "user", "content": [own("anthropic"), own("gemini"), {"text": "Is it so?"}]}]))
            .await;
    assert_eq!(sent[0]["content"], json!([found, {"type": "text", "text": "Is it so?"}]));
}

#[tokio::test]
async fn sends_citations_back_with_their_document() {
    let place = json!({"type": "char_location", "document_index": 0, "start_char_index": 0, "end_char_index": 3, "cited_text": "so", "document_title": "d"});
    let document = json!({"document": {"format": "txt", "name": "d", "source": {"bytes": "c28="}, "citations": {"enabled": true}}});
    let cited = json!({"role": "assistant", "content": [{"citationsContent": {"content": [{"text": "It is so."}],
        "citations": [{"title": "d", "anthropic": place}]}}]});
    let sure = json!({"role": "user", "content": [{"text": "Sure?"}]});
    let sent = conversation(json!([{"role": "user", "content": [document, {"text": "So?"}]}, cited, sure])).await;
    assert_eq!(sent[1]["content"], json!([{"type": "text", "text": "It is so.", "citations": [place]}]));
    let sent = conversation(json!([{"role": "user", "content": [{"text": "So?"}]}, cited, sure])).await;
    assert_eq!(sent[1]["content"], json!([{"type": "text", "text": "It is so."}]));
}

#[tokio::test]
async fn requests_structured_output_natively_or_by_instruction() {
    let tools = weather_tools();
    let output = |schema: Value| OutputSchema::new("Person", schema).with_description("A person.");
    let closed = output(
        json!({"type": "object", "properties": {"name": {"type": "string", "minLength": 1}}, "required": ["name"]}),
    );
    let history = ask("Who is it?");
    let request = ModelRequest::new(&history).with_tools(&tools).with_output_schema(&closed);
    let body = sent(|builder| builder.reasoning_effort(ReasoningEffort::Low), request).await.json();
    assert_eq!(body["tool_choice"], json!({"type": "none"}));
    assert_eq!(body["tools"].as_array().unwrap().len(), 1, "the beginning of a request stays as it is");
    assert_eq!(
        body["output_config"],
        json!({"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object", "additionalProperties": false,
            "properties": {"name": {"type": "string", "description": "{minLength: 1}"}}, "required": ["name"]}}})
    );

    let open = output(
        json!({"type": "object", "properties": {"ages": {"type": "object", "additionalProperties": {"type": "integer"}}}}),
    );
    let body = sent(|builder| builder, ModelRequest::new(&history).with_output_schema(&open)).await.json();
    assert!(body.get("output_config").is_none() && body.get("tool_choice").is_none());
    let said = body["messages"][0]["content"].as_array().unwrap();
    let asked = said[1]["text"].as_str().unwrap();
    assert!(
        said.len() == 2 && asked.contains("`Person` (A person.)") && asked.contains("additionalProperties"),
        "{asked}"
    );

    let cited = messages(json!([{"role": "user", "content": [
        {"document": {"format": "txt", "name": "d", "source": {"bytes": "c28="}, "citations": {"enabled": true}}}, {"text": "Who?"}]}]));
    let body = sent(|builder| builder, ModelRequest::new(&cited).with_output_schema(&closed)).await.json();
    assert!(body.get("output_config").is_none(), "the provider refuses both at once");
}

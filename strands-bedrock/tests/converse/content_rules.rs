//! Content that Bedrock rejects, sent in an accepted form: in all positions, and from stored conversations.

use std::collections::HashSet;
use std::sync::Arc;

use crate::loopback::{builder, model};
use serde_json::{Value, json};
use strands_bedrock::CacheConfig;
use strands_core::message::{CachePoint, Message, SystemBlock};
use strands_core::models::{Model, ModelRequest};
use strands_testkit::Server;
use strands_testkit::case::{Case, Running, assert_nothing_blank, cases, sent_calls};
use strands_testkit::converse::ConverseStream;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

async fn start(case: &Case) -> Running {
    let model = |server: &Server| block_in_place(|| Handle::current().block_on(model(&server.url())));
    case.start(|server| Arc::new(model(server)) as Arc<dyn Model>).await
}

/// Returns the body of the request for a conversation.
async fn sent(system: &[SystemBlock], messages: Value, cache: Option<CacheConfig>) -> Value {
    let server = Server::repeat(ConverseStream::text_turn("fine").response()).await;
    let mut builder = builder(&server.url());
    if let Some(cache) = cache {
        builder = builder.cache(cache);
    }
    let model = builder.build().await.unwrap();
    let messages: Vec<Arc<Message>> = serde_json::from_value(messages).unwrap();
    crate::loopback::turn(&model, ModelRequest::new(&messages).with_system(system)).await.unwrap();
    server.requests()[0].json()
}

/// Returns the content that is sent for a user message.
async fn user_content(content: &Value) -> Value {
    let body = sent(&[], json!([{"role": "user", "content": content}]), None).await;
    assert_nothing_blank("user_content", &body);
    body["messages"][0]["content"].clone()
}

fn text(text: &str) -> Value {
    json!({"text": text})
}

fn image() -> Value {
    json!({"image": {"format": "png", "source": {"bytes": "iVBORw=="}}})
}

fn document(format: &str, name: &str) -> Value {
    json!({"document": {"format": format, "name": name, "source": {"bytes": "JVBERi0="}}})
}

fn image_by_url() -> Value {
    json!({"image": {"format": "png", "source": {"location": {"type": "url", "uri": "https://a.b/c.png"}}}})
}

fn point() -> Value {
    json!({"cachePoint": {"type": "default"}})
}

#[tokio::test(flavor = "multi_thread")]
async fn continues_after_empty_results_in_shared_cases() {
    let files = ["bedrock-blank.json", "bedrock-empty-for-ever.json", "bedrock-empty.json", "bedrock-none.json"];
    for case in cases("empty-tool-result", &files).into_iter().flatten() {
        let mut running = start(&case).await;
        for _ in &case.prompts {
            // One of the servers rejects all requests.
            let _ = running.prompt().await;
        }
        let bodies = running.bodies();
        assert_eq!(bodies.len(), case.replies.len(), "{}", case.name);
        for body in &bodies {
            assert_nothing_blank(&case.name, body);
        }
        let results = sent_calls(&case.name, bodies.last().unwrap());
        assert_eq!(results[0].result, json!([text("[The tool returned nothing.]")]), "{}", case.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn adds_a_text_to_documents_in_shared_cases() {
    for case in cases("document-without-text", &["bedrock.json"]).into_iter().flatten() {
        let mut running = start(&case).await;
        running.prompt().await.unwrap();
        let content = &running.bodies()[0]["messages"][0]["content"];
        assert_eq!(content[0], text("[See the attached document.]"), "{}", case.name);
        assert_eq!(content[1]["document"]["name"], "My-Report (final) v1-2", "{}", case.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sends_unique_ids_for_repeated_ones_in_shared_cases() {
    let files = [
        "case.json",
        "history-anthropic.json",
        "history-bedrock.json",
        "history-gemini.json",
        "history-mistral.json",
        "history-openai.json",
        "history-responses.json",
    ];
    let all = cases("call-ids-repeat", &files).into_iter().flatten();
    for case in all.filter(|case| case.provider == "bedrock") {
        let mut running = start(&case).await;
        running.prompt().await.unwrap();
        let calls = sent_calls(&case.name, &running.bodies()[0]);
        assert_eq!(calls.len(), 2, "{}", case.name);
        for (call, (city, weather)) in calls.iter().zip([("Oslo", "sunny"), ("Rome", "rain")]) {
            assert_eq!((&call.arguments["city"], &call.result[0]["text"]), (&json!(city), &json!(weather)));
            assert!(call.id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)), "{}", call.id);
        }
    }
}

#[tokio::test]
async fn user_messages_are_never_empty() {
    let blank = text("[blank text]");
    for (content, expected) in [
        (json!([]), json!([blank])),
        (json!([text("")]), json!([blank])),
        (json!([text(" \n\t")]), json!([blank])),
        (json!([text("\u{a0}\u{3000}")]), json!([blank])),
        (json!([text(""), image()]), json!([image()])),
        (json!([image(), text(" "), point()]), json!([image(), point()])),
        (json!([image_by_url()]), json!([blank])),
        (json!([image_by_url(), text("")]), json!([blank])),
        (json!([point()]), json!([blank, point()])),
        (json!([text(""), point()]), json!([blank, point()])),
        (json!([point(), text("a")]), json!([text("a")])),
        (json!([text("a"), point(), point()]), json!([text("a"), point()])),
        (json!([{"guardContent": {"text": {"text": ""}}}]), json!([blank])),
        (json!([{"image": {"format": "png", "source": {"bytes": ""}}}]), json!([text("[An empty image.]")])),
    ] {
        assert_eq!(user_content(&content).await, expected, "{content}");
    }
}

#[tokio::test]
async fn documents_have_a_text_and_allowed_names() {
    let see = text("[See the attached document.]");
    let pdf = || document("pdf", "a");
    for (content, expected) in [
        (json!([pdf()]), json!([see, pdf()])),
        (json!([text(" "), pdf()]), json!([see, pdf()])),
        (json!([pdf(), text("Sum it up.")]), json!([pdf(), text("Sum it up.")])),
        (json!([pdf(), point()]), json!([see, pdf(), point()])),
        // A cache point may not directly follow it.
        (json!([document("md", "a"), point()]), json!([see, point(), document("md", "a")])),
        (json!([image(), pdf()]), json!([see, image(), pdf()])),
        (json!([document("pdf", "a.b/c\u{e9}"), text("x")]), json!([document("pdf", "a-b-c-"), text("x")])),
        (json!([document("pdf", ""), text("x")]), json!([document("pdf", "document"), text("x")])),
        (
            json!([document("pdf", &"n".repeat(300)), document("pdf", &"n".repeat(200)), text("x")]),
            json!([document("pdf", &"n".repeat(200)), document("pdf", &format!("{} (2)", "n".repeat(196))), text("x")]),
        ),
    ] {
        assert_eq!(user_content(&content).await, expected, "{content}");
    }
}

#[tokio::test]
async fn tool_results_are_never_empty() {
    let empty = text("[The tool returned nothing.]");
    let see = text("[See the attached document.]");
    for (status, content, expected) in [
        ("success", json!([]), json!([empty])),
        ("success", json!([text("")]), json!([empty])),
        ("success", json!([text(" "), text("\n")]), json!([empty])),
        ("success", json!([image_by_url()]), json!([empty])),
        ("success", json!([text(""), image()]), json!([image()])),
        ("success", json!([text(""), {"json": {}}]), json!([{"json": {}}])),
        ("success", json!([{"json": ""}]), json!([text("\"\"")])),
        ("error", json!([]), json!([text("Error: the tool failed.")])),
        ("error", json!([text(" ")]), json!([text("Error: the tool failed.")])),
        ("success", json!([document("pdf", "a")]), json!([see, document("pdf", "a")])),
        ("success", json!([{"text": "", "newer": 1}]), json!([empty])),
        ("success", json!([{"SDK_UNKNOWN_MEMBER": {"name": "x"}}]), json!([empty])),
    ] {
        let result = json!({"toolUseId": "t", "status": status, "content": content});
        let messages = json!([
            {"role": "user", "content": [text("go")]},
            {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t", "name": "f", "input": {}}}]},
            {"role": "user", "content": [{"toolResult": result}, text(" ")]},
        ]);
        let body = sent(&[], messages, None).await;
        assert_nothing_blank("results", &body);
        let message = &body["messages"][2]["content"];
        assert_eq!(message.as_array().unwrap().len(), 1, "blank text next to a result is omitted: {message}");
        assert_eq!(message[0]["toolResult"]["content"], expected, "{content}");
        assert_eq!(message[0]["toolResult"]["status"], status);
    }
}

#[tokio::test]
async fn omits_blank_text_of_the_system_prompt() {
    let cached = SystemBlock::CachePoint(CachePoint::new(None));
    let messages = || json!([{"role": "user", "content": [text("hi")]}]);
    for (system, expected) in [
        (vec![SystemBlock::from("")], json!([])),
        (vec![SystemBlock::from(" \n"), cached.clone()], json!([])),
        (vec![SystemBlock::from(""), cached.clone(), SystemBlock::from("Be kind.")], json!([text("Be kind.")])),
        (
            vec![SystemBlock::from("Be kind."), SystemBlock::from("\t"), cached.clone(), cached],
            json!([text("Be kind."), point()]),
        ),
    ] {
        assert_eq!(sent(&system, messages(), None).await["system"], expected, "{system:?}");
        let cached = sent(&system, messages(), Some(CacheConfig::new())).await;
        assert_nothing_blank("system", &json!({"messages": cached["messages"], "system": [cached["system"]]}));
    }
}

#[tokio::test]
async fn sends_a_valid_conversation_for_any_stored_one() {
    let call = |id: &str| json!({"toolUse": {"toolUseId": id, "name": "f", "input": {}}});
    let result = |id: &str| json!({"toolResult": {"toolUseId": id, "status": "success", "content": []}});
    let long = "x".repeat(80);
    let messages = json!([
        {"role": "user", "content": []},
        {"role": "assistant", "content": []},
        {"role": "user", "content": [image_by_url()]},
        {"role": "assistant", "content": [call("functions.f:0"), call(&long), text("")]},
        {"role": "user", "content": [result("functions.f:0"), result(&long)]},
        {"role": "assistant", "content": [image(), {"cachePoint": {"type": "default"}}]},
        {"role": "user", "content": [document("csv", "a"), point()]},
    ]);
    for cache in [None, Some(CacheConfig::new())] {
        let body = sent(&[], messages.clone(), cache).await;
        assert_nothing_blank("stored", &body);
        let roles: Vec<_> = body["messages"].as_array().unwrap().iter().map(|message| &message["role"]).collect();
        assert_eq!(roles.len(), 7, "no message is omitted: {body}");
        let ids: HashSet<_> = sent_calls("stored", &body).into_iter().map(|call| call.id).collect();
        assert!(ids.iter().all(|id| id.len() <= 64) && ids.len() == 2, "{ids:?}");
        // Media are sent for users only, except those that Bedrock's models generated.
        assert_eq!(body["messages"][5]["content"][0], text("[Media that can't be shown to this model.]"));
    }
}

#[tokio::test]
async fn reads_generated_images_and_sends_them_back() {
    let start = json!({"contentBlockIndex": 0, "start": {"image": {"format": "png"}}});
    let chunk = |bytes: &str| json!({"contentBlockIndex": 0, "delta": {"image": {"source": {"bytes": bytes}}}});
    let frames = json!([
        ["messageStart", {"role": "assistant"}],
        ["contentBlockStart", start],
        ["contentBlockDelta", chunk("iVBO")],
        ["contentBlockDelta", chunk("Rw==")],
        ["contentBlockStop", {"contentBlockIndex": 0}],
        ["contentBlockStart", {"contentBlockIndex": 1, "start": {"image": {"format": "png"}}}],
        ["contentBlockDelta", {"contentBlockIndex": 1, "delta": {"image": {"error": {"message": "not drawn"}}}}],
        ["contentBlockStop", {"contentBlockIndex": 1}],
        ["messageStop", {"stopReason": "end_turn"}],
    ]);
    let whole = json!({"output": {"message": {"role": "assistant", "content": [image()]}}, "stopReason": "end_turn"});
    for reply in [json!({"frames": frames}), json!({"json": whole})] {
        let case = json!({"provider": "bedrock", "prompts": ["Draw."], "replies": [reply]});
        let case = Case::parse("generated", &case.to_string());
        let server = Server::sequence(case.replies.iter().map(|reply| reply.response())).await;
        let is_whole = case.replies[0].json.is_some();
        let model = builder(&server.url()).streaming(!is_whole).build().await.unwrap();
        let response =
            crate::loopback::turn(&model, ModelRequest::new(&crate::loopback::ask("Draw."))).await.unwrap().message;
        let content = serde_json::to_value(&response.content).unwrap();
        assert_eq!(content[0]["image"]["source"]["bytes"]["data"], "iVBORw==", "{content}");
        assert_eq!(response.content.len(), 1);
        let mut assistant = serde_json::to_value(&response).unwrap();
        assistant.as_object_mut().unwrap().remove("tracking_id");
        let messages = json!([{"role": "user", "content": [text("Draw.")]}, assistant, {"role": "user", "content": [text("Bigger.")]}]);
        let body = sent(&[], messages, None).await;
        assert_eq!(body["messages"][1]["content"], json!([image()]));
    }
}

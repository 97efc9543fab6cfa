//! Responses: cases of the recordings, and others.

use serde_json::{Value, json};
use strands_core::message::{ContentBlock, ReasoningContent};
use strands_core::metrics::Usage;
use strands_core::models::{ModelError, ModelRequest, StopReason, StreamEvent, Turn};
use strands_testkit::provider::{ask, events, kind, together, turn};
use strands_testkit::{Response, Server};

use super::{chunk, finish, plain, said, sse};

async fn heard_or_failed(chunks: &[Value]) -> Result<Turn, ModelError> {
    let server = Server::repeat(Response::sse(sse(chunks))).await;
    turn(&*plain(&server.url()), ModelRequest::new(&ask("hi"))).await
}

/// The response to a stream of these chunks.
async fn heard(chunks: &[Value]) -> Turn {
    heard_or_failed(&[chunks, &[finish("STOP")]].concat()).await.unwrap()
}

/// Content of Gemini's own, as it is kept.
fn own(content: Value) -> ContentBlock {
    ContentBlock::provider("gemini", content)
}

#[tokio::test]
async fn reads_calls_with_signatures_and_assigns_ids() {
    let turn = heard(&[chunk(&json!([
        {"functionCall": {"name": "f", "args": {"x": 1}}, "thoughtSignature": "c2ln"},
        {"functionCall": {"id": "fc-7", "name": "f", "args": {"x": 2}}},
        {"functionCall": {"name": "g"}},
    ]))])
    .await;
    assert_eq!(turn.stop_reason, StopReason::ToolUse);
    let calls: Vec<_> = turn.message.tool_uses().collect();
    let inputs: Vec<_> = calls.iter().map(|call| (call.name.as_str(), call.input.clone())).collect();
    assert_eq!(inputs, [("f", json!({"x": 1})), ("f", json!({"x": 2})), ("g", json!({}))]);
    let signatures: Vec<_> = calls.iter().map(|call| call.reasoning_signature.as_deref()).collect();
    assert_eq!(signatures, [Some("c2ln"), None, None]);
    assert_eq!(calls[1].tool_use_id, "fc-7");
    assert!(!calls[0].tool_use_id.is_empty() && calls[0].tool_use_id != calls[2].tool_use_id);
}

#[tokio::test]
async fn keeps_signed_reasoning_separate() {
    let thought = |text: &str| json!({"text": text, "thought": true});
    let signed = |text: &str, signature: &str| json!({"text": text, "thought": true, "thoughtSignature": signature});
    let turn = heard(&[
        chunk(&json!([thought("let ")])),
        chunk(&json!([thought("me")])),
        chunk(&json!([signed(" see", "s1")])),
        chunk(&json!([signed("", "s2"), thought("so")])),
        said("42"),
    ])
    .await;
    let reasoning = [("let me", None), (" see", Some("s1")), ("", Some("s2")), ("so", None)];
    let reasoning = reasoning
        .map(|(text, signature)| ContentBlock::Reasoning(ReasoningContent::text(text, signature.map(str::to_owned))));
    assert_eq!(turn.message.content[..4], reasoning);
    assert_eq!(turn.message.content[4..], [ContentBlock::text("42")]);
}

#[tokio::test]
async fn keeps_signed_text_in_one_part() {
    let turn = heard(&[
        said("It "),
        chunk(&json!([{"text": "is ", "thoughtSignature": "s1"}])),
        said("42."),
        chunk(&json!([{"text": "", "thoughtSignature": "s2"}])),
    ])
    .await;
    assert_eq!(turn.message.text(), "It is 42.");
    assert_eq!(
        turn.message.content,
        [
            ContentBlock::text("It is 42."),
            own(json!({"thoughtSignature": "s1", "textRange": [3, 6]})),
            own(json!({"thoughtSignature": "s2", "textRange": [9, 9]})),
        ]
    );
    let alone = heard(&[chunk(&json!([
        {"functionCall": {"name": "f", "args": {}}},
        {"text": "", "thoughtSignature": "s"},
    ]))])
    .await;
    assert_eq!(alone.message.content[1..], [own(json!({"text": "", "thoughtSignature": "s"}))]);
}

#[tokio::test]
async fn keeps_provider_content_in_order() {
    let parts = [
        json!({"executableCode": {"language": "PYTHON", "code": "print(1)", "id": "c"}, "thoughtSignature": "s"}),
        json!({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n", "id": "c"}}),
        // A draft, which is part of the reasoning.
        json!({"inlineData": {"mimeType": "image/png", "data": "iVBORw=="}, "thought": true}),
        json!({"toolCall": {"toolType": "GOOGLE_SEARCH_WEB", "id": "t", "args": {"queries": ["q"]}}}),
        json!({"of tomorrow": {"deep": [1, 2.5, null]}}),
    ];
    let turn = heard(&[said("one"), chunk(&json!(parts)), said("two")]).await;
    let mut expected = vec![ContentBlock::text("one")];
    expected.extend(parts.map(own));
    expected.push(ContentBlock::text("two"));
    assert_eq!(turn.message.content, expected);
    assert_eq!(turn.message.metadata.unwrap().provider.as_deref(), Some("gemini"));
}

#[tokio::test]
async fn reads_content_after_a_finish_reason() {
    let mut early = said("one ");
    early["candidates"][0]["finishReason"] = json!("MAX_TOKENS");
    early["usageMetadata"] = json!({"promptTokenCount": 1, "totalTokenCount": 1});
    let mut last = said("two");
    last["candidates"][0]["finishReason"] = json!("STOP");
    last["usageMetadata"] = json!({"promptTokenCount": 90, "toolUsePromptTokenCount": 10, "candidatesTokenCount": 4,
        "thoughtsTokenCount": 3, "cachedContentTokenCount": 60, "totalTokenCount": 107});
    let turn = heard_or_failed(&[early, last.clone()]).await.unwrap();
    assert_eq!(turn.message.text(), "one two");
    assert_eq!(turn.stop_reason, StopReason::EndTurn);
    assert_eq!(turn.usage, Usage::new(40, 7).with_cache(Some(60), None).with_total(107));
    assert_eq!(turn.message.metadata.unwrap().provider_usage.as_deref(), Some(&last["usageMetadata"]));
}

#[tokio::test]
async fn reports_blocked_prompts() {
    let blocked = json!({"promptFeedback": {"blockReason": "SAFETY", "safetyRatings": [{"category": "X"}]},
        "usageMetadata": {"promptTokenCount": 3}});
    let error = heard_or_failed(&[blocked]).await.unwrap_err();
    assert_eq!(kind(&error), "content filtered");
    assert_eq!(error.details().code(), Some("SAFETY"));
    assert!(error.details().body().unwrap().contains("safetyRatings"));
    let rated = json!({"promptFeedback": {"safetyRatings": []}});
    assert_eq!(heard(&[rated, said("fine")]).await.message.text(), "fine");
}

#[tokio::test]
async fn keeps_content_of_stopped_responses() {
    for (reason, expected) in [
        ("SAFETY", StopReason::GuardrailIntervened),
        ("RECITATION", StopReason::ContentFiltered),
        ("SPII", StopReason::ContentFiltered),
        ("MAX_TOKENS", StopReason::MaxTokens),
        ("OF_TOMORROW", StopReason::EndTurn),
    ] {
        let turn = heard_or_failed(&[said("so far"), finish(reason)]).await.unwrap();
        assert_eq!((turn.message.text().as_str(), turn.stop_reason), ("so far", expected), "{reason}");
    }
    let call = chunk(&json!([{"functionCall": {"name": "f", "args": {}}}]));
    let filtered = heard_or_failed(&[call.clone(), finish("PROHIBITED_CONTENT")]).await.unwrap();
    assert_eq!(filtered.stop_reason, StopReason::ContentFiltered);
    assert_eq!(filtered.message.tool_uses().count(), 0, "what a filter has stopped is not done");
    let cut = heard_or_failed(&[call, finish("MAX_TOKENS")]).await.unwrap();
    assert_eq!((cut.stop_reason, cut.message.content.len()), (StopReason::ToolUse, 1));
}

#[tokio::test]
async fn cites_sources() {
    let mut last = chunk(&json!([{"text": "", "thoughtSignature": "s"}]));
    last["candidates"][0]["groundingMetadata"] = json!({
        "searchEntryPoint": {"renderedContent": "<div/>"},
        "groundingChunks": [{"web": {"uri": "https://a", "title": "A"}}, {"web": {"uri": "https://b", "title": "B"}}],
        "groundingSupports": [{"segment": {"endIndex": 5}, "groundingChunkIndices": [1]}],
    });
    last["candidates"][0]["citationMetadata"] = json!({"citationSources": [{"uri": "https://c", "endIndex": 9}]});
    let turn = heard(&[said("Sunny"), said("."), last]).await;
    assert_eq!(turn.message.text(), "Sunny.");
    let ContentBlock::Citations(cited) = &turn.message.content[0] else { panic!("{:?}", turn.message) };
    let places: Vec<_> = cited.citations.iter().map(|citation| citation.location.clone().unwrap()).collect();
    assert_eq!(places, [json!({"web": {"url": "https://c"}}), json!({"web": {"url": "https://b"}})]);
    let fields = turn.response_fields.unwrap();
    assert_eq!(fields["groundingMetadata"]["searchEntryPoint"]["renderedContent"], "<div/>");
}

#[tokio::test]
async fn reads_one_of_several_candidates() {
    let other = json!({"candidates": [{"content": {"parts": [{"text": "no"}]}, "index": 1, "finishReason": "SAFETY"}]});
    assert_eq!(heard(&[said("yes"), other]).await.message.text(), "yes");
}

#[tokio::test]
async fn reads_a_stream_collected_into_an_array() {
    let whole = json!([said("It is "), said("fine."), finish("STOP")]);
    let server = Server::repeat(Response::json(200, &whole)).await;
    let (events, error) = events(&*plain(&server.url()), ModelRequest::new(&ask("hi"))).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(together(&events).unwrap().message.text(), "It is fine.");
    let stops = events.iter().filter(|event| matches!(event, StreamEvent::MessageStop { .. })).count();
    assert_eq!(stops, 1);
}

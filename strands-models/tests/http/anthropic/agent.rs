//! Agent conversations with tools: reasoning and provider content are sent back to Anthropic only.

use serde_json::json;
use strands_core::Agent;
use strands_core::message::Message;
use strands_testkit::provider::Provider;
use strands_testkit::provider::agents::weather_agent;
use strands_testkit::{Response, Server};

use super::{Anthropic, block, model, stream};

#[tokio::test]
async fn sends_reasoning_back_in_order() {
    let server =
        Server::sequence([Anthropic.response(Anthropic.small_stream()), Anthropic.response(Anthropic.fine())]).await;
    let model = model(&server.url()).build().unwrap();
    weather_agent(std::sync::Arc::new(model)).await.prompt("Weather in Oslo?").await.unwrap();
    let sent = server.requests()[1].json();
    assert_eq!(
        sent["messages"][1]["content"],
        json!([
            {"type": "thinking", "thinking": "hm", "signature": "c2lnbmF0dXJl"},
            {"type": "text", "text": "It is süß 🍯."},
            {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Oslo"}},
        ])
    );
    assert_eq!(sent["messages"][2]["content"][0]["tool_use_id"], "toolu_1");
}

#[tokio::test]
async fn restores_provider_content_and_sends_it_to_anthropic_only() {
    let call = json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}});
    let result = json!({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1",
        "content": [{"type": "web_search_result", "url": "https://a.b/", "encrypted_content": "E"}]});
    let citation = json!({"type": "web_search_result_location", "url": "https://a.b/", "title": "A",
        "encrypted_index": "I", "cited_text": "so"});
    let redacted = json!({"type": "redacted_thinking", "data": "AAEC"});
    let said = stream(
        [
            block(0, redacted.clone(), []),
            block(1, call.clone(), []),
            block(2, result.clone(), []),
            block(
                3,
                json!({"type": "text", "text": "", "citations": []}),
                [
                    json!({"type": "text_delta", "text": "It is so."}),
                    json!({"type": "citations_delta", "citation": citation}),
                ],
            ),
        ],
        "end_turn",
    );
    let server = Server::sequence([Response::sse(said), Anthropic.response(Anthropic.fine())]).await;
    let ask = |history: Vec<Message>| {
        let builder = Agent::builder().model(model(&server.url()).build().unwrap()).messages(history);
        async move { builder.build().await.unwrap() }
    };
    let mut first = ask(Vec::new()).await;
    first.prompt("Is it so?").await.unwrap();
    let history: Vec<_> = first.messages().iter().map(|message| (**message).clone()).collect();
    let stored = serde_json::to_string(&history).unwrap();
    let mut second = ask(serde_json::from_str(&stored).unwrap()).await;
    second.prompt("Sure?").await.unwrap();
    let back = json!([redacted, call, result, {"type": "text", "text": "It is so.", "citations": [citation]}]);
    assert_eq!(server.requests()[1].json()["messages"][1]["content"], back);

    // The same response from another provider.
    let mut foreign = history;
    foreign[1].metadata.as_mut().unwrap().provider = Some("gemini".to_owned());
    let server = Server::repeat(Anthropic.response(Anthropic.fine())).await;
    let model = model(&server.url()).build().unwrap();
    let mut third = Agent::builder().model(model).messages(foreign).build().await.unwrap();
    third.prompt("Sure?").await.unwrap();
    let sent = server.requests()[0].json()["messages"][1]["content"].to_string();
    assert!(!sent.contains("thinking"), "{sent}");
}

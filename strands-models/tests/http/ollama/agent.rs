//! Agent conversations with tools: reasoning is sent back, and conversations of other models continue.

use serde_json::json;
use strands_core::Agent;
use strands_core::message::{ContentBlock, Message, ReasoningContent, Role};
use strands_testkit::Server;
use strands_testkit::provider::Provider;
use strands_testkit::provider::agents::weather_agent;

use super::{Ollama, model};

#[tokio::test]
async fn sends_reasoning_and_ids_back_in_order() {
    let server = Server::sequence([Ollama.response(Ollama.small_stream()), Ollama.response(Ollama.fine())]).await;
    weather_agent(std::sync::Arc::new(model(&server.url()).build().unwrap()))
        .await
        .prompt("Weather in Oslo?")
        .await
        .unwrap();
    let sent = server.requests()[1].json();
    let said = sent["messages"].as_array().unwrap();
    assert_eq!(
        said[1],
        json!({"role": "assistant", "content": "It is süß 🍯.", "thinking": "hm",
            "tool_calls": [{"id": "call_1", "function": {"name": "get_weather", "arguments": {"city": "Oslo"}}}]})
    );
    assert_eq!((&said[2]["tool_call_id"], &said[2]["tool_name"]), (&json!("call_1"), &json!("get_weather")));
    assert_eq!(said.len(), 3);
}

#[tokio::test]
async fn continues_a_conversation_of_another_model() {
    let mut answer = Message::new(
        Role::Assistant,
        [
            ContentBlock::Reasoning(ReasoningContent::text("hm", Some("signed".to_owned()))),
            ContentBlock::Reasoning(ReasoningContent::redacted("secret")),
            ContentBlock::provider("anthropic", json!({"type": "server_tool_use"})),
            ContentBlock::text("Sunny."),
        ],
    );
    for provider in [Some("anthropic"), None] {
        answer.metadata.get_or_insert_default().provider = provider.map(str::to_owned);
        let server = Server::repeat(Ollama.response(Ollama.fine())).await;
        let history = [Message::user("Weather in Oslo?"), answer.clone()];
        let model = model(&server.url()).build().unwrap();
        let mut agent = Agent::builder().model(model).messages(history).build().await.unwrap();
        assert_eq!(agent.prompt("And tomorrow?").await.unwrap().text(), "fine.");
        assert_eq!(
            server.requests()[0].json()["messages"],
            json!([
                {"role": "user", "content": "Weather in Oslo?"},
                {"role": "assistant", "content": "Sunny."},
                {"role": "user", "content": "And tomorrow?"},
            ])
        );
    }
}

//! Conversations that move from each provider to each other one: the text stays, provider-specific content is sent to no
//! other provider, and every call still has its result.

use std::sync::Arc;

use serde_json::json;
use strands_core::message::{
    Citation, CitationText, CitationsContent, ContentBlock, Message, ReasoningContent, Role, ToolUse,
};
use strands_testkit::Server;
use strands_testkit::provider::agents::weather_agent;
use strands_testkit::provider::{Recorded, Tuned};

use crate::providers;

/// Returns a conversation with a tool that was held with `from`.
async fn conversation(from: &dyn Recorded) -> Vec<Arc<Message>> {
    let server = Server::sequence([from.response(from.small_stream()), from.response(from.fine())]).await;
    let mut agent = weather_agent(from.model(&server.url(), Tuned::default()).await).await;
    agent.prompt("Weather in Oslo?").await.unwrap();
    agent.messages().to_vec()
}

/// Returns a response with all kinds of content that only its provider understands.
fn own_answer(provider: &str) -> [Message; 2] {
    let mut call = ToolUse::new("own-call/1", "get_weather", json!({"city": "Bergen"}));
    call.reasoning_signature = Some("b3duLWNhbGwtc2lnbmF0dXJl".to_owned());
    let mut cited = CitationsContent::default();
    cited.content.push(CitationText::new("As was written."));
    cited.citations.push(Citation::default());
    let mut answer = Message::new(
        Role::Assistant,
        [
            ContentBlock::Reasoning(ReasoningContent::text("own-thought", Some("b3duLXNpZ25hdHVyZQ==".to_owned()))),
            ContentBlock::Reasoning(ReasoningContent::redacted("own-encrypted")),
            ContentBlock::provider(provider, json!({"type": "own_search", "id": "own-search"})),
            ContentBlock::text("Bergen, too."),
            ContentBlock::Citations(cited),
            ContentBlock::ToolUse(call),
        ],
    );
    answer.metadata.get_or_insert_default().provider = Some(provider.to_owned());
    let result = strands_core::message::ToolResult::new(
        "own-call/1",
        strands_core::message::ToolResultStatus::Success,
        ["It rains in Bergen."],
    );
    [answer, Message::new(Role::User, [result])]
}

#[tokio::test]
async fn moves_a_conversation_between_all_providers() {
    for from in providers::all() {
        let mut history = conversation(&*from).await;
        let provider = history.iter().find_map(|message| message.metadata.as_ref()?.provider.clone()).unwrap();
        history.extend(own_answer(&provider).map(Arc::new));
        history.push(Arc::new(Message::assistant("So it is.")));
        for to in providers::all() {
            let name = format!("from {} to {}", from.name(), to.name());
            let server = Server::repeat(to.response(to.fine())).await;
            let model = to.model(&server.url(), Tuned::default()).await;
            let mut agent =
                strands_core::Agent::builder().model(model).messages(history.clone()).build().await.unwrap();
            let response = agent.prompt("And tomorrow?").await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
            assert_eq!(response.text(), "fine.", "{name}");

            let answered = agent.messages().last().unwrap().metadata.as_ref().unwrap().provider.clone();
            let request = server.requests().remove(0);
            let body = String::from_utf8(request.body.to_vec()).unwrap();
            for said in ["It is süß 🍯.", "Bergen, too.", "As was written.", "So it is.", "And tomorrow?"] {
                assert!(body.contains(said), "{name}: {said:?} is lost in {body}");
            }
            let foreign = answered.as_ref() != Some(&provider);
            for own in
                ["own-thought", "b3duLXNpZ25hdHVyZQ", "b3duLWVuY3J5cHRlZA", "own_search", "b3duLWNhbGwtc2lnbmF0dXJl"]
            {
                assert!(!(foreign && body.contains(own)), "{name}: {own:?} is sent to another provider: {body}");
            }
            // Ollama has no server tools.
            if !foreign && to.name() != "ollama" {
                assert!(body.contains("own_search"), "{name}: the content of server tools is lost: {body}");
            }

            let sent = to.sent(&serde_json::from_str(&body).unwrap());
            let calls: Vec<_> = sent.calls.iter().map(|call| (call.name.as_str(), &call.input)).collect();
            let (oslo, bergen) = (json!({"city": "Oslo"}), json!({"city": "Bergen"}));
            assert_eq!(calls, [("get_weather", &oslo), ("get_weather", &bergen)], "{name}");
            assert_eq!(sent.results.len(), 2, "{name}");
            for (call, result) in sent.calls.iter().zip(&sent.results) {
                assert_eq!(call.id, result.id, "{name}: each call has its result");
            }
            assert!(sent.results[1].text.contains("It rains in Bergen."), "{name}");
        }
    }
}

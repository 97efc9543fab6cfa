//! Conversations with tools over both protocols: reasoning is sent back if the protocol accepts it, and a conversation
//! can move from one protocol to the other.

use futures_util::StreamExt;
use serde_json::Value;
use strands_core::{Agent, AgentEvent};
use strands_testkit::Server;
use strands_testkit::provider::Provider;
use strands_testkit::provider::agents::weather_agent;

use super::{Api, BOTH};

#[tokio::test]
async fn sends_reasoning_back_in_order() {
    for api in BOTH {
        let server = Server::sequence([api.response(api.small_stream()), api.response(api.fine())]).await;
        weather_agent(api.plain(&server.url())).await.prompt("Weather in Oslo?").await.unwrap();
        let sent = server.requests()[1].json();
        match api {
            Api::Chat => {
                let said = sent["messages"].as_array().unwrap();
                assert_eq!(said.len(), 3);
                assert!(said[1].get("reasoning_content").is_none(), "OpenAI's Chat Completions accepts no reasoning");
            }
            Api::Responses => {
                let items = sent["input"].as_array().unwrap();
                let kinds: Vec<_> = items.iter().map(|item| item["type"].as_str()).collect();
                assert_eq!(kinds, [None, Some("reasoning"), None, Some("function_call"), Some("function_call_output")]);
                assert_eq!(items[1]["encrypted_content"], "xyz");
            }
        }
    }
}

#[tokio::test]
async fn moves_a_conversation_between_protocols() {
    for (from, to) in [(Api::Chat, Api::Responses), (Api::Responses, Api::Chat)] {
        let answers = [from.response(from.small_stream()), from.response(from.fine()), to.response(to.fine())];
        let server = Server::sequence(answers).await;
        let mut first = weather_agent(from.plain(&server.url())).await;
        first.prompt("Weather in Oslo?").await.unwrap();
        let history: Vec<_> = first.messages().iter().map(|message| (**message).clone()).collect();
        let mut second = Agent::builder().model(to.plain(&server.url())).messages(history).build().await.unwrap();
        assert_eq!(second.prompt("And tomorrow?").await.unwrap().text(), "fine.");
        let sent = server.requests()[2].json();
        let list = sent.get("messages").or(sent.get("input")).and_then(Value::as_array).unwrap();
        let has = |field: &str| list.iter().filter(|item| item.get(field).is_some()).count();
        match to {
            Api::Chat => assert_eq!((has("tool_calls"), has("tool_call_id")), (1, 1)),
            Api::Responses => assert_eq!(has("call_id"), 2),
        }
        let foreign = sent.to_string();
        assert!(
            !foreign.contains("xyz") && !foreign.contains("hm"),
            "reasoning of the other protocol is not sent: {foreign}"
        );
    }
}

#[tokio::test]
async fn emits_no_empty_reasoning_deltas() {
    for api in BOTH {
        let server = Server::sequence([api.response(api.small_stream()), api.response(api.fine())]).await;
        let mut agent = weather_agent(api.plain(&server.url())).await;
        let mut deltas = Vec::new();
        let mut events = agent.prompt("Weather in Oslo?").stream();
        while let Some(event) = events.next().await {
            if let AgentEvent::ReasoningDelta { text } = event.unwrap() {
                deltas.push(text);
            }
        }
        assert_eq!(deltas, ["hm"], "{api:?}");
    }
}

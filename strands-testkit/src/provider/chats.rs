//! Recorded conversations without tools, repeated by an agent: each request carries the earlier responses, and the
//! content that the provider wants sent back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure here fails the calling test")]

use serde_json::Value;
use strands_core::Agent;

use super::Recorded;
use crate::recording::{Exchange, recordings};
use crate::response::Response;
use crate::server::Server;

/// Repeats every recorded conversation that has no tool calls.
pub async fn repeats_recorded_conversations_without_tools(provider: &dyn Recorded) {
    for folder in provider.folders() {
        let Some(recordings) = recordings(folder.name) else {
            return;
        };
        let mut chats = 0;
        for recording in &recordings {
            let mut chat: Vec<&Exchange> = Vec::new();
            for exchange in recording.exchanges.iter().filter(|exchange| is_plain(provider, exchange)) {
                if !chat.last().is_some_and(|last| goes_on(last, exchange)) {
                    chats += run_again(provider, folder.name, &recording.name, &chat).await;
                    chat.clear();
                }
                chat.push(exchange);
            }
            chats += run_again(provider, folder.name, &recording.name, &chat).await;
        }
        assert!(
            chats >= folder.chats,
            "{}: only {chats} conversations without tools in {}",
            provider.name(),
            folder.name
        );
    }
}

fn is_plain(provider: &dyn Recorded, exchange: &Exchange) -> bool {
    provider.speaks(exchange) && exchange.response.status < 400 && provider.expectation(exchange).calls.is_empty()
}

/// True if the next request begins with the conversation of this one.
fn goes_on(exchange: &Exchange, next: &Exchange) -> bool {
    let (before, after) = (messages_in(&exchange.request.body), messages_in(&next.request.body));
    !before.is_empty() && before.len() < after.len() && after.starts_with(before)
}

/// Returns the conversation in a body, in the format of any protocol.
fn messages_in(body: &Value) -> &[Value] {
    let lists = ["messages", "contents", "input"].iter().filter_map(|name| body[name].as_array());
    lists.map(Vec::as_slice).next().unwrap_or_default()
}

/// Repeats the conversations of a recording, and returns their number; a single prompt does not count.
async fn run_again(provider: &dyn Recorded, folder: &str, name: &str, chat: &[&Exchange]) -> usize {
    if chat.len() < 2 {
        return 0;
    }
    let server = Server::sequence(chat.iter().map(|exchange| Response::from(*exchange))).await;
    let model = provider.asking(folder, chat[0], &server.url()).await;
    let mut agent = Agent::builder().model(model).build().await.unwrap();
    let (mut kept, mut answers) = (Vec::new(), Vec::new());
    for (at, exchange) in chat.iter().enumerate() {
        let name = format!("{name}, request {at} of a conversation");
        let response = agent.prompt("go on").await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let expected = provider.expectation(exchange);
        assert_eq!(response.text().replace('\n', ""), expected.text.replace('\n', ""), "{name}");

        let body: Value = server.requests()[at].json();
        assert_eq!(provider.sent(&body).kept, kept, "{name}");
        let sent = texts(&body);
        for answer in &answers {
            assert!(sent.contains(answer), "{name}: {answer:?} is lost");
        }
        kept.extend(provider.wanted_back(folder, exchange, &expected));
        answers.extend(expected.text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned));
    }
    1
}

/// Returns every text in a body, one on each line.
fn texts(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text}\n"),
        Value::Array(values) => values.iter().map(texts).collect(),
        Value::Object(fields) => fields.values().map(texts).collect(),
        _ => String::new(),
    }
}

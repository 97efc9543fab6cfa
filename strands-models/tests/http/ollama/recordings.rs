//! Recordings of Ollama, and parsing of its requests.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use strands_core::models::Model;
use strands_testkit::Exchange;
use strands_testkit::expectation::{Expectation, ollama};
use strands_testkit::provider::recorded::Folder;
use strands_testkit::provider::{Recorded, Sent, SentCall, SentResult, Tuned};

use super::{Ollama, builder};

#[async_trait]
impl Recorded for Ollama {
    fn folders(&self) -> Vec<Folder> {
        vec![Folder { name: "ollama", answers: 23, runs: 5, chats: 1 }]
    }

    async fn asking(&self, _folder: &str, exchange: &Exchange, server: &str) -> Arc<dyn Model> {
        let body = &exchange.request.body;
        let tuned = Tuned { whole: body["stream"] == false, ..Tuned::default() };
        Arc::new(builder(server, tuned).model_id(body["model"].as_str().unwrap()).build().unwrap())
    }

    fn expectation(&self, exchange: &Exchange) -> Expectation {
        ollama::of(exchange)
    }

    fn sent(&self, body: &Value) -> Sent {
        let mut sent = Sent::default();
        let id = |value: &Value| value.as_str().map(str::to_owned);
        for message in body["messages"].as_array().into_iter().flatten() {
            for call in message["tool_calls"].as_array().into_iter().flatten() {
                sent.calls.push(SentCall {
                    id: id(&call["id"]),
                    name: call["function"]["name"].as_str().unwrap_or_default().to_owned(),
                    input: call["function"]["arguments"].clone(),
                });
            }
            if message["role"] == "tool" {
                let text = message["content"].as_str().unwrap_or_default().to_owned();
                sent.results.push(SentResult { id: id(&message["tool_call_id"]), text });
            }
            if message["thinking"].is_string() {
                sent.kept.push(message["thinking"].clone());
            }
        }
        sent
    }
}

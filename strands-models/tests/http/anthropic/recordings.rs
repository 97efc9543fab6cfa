//! Recordings of Anthropic.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use strands_core::models::Model;
use strands_testkit::Exchange;
use strands_testkit::expectation::{Expectation, anthropic};
use strands_testkit::provider::recorded::Folder;
use strands_testkit::provider::{Recorded, Sent, SentCall, SentResult};

use super::{Anthropic, model};

#[async_trait]
impl Recorded for Anthropic {
    fn folders(&self) -> Vec<Folder> {
        vec![Folder { name: "anthropic", answers: 219, runs: 19, chats: 3 }]
    }

    async fn asking(&self, _: &str, exchange: &Exchange, server: &str) -> Arc<dyn Model> {
        let id = exchange.request.body["model"].as_str().unwrap();
        let streaming = exchange.request.body["stream"] == true;
        Arc::new(model(server).model_id(id).streaming(streaming).build().unwrap())
    }

    fn expectation(&self, exchange: &Exchange) -> Expectation {
        anthropic::of(exchange)
    }

    fn sent(&self, body: &Value) -> Sent {
        let mut sent = Sent::default();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let messages = body["messages"].as_array().into_iter().flatten();
        for block in messages.flat_map(|message| message["content"].as_array().into_iter().flatten()) {
            match block["type"].as_str() {
                Some("tool_use") => sent.calls.push(SentCall {
                    id: text(&block["id"]),
                    name: text(&block["name"]).unwrap(),
                    input: block["input"].clone(),
                }),
                Some("tool_result") => {
                    let parts = block["content"].as_array().into_iter().flatten();
                    let said = parts.filter_map(|part| part["text"].as_str()).collect();
                    let text_of = text(&block["content"]).unwrap_or(said);
                    sent.results.push(SentResult { id: text(&block["tool_use_id"]), text: text_of });
                }
                _ if anthropic::is_kept(block) => sent.kept.push(block.clone()),
                _ => {}
            }
        }
        sent
    }
}

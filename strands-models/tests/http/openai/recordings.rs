//! Recordings of OpenAI, OpenRouter, Groq, DeepSeek and xAI and their expected content.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use strands_core::models::Model;
use strands_models::openai::ReasoningReplay;
use strands_models::{OpenAiModel, OpenAiResponsesModel};
use strands_testkit::Exchange;
use strands_testkit::expectation::{Expectation, openai};
use strands_testkit::provider::recorded::Folder;
use strands_testkit::provider::{Recorded, Sent};

use super::Api;
use crate::chat_completions;

#[async_trait]
impl Recorded for Api {
    fn folders(&self) -> Vec<Folder> {
        let folder = |name, answers, runs, chats| Folder { name, answers, runs, chats };
        match self {
            Self::Chat => vec![
                folder("openai", 110, 5, 3),
                folder("openrouter", 140, 9, 2),
                folder("groq", 20, 2, 1),
                folder("deepseek", 90, 8, 3),
            ],
            Self::Responses => vec![folder("openai", 80, 14, 4), folder("xai", 40, 6, 2)],
        }
    }

    fn speaks(&self, exchange: &Exchange) -> bool {
        exchange.request.path.ends_with("/responses") == (*self == Self::Responses)
    }

    async fn asking(&self, folder: &str, exchange: &Exchange, server: &str) -> Arc<dyn Model> {
        let path = &exchange.request.path;
        let streaming = exchange.request.body["stream"] == true;
        let id = exchange.request.body["model"].as_str().unwrap_or("gpt-4o");
        if let Some(base) = path.strip_suffix("/responses") {
            let builder = OpenAiResponsesModel::builder().base_url(format!("{server}{base}")).api_key("test-key");
            return Arc::new(builder.model_id(id).streaming(streaming).build().unwrap());
        }
        let base = path.strip_suffix("/chat/completions").unwrap();
        let replay = match folder {
            "deepseek" => ReasoningReplay::Content,
            "openrouter" => ReasoningReplay::Details,
            _ => ReasoningReplay::Never,
        };
        let builder = OpenAiModel::builder().base_url(format!("{server}{base}")).api_key("test-key");
        Arc::new(builder.reasoning_replay(replay).model_id(id).streaming(streaming).build().unwrap())
    }

    fn expectation(&self, exchange: &Exchange) -> Expectation {
        openai::of(exchange)
    }

    fn sent(&self, body: &Value) -> Sent {
        let mut sent = chat_completions::sent(body);
        for message in body["messages"].as_array().into_iter().flatten() {
            sent.kept.extend(message["reasoning_details"].as_array().cloned().unwrap_or_default());
        }
        for item in body["input"].as_array().into_iter().flatten() {
            match item["type"].as_str() {
                Some("function_call") => sent.calls.push(chat_completions::sent_call(&item["call_id"], item)),
                Some("function_call_output") => {
                    sent.results.push(chat_completions::sent_result(&item["call_id"], &item["output"]));
                }
                Some("reasoning") => sent.kept.push(kept_item(item)),
                _ => {}
            }
        }
        sent
    }

    fn wanted_back(&self, folder: &str, _: &Exchange, expected: &Expectation) -> Vec<Value> {
        match (self, folder) {
            (Self::Responses, _) => expected.kept.iter().map(kept_item).collect(),
            (Self::Chat, "openrouter") => expected.kept.clone(),
            (Self::Chat, "deepseek") if !expected.reasoning.is_empty() => vec![json!(expected.reasoning)],
            (Self::Chat, _) => Vec::new(),
        }
    }
}

/// Returns the fields of a reasoning item that have to be sent back.
fn kept_item(item: &Value) -> Value {
    json!({"id": item["id"], "encrypted_content": item["encrypted_content"], "summary": item["summary"]})
}

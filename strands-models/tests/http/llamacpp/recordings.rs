//! Recordings of llama.cpp's server and their expected content.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use strands_core::models::Model;
use strands_testkit::Exchange;
use strands_testkit::expectation::{ErrorBody, Expectation, llamacpp};
use strands_testkit::provider::recorded::Folder;
use strands_testkit::provider::{Recorded, Sent};

use super::LlamaCpp;
use crate::chat_completions;

#[async_trait]
impl Recorded for LlamaCpp {
    fn folders(&self) -> Vec<Folder> {
        vec![Folder { name: "llamacpp", answers: 65, runs: 6, chats: 1 }]
    }

    async fn asking(&self, _: &str, exchange: &Exchange, server: &str) -> Arc<dyn Model> {
        let body = &exchange.request.body;
        let builder = super::builder(server).model_id(body["model"].as_str().unwrap());
        Arc::new(builder.streaming(body["stream"] == true).build().unwrap())
    }

    fn expectation(&self, exchange: &Exchange) -> Expectation {
        llamacpp::of(exchange)
    }

    fn sent(&self, body: &Value) -> Sent {
        chat_completions::sent(body)
    }

    fn wanted_back(&self, _: &str, _: &Exchange, expected: &Expectation) -> Vec<Value> {
        if expected.reasoning.is_empty() { Vec::new() } else { vec![json!(expected.reasoning)] }
    }

    /// Requests that can never succeed are rejected with status 500 too.
    fn kind_of(&self, error: &ErrorBody) -> &'static str {
        match (error.status, error.code.as_deref()) {
            (_, Some("exceed_context_size_error")) => "context overflow",
            (401, _) => "authentication",
            _ => "invalid request",
        }
    }
}

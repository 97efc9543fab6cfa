//! Recordings of Mistral and their expected content.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use strands_core::models::Model;
use strands_testkit::Exchange;
use strands_testkit::expectation::{Expectation, mistral};
use strands_testkit::provider::recorded::Folder;
use strands_testkit::provider::{Recorded, Sent};

use super::Mistral;
use crate::chat_completions;

#[async_trait]
impl Recorded for Mistral {
    fn folders(&self) -> Vec<Folder> {
        vec![Folder { name: "mistral", answers: 85, runs: 3, chats: 0 }]
    }

    async fn asking(&self, _: &str, exchange: &Exchange, server: &str) -> Arc<dyn Model> {
        let body = &exchange.request.body;
        let builder = super::builder(server).model_id(body["model"].as_str().unwrap());
        Arc::new(builder.streaming(body["stream"] == true).build().unwrap())
    }

    /// Without ids: those in the recordings were redacted to a form that Mistral rejects.
    fn expectation(&self, exchange: &Exchange) -> Expectation {
        let mut expected = mistral::of(exchange);
        expected.calls.iter_mut().for_each(|call| call.id = None);
        expected
    }

    fn sent(&self, body: &Value) -> Sent {
        let mut sent = chat_completions::sent(body);
        sent.calls.iter_mut().for_each(|call| call.id = None);
        sent.results.iter_mut().for_each(|result| result.id = None);
        sent
    }
}

//! Recordings of the Gemini API. All of them are responses of `generateContent` or by
//! `streamGenerateContent`.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use strands_core::models::Model;
use strands_models::GeminiModel;
use strands_testkit::Exchange;
use strands_testkit::expectation::{Expectation, gemini};
use strands_testkit::provider::recorded::Folder;
use strands_testkit::provider::{Recorded, Sent, SentCall, SentResult};

use super::Gemini;

#[async_trait]
impl Recorded for Gemini {
    fn folders(&self) -> Vec<Folder> {
        vec![Folder { name: "gemini", answers: 141, runs: 30, chats: 2 }]
    }

    async fn asking(&self, _: &str, exchange: &Exchange, server: &str) -> Arc<dyn Model> {
        let (base, model) = exchange.request.path.split_once("/models/").unwrap();
        let (model_id, method) = model.split_once(':').unwrap();
        let builder = GeminiModel::builder().base_url(format!("{server}{base}")).api_key("test-key");
        Arc::new(builder.model_id(model_id).streaming(method == "streamGenerateContent").build().unwrap())
    }

    fn expectation(&self, exchange: &Exchange) -> Expectation {
        gemini::of(exchange)
    }

    fn sent(&self, body: &Value) -> Sent {
        let mut sent = Sent::default();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        for content in body["contents"].as_array().into_iter().flatten() {
            for part in content["parts"].as_array().into_iter().flatten() {
                let (call, response) = (&part["functionCall"], &part["functionResponse"]);
                if call.is_object() {
                    let name = text(&call["name"]).unwrap();
                    sent.calls.push(SentCall { id: text(&call["id"]), name, input: call["args"].clone() });
                }
                if response.is_object() {
                    sent.results.push(SentResult { id: text(&response["id"]), text: answer(&response["response"]) });
                }
                if content["role"] == "model" {
                    sent.kept.extend(gemini::kept(part));
                }
            }
        }
        sent
    }
}

/// `result` is how the recording client calls it, with text or JSON in it; `output` is how Strands does.
fn answer(response: &Value) -> String {
    match (&response["result"], &response["output"]) {
        (Value::String(text), _) => text.clone(),
        (Value::Null, output) => {
            output.as_array().into_iter().flatten().filter_map(|piece| piece["text"].as_str()).collect()
        }
        (json, _) => json.to_string(),
    }
}

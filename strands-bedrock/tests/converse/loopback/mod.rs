//! Models with a loopback server as their endpoint, for all tests.
#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    reason = "each test file uses a part of this module, and a failure here fails the test"
)]

pub(crate) mod provider;

use strands_bedrock::{BedrockModel, BedrockModelBuilder};
pub(crate) use strands_testkit::provider::{answer, ask, events, kind, text, turn, weather_tools};

pub(crate) const CLAUDE: &str = "us.anthropic.claude-sonnet-4-20250514-v1:0";
pub(crate) const NOVA: &str = "us.amazon.nova-pro-v1:0";

/// Returns the builder of a model with this endpoint and an invalid API key.
pub(crate) fn builder(endpoint: &str) -> BedrockModelBuilder {
    BedrockModel::builder().model_id(CLAUDE).region("us-east-1").base_url(endpoint).api_key("test-key")
}

pub(crate) async fn model(endpoint: &str) -> BedrockModel {
    builder(endpoint).build().await.unwrap()
}

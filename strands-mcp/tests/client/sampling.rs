//! Sampling: refused, or with a model of the program.

use strands_core::serde_json::json;
use strands_core::testing::ScriptedModel;
use strands_mcp::{McpClient, McpError, SamplingLimits};

use crate::server::{Age, Server};
use crate::{client, text};

#[tokio::test]
async fn sampling_is_refused_without_a_model() {
    let server = Server::start(Age::Stateless).await;
    let error = client(&server).call_tool("sample", json!({})).await.unwrap_err();
    assert!(matches!(&error, McpError::Rejected { .. } | McpError::InputRequired { .. }), "{error:?}");
}

#[tokio::test]
async fn the_sampling_model_responds_until_the_limit_is_reached() {
    let server = Server::start(Age::Stateless).await;
    let limits = SamplingLimits::new().with_responses(2);
    let client = McpClient::http(server.url()).sampling(ScriptedModel::responding("hi"), limits).build().unwrap();
    for _ in 0..2 {
        assert_eq!(text(&client.call_tool("sample", json!({})).await.unwrap()), "hi");
    }
    let error = client.call_tool("sample", json!({})).await.unwrap_err();
    assert!(error.to_string().contains("the limit of 2 responses is reached"), "{error}");
}

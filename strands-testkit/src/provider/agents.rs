//! An agent with a tool over a provider and a failing server.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure here fails the calling test")]

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::{Value, json};
use strands_core::async_trait;
use strands_core::models::{Model, StopReason};
use strands_core::{Agent, AgentEvent, RetryPolicy, Tool, ToolContext, ToolError, ToolOutput, ToolSpec};

use super::{Recorded, Tuned};
use crate::fault::{Cut, Splits};
use crate::server::Server;

/// A tool that reports sunny weather in every city.
#[derive(Debug)]
pub struct GetWeather(ToolSpec);

impl GetWeather {
    /// Creates the tool `get_weather`.
    pub fn new() -> Self {
        let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
        Self(ToolSpec::new("get_weather", "The weather in a city.", schema))
    }
}

impl Default for GetWeather {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Tool for GetWeather {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    async fn call(&self, _: &ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        Ok(ToolOutput::text(format!("{} is sunny", input["city"])))
    }
}

/// Builds an agent with this model and [`GetWeather`], which makes three attempts with short delays.
pub async fn weather_agent(model: Arc<dyn Model>) -> Agent {
    let retry = RetryPolicy::new().max_attempts(3).initial_delay(Duration::from_millis(1));
    Agent::builder().model(model).tool(GetWeather::new()).retry(retry).build().await.unwrap()
}

/// Runs a tool turn over error responses, a split response and a cut one: the agent repeats the same request, and the
/// history stays valid.
pub async fn completes_a_tool_turn_over_a_failing_server(provider: &dyn Recorded) {
    let stream = provider.small_stream();
    let refusal = |status| provider.refusals().into_iter().find(|refusal| refusal.status == status).unwrap();
    let half = stream.len() / 2;
    let server = Server::sequence([
        refusal(429).response().header("retry-after", "0"),
        refusal(503).response(),
        provider.response(stream.clone()).splits(Splits::Every(7)),
        provider.response(stream.clone()).cut_at(half, Cut::Close),
        provider.response(provider.fine()),
    ])
    .await;
    let mut agent = weather_agent(provider.model(&server.url(), Tuned::default()).await).await;
    let mut invocation = agent.prompt("Weather in Oslo?").stream();
    let (mut response, mut retries, mut reasoning) = (None, 0, String::new());
    while let Some(event) = invocation.next().await {
        match event.unwrap() {
            AgentEvent::Retry { .. } => retries += 1,
            AgentEvent::Result { response: last } => response = Some(last),
            AgentEvent::ReasoningDelta { text } => reasoning += &text,
            _ => {}
        }
    }
    drop(invocation);
    let name = provider.name();
    assert_eq!(retries, 3, "{name}");
    let expected = provider.meaning(&stream);
    assert!(reasoning.starts_with(&expected.reasoning), "{name}: {reasoning}");
    let response = response.unwrap();
    assert_eq!(response.text(), "fine.", "{name}");
    assert_eq!(response.stop_reason, StopReason::EndTurn, "{name}");
    assert!(response.usage.input_tokens >= 10, "{name}");
    assert_eq!(agent.messages().len(), 4, "{name}: {:?}", agent.messages());
    let requests = server.requests();
    assert_eq!(requests.len(), 5, "{name}");
    assert_eq!(requests[3].body, requests[4].body, "{name}: the retry repeats the request");
    assert_eq!(requests[0].body, requests[2].body, "{name}");
    let sent = provider.sent(&requests[4].json());
    let calls: Vec<_> = sent.calls.iter().map(|call| (call.name.as_str(), call.input.clone())).collect();
    assert_eq!(calls, [("get_weather", json!({"city": "Oslo"}))], "{name}");
    let results: Vec<_> = sent.results.iter().map(|result| result.text.as_str()).collect();
    assert_eq!(results, ["\"Oslo\" is sunny"], "{name}");
    assert_eq!(sent.calls[0].id, sent.results[0].id, "{name}");
}

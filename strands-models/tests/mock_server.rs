//! Every provider against an independently written mock server, so that the tests do not only repeat our reading of the
//! protocols. It only runs if named, because it needs that server: `.ci/mock/run` starts it, runs
//! `cargo test -p strands-models --test mock_server`, and stops it.
#![cfg(feature = "_http")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure here fails the test"
)]

use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::{Value, json};
use strands_core::async_trait;
use strands_core::models::{Model, ModelRequest, StopReason};
use strands_core::{Agent, AgentEvent, RetryPolicy, Tool, ToolContext, ToolError, ToolOutput, ToolSpec};
use strands_testkit::provider::{ask, events, kind, reasoning_text, text, turn};
use tokio::runtime::{Builder, Runtime};

/// Returns the URL of the server. Fails if there is none, because this file only runs if named.
fn url() -> String {
    std::env::var("STRANDS_MOCK_SERVER")
        .expect("STRANDS_MOCK_SERVER names the server: run this with .ci/mock/run, which starts one")
}

/// All models share one client and its connections, and all tests one server: connections have to outlive each test.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().enable_all().build().unwrap());

/// Deviations of the mock server from the provider's behavior in one protocol.
#[derive(Clone, Copy, Debug)]
struct Surface {
    /// It reports no token counts.
    without_usage: bool,
    /// It does not report that a response was cut at its token limit.
    without_limits: bool,
    /// It does not send the fixture's reasoning.
    without_reasoning: bool,
}

/// No deviations.
#[allow(dead_code, reason = "not every provider is compiled in")]
const NO_DEVIATIONS: Surface = Surface { without_usage: false, without_limits: false, without_reasoning: false };

macro_rules! surface {
    ($feature:literal, $name:ident, $surface:expr, $model:expr) => {
        #[cfg(feature = $feature)]
        mod $name {
            use super::*;

            const SURFACE: Surface = $surface;

            fn model() -> Arc<dyn Model> {
                let model: fn(String) -> Arc<dyn Model> = $model;
                model(url())
            }

            #[test]
            fn completes_a_tool_turn() {
                RUNTIME.block_on(super::completes_a_tool_turn(model(), SURFACE));
            }

            #[test]
            fn runs_two_calls_of_one_response() {
                RUNTIME.block_on(super::runs_two_calls_of_one_response(model()));
            }

            #[test]
            fn reads_limits_reasoning_and_cut_responses() {
                RUNTIME.block_on(super::reads_limits_reasoning_and_cut_responses(&*model(), SURFACE));
            }

            #[test]
            fn classifies_error_responses() {
                RUNTIME.block_on(super::classifies_error_responses(&*model()));
            }
        }
    };
}

surface!("openai", openai, Surface { without_reasoning: true, ..NO_DEVIATIONS }, |url| {
    let builder = strands_models::OpenAiModel::builder().base_url(format!("{url}/v1")).api_key("test-key");
    Arc::new(builder.model_id("gpt-4o").build().unwrap())
});
surface!("openai", openai_responses, NO_DEVIATIONS, |url| {
    let builder = strands_models::OpenAiResponsesModel::builder().base_url(format!("{url}/v1")).api_key("test-key");
    Arc::new(builder.model_id("gpt-5").build().unwrap())
});

surface!("anthropic", anthropic, NO_DEVIATIONS, |url| {
    let builder = strands_models::AnthropicModel::builder().base_url(url).api_key("test-key");
    Arc::new(builder.model_id("claude-sonnet-4-20250514").build().unwrap())
});
surface!("gemini", gemini, NO_DEVIATIONS, |url| {
    let builder = strands_models::GeminiModel::builder().base_url(format!("{url}/v1beta")).api_key("test-key");
    Arc::new(builder.model_id("gemini-2.5-flash").build().unwrap())
});
surface!("mistral", mistral, Surface { without_usage: true, ..NO_DEVIATIONS }, |url| {
    let builder = strands_models::MistralModel::builder().base_url(format!("{url}/v1")).api_key("test-key");
    Arc::new(builder.model_id("mistral-large-latest").build().unwrap())
});
surface!("llamacpp", llamacpp, NO_DEVIATIONS, |url| {
    Arc::new(
        strands_models::LlamaCppModel::builder().base_url(format!("{url}/v1")).model_id("default").build().unwrap(),
    )
});
surface!("ollama", ollama, Surface { without_usage: true, without_limits: true, without_reasoning: true }, |url| {
    Arc::new(strands_models::OllamaModel::builder().base_url(url).model_id("llama3.1").build().unwrap())
});

/// A tool that returns the result of the fixtures, and records its inputs.
struct GetWeather(ToolSpec, Arc<Mutex<Vec<Value>>>);

#[async_trait]
impl Tool for GetWeather {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    async fn call(&self, _: &ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        let said = format!("21C sunny in {}", input["city"]);
        self.1.lock().unwrap().push(input);
        Ok(ToolOutput::text(said))
    }
}

/// Returns an agent, and the recorded inputs of its tool.
async fn agent(model: Arc<dyn Model>) -> (Agent, Arc<Mutex<Vec<Value>>>) {
    let schema = json!({
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "The city"},
            "options": {
                "type": "object",
                "properties": {"units": {"type": "string", "enum": ["C", "F"]}, "days": {"type": "integer"}},
            },
        },
        "required": ["city"],
    });
    let inputs = Arc::new(Mutex::new(Vec::new()));
    let tool = GetWeather(ToolSpec::new("get_weather", "Get the weather.", schema), Arc::clone(&inputs));
    let retry = RetryPolicy::new().max_attempts(1);
    let builder = Agent::builder().model(model).system_prompt("You use tools.").tool(tool).retry(retry);
    (builder.build().await.unwrap(), inputs)
}

async fn completes_a_tool_turn(model: Arc<dyn Model>, surface: Surface) {
    const ANSWER: &str = "It is 21 degrees and sunny in Paris. Voilà — 晴れ ☀️";
    let (mut agent, inputs) = agent(model).await;
    let mut stream = agent.prompt("What is the weather in Paris?").stream();
    let (mut said, mut arguments, mut pieces, mut response) = (String::new(), String::new(), 0, None);
    while let Some(event) = stream.next().await {
        match event.unwrap() {
            AgentEvent::TextDelta { text } => {
                said += &text;
                pieces += 1;
            }
            AgentEvent::ToolUseDelta { input, .. } => arguments += &input,
            AgentEvent::Result { response: last } => response = Some(last),
            _ => {}
        }
    }
    drop(stream);
    let input = json!({"city": "Paris", "options": {"units": "C", "days": 2}});
    assert_eq!(*inputs.lock().unwrap(), std::slice::from_ref(&input));
    assert_eq!(serde_json::from_str::<Value>(&arguments).unwrap(), input, "arguments are streamed");
    assert_eq!(said, format!("Let me look that up.{ANSWER}"));
    assert!(pieces >= 3, "text is streamed: {pieces} pieces");
    let response = response.unwrap();
    assert_eq!(response.text(), ANSWER);
    assert_eq!((response.stop_reason, response.turns), (StopReason::EndTurn, 2));
    let usage = (response.usage.input_tokens, response.usage.output_tokens, response.usage.total_tokens);
    assert_eq!(usage, if surface.without_usage { (0, 0, 0) } else { (124, 36, 160) });
    assert_eq!(agent.messages().len(), 4, "{:?}", agent.messages());
}

async fn runs_two_calls_of_one_response(model: Arc<dyn Model>) {
    let (mut agent, inputs) = agent(model).await;
    let response = agent.prompt("Use two tools.").await.unwrap();
    assert_eq!(response.text(), "Oslo and Rome are both fine.");
    let mut cities: Vec<_> = inputs.lock().unwrap().iter().map(|input| input["city"].to_string()).collect();
    cities.sort();
    assert_eq!(cities, ["\"Oslo\"", "\"Rome\""]);
    assert_eq!(agent.messages().len(), 4, "both results are in one message: {:?}", agent.messages());
}

async fn reads_limits_reasoning_and_cut_responses(model: &dyn Model, surface: Surface) {
    let cut = turn(model, ModelRequest::new(&ask("hit the limit"))).await.unwrap();
    assert_eq!(cut.message.text(), "This answer stops because of max tok");
    assert_eq!(cut.stop_reason, if surface.without_limits { StopReason::EndTurn } else { StopReason::MaxTokens });

    let (received, error) = events(model, ModelRequest::new(&ask("think hard"))).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(text(&received), "Forty-two.");
    let reasoning = if surface.without_reasoning { "" } else { "First I consider the question. Then I answer." };
    assert_eq!(reasoning_text(&received), reasoning);

    // The connection closes in the middle.
    let (received, error) = events(model, ModelRequest::new(&ask("cut me off"))).await;
    assert!(
        "This long answer is going to be interrupted somewhere in the middle".starts_with(&text(&received)),
        "{received:?}"
    );
    assert!(!received.is_empty());
    let error = error.expect("a cut response is an error");
    assert_eq!(kind(&error), "transport", "{error:?}");
    assert!(error.is_retryable());
}

async fn classifies_error_responses(model: &dyn Model) {
    let refused = async |question: &str| turn(model, ModelRequest::new(&ask(question))).await.unwrap_err();
    let error = refused("always 429").await;
    assert_eq!(kind(&error), "throttled", "{error:?}");
    assert_eq!(error.retry_after(), Some(Duration::from_secs(1)));
    let error = refused("server error").await;
    assert_eq!(kind(&error), "overloaded", "{error:?}");
    let error = refused("context overflow").await;
    assert_eq!(kind(&error), "context overflow", "{error:?}");
}

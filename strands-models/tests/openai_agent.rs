//! A whole agent over both protocols: the tool runs, thoughts survive it, a failing server costs nothing of the history,
//! and the conversation moves between the protocols.
#![cfg(feature = "openai")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "what fails here fails the test")]

mod loopback;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use loopback::{Api, BOTH, fine, sse};
use serde_json::{Value, json};
use strands_core::model::{Model, StopReason};
use strands_core::{Agent, AgentEvent, RetryPolicy, Tool, ToolContext, ToolError, ToolOutput, ToolSpec};
use strands_testkit::{Cut, Response, Server, Splits};

struct GetWeather(ToolSpec);

impl Tool for GetWeather {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    fn call<'a>(&'a self, _: &'a ToolContext, input: Value) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        Box::pin(async move { Ok(ToolOutput::text(format!("{} is sunny", input["city"]))) })
    }
}

async fn agent(model: Arc<dyn Model>) -> Agent {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let tool = GetWeather(ToolSpec::new("get_weather", "The weather in a city.", schema));
    let retry = RetryPolicy::new().max_attempts(3).initial_delay(Duration::from_millis(1));
    Agent::builder().model(model).tool(tool).retry(retry).build().await.unwrap()
}

/// An answer that thinks and then asks for the weather.
fn calls_tool(api: Api) -> String {
    match api {
        Api::Chat => {
            let call = |function| json!({"tool_calls": [{"index": 0, "id": "t-1", "function": function}]});
            let chunk = |delta| json!({"choices": [{"index": 0, "delta": delta}]});
            sse([
                &chunk(json!({"reasoning_content": "hm"})),
                &chunk(call(json!({"name": "get_weather", "arguments": ""}))),
                &chunk(call(json!({"arguments": "{\"city\":\"Oslo\"}"}))),
                &json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}),
                &json!({"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}}),
            ]) + "data: [DONE]\n\n"
        }
        Api::Responses => {
            let thought = json!({"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "xyz"});
            let call = json!({"type": "function_call", "call_id": "t-1", "name": "get_weather", "arguments": "{\"city\":\"Oslo\"}"});
            let usage = json!({"input_tokens": 10, "output_tokens": 5, "total_tokens": 15});
            sse([
                &json!({"type": "response.output_item.done", "output_index": 0, "item": thought}),
                &json!({"type": "response.output_item.done", "output_index": 1, "item": call}),
                &json!({"type": "response.completed", "response": {"status": "completed", "usage": usage}}),
            ])
        }
    }
}

#[tokio::test]
async fn a_tool_turn_over_a_failing_server() {
    for api in BOTH {
        let stream = calls_tool(api);
        let server = Server::sequence([
            Response::json(429, &json!({"error": {"message": "slow down"}})).header("retry-after", "0"),
            Response::json(503, &json!({"error": {"message": "busy"}})),
            Response::sse(stream.clone()).splits(Splits::Every(7)),
            Response::sse(stream.clone()).cut_at(stream.len() / 2, Cut::Close),
            fine(api),
        ])
        .await;
        let mut agent = agent(api.model(&server.url())).await;
        let mut invocation = agent.prompt("Weather in Oslo?").stream();
        let (mut response, mut retries) = (None, 0);
        while let Some(event) = invocation.next().await {
            match event.unwrap() {
                AgentEvent::Retry { .. } => retries += 1,
                AgentEvent::Result { response: last } => response = Some(last),
                _ => {}
            }
        }
        assert_eq!(retries, 3);
        drop(invocation);
        let response = response.unwrap();
        assert_eq!(response.text(), "fine.");
        assert_eq!(response.stop_reason, StopReason::EndTurn);
        assert!(response.metrics.accumulated_usage().input_tokens >= 10);
        assert_eq!(agent.messages().len(), 4, "{api:?}: {:?}", agent.messages());
        let requests = server.requests();
        assert_eq!(requests.len(), 5);
        assert_eq!(requests[3].body, requests[4].body, "the same is asked again");
        assert_eq!(requests[0].body, requests[2].body);
        let sent = requests[4].json();
        match api {
            Api::Chat => {
                let said = sent["messages"].as_array().unwrap();
                assert_eq!(said[2], json!({"role": "tool", "tool_call_id": "t-1", "content": "\"Oslo\" is sunny"}));
            }
            Api::Responses => {
                let types: Vec<_> =
                    sent["input"].as_array().unwrap().iter().map(|item| item["type"].as_str()).collect();
                let expected = [None, Some("reasoning"), Some("function_call"), Some("function_call_output")];
                assert_eq!(types, expected);
                assert_eq!(sent["input"][1]["encrypted_content"], "xyz");
            }
        }
    }
}

#[tokio::test]
async fn a_conversation_moves_from_one_protocol_to_the_other() {
    for (from, to) in [(Api::Chat, Api::Responses), (Api::Responses, Api::Chat)] {
        let server = Server::sequence([Response::sse(calls_tool(from)), fine(from), fine(to)]).await;
        let mut first = agent(from.model(&server.url())).await;
        first.prompt("Weather in Oslo?").await.unwrap();
        let history: Vec<_> = first.messages().iter().map(|message| (**message).clone()).collect();
        let mut second = Agent::builder().model(to.model(&server.url())).messages(history).build().await.unwrap();
        assert_eq!(second.prompt("And tomorrow?").await.unwrap().text(), "fine.");
        let sent = server.requests()[2].json();
        let list = sent.get("messages").or(sent.get("input")).unwrap().as_array().unwrap();
        let has = |field: &str| list.iter().filter(|item| item.get(field).is_some()).count();
        match to {
            Api::Chat => assert_eq!((has("tool_calls"), has("tool_call_id")), (1, 1)),
            Api::Responses => assert_eq!(has("call_id"), 2),
        }
        let foreign = sent.to_string();
        assert!(!foreign.contains("xyz") && !foreign.contains("hm"), "thoughts of the other stay behind: {foreign}");
    }
}

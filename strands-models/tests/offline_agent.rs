//! The offline model with an agent: tools run, results arrive, the conversation stays valid.
#![cfg(feature = "offline")]

use futures_util::StreamExt;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use strands_core::async_trait;
use strands_core::models::StopReason;
use strands_core::testing::contract::check_model;
use strands_core::{Agent, AgentEvent, BuildError, Tool, ToolContext, ToolError, ToolOutput, ToolSpec};
use strands_models::OfflineModel;
use strands_models::offline::OfflineStep;

/// A tool that calls a function with its arguments.
struct Plain(ToolSpec, fn(&Value) -> Result<Value, &'static str>);

#[async_trait]
impl Tool for Plain {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    async fn call(&self, _ctx: &ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        (self.1)(&input).map(ToolOutput::json).map_err(ToolError::new)
    }
}

fn get_weather() -> Plain {
    let schema = json!({
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 0, "maximum": 10, "default": 0}},
        "required": ["city"],
        "additionalProperties": false,
    });
    Plain(ToolSpec::new("get_weather", "The weather in a city.", schema), |input| match input["city"].as_str() {
        Some("Atlantis") => Err("Atlantis is under water"),
        city => Ok(json!({"city": city, "celsius": 12, "days": input["days"]})),
    })
}

fn book_hotel() -> Plain {
    let schema = json!({
        "type": "object",
        "properties": {"city": {"type": "string"}, "nights": {"type": "integer", "minimum": 1}},
        "required": ["city", "nights"],
    });
    Plain(ToolSpec::new("book_hotel", "Books a hotel room.", schema), |input| {
        Ok(json!({"city": input["city"], "nights": input["nights"], "code": "H7"}))
    })
}

async fn agent(model: OfflineModel) -> Result<Agent, BuildError> {
    Agent::builder().model(model).tools([get_weather(), book_hotel()]).build().await
}

#[tokio::test]
async fn responds_after_a_tool_call() {
    let mut agent = agent(OfflineModel::new()).await.expect("an agent");
    let response = agent.prompt("What's the weather in New York for 3 days?").await.expect("a response");
    assert_eq!(response.text(), "get_weather:\n- city: New York\n- celsius: 12\n- days: 3");
    assert_eq!((response.stop_reason, response.turns), (StopReason::EndTurn, 2));
    assert!(response.usage.input_tokens > 0 && response.usage.output_tokens > 0);
    assert_eq!(agent.messages().len(), 4);

    let response = agent.prompt("Book a hotel in Oslo for 2 nights").await.expect("a response");
    assert_eq!(response.text(), "book_hotel:\n- city: Oslo\n- nights: 2\n- code: H7");
}

#[tokio::test]
async fn reports_a_failing_tool() {
    let mut agent = agent(OfflineModel::new()).await.expect("an agent");
    let response = agent.prompt("the weather in Atlantis").await.expect("a response");
    assert!(response.text().starts_with("get_weather failed:"), "{}", response.text());
    assert!(response.text().contains("under water"), "{}", response.text());
}

#[tokio::test]
async fn streams_text_and_arguments() {
    let mut agent = agent(OfflineModel::new()).await.expect("an agent");
    let events: Vec<AgentEvent> =
        agent.prompt("weather in Oslo").stream().map(|event| event.expect("an event")).collect().await;
    let input: String = events
        .iter()
        .filter_map(|event| match event {
            AgentEvent::ToolUseDelta { input, .. } => Some(input.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(input, r#"{"city":"Oslo"}"#);
    let words = events.iter().filter(|event| matches!(event, AgentEvent::TextDelta { .. })).count();
    assert!(words > 3, "{words}");
    assert!(matches!(events.last(), Some(AgentEvent::Result { .. })));
}

#[tokio::test]
async fn a_planner_calls_several_tools_in_one_prompt() {
    let model = OfflineModel::builder()
        .planner(|turn| {
            let city = turn.user_text().strip_prefix("Trip to ")?;
            let Some(weather) = turn.result("get_weather") else {
                return Some(OfflineStep::call("get_weather", json!({"city": city})).with_text("I look outside."));
            };
            let nights = if weather.json()?["celsius"].as_i64()? > 10 { 4 } else { 1 };
            Some(match turn.result("book_hotel") {
                None => OfflineStep::call("book_hotel", json!({"city": city, "nights": nights})),
                Some(booked) => OfflineStep::respond(format!("Booked: {}", booked.json()?["code"].as_str()?)),
            })
        })
        .build();
    let mut agent = agent(model).await.expect("an agent");
    let response = agent.prompt("Trip to Rome").await.expect("a response");
    assert_eq!((response.text().as_str(), response.turns), ("Booked: H7", 3));
    let booked = agent.messages().iter().flat_map(|message| message.tool_uses()).last().expect("a call");
    assert_eq!(booked.input, json!({"city": "Rome", "nights": 4}));
    // Prompts that the planner does not handle are left to the rules.
    assert!(agent.prompt("weather in Oslo").await.expect("a response").text().contains("Oslo"));
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
struct Stay {
    city: String,
    nights: u8,
    board: Board,
    summary: String,
    remarks: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Board {
    None,
    Breakfast,
}

#[tokio::test]
async fn builds_structured_output_from_the_prompt_and_tool_results() {
    let mut agent = agent(OfflineModel::new()).await.expect("an agent");
    let prompt = "Book a hotel in Oslo for 2 nights with breakfast";
    let stay = agent.prompt(prompt).output::<Stay>().await.expect("a response").into_output().expect("an output");
    assert_eq!((stay.city.as_str(), stay.nights, &stay.board, &stay.remarks), ("Oslo", 2, &Board::Breakfast, &None));
    assert!(stay.summary.contains("H7"), "{stay:?}");
}

#[tokio::test]
async fn keeps_the_contract() {
    check_model(&OfflineModel::new()).await.expect("the contract of models");
}

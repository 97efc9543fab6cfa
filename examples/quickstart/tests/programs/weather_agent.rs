//! Tests of a program with an agent: a scripted model returns the responses that the test needs, and records the requests.
//! The tools, the loop and the history are the real ones.

use strands::models::StopReason;
use strands::serde_json::json;
use strands::testing::{ScriptedModel, ScriptedTurn, ToolContextBuilder};
use strands::{Agent, BuildError, Tool, tool, tools};

/// The source of the temperatures.
struct Station {
    celsius: i32,
}

/// The temperature in a city, in degrees Celsius.
#[tool]
fn get_temperature(
    /// City name.
    city: String,
    station: &Station,
) -> Result<i32, String> {
    match city.as_str() {
        "Oslo" => Ok(station.celsius),
        _ => Err(format!("no station in {city}")),
    }
}

async fn weather_agent(model: ScriptedModel) -> Result<Agent, BuildError> {
    Agent::builder().model(model).tools(tools![GetTemperature]).inject(Station { celsius: -4 }).build().await
}

#[test]
fn get_temperature_returns_the_stations_temperature() {
    let station = Station { celsius: 21 };
    assert_eq!(get_temperature("Oslo".to_owned(), &station), Ok(21));
    assert!(get_temperature("Atlantis".to_owned(), &station).is_err());
}

#[tokio::test]
async fn tool_accepts_json_arguments() -> anyhow::Result<()> {
    let ctx = ToolContextBuilder::new("get_temperature").inject(Station { celsius: 21 }).build();
    let output = GetTemperature.call(&ctx, json!({"city": "Oslo"})).await?;
    assert_eq!(output.content(), [json!(21).into()]);
    assert!(GetTemperature.call(&ctx, json!({"town": "Oslo"})).await.is_err());
    Ok(())
}

#[tokio::test]
async fn agent_sends_the_tool_result_to_the_model() -> anyhow::Result<()> {
    let model = ScriptedModel::new([
        ScriptedTurn::tool_use("get_temperature", json!({"city": "Oslo"})),
        ScriptedTurn::text("Minus four."),
    ]);
    let mut agent = weather_agent(model.clone()).await?;

    let response = agent.prompt("How cold is it in Oslo?").await?;

    assert_eq!(response.text(), "Minus four.");
    assert_eq!((response.stop_reason, response.turns), (StopReason::EndTurn, 2));
    let requests = model.requests();
    assert_eq!(requests[0].tools, ["get_temperature"]);
    let results: Vec<_> = requests[1].messages.iter().flat_map(|message| message.tool_results()).collect();
    assert_eq!(results.len(), 1);
    assert_eq!(results[0].content, [json!(-4).into()]);
    Ok(())
}

#[tokio::test]
async fn agent_sends_tool_errors_to_the_model() -> anyhow::Result<()> {
    let model = ScriptedModel::new([
        ScriptedTurn::tool_uses([
            ("get_temperature", json!({"town": "Oslo"})),
            ("get_temperature", json!({"city": "Atlantis"})),
        ]),
        ScriptedTurn::text("I could not find out."),
    ]);
    let mut agent = weather_agent(model.clone()).await?;

    agent.prompt("How cold is it?").await?;

    let requests = model.requests();
    let results: Vec<_> = requests[1].messages.iter().flat_map(|message| message.tool_results()).collect();
    assert_eq!(results.len(), 2);
    assert!(results.iter().all(|result| result.is_error()));
    Ok(())
}

//! A program that `.ci/packages.py` builds against the packaged crates: a tool, a model of each crate and a session.

use strands::models::{AnthropicModel, BedrockModel, OfflineModel};
use strands::session::FileSessionManager;
use strands::{Agent, tool, tools};

/// The current temperature in a city, in degrees Celsius.
#[tool]
async fn get_weather(
    /// City name, e.g. "Oslo".
    city: String,
) -> Result<f32, String> {
    Err(format!("there is no station in {city}"))
}

pub async fn prompt() -> Result<(), Box<dyn std::error::Error>> {
    let _ = BedrockModel::builder().build().await?;
    let _ = AnthropicModel::builder().build()?;
    let session = FileSessionManager::builder("packaged").build().await?;
    let mut agent =
        Agent::builder().model(OfflineModel::new()).tools(tools![GetWeather]).session_manager(session).build().await?;
    println!("{}", agent.prompt("How is the weather in Oslo?").await?.text());
    Ok(())
}

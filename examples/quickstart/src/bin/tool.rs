//! A function as a tool: its doc comments become the description for the model, its arguments become a JSON schema, and its
//! return value becomes the tool result.
//!
//! ```text
//! $ cargo run -p quickstart --bin tool
//! > What is the forecast for New York 3 days ahead?
//! get_forecast:
//! - city: New York
//! - days_ahead: 3
//! - sky: partly cloudy
//! - celsius: 17
//!
//! > And the forecast for Atlantis?
//! get_forecast failed: there are no forecasts under water
//!
//! 21 degrees in Lima
//! ```

use serde::Serialize;
use strands::{Agent, tool, tools};

/// A result of a tool is any type that implements `Serialize`.
#[derive(Serialize)]
struct Forecast {
    city: String,
    days_ahead: u8,
    sky: &'static str,
    celsius: i8,
}

/// The weather forecast for a city.
#[tool]
fn get_forecast(
    /// City name, e.g. "Oslo".
    city: String,
    /// Days ahead; 0 is today.
    #[arg(default = 0, range = 0..=10)]
    days_ahead: u8,
) -> Result<Forecast, String> {
    if city == "Atlantis" {
        // The model gets the error, and can tell the user or try something else.
        return Err("there are no forecasts under water".to_owned());
    }
    let celsius = if days_ahead == 0 { 21 } else { 17 };
    Ok(Forecast { city, days_ahead, sky: "partly cloudy", celsius })
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut agent = Agent::builder()
        .model(quickstart::model().await?)
        .system_prompt("You are a weather service. Reply in one sentence.")
        .tools(tools![GetForecast])
        .build()
        .await?;

    for question in ["What is the forecast for New York 3 days ahead?", "And the forecast for Atlantis?"] {
        println!("> {question}");
        println!("{}\n", agent.prompt(question).await?.text());
    }

    // `get_forecast` is still an ordinary function.
    println!("{} degrees in Lima", get_forecast("Lima".to_owned(), 0).map_err(anyhow::Error::msg)?.celsius);
    Ok(())
}

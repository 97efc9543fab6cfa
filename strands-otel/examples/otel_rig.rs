//! Agent for `.ci/otel`: exports what it did to the collector of the `OTEL_*` variables, and prints its response and the state of its
//! booking system as JSON.
//!
//!     cargo run -p strands-otel --example otel_rig -- weather|trip|wrong-order

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use strands::metrics::Usage;
use strands::serde_json::{Value, json};
use strands::telemetry::{AgentTelemetry, TraceAttributes, init};
use strands::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands::{Agent, ToolError, tool, tools};

/// Booking system of the example: flights that were found, and those that are booked.
#[derive(Default)]
struct Flights {
    found: Mutex<Vec<u32>>,
    booked: Mutex<Vec<u32>>,
}

fn locked(flights: &Mutex<Vec<u32>>) -> Result<MutexGuard<'_, Vec<u32>>, ToolError> {
    flights.lock().map_err(|_| ToolError::new("the booking system is not available"))
}

/// Get weather.
#[tool]
fn get_weather(
    /// city
    city: String,
) -> String {
    format!("21C in {city}")
}

/// Searches flights.
#[tool]
fn search_flights(
    /// destination
    to: String,
    flights: &Flights,
) -> Result<String, ToolError> {
    locked(&flights.found)?.push(7);
    Ok(format!("flight 7 to {to}"))
}

/// Books a flight that was found.
#[tool]
fn book_flight(
    /// number of the flight
    number: u32,
    flights: &Flights,
) -> Result<String, ToolError> {
    if !locked(&flights.found)?.contains(&number) {
        return Err(ToolError::new(format!("flight {number} was not found")));
    }
    locked(&flights.booked)?.push(number);
    Ok(format!("booked flight {number}"))
}

fn turns(scenario: &str) -> Vec<ScriptedTurn> {
    let call = |name: &str, input: Value, usage| ScriptedTurn::tool_use(name, input).with_usage(usage);
    let search = || call("search_flights", json!({"to": "Oslo"}), Usage::new(11, 3));
    let book = || call("book_flight", json!({"number": 7}), Usage::new(17, 4));
    match scenario {
        "trip" => vec![search(), book(), ScriptedTurn::text("Flight 7 to Oslo is booked.")],
        "wrong-order" => vec![book(), search(), ScriptedTurn::text("There is a flight 7.")],
        _ => vec![
            call("get_weather", json!({"city": "Paris"}), Usage::new(10, 5)),
            ScriptedTurn::text("It is 21 degrees and sunny in Paris.").with_usage(Usage::new(30, 9)),
        ],
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let scenario = std::env::args().nth(1).unwrap_or_default();
    let telemetry = init()?;
    let flights = Arc::new(Flights::default());
    let mut agent = Agent::builder()
        .name("weather-agent")
        .model(ScriptedModel::new(turns(&scenario)))
        .system_prompt("be brief")
        .tools(tools![GetWeather, SearchFlights, BookFlight])
        .inject(Arc::clone(&flights))
        .session_manager(InMemorySessionManager::new("s-1"))
        .hook(AgentTelemetry::new())
        .build()
        .await?;
    let attributes = TraceAttributes::new().user_id("u-1");
    let response = agent.prompt("script:tool what is the weather?").inject(attributes).await?;
    let booked = locked(&flights.booked)?.clone();
    #[expect(clippy::print_stdout, reason = "the output of the program")]
    {
        println!("{}", json!({"output": response.text(), "booked": booked}));
    }
    telemetry.shutdown(Duration::from_secs(10)).await?;
    Ok(())
}

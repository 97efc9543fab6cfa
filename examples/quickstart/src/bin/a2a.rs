//! Agents over the network, with the Agent2Agent protocol (A2A): a server offers an agent, and a client prompts it or gives it to
//! an agent as a tool. Here both are in one process; they can be programs of different companies, in different languages.
//!
//! ```text
//! $ cargo run -p quickstart --features a2a --bin a2a
//! connected to weather: Knows the weather in all cities.
//! > How is the weather in Oslo?
//! get_weather: sunny in Oslo
//! > What is the weather in Lima?
//! weather: get_weather: sunny in Lima
//! ```

use std::time::Duration;

use strands::a2a::{A2aAgent, A2aServer};
use strands::{Agent, Promptable, tool, tools};
use tokio::net::TcpListener;

/// The current weather in a city.
#[tool(read_only)]
fn get_weather(city: String) -> String {
    format!("sunny in {city}")
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let model = quickstart::model().await?;

    // The server. The template builds an agent for each task; its name and description are in the agent card.
    let template = Agent::builder()
        .model(model.clone())
        .name("weather")
        .description("Knows the weather in all cities.")
        .tools(tools![GetWeather]);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let server = A2aServer::builder(template, &url).tool_skills(tools![GetWeather]).build()?;
    let routes = server.router();
    tokio::spawn(async move { axum::serve(listener, routes).await });

    // The client reads the agent card below the URL. Each prompt is a conversation of its own.
    let weather = A2aAgent::connect(&url).await?;
    println!("connected to {}: {}", weather.name(), weather.description());
    let question = "How is the weather in Oslo?";
    println!("> {question}\n{}", weather.respond(question.into()).await?.text());

    // The same agent as a tool.
    let mut planner = Agent::builder().model(model).tools(tools![weather]).build().await?;
    let question = "What is the weather in Lima?";
    println!("> {question}\n{}", planner.prompt(question).await?.text());

    server.shutdown(Duration::from_secs(5)).await;
    Ok(())
}

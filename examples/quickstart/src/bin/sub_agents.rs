//! Agents as tools: a coordinator calls specialists, and decides by their descriptions. Each call builds an agent from its
//! template. Its usage counts toward the coordinator's, and it is cancelled with the coordinator's prompt.
//!
//! ```text
//! $ cargo run -p quickstart --bin sub_agents
//! > How many people live in Oslo?
//! [geography {"input":"How many people live in Oslo?"}]
//! geography: get_population: 717710
//! model calls of both: 4
//!
//! > In which year was Oslo founded?
//! [history {"input":"In which year was Oslo founded?"}]
//! history: get_founding_year: 1048
//! model calls of both: 4
//! ```

use strands::{Agent, AgentEvent, StreamExt, tool, tools};

/// The number of people who live in a city.
#[tool]
fn get_population(city: String) -> Result<u32, String> {
    match city.as_str() {
        "Oslo" => Ok(717_710),
        _ => Err(format!("no numbers about {city}")),
    }
}

/// The year in which a city was founded.
#[tool]
fn get_founding_year(city: String) -> Result<u16, String> {
    match city.as_str() {
        "Oslo" => Ok(1048),
        _ => Err(format!("no sources about {city}")),
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let model = quickstart::model().await?;
    let geography = Agent::builder()
        .model(model.clone())
        .name("geography")
        .description("Knows how many people live in the cities of the world.")
        .system_prompt("Reply with a number.")
        .tools(tools![GetPopulation]);
    let history = Agent::builder()
        .model(model.clone())
        .name("history")
        .description("Knows in which year a city was founded.")
        .system_prompt("Reply with a year.")
        .tools(tools![GetFoundingYear]);

    // A template in `tools!` is a tool with the name and the description of the agent.
    let mut coordinator = Agent::builder().model(model).tools(tools![geography, history]).build().await?;

    for question in ["How many people live in Oslo?", "In which year was Oslo founded?"] {
        println!("> {question}");
        let mut events = coordinator.prompt(question).stream();
        while let Some(event) = events.next().await {
            match event? {
                AgentEvent::ToolStart { tool_use } => println!("[{} {}]", tool_use.name, tool_use.input),
                AgentEvent::Result { response } => {
                    println!("{}\nmodel calls of both: {}\n", response.text(), response.turns);
                }
                // The events of the specialists are here, too, as `AgentEvent::Node`.
                _ => {}
            }
        }
    }
    Ok(())
}

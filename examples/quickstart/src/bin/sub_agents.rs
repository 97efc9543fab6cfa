//! Agents as tools: a coordinator calls specialists. Each call builds an agent from a template. Its usage counts toward the
//! coordinator's, and it is cancelled with the coordinator's prompt.
//!
//! ```text
//! $ cargo run -p quickstart --bin sub_agents
//! > Ask the specialist: "Get the population of Oslo"
//! ask_specialist: get_population: 717710
//! model calls of both: 4
//! ```

use std::collections::BTreeMap;

use strands::{Agent, AgentBuilder, ToolError, tool, tools};

/// The number of inhabitants of a city.
#[tool]
fn get_population(city: String) -> Result<u32, String> {
    match city.as_str() {
        "Oslo" => Ok(717_710),
        _ => Err(format!("no numbers about {city}")),
    }
}

/// Templates of the specialists, by their subjects.
struct Specialists(BTreeMap<&'static str, AgentBuilder>);

/// Asks a specialist.
#[tool]
async fn ask_specialist(
    /// The subject.
    #[arg(default = "geography")]
    subject: String,
    /// The question, with everything that the specialist has to know.
    question: String,
    specialists: &Specialists,
) -> Result<String, ToolError> {
    let known = || specialists.0.keys().copied().collect::<Vec<_>>().join(", ");
    let template = specialists
        .0
        .get(&*subject)
        .ok_or_else(|| ToolError::new(format!("unknown subject; known subjects: {}", known())))?;
    let mut specialist = template.clone().build().await.map_err(ToolError::from_source)?;
    let response = specialist.prompt(question).await.map_err(ToolError::from_source)?;
    Ok(response.text())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let model = quickstart::model().await?;
    let geography = Agent::builder()
        .model(model.clone())
        .name("geography")
        .system_prompt("You know the cities of the world. Reply with a number.")
        .tools(tools![GetPopulation]);
    let mut coordinator = Agent::builder()
        .model(model)
        .name("coordinator")
        .tools(tools![AskSpecialist])
        .inject(Specialists(BTreeMap::from([("geography", geography)])))
        .build()
        .await?;

    let prompt = r#"Ask the specialist: "Get the population of Oslo""#;
    let response = coordinator.prompt(prompt).await?;
    println!("> {prompt}\n{}\nmodel calls of both: {}", response.text(), response.turns);
    Ok(())
}

//! Streaming: the text of the response as it arrives, and a line for each tool call.
//!
//! ```text
//! $ cargo run -p quickstart --bin streaming
//! [roll_dice {"dice":5}]
//! [roll_dice ended with success]
//! roll_dice: 2, 5, 4, 5, 2
//! [2 model calls]
//! ```

use std::io::{self, Write};

use strands::{Agent, AgentEvent, StreamExt, tool, tools};

/// Rolls dice.
#[tool]
fn roll_dice(
    /// Number of dice.
    #[arg(range = 1..=12)]
    dice: u8,
) -> Vec<u8> {
    // Deterministic, so that the output is the one above.
    (1..=dice).map(|die| die * die % 6 + 1).collect()
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let model = quickstart::model().await?;
    let mut agent = Agent::builder().model(model).tools(tools![RollDice]).build().await?;

    let mut events = agent.prompt("Roll 5 dice, please.").stream();
    while let Some(event) = events.next().await {
        match event? {
            AgentEvent::TextDelta { text } => {
                print!("{text}");
                io::stdout().flush()?;
            }
            AgentEvent::ToolStart { tool_use } => println!("[{} {}]", tool_use.name, tool_use.input),
            AgentEvent::ToolEnd { tool_use, result, .. } => {
                println!("[{} ended with {}]", tool_use.name, result.status);
            }
            AgentEvent::Result { response } => println!("\n[{} model calls]", response.turns),
            _ => {}
        }
    }
    Ok(())
}

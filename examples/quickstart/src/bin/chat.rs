//! A conversation in the terminal: each line is a prompt, and the response is streamed. The agent keeps the history.
//!
//! ```text
//! $ printf 'Hello!\nRoll 3 dice, please.\n' | cargo run -p quickstart --bin chat
//! > I am the offline model: no language model, just rules that pick a tool by your words. I can call:
//! - roll_dice: Rolls dice.
//! > [roll_dice] roll_dice: 2, 5, 4
//! > 6 messages, 3 model calls
//! ```

use std::io::{self, BufRead, Write};

use strands::{Agent, AgentEvent, StreamExt, tool, tools};

/// Rolls dice.
#[tool]
fn roll_dice(
    /// Number of dice.
    #[arg(range = 1..=12)]
    dice: u8,
) -> Vec<u8> {
    (1..=dice).map(|die| die * die % 6 + 1).collect()
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let model = quickstart::model().await?;
    let mut agent = Agent::builder().model(model).tools(tools![RollDice]).build().await?;

    let mut lines = io::stdin().lock().lines();
    let mut model_calls = 0;
    loop {
        print!("> ");
        io::stdout().flush()?;
        // Ctrl-D ends the conversation.
        let Some(line) = lines.next().transpose()? else { break };
        if line.trim().is_empty() {
            continue;
        }
        let mut events = agent.prompt(line).stream();
        while let Some(event) = events.next().await {
            match event {
                Ok(AgentEvent::TextDelta { text }) => {
                    print!("{text}");
                    io::stdout().flush()?;
                }
                Ok(AgentEvent::ToolStart { tool_use }) => print!("[{}] ", tool_use.name),
                Ok(AgentEvent::Result { response }) => {
                    model_calls += response.turns;
                    println!();
                }
                Ok(_) => {}
                // A failed prompt is not part of the conversation, which can continue.
                Err(error) => println!("{error}"),
            }
        }
    }
    println!("{} messages, {model_calls} model calls", agent.messages().len());
    Ok(())
}

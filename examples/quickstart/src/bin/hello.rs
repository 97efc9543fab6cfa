//! An agent in ten lines.
//!
//! ```text
//! $ cargo run -p quickstart --bin hello
//! I am the offline model: no language model, just rules that pick a tool by your words. I have no tools here, so all I can do is say so.
//! 39 tokens, stopped with end_turn
//! ```

use strands::Agent;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut agent = Agent::builder().model(quickstart::model().await?).build().await?;
    let response = agent.prompt("Hello! Who are you?").await?;
    println!("{}", response.text());
    println!("{} tokens, stopped with {}", response.usage.total_tokens, response.stop_reason);
    Ok(())
}

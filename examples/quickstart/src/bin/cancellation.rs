//! Cancellation of an agent: from outside with a token, and by limits. In both cases the history stays valid, and the next
//! prompt continues the conversation.
//!
//! ```text
//! $ cargo run -p quickstart --bin cancellation
//! cancelled: stopped with `cancelled`
//! limited: stopped with `limit_duration`
//! then: stopped with `end_turn`, 6 messages in the history
//! ```

use std::time::Duration;

use strands::{Agent, CancellationToken, Limits, tool, tools};

/// Crawls a site, which takes an hour.
#[tool]
async fn crawl(
    /// Host to crawl.
    site: String,
) -> String {
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    format!("crawled {site}")
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut agent = Agent::builder().model(quickstart::model().await?).tools(tools![Crawl]).build().await?;

    // A token is cancelled from elsewhere: a Ctrl-C handler, a closed connection, or here a timer.
    let token = CancellationToken::new();
    let timer = token.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        timer.cancel();
    });
    let response = agent.prompt("Crawl the site example.org").cancel_with(token).await?;
    println!("cancelled: stopped with `{}`", response.stop_reason);

    let limits = Limits::new().duration(Duration::from_millis(200));
    let response = agent.prompt("Crawl the site example.com").limits(limits).await?;
    println!("limited: stopped with `{}`", response.stop_reason);

    // Both tool calls have an error result, so the conversation can continue.
    let response = agent.prompt("Hello again!").await?;
    println!("then: stopped with `{}`, {} messages in the history", response.stop_reason, agent.messages().len());
    Ok(())
}

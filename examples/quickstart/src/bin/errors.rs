//! Errors of a provider: a program handles a retryable one, and `main` prints another. Error messages contain neither API
//! keys nor text of the conversation.
//!
//! ```text
//! $ cargo run -p quickstart --bin errors
//! try again in 30s
//! Error: the model call failed after 1 attempt: the model provider rejected the credentials (status 401); check the key, its permissions and the region; the provider says: Incorrect API key provided: [scrubbed]
//! ```

use std::time::Duration;

use strands::models::{ErrorDetails, ModelError};
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{Agent, AgentError, RetryPolicy};

/// A provider that is throttled, and then rejects the API key.
fn provider() -> ScriptedModel {
    let busy = ErrorDetails::new().with_status(429);
    let wrong_key = ErrorDetails::new()
        .with_status(401)
        .with_body(r#"{"error": {"message": "Incorrect API key provided: sk-12**ab"}}"#);
    ScriptedModel::new([
        ScriptedTurn::error(ModelError::Throttled {
            retry_after: Some(Duration::from_secs(30)),
            details: busy.boxed(),
        }),
        ScriptedTurn::error(ModelError::Authentication { details: wrong_key.boxed() }),
    ])
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Without the default retries of an agent.
    let mut agent = Agent::builder().model(provider()).retry(RetryPolicy::never()).build().await?;

    match agent.prompt("Hello!").await {
        Err(AgentError::Model { source, .. }) if source.is_retryable() => {
            println!("try again in {:?}", source.retry_after().unwrap_or_default());
        }
        ended => drop(ended?),
    }
    // The failed prompt is not part of the conversation.
    agent.prompt("Hello again!").await?;
    Ok(())
}

//! A durable function whose agent books a trip after an approval. On Lambda it serves executions; anywhere else it runs one
//! in this process:
//!
//! ```text
//! cargo run -p strands-durable --features lambda --example approved_booking
//! ```
#![allow(clippy::print_stdout, reason = "it shows what happens")]

use std::sync::Arc;
use std::time::Duration;

use strands::durable::Answers;
use strands::durable::lambda::sdk::test_util::LocalRunner;
use strands::durable::lambda::sdk::{BoxError, lambda_runtime};
use strands::durable::lambda::{ApprovalRequest, DurableAgent, ExecutionRequest, ExecutionResult};
use strands::serde_json::{self, json};
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{Agent, tool};

/// Books a trip.
#[tool(approval)]
fn book(city: String) -> String {
    format!("A trip to {city} is booked.")
}

/// Sends the request to the people who approve: by a queue, a chat, or a mail.
async fn request_approval(request: ApprovalRequest) -> Result<(), serde_json::Error> {
    println!("approve? {}", serde_json::to_string_pretty(&request.interrupts)?);
    Ok(())
}

fn agent() -> DurableAgent {
    // In place of a model of a provider.
    let model = ScriptedModel::from_fn(|request| match request.messages.len() {
        1 => ScriptedTurn::tool_use("book", json!({"city": "Oslo"})),
        _ => ScriptedTurn::text("Enjoy Oslo!"),
    });
    let template = Agent::builder().model(model).system_prompt("You book trips.").tool(Book);
    DurableAgent::new(template).approver(request_approval).approval_timeout(Duration::from_secs(7 * 24 * 3600))
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some() {
        lambda_runtime::tracing::init_default_subscriber();
        return agent().run().await;
    }
    let agent = Arc::new(agent());
    let handler = move |event, context| {
        let agent = Arc::clone(&agent);
        async move { agent.turn(event, context).await }
    };
    let event = serde_json::to_value(ExecutionRequest::new("Book a trip to Oslo."))?;
    // The request times out, and the execution ends with its interrupt.
    let waited = LocalRunner::new().callback_timeout().run(handler.clone(), event).await;
    let Some(ExecutionResult { response: Some(response), snapshot, .. }) = waited.into_output() else {
        return Err("it failed".into());
    };
    println!("ended with `{}`", response.stop_reason);
    // Another execution resumes it.
    let answers = Answers::new(response.interrupts.iter().map(|each| each.respond(true)));
    let event = serde_json::to_value(ExecutionRequest::resuming(snapshot, answers))?;
    let result = LocalRunner::new().run(handler, event).await;
    for operation in result.operations() {
        println!("{}: {}", operation.name().unwrap_or_default(), operation.status());
    }
    let Some(ExecutionResult { response: Some(response), .. }) = result.into_output() else {
        return Err("it failed".into());
    };
    println!("{}", response.text);
    Ok(())
}

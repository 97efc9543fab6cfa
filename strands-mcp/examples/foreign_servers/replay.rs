//! Tool calls of a file, run by an agent with a scripted model.

use std::fs;

use serde_json::{Value, json};
use strands::Agent;
use strands::testing::{ScriptedModel, ScriptedTurn};

use crate::{child, text};

/// Runs the conversations of a file, `[[{"name", "arguments"}, ..], ..]`, each with an agent of its own, and prints the
/// results of their calls as JSON: `[[{"text", "is_error"}, ..], ..]`. The child gets the variables whose names begin with
/// `TAU2`.
pub(crate) async fn run(file: &str, command: &[&str]) {
    let conversations: Vec<Vec<Value>> = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let variables = std::env::vars().filter(|(name, _)| name.starts_with("TAU2"));
    let client = variables.fold(child(command), |client, (name, value)| client.env(name, value)).build().unwrap();
    let mut results = Vec::new();
    for calls in conversations {
        let turns = calls.iter().map(|call| {
            let name = call["name"].as_str().unwrap();
            ScriptedTurn::tool_use(name, call["arguments"].clone())
        });
        let model = ScriptedModel::new(turns.chain([ScriptedTurn::text("Done.")]));
        let mut agent = Agent::builder().model(model).tool_provider(client.clone()).build().await.unwrap();
        let response = agent.prompt("Help the customer.").await.unwrap();
        assert_eq!(response.text(), "Done.");
        let called = agent.messages().iter().flat_map(|message| message.tool_results());
        let called = called.map(|result| json!({"text": text(&result.content), "is_error": result.is_error()}));
        results.push(called.collect::<Vec<_>>());
    }
    client.close().await;
    println!("{}", json!(results));
}

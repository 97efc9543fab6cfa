//! An agent on the contract of AgentCore Runtime that repeats the prompt, with debug actions: for comparisons with the Python SDK.
//!
//! ```sh
//! cargo run -p strands-serve --features agentcore --example agentcore_echo -- 127.0.0.1:8080
//! curl http://127.0.0.1:8080/invocations -d '{"prompt": "Hello to you"}'
//! ```
//!
//! It prints its address, and then the names of the headers that the tool of each prompt has got.

use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;

use strands::identity::Identity;
use strands::message::ToolResultContent;
use strands::models::ModelError;
use strands::serve::agentcore::{AgentCoreHost, AsyncTasks, ForwardedHeaders, default_address};
use strands::serve::http::DevelopmentIdentity;
use strands::serve::{AgentService, Server};
use strands::session::SessionStore;
use strands::session::object_store::memory::InMemory;
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{Agent, serde_json, tool, tools};

/// Returns the names of the forwarded headers.
#[tool]
fn headers(headers: &ForwardedHeaders) -> String {
    let mut names: Vec<_> = headers.iter().map(|(name, _)| name.to_owned()).collect();
    names.sort();
    names.join(" ")
}

/// Starts a task that never ends.
#[tool]
#[expect(clippy::unused_async, reason = "spawning needs the runtime, on which synchronous tools do not run")]
async fn start_task(tasks: &AsyncTasks) -> &'static str {
    let task = tasks.add("endless");
    tokio::spawn(async move {
        let _task = task;
        std::future::pending::<()>().await;
    });
    "started"
}

/// Calls the tool that the prompt names, or repeats the prompt. The prompt `fail` fails.
fn model() -> ScriptedModel {
    ScriptedModel::from_fn(|request| {
        let Some(newest) = request.messages.last() else { return ScriptedTurn::text("") };
        if let Some(result) = newest.tool_results().next() {
            let text = result.content.iter().find_map(|content| match content {
                ToolResultContent::Text(text) => Some(text.as_str()),
                _ => None,
            });
            return ScriptedTurn::text(text.unwrap_or_default());
        }
        match newest.text().as_str() {
            name @ ("headers" | "start_task") => ScriptedTurn::tool_use(name, serde_json::json!({})),
            "fail" => ScriptedTurn::error(ModelError::protocol("failed as requested")),
            "stall" => ScriptedTurn::text("The first words are there").stalling_after(3),
            text => ScriptedTurn::text(text),
        }
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let template = Agent::builder()
        .model(model())
        .tools(tools![Headers, StartTask])
        .injected_per_prompt::<ForwardedHeaders>()
        .injected_per_prompt::<AsyncTasks>();
    let service = AgentService::builder(template, SessionStore::objects(Arc::new(InMemory::new()), "")?).build();
    let identity = DevelopmentIdentity::new(Identity::new("developer"));
    let router = AgentCoreHost::new(service.clone(), identity).debug_actions(true).into_router();
    let address = std::env::args().nth(1).unwrap_or_else(|| default_address().to_string());
    let server = Server::bind(address).await?;
    writeln!(std::io::stdout(), "listening on http://{}", server.local_addr())?;
    server.serve(router, |timeout| service.shutdown(timeout)).await?;
    Ok(())
}

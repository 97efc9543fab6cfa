//! Human approval over HTTP: a tool call interrupts the agent, and a second request resumes it with the decision. In
//! between the conversation is a snapshot in memory; a database works, too.
//!
//! ```text
//! $ cargo run -p quickstart --bin approval_server -- 127.0.0.1:3000
//! listening on http://127.0.0.1:3000
//! $ curl -d '{"prompt": "Delete the file \"old.txt\""}' -H 'Content-Type: application/json' http://127.0.0.1:3000/ask
//! {"conversation":1,"text":"","interrupts":[{"id":"..","name":"..","reason":{..}}]}
//! $ curl -d '{"conversation": 1, "approved": true}' -H 'Content-Type: application/json' http://127.0.0.1:3000/decide
//! {"conversation":1,"text":"delete_file: deleted old.txt","interrupts":[]}
//! ```

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Json, Router, routing::post};
use serde::{Deserialize, Serialize};
use strands::{Agent, AgentBuilder, AgentResponse, Interrupt, Prompt, Snapshot, tool, tools};
use tokio::net::TcpListener;

/// Deletes a file.
#[tool(approval, destructive)]
fn delete_file(path: String) -> String {
    format!("deleted {path}")
}

#[derive(Clone)]
struct Server {
    template: AgentBuilder,
    /// Snapshots of conversations that wait for a decision.
    waiting: Arc<Mutex<HashMap<u64, Snapshot>>>,
    last: Arc<AtomicU64>,
}

#[derive(Deserialize)]
struct Ask {
    prompt: String,
}

#[derive(Deserialize)]
struct Decision {
    conversation: u64,
    approved: bool,
}

#[derive(Serialize)]
struct Reply {
    conversation: u64,
    text: String,
    interrupts: Vec<Interrupt>,
}

impl Server {
    /// Stores an interrupted conversation, and returns the response with its interrupts.
    fn reply(&self, conversation: u64, agent: &Agent, response: AgentResponse) -> Result<Json<Reply>, StatusCode> {
        if !response.interrupts.is_empty() {
            self.store(conversation, agent)?;
        }
        Ok(Json(Reply { conversation, text: response.text(), interrupts: response.interrupts }))
    }

    fn store(&self, conversation: u64, agent: &Agent) -> Result<(), StatusCode> {
        let snapshot = agent.snapshot().map_err(internal)?;
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(conversation, snapshot);
        Ok(())
    }
}

async fn ask(State(server): State<Server>, Json(ask): Json<Ask>) -> Result<Json<Reply>, StatusCode> {
    let mut agent = server.template.clone().build().await.map_err(internal)?;
    let response = agent.prompt(ask.prompt).await.map_err(internal)?;
    let conversation = server.last.fetch_add(1, Ordering::Relaxed) + 1;
    server.reply(conversation, &agent, response)
}

async fn decide(State(server): State<Server>, Json(decision): Json<Decision>) -> Result<Json<Reply>, StatusCode> {
    // Remove the snapshot, so that a decision counts once.
    let snapshot = server.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&decision.conversation);
    let mut agent = server.template.clone().build().await.map_err(internal)?;
    agent.restore(snapshot.ok_or(StatusCode::NOT_FOUND)?).map_err(internal)?;
    let responses: Vec<_> = agent.interrupts().iter().map(|interrupt| interrupt.respond(decision.approved)).collect();
    let resumed = agent.prompt(Prompt::none()).resume(responses).await;
    if resumed.is_err() {
        // The next request continues from this snapshot, so that a tool that has run does not run again.
        server.store(decision.conversation, &agent)?;
    }
    server.reply(decision.conversation, &agent, resumed.map_err(internal)?)
}

fn internal(error: impl std::error::Error) -> StatusCode {
    eprintln!("{error:?}");
    StatusCode::INTERNAL_SERVER_ERROR
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let address: SocketAddr = std::env::args().nth(1).as_deref().unwrap_or("127.0.0.1:3000").parse()?;
    let template = Agent::builder().model(quickstart::model().await?).tools(tools![DeleteFile]);
    let server = Server { template, waiting: Arc::default(), last: Arc::default() };
    let routes = Router::new().route("/ask", post(ask)).route("/decide", post(decide)).with_state(server);

    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, routes).await?;
    Ok(())
}

//! Restores an agent from a session, continues the conversation, and prints the messages before and after as JSON. The
//! checks run it on sessions that Python Strands wrote, and then read its sessions from Python.
//!
//! ```text
//! continue_session --dir <folder> <session id> <agent id> <manager>
//! continue_session --s3 <endpoint> <bucket> <prefix> <session id> <agent id> <manager>
//! continue_session --snapshots <folder> <session id> <agent id> <manager>
//! ```
//!
//! `<manager>` is JSON such as `{"type": "sliding", "args": {"window_size": 4}}`.
#![allow(clippy::print_stdout, clippy::indexing_slicing, reason = "it prints for the checks; absent JSON is null")]

use std::error::Error;
use std::sync::Arc;

use serde_json::{Value, json};
use strands_core::conversation::{
    ConversationManager, NullConversationManager, SlidingWindowConversationManager, SummarizingConversationManager,
};
use strands_core::message::ProviderContent;
use strands_core::metrics::{ModelMetrics, Usage};
use strands_core::models::{StopReason, StreamEvent};
use strands_core::session::SessionManager;
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{
    Agent, AgentBuilder, Prompt, Tool, ToolContext, ToolError, ToolOutput, ToolSpec, async_trait, tools,
};
use strands_session::{FileSessionManager, S3SessionManager, SessionStore, SnapshotSessionManager};

/// The tool of the recorded session that needs approval.
struct Approve(ToolSpec);

#[async_trait]
impl Tool for Approve {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    async fn call(&self, ctx: &ToolContext, input: Value) -> Result<ToolOutput, ToolError> {
        let response = ctx.interrupt("approval", &input)?;
        Ok(ToolOutput::text(response.to_string()))
    }
}

/// A response with content of one provider, which other clients must be able to skip.
fn response() -> ScriptedTurn {
    let search =
        json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "Rust"}});
    ScriptedTurn::events([
        StreamEvent::start_from("anthropic"),
        StreamEvent::provider_content(0, ProviderContent::new("anthropic", search)),
        StreamEvent::text(1, "response in Rust"),
        StreamEvent::stop(StopReason::EndTurn),
        StreamEvent::metadata(Usage::new(10, 5), ModelMetrics::new(1)).with_provider_usage(json!({"input_tokens": 10})),
    ])
}

fn managed(builder: AgentBuilder, manager: &Value) -> Result<AgentBuilder, Box<dyn Error>> {
    fn with(builder: AgentBuilder, manager: impl ConversationManager + 'static) -> AgentBuilder {
        builder.conversation_manager(manager)
    }
    let count = |name: &str| manager["args"][name].as_u64().and_then(|count| usize::try_from(count).ok());
    Ok(match manager["type"].as_str() {
        Some("null") => with(builder, NullConversationManager::new()),
        Some("sliding") => with(builder, SlidingWindowConversationManager::new(count("window_size").unwrap_or(40))),
        Some("summarizing") => {
            let mut summarizing = SummarizingConversationManager::new();
            if let Some(ratio) = manager["args"]["summary_ratio"].as_f64() {
                summarizing = summarizing.summary_ratio(ratio);
            }
            if let Some(recent) = count("preserve_recent_messages") {
                summarizing = summarizing.preserve_recent(recent);
            }
            with(builder, summarizing)
        }
        other => return Err(format!("unknown conversation manager {other:?}").into()),
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (sessions, agent_id, manager): (Arc<dyn SessionManager>, _, _) = match arguments.as_slice() {
        ["--dir", dir, session, agent, manager] => {
            (Arc::new(FileSessionManager::builder(*session).dir(dir).build().await?), agent, manager)
        }
        ["--s3", endpoint, bucket, prefix, session, agent, manager] => {
            let builder = S3SessionManager::builder(*session, *bucket).prefix(*prefix).endpoint(*endpoint);
            (Arc::new(builder.region("us-east-1").build().await?), agent, manager)
        }
        ["--snapshots", dir, session, agent, manager] => {
            (Arc::new(SnapshotSessionManager::new(*session, SessionStore::files(dir))?), agent, manager)
        }
        _ => return Err("see the head of this file for the arguments".into()),
    };
    let approve = ToolSpec::new("approve", "Requests approval.", json!({"type": "object"}));
    let builder = Agent::builder()
        .model(ScriptedModel::from_fn(|_| response()))
        .tools(tools![Approve(approve)])
        .agent_id(*agent_id)
        .session_manager(sessions);
    let mut agent = managed(builder, &serde_json::from_str(manager)?)?.build().await?;

    let restored = serde_json::to_value(agent.messages())?;
    let state = agent.state().to_json();
    let responses: Vec<_> = agent.interrupts().iter().map(|interrupt| interrupt.respond("yes")).collect();
    if responses.is_empty() {
        agent.prompt("and in Rust").await?;
    } else {
        agent.prompt(Prompt::none()).resume(responses).await?;
    }
    let conversation = json!({"restored": restored, "state": state, "continued": agent.messages()});
    println!("{conversation}");
    Ok(())
}

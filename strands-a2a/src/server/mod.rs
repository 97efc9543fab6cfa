//! A2A server: an agent of a program, for the agents and programs of others.
//!
//! Layers, each of which uses those below it:
//!
//! 1. `http`: the bindings, the agent card, authentication.
//! 2. `send`, `tasks`, `streams` with `followed_events`, `push_config_requests`: the methods of the protocol, on its types.
//! 3. `run`: the work of an agent on a task, with `run_guard`, `response_artifact`, `voided_messages` and `outcome`; `discard` for interrupts without a response.
//! 4. `core`: shared state and its limits; `shares` for those of callers; `registry` and `live_task` for what runs, `store` for what is kept, `followed_tasks` for what streams read of it, `push`.

mod builder;
mod card;
mod context;
mod core;
mod discard;
mod error;
mod failure;
mod followed_events;
mod followed_tasks;
mod http;
mod interrupts;
mod limits;
mod live_task;
mod occupation;
mod outcome;
mod push;
mod push_config_requests;
mod registry;
mod response_artifact;
mod run;
mod run_guard;
mod send;
mod shares;
mod store;
mod streams;
mod tasks;
mod voided_messages;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use strands_core::Promptable;

pub use builder::A2aServerBuilder;
pub use card::{CardSigner, SigningKeyError, Skill};
pub use context::A2aContext;
pub use discard::DiscardInterrupts;
pub use error::A2aServerError;
pub use limits::A2aLimits;
pub use push::PushTargets;
pub use store::{
    MemoryTaskStore, PutOutcome, RecordKey, RecordKind, RecordStream, RecordVersion, StoredRecord, TaskStore,
    TaskStoreError,
};
pub use strands_http::{Caller, IdentifyCaller, Refusal};

use self::http::Http;

/// A server that offers an agent to A2A clients.
///
/// The agent is anything that takes prompts. With an [`AgentBuilder`](strands_core::AgentBuilder), each task has an agent of its
/// own, and the server keeps the conversation of a context from one task to the next: it has no session manager. A
/// [`SharedAgent`](strands_core::SharedAgent) is one conversation for all callers: only for a program of one user.
///
/// - Protocol 1.0 over JSON-RPC and HTTP+JSON, and 0.3 over JSON-RPC, at the same URL. The agent card is one document for both.
/// - Text, file and data parts become content blocks, and content blocks become parts. The response is the artifact
///   `agent_response`: its text as it streams, then media and structured output.
/// - Interrupts end a task's run in the state `input-required`, with a text and a data part `{"interrupts": [{"interruptId",
///   "name", "reason"}]}` as in Strands. A message with a data part `{"interruptResponse": {"interruptId", "response"}}`, or a list
///   of them, resumes it, in any process that has the [task store](A2aServerBuilder::task_store). A text responds to the only
///   interrupt.
/// - A task runs to its end if its client goes away, which can subscribe again or get it. A task whose process ends before it is
///   reported as failed.
/// - One task runs in a context at a time, also in several processes that share the store; messages for others get an error with the reason `CONTEXT_BUSY`.
/// - A failure of the agent is logged, and not shown to the client.
///
/// # Examples
///
/// ```no_run
/// use strands::a2a::{A2aServer, Caller, Refusal, axum};
/// use strands::{Agent, tool, tools};
///
/// /// The current weather in a city.
/// #[tool]
/// async fn get_weather(city: String) -> String {
///     format!("sunny in {city}")
/// }
///
/// # async fn example(model: impl strands::models::Model + 'static) -> Result<(), Box<dyn std::error::Error>> {
/// let agent = Agent::builder()
///     .model(model)
///     .tools(tools![GetWeather])
///     .name("weather")
///     .description("Knows the weather of every city.");
/// let server = A2aServer::builder(agent, "https://weather.example.com")
///     .tool_skills(tools![GetWeather])
///     .bearer_tokens()
///     .identify_caller(|request: &axum::http::request::Parts| {
///         // Set by a layer that has checked the token.
///         let user: &String = request.extensions.get().ok_or_else(|| Refusal::unauthorized("Bearer"))?;
///         Ok(Caller::new(user.as_str()))
///     })
///     .build()?;
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:9000").await?;
/// axum::serve(listener, server.router()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct A2aServer {
    http: Arc<Http>,
}

impl A2aServer {
    /// Returns a builder of a server for an agent. `url` is the URL of the server for clients, which the agent card tells them.
    pub fn builder(agent: impl Promptable + 'static, url: impl Into<String>) -> A2aServerBuilder {
        A2aServerBuilder::new(Arc::new(agent), url.into())
    }

    /// Returns the routes: `POST /` for JSON-RPC, `/message:send` and others for HTTP+JSON, and
    /// `GET /.well-known/agent-card.json`. Nest them at the path of the server's URL.
    ///
    /// `axum::serve` has no timeout for the head of a request, and no limit on connections: put a proxy that has both in front of a
    /// server on a public network, or use `strands::serve::Server`.
    pub fn router(&self) -> Router {
        http::router(Arc::clone(&self.http))
    }

    /// Returns the number of tasks that run in this process.
    pub fn running_tasks(&self) -> usize {
        self.http.core.registry.len()
    }

    /// Shuts the server down: new tasks are rejected, running ones have `timeout` to end, and are canceled then. Returns when all
    /// have ended and are stored, and their push notifications are delivered, for which it waits 2 seconds more.
    pub async fn shutdown(&self, timeout: Duration) {
        self.http.core.shut_down(timeout).await;
    }
}

impl fmt::Debug for A2aServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("A2aServer").field("agent", &self.http.core.agent.name()).finish_non_exhaustive()
    }
}

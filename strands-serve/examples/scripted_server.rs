//! A server with a scripted agent, on HTTP and on the HTTP interface of OpenAI, for clients that others wrote.
//!
//! ```sh
//! cargo run -p strands-serve --example scripted_server -- 127.0.0.1:8080
//! curl http://127.0.0.1:8080/v1/chat/completions -H 'authorization: Bearer alice' -H 'content-type: application/json' \
//!   -d '{"model": "travel-agent", "messages": [{"role": "user", "content": "who am I?"}]}'
//! ```
//!
//! The argument is the address; the default is a free port of 127.0.0.1. The first line of the output is
//! `listening on http://127.0.0.1:8080`, with the port. `SCRIPTED_ISSUER` is the URL of an OIDC issuer, whose tokens have the
//! audience `rig-api`; without it, tokens are not verified, and a token is the name of its user. `SCRIPTED_SESSIONS` is the folder
//! of the sessions, which are in memory by default. `GET /debug` has the number of requests to the model, and of running turns.
//!
//! The model does what the last line of the prompt begins with:
//!
//! | line | response |
//! |---|---|
//! | `who am I` | calls a tool, and returns its result (the subject of the token) and the prompt |
//! | `delete it` | calls a tool that needs an approval |
//! | `describe` | the types and sizes of the prompt's content |
//! | `count` | the number of messages that the model got |
//! | `slowly` | 1,000 words, 20 ms apart |
//! | `too long` | a response that reaches the maximum of tokens |
//! | `fail`, `break` | an error, at once or after two words |
//! | others | the prompt |

use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::routing::get;
use axum::{Json, Router};
use futures_util::stream::{StreamExt as _, iter};
use http::request::Parts;
use serde_json::json;
use strands::identity::{Identity, JwtVerifier};
use strands::message::{ContentBlock, Role, ToolResultContent};
use strands::metrics::{ModelMetrics, Usage};
use strands::models::{
    ErrorDetails, Model, ModelError, ModelRequest, ModelStream, StopReason, StreamEvent, ToolUseStart,
};
use strands::serve::http::{Authenticate, AuthenticationError, HttpHost};
use strands::serve::openai::OpenAiSettings;
use strands::serve::{AgentService, Server, ServiceLimits};
use strands::session::SessionStore;
use strands::session::object_store::memory::InMemory;
use strands::{Agent, async_trait, tool, tools};

/// Returns the name of the user.
#[tool]
fn whoami(user: &Identity) -> String {
    user.subject.clone()
}

/// Deletes the file.
#[tool(approval)]
fn delete() -> String {
    "It is deleted.".to_owned()
}

struct Scripted {
    requests: Arc<AtomicU64>,
}

#[async_trait]
impl Model for Scripted {
    fn model_id(&self) -> &str {
        "scripted"
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let failure = || ModelError::InvalidRequest { details: ErrorDetails::new().boxed() };
        let of_user = request.messages.iter().filter(|message| message.role == Role::User);
        let prompts = of_user.filter(|message| message.tool_results().next().is_none());
        let prompt = prompts.map(|message| message.text()).next_back().unwrap_or_default();
        let prompt = prompt.lines().last().unwrap_or_default();
        let Some(last) = request.messages.last() else { return Err(failure()) };
        let result = last.tool_results().flat_map(|result| &result.content).find_map(|content| match content {
            ToolResultContent::Text(text) => Some(text.as_str()),
            _ => None,
        });
        Ok(match (result, prompt) {
            (Some(result), _) => text(&format!("You are {result}. You said: {prompt}"), StopReason::EndTurn),
            _ if prompt.starts_with("who am I") => tool_call("whoami"),
            _ if prompt.starts_with("delete it") => tool_call("delete"),
            _ if prompt.starts_with("describe") => text(&described(&last.content), StopReason::EndTurn),
            _ if prompt.starts_with("count") => text(&request.messages.len().to_string(), StopReason::EndTurn),
            _ if prompt.starts_with("too long") => text("It was a dark and", StopReason::MaxTokens),
            _ if prompt.starts_with("slowly") => slowly(),
            _ if prompt.starts_with("fail") => return Err(failure()),
            _ if prompt.starts_with("break") => {
                let words = [StreamEvent::start(), StreamEvent::text(0, "one "), StreamEvent::text(0, "two ")];
                iter(words.map(Ok).into_iter().chain([Err(failure())])).boxed()
            }
            _ => text(&format!("You said: {prompt}"), StopReason::EndTurn),
        })
    }
}

fn end(reason: StopReason) -> [StreamEvent; 3] {
    let usage = StreamEvent::metadata(Usage::new(10, 5), ModelMetrics::new(1));
    [StreamEvent::block_stop(0), StreamEvent::stop(reason), usage]
}

fn text(text: &str, reason: StopReason) -> ModelStream {
    let words: Vec<_> = text.split_inclusive(' ').map(|word| StreamEvent::text(0, word)).collect();
    iter([StreamEvent::start()].into_iter().chain(words).chain(end(reason))).map(Ok).boxed()
}

fn tool_call(name: &str) -> ModelStream {
    let id = format!("call_{}", uuid::Uuid::new_v4().simple());
    let call = [StreamEvent::tool_use(0, ToolUseStart::new(id, name)), StreamEvent::tool_input(0, "{}")];
    iter([StreamEvent::start()].into_iter().chain(call).chain(end(StopReason::ToolUse))).map(Ok).boxed()
}

fn slowly() -> ModelStream {
    let words = iter(0..1_000).then(async |number| {
        tokio::time::sleep(Duration::from_millis(20)).await;
        StreamEvent::text(0, format!("{number} "))
    });
    let words = words.boxed();
    iter([StreamEvent::start()]).chain(words).chain(iter(end(StopReason::EndTurn))).map(Ok).boxed()
}

fn described(content: &[ContentBlock]) -> String {
    let parts = content.iter().map(|block| match block {
        ContentBlock::Text(_) => "text".to_owned(),
        ContentBlock::Image(image) => format!("{} of {:?}", image.format, image.source.bytes().map(|it| it.len())),
        ContentBlock::Audio(audio) => format!("{} of {:?}", audio.format, audio.source.bytes().map(|it| it.len())),
        ContentBlock::Document(file) => format!("{} of {:?}", file.name, file.source.bytes().map(|it| it.len())),
        _ => "something else".to_owned(),
    });
    parts.collect::<Vec<_>>().join(", ")
}

/// The token is the subject.
struct NamedUsers;

#[async_trait]
impl Authenticate for NamedUsers {
    async fn authenticate(&self, request: &Parts) -> Result<Identity, AuthenticationError> {
        let token = request.headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        token.map(Identity::new).ok_or(AuthenticationError::Unauthenticated)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let requests = Arc::new(AtomicU64::new(0));
    let template = Agent::builder()
        .model(Scripted { requests: Arc::clone(&requests) })
        .tools(tools![Whoami, Delete])
        .injected_per_prompt::<Identity>();
    let store = match std::env::var_os("SCRIPTED_SESSIONS") {
        Some(folder) => SessionStore::files(folder),
        None => SessionStore::objects(Arc::new(InMemory::new()), "")?,
    };
    let service = AgentService::builder(template, store).limits(ServiceLimits::new()).build();
    let authentication: Arc<dyn Authenticate> = match std::env::var("SCRIPTED_ISSUER") {
        Ok(issuer) => {
            let verifier = JwtVerifier::builder().oidc_discovery(issuer).audience("rig-api").allow_http(true);
            Arc::new(verifier.build()?)
        }
        Err(_) => Arc::new(NamedUsers),
    };
    let running = service.clone();
    let debug = get(async move || {
        Json(json!({"model_requests": requests.load(Ordering::Relaxed), "running_turns": running.running_turns()}))
    });
    let host = HttpHost::new(service.clone(), authentication).openai(OpenAiSettings::new("travel-agent"));
    let router = host.into_router().merge(Router::new().route("/debug", debug));

    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let server = Server::bind(address).await?;
    writeln!(std::io::stdout(), "listening on http://{}", server.local_addr())?;
    server.serve(router, |timeout| service.shutdown(timeout)).await?;
    Ok(())
}

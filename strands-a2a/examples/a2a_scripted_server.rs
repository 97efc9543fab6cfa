//! An A2A server with a scripted agent, for clients of others (`.ci/a2a`) and for the TCK of the protocol. It prints its URL.
//!
//!     a2a_scripted_server [PORT] [--v1]
//!
//! With `--v1` it serves protocol 1.0 alone, as the TCK of that version expects.
//!
//! The first word of a prompt chooses the response: `artifact` has a text, a file and data, `ask` waits for input, `fail` fails, `reject`
//! declines, `slow` streams until it is canceled; everything else is repeated. Ids of messages with the prefixes that the TCK documents
//! choose the scenarios of the TCK.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use strands_a2a::{A2aContext, A2aServer, PushTargets, Skill};
use strands_core::message::{ContentBlock, DocumentBlock, DocumentFormat, MediaSource, Message, Role};
use strands_core::models::StopReason;
use strands_core::{AgentError, AgentEvent, AgentResponse, Interrupt, PromptRequest, PromptStream, Promptable};
use tokio::net::TcpListener;

struct Scripted;

/// A response: its blocks, and the reason for its end.
struct Script {
    chunks: Vec<String>,
    blocks: Vec<ContentBlock>,
    stop_reason: StopReason,
    interrupts: Vec<Interrupt>,
    output: Option<Value>,
    delay: Duration,
}

impl Script {
    fn text(text: &str) -> Self {
        // Chunks end after a space.
        let chunks: Vec<String> = text.split_inclusive(' ').map(str::to_owned).collect();
        let blocks = vec![ContentBlock::text(text)];
        Self {
            chunks,
            blocks,
            stop_reason: StopReason::EndTurn,
            interrupts: Vec::new(),
            output: None,
            delay: Duration::ZERO,
        }
    }

    fn with(mut self, block: impl Into<ContentBlock>) -> Self {
        self.blocks.push(block.into());
        self
    }

    fn stopped(stop_reason: StopReason) -> Self {
        Self { stop_reason, ..Self::text("") }
    }

    fn after(delay: Duration) -> Self {
        Self { delay, ..Self::text("done") }
    }
}

impl Promptable for Scripted {
    fn name(&self) -> &str {
        "Scripted agent"
    }

    fn description(&self) -> &str {
        "Responds as its tests expect."
    }

    fn stream(&self, request: PromptRequest) -> PromptStream {
        let message_id = request.injected::<A2aContext>().map_or("", A2aContext::message_id).to_owned();
        let start = AgentEvent::start(format!("run-{message_id}"), "scripted", "Scripted agent");
        let text = request.prompt.text();
        if text.starts_with("fail") {
            let failure = AgentError::Promptable { name: "Scripted agent".to_owned(), source: "as asked".into() };
            return stream::iter([Ok(start), Err(failure)]).boxed();
        }
        let script = script(&message_id, &text, &request);
        let cancellation = request.cancellation;
        let slow = text.starts_with("slow");
        let wait = cancellation.clone();
        let endless = stream::repeat(()).then(|()| tokio::time::sleep(Duration::from_millis(100)));
        let endless =
            endless.take_until(wait.cancelled_owned()).map(|()| AgentEvent::TextDelta { text: "tick ".to_owned() });
        let chunks = script.chunks.clone().into_iter().map(|text| AgentEvent::TextDelta { text });
        let end = async move {
            let stop_reason = tokio::select! {
                () = cancellation.cancelled() => StopReason::Cancelled,
                () = tokio::time::sleep(script.delay) => script.stop_reason,
            };
            let mut response = AgentResponse::new(Message::new(Role::Assistant, script.blocks), stop_reason);
            (response.interrupts, response.output) = (script.interrupts, script.output);
            AgentEvent::Result { response: Box::new(response) }
        };
        let events = if slow { endless.boxed() } else { stream::iter(chunks).boxed() };
        stream::iter([start]).chain(events).chain(stream::once(end)).map(Ok).boxed()
    }
}

fn script(message_id: &str, text: &str, request: &PromptRequest) -> Script {
    let file = || DocumentBlock::new("output", DocumentFormat::Txt, MediaSource::from(b"File content".to_vec()));
    let is = |prefix: &str| message_id.starts_with(prefix);
    // The TCK of 0.3 continues and cancels its tasks, so that they must not end.
    let is_of_old_tck = (message_id.contains("-message-id-") || is("test-history-")) && !is("test-resubscribe");
    let waits = is("tck-input-required") || is_of_old_tck;
    if let Some(response) = request.resume.first().filter(|_| !waits) {
        return Script::text(&format!("thanks: {}", response.response.as_str().unwrap_or_default()));
    }
    if is("tck-artifact-text") {
        Script::text("Generated text content")
    } else if is("tck-artifact-file-url") {
        let link = MediaSource::location("url", "https://example.com/output.txt");
        Script::text("").with(DocumentBlock::new("output", DocumentFormat::Txt, link))
    } else if is("tck-artifact-file") || is("tck-stream-artifact-file") {
        Script::text("").with(file())
    } else if is("tck-artifact-data") {
        Script { output: Some(json!({"key": "value", "count": 42})), ..Script::text("") }
    } else if is("tck-message-response") {
        Script::text("Direct message response")
    } else if waits {
        waiting()
    } else if is("tck-reject-task") {
        Script::stopped(StopReason::GuardrailIntervened)
    } else if is("test-resubscribe-message-id") {
        Script::after(Duration::from_secs(5))
    } else if is("tck-stream-artifact-chunked") {
        Script::text("chunk-1 chunk-2")
    } else if is("tck-stream-ordering") {
        Script::text("Ordered output")
    } else if is("tck-") {
        Script::text("Hello from TCK")
    } else {
        match text.split_whitespace().next() {
            Some("artifact") => Script::text("three chunks here").with(file()),
            Some("ask") => waiting(),
            Some("reject") => Script::stopped(StopReason::GuardrailIntervened),
            _ => Script::text(&format!("you said: {text}")),
        }
    }
}

fn waiting() -> Script {
    let interrupts = vec![Interrupt::new("v1:tool_call:t1:color", "color", json!("Which color?"))];
    Script { interrupts, ..Script::stopped(StopReason::Interrupt) }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let port: u16 = arguments.iter().find(|argument| *argument != "--v1").map_or(Ok(0), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let builder = A2aServer::builder(Scripted, &url);
    let builder = if arguments.iter().any(|argument| argument == "--v1") { builder.without_v03() } else { builder };
    let server = builder
        .skill(Skill::new("scripts", "Scripts", "Responds as its tests expect.").tag("tests"))
        .input_modes(["*/*"])
        .message_responses(|context| context.message_id().starts_with("tck-message-response"))
        // The receivers of the tests are on this machine.
        .push_notifications(PushTargets::public().allow_private(true).allow_http(true))
        .build()?;
    // Scripts wait for this line.
    #[expect(clippy::print_stderr, reason = "the output of a program")]
    {
        eprintln!("{url}");
    }
    axum::serve(listener, server.router()).await?;
    Ok(())
}

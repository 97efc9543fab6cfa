//! Prompts agents on servers that others wrote, and checks what comes back; `.ci/a2a/servers` runs it.
//!
//!     a2a_foreign_servers scripted <url> <transport> [<other origin>]     words that the servers of the rigs have scripts for
//!     a2a_foreign_servers strands <url>                                   an agent of Strands that echoes
//!     a2a_foreign_servers asking <url>                                    an agent of Strands that interrupts twice
#![allow(clippy::print_stdout, reason = "the results of the checks")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use strands::a2a::{A2aAgent, A2aError, TaskFailure, Transport};
use strands::message::{ContentBlock, DocumentBlock, DocumentFormat, ImageBlock, ImageFormat, MediaSource};
use strands::models::StopReason;
use strands::serde_json::{self, Value, json};
use strands::testing::contract::check_promptable;
use strands::testing::{ScriptedModel, ScriptedTurn};
use strands::{
    Agent, AgentError, AgentEvent, AgentResponse, CancellationToken, Continuation, InterruptResponse, PromptRequest,
    Promptable, StreamExt, tools,
};

type Error = Box<dyn std::error::Error>;

/// Time in which a prompt must end after its cancellation.
const STOP_TIME: Duration = Duration::from_millis(50);

/// The events of a prompt, and its end.
struct Prompted {
    text: String,
    reasoning: String,
    media: usize,
    response: Result<AgentResponse, AgentError>,
}

async fn prompt(agent: &dyn Promptable, request: impl Into<PromptRequest>) -> Result<Prompted, Error> {
    let mut events = agent.stream(request.into());
    let (mut text, mut reasoning, mut media) = (String::new(), String::new(), 0);
    while let Some(event) = events.next().await {
        match event {
            Ok(AgentEvent::TextDelta { text: delta }) => text.push_str(&delta),
            Ok(AgentEvent::ReasoningDelta { text }) => reasoning.push_str(&text),
            Ok(AgentEvent::Media { .. }) => media += 1,
            Ok(AgentEvent::Result { response }) => {
                return Ok(Prompted { text, reasoning, media, response: Ok(*response) });
            }
            Ok(_) => {}
            Err(error) => return Ok(Prompted { text, reasoning, media, response: Err(error) }),
        }
    }
    Err("the stream ended without a response".into())
}

/// Checks of one server.
struct Checks {
    passed: usize,
    failed: usize,
}

impl Checks {
    fn check(&mut self, name: &str, result: Result<(), Error>) {
        match result {
            Ok(()) => self.passed += 1,
            Err(error) => {
                self.failed += 1;
                println!("  FAIL {name}: {error}");
            }
        }
    }
}

fn ensure(holds: bool, observed: impl FnOnce() -> String) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(observed().into()) }
}

fn ends_with_text(prompted: &Prompted, expected: &str) -> Result<(), Error> {
    let response = prompted.response.as_ref().map_err(ToString::to_string)?;
    ensure(response.stop_reason == StopReason::EndTurn, || format!("{:?}", response.stop_reason))?;
    ensure(response.text().trim_end() == expected, || format!("{:?}", response.text()))?;
    ensure(prompted.text == response.text(), || format!("the events have {:?}", prompted.text))
}

fn fails_with(prompted: &Prompted, expected: TaskFailure, words: &str) -> Result<(), Error> {
    let Err(AgentError::Promptable { source, .. }) = &prompted.response else {
        return Err(format!("{:?}", prompted.response.as_ref().map(|response| &response.stop_reason)).into());
    };
    match source.downcast_ref() {
        Some(A2aError::Task { failure, message, .. }) if *failure == expected && message == words => Ok(()),
        _ => Err(format!("{source:?}").into()),
    }
}

async fn artifact(agent: &A2aAgent) -> Result<(), Error> {
    let prompted = prompt(agent, "artifact").await?;
    let response = prompted.response?;
    let [ContentBlock::Text(text), ContentBlock::Document(document), ContentBlock::Text(data)] =
        response.message.content.as_slice()
    else {
        return Err(format!("{:?}", response.message).into());
    };
    ensure(text.text == "part0 part1 part2 ", || text.text.clone())?;
    let bytes = matches!(&document.source, MediaSource::Bytes(bytes) if bytes.as_ref() == b"hello");
    ensure(bytes && prompted.media == 1, || format!("{document:?}"))?;
    // Servers with protobuf have numbers with a fraction alone.
    let data = serde_json::from_str::<Value>(&data.text)?.to_string().replace(".0", "");
    ensure(data == r#"{"k":[1,2]}"#, || data.clone())?;
    ensure(prompted.text == response.text(), || format!("the events have {:?}", prompted.text))
}

/// A question, whose response is sent by another agent after a restart.
async fn ask(agent: &A2aAgent, resumed: &A2aAgent) -> Result<(), Error> {
    let response = prompt(agent, "ask me").await?.response?;
    ensure(response.stop_reason == StopReason::Interrupt, || format!("{:?}", response.stop_reason))?;
    let [interrupt] = response.interrupts.as_slice() else { return Err(format!("{:?}", response.interrupts).into()) };
    ensure(interrupt.reason == json!("what colour?"), || interrupt.reason.to_string())?;
    let stored = serde_json::to_string(&response.continuation.ok_or("no continuation")?)?;
    let continuation: Continuation = serde_json::from_str(&stored)?;
    let resume = |id: &str| {
        let responses = [InterruptResponse::new(id, "blue")];
        PromptRequest::default().resume(responses).continue_from(continuation.clone()).keep_conversation()
    };
    let unknown = prompt(resumed, resume("other")).await?.response;
    ensure(matches!(unknown, Err(AgentError::UnknownInterrupt { .. })), || format!("{:?}", unknown.err()))?;
    ends_with_text(&prompt(resumed, resume(&interrupt.id)).await?, "got: blue")
}

/// Cancels or drops a prompt of a task that is working. Returns the id of its context.
async fn cancel(agent: &A2aAgent, is_dropped: bool) -> Result<String, Error> {
    let token = CancellationToken::new();
    let mut events = agent.stream(PromptRequest::new("slow").cancel_with(token.clone()).keep_conversation());
    while let Some(event) = events.next().await {
        if matches!(event?, AgentEvent::ReasoningDelta { text } if text.starts_with("tick")) {
            break;
        }
    }
    if is_dropped {
        return Ok(String::new());
    }
    token.cancel();
    let began = Instant::now();
    let mut last = None;
    while let Some(event) = events.next().await {
        last = Some(event?);
    }
    let took = began.elapsed();
    ensure(took <= STOP_TIME, || format!("ended after {took:?}"))?;
    let Some(AgentEvent::Result { response }) = last else { return Err("no response".into()) };
    ensure(response.stop_reason == StopReason::Cancelled, || format!("{:?}", response.stop_reason))?;
    let continuation = response.continuation.ok_or("no continuation")?;
    let context = continuation.value().pointer("/a2a/contextId").and_then(Value::as_str);
    Ok(context.unwrap_or_default().to_owned())
}

async fn as_tool(agent: &A2aAgent) -> Result<(), Error> {
    let name: String =
        agent.name().chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    let model =
        ScriptedModel::new([ScriptedTurn::tool_use(name, json!({"input": "plain"})), ScriptedTurn::text("done")]);
    let mut outer = Agent::builder().model(model).tools(tools![agent.clone()]).build().await?;
    outer.prompt("go").await?;
    let result = outer.messages().iter().flat_map(|message| message.tool_results()).next().ok_or("no result")?;
    let content = serde_json::to_string(&result.content)?;
    ensure(content.contains("echo: plain"), || content.clone())
}

/// Sends every kind of content.
async fn files(agent: &A2aAgent, expected: &str) -> Result<(), Error> {
    let image = ImageBlock::new(ImageFormat::Png, vec![0x89, b'P', b'N', b'G']);
    let document = DocumentBlock::new("notes", DocumentFormat::Txt, MediaSource::from(b"hello".to_vec()));
    let linked = ImageBlock::new(ImageFormat::Png, MediaSource::location("url", "https://example.com/a.png"));
    let blocks: [ContentBlock; 4] = ["files".into(), image.into(), document.into(), linked.into()];
    ends_with_text(&prompt(agent, PromptRequest::new(blocks)).await?, expected)
}

/// A second prompt of a conversation.
async fn conversation(agent: &A2aAgent) -> Result<(), Error> {
    let first = prompt(agent, PromptRequest::new("plain").keep_conversation()).await?.response?;
    let context = first.continuation.clone().ok_or("no continuation")?;
    let request = PromptRequest::new("plain again").continue_from(context.clone()).keep_conversation();
    let second = prompt(agent, request).await?.response?;
    ensure(second.continuation == Some(context), || format!("{:?}", second.continuation.map(|it| it.value().clone())))
}

async fn scripted(url: &str, transport: Transport, origin: Option<&str>) -> Result<Checks, Error> {
    let mut builder = A2aAgent::builder(url).preferred_transport(transport);
    if let Some(origin) = origin {
        builder = builder.allow_origin(origin);
    }
    let agent = builder.connect().await?;
    let mut checks = Checks { passed: 0, failed: 0 };
    let plain = prompt(&agent, "plain").await?;
    checks.check("plain", ends_with_text(&plain, "echo: plain"));
    let is_working = plain.reasoning == "working on it" || plain.reasoning.is_empty() && origin.is_some();
    checks.check("status messages", ensure(is_working, || plain.reasoning.clone()));
    checks.check("message", ends_with_text(&prompt(&agent, "message please").await?, "direct: message please"));
    checks.check("artifact", artifact(&agent).await);
    checks.check("files", files(&agent, "echo: files").await);
    checks.check("ask", ask(&agent, &agent.clone()).await);
    checks.check("auth", fails_with(&prompt(&agent, "auth").await?, TaskFailure::AuthRequired, "please sign in"));
    checks.check("fail", fails_with(&prompt(&agent, "fail").await?, TaskFailure::Failed, "it failed"));
    checks.check("reject", fails_with(&prompt(&agent, "reject").await?, TaskFailure::Rejected, "no"));
    match cancel(&agent, false).await {
        Ok(context) => {
            println!("  cancelled context {context}");
            checks.check("cancel", Ok(()));
        }
        Err(error) => checks.check("cancel", Err(error)),
    }
    checks.check("drop", cancel(&agent, true).await.map(drop));
    checks.check("conversation", conversation(&agent).await);
    checks.check("tool", as_tool(&agent).await);
    checks.check("contract", check_promptable(&agent, || PromptRequest::new("plain")).await.map_err(Into::into));
    Ok(checks)
}

async fn strands_agent(url: &str) -> Result<Checks, Error> {
    let agent = A2aAgent::connect(url).await?;
    let mut checks = Checks { passed: 0, failed: 0 };
    checks.check("name", ensure(agent.name() == "Echo Agent", || agent.name().to_owned()));
    checks
        .check("description", ensure(agent.description() == "Echoes what you say", || agent.description().to_owned()));
    checks.check("text", ends_with_text(&prompt(&agent, "hello a2a ☀️").await?, "echo: hello a2a ☀️"));
    let long = (0..20).map(|chunk| format!("chunk{chunk}")).collect::<Vec<_>>().join(" ");
    checks.check("chunks", ends_with_text(&prompt(&agent, "long please").await?, &long));
    let boom = prompt(&agent, "boom").await?;
    checks.check("failure", fails_with(&boom, TaskFailure::Failed, "Agent execution failed"));
    checks.check("conversation", conversation(&agent).await);
    checks.check("tool", as_tool(&agent).await);
    checks.check("contract", check_promptable(&agent, || PromptRequest::new("hi")).await.map_err(Into::into));
    Ok(checks)
}

/// Responds to the two interrupts of a booking, each with an agent of another process.
async fn book(url: &str, responses: &[(&str, Value)]) -> Result<AgentResponse, Error> {
    let mut request = PromptRequest::new("Book it.");
    for (name, value) in responses {
        let response = prompt(&A2aAgent::connect(url).await?, request).await?.response?;
        let [interrupt] = response.interrupts.as_slice() else { return Err(format!("{response:?}").into()) };
        ensure(interrupt.name == *name, || interrupt.name.clone())?;
        let stored = serde_json::to_string(&response.continuation.ok_or("no continuation")?)?;
        let continuation: Continuation = serde_json::from_str(&stored)?;
        request = PromptRequest::default().resume([interrupt.respond(value.clone())]).continue_from(continuation);
    }
    Ok(prompt(&A2aAgent::connect(url).await?, request).await?.response?)
}

async fn books(url: &str, responses: &[(&str, Value)], expected: &str) -> Result<(), Error> {
    let response = book(url, responses).await?;
    ensure(response.text().trim() == expected, || response.text())
}

async fn asking(url: &str) -> Result<Checks, Error> {
    let agent = A2aAgent::connect(url).await?;
    let mut checks = Checks { passed: 0, failed: 0 };
    let first = prompt(&agent, "Book it.").await?.response?;
    let [interrupt] = first.interrupts.as_slice() else { return Err(format!("{first:?}").into()) };
    let is_of_tool =
        interrupt.id.starts_with("v1:tool_call:call-1:") && interrupt.reason == json!({"price": 120, "city": "Oslo"});
    checks.check("interrupt", ensure(is_of_tool, || format!("{interrupt:?}")));
    let both = [("approval", json!("yes")), ("seat", json!("window"))];
    checks.check("approved", books(url, &both, "The tool said: booked window").await);
    checks.check("denied", books(url, &[("approval", json!("no"))], "The tool said: refused").await);
    checks.check("contract", check_promptable(&agent, || PromptRequest::new("Book it.")).await.map_err(Into::into));
    Ok(checks)
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let checks = match arguments.as_slice() {
        ["scripted", url, "JSONRPC", origin @ ..] => scripted(url, Transport::JsonRpc, origin.first().copied()).await,
        ["scripted", url, "HTTP+JSON", origin @ ..] => {
            scripted(url, Transport::HttpJson, origin.first().copied()).await
        }
        ["strands", url] => strands_agent(url).await,
        ["asking", url] => asking(url).await,
        _ => {
            Err("usage: a2a_foreign_servers scripted <url> <transport> [<origin>] | strands <url> | asking <url>"
                .into())
        }
    };
    match checks {
        Ok(Checks { passed, failed: 0 }) => {
            println!("  {passed} checks passed");
            ExitCode::SUCCESS
        }
        Ok(Checks { passed, failed }) => {
            println!("  {passed} checks passed, {failed} failed");
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("  FAIL {error:?}");
            ExitCode::FAILURE
        }
    }
}

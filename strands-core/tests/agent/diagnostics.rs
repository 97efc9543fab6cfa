//! `tracing` events for operators: each handled failure has one, and none has content.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use strands_core::hook::BeforeToolCall;
use strands_core::message::{Message, Role, ToolUse};
use strands_core::models::{ErrorDetails, Fallback, ModelError};
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::{Agent, Limits, RetryPolicy, ToolAnnotations, ToolError, ToolOutput, ToolPolicy, ToolRunner, tools};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::support::{FnTool, naming, template, tool};

/// Content that must be in no event.
const CONTENT: &str = "the user's secret";

/// A subscriber that records the events of the target `strands`.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "strands"
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        struct Fields(String);
        impl Visit for Fields {
            fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
                self.0 += &format!(" {field}={value:?}");
            }
        }
        let mut fields = Fields(event.metadata().level().to_string());
        event.record(&mut fields);
        self.0.lock().unwrap().push(fields.0);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

impl Lines {
    fn of(&self, message: &str) -> Vec<String> {
        let lines = self.0.lock().unwrap();
        lines.iter().filter(|line| line.contains(&format!("message={message}"))).cloned().collect()
    }
}

fn failing(name: &str) -> FnTool {
    tool(name, |_, _| async { Err(ToolError::new(CONTENT)) })
}

#[tokio::test(start_paused = true)]
async fn diagnostics_report_failures_without_content() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let overloaded =
        || ModelError::Overloaded { retry_after: None, details: ErrorDetails::new().with_body(CONTENT).boxed() };
    let first = ScriptedModel::from_fn(move |_| ScriptedTurn::error(overloaded()));
    let second = ScriptedModel::new([
        ScriptedTurn::error(ModelError::transport(CONTENT)),
        ScriptedTurn::tool_uses([
            ("fails", json!({"a": CONTENT})),
            ("panics", json!({})),
            ("slow", json!({})),
            ("denied", json!({})),
            ("strict", json!({"n": CONTENT})),
            ("nonesuch", json!({})),
            ("fine", json!({})),
        ]),
        ScriptedTurn::text("done"),
    ]);
    let panics = tool("panics", |_, _| async { panic!("{CONTENT}") });
    let slow = tool("slow", |_, _| async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok(ToolOutput::text("late"))
    });
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
    let tools = [failing("fails"), panics, slow, naming("denied"), naming("strict").schema(schema), naming("fine")];
    let builder = tools.into_iter().fold(Agent::builder(), |builder, tool| builder.tool(tool));
    let mut agent = builder
        .model(Fallback::new(first).or(second))
        .agent_id("mine")
        .tool_timeout(Duration::from_secs(1))
        .retry(RetryPolicy::new())
        .on_before_tool_call(|event: &mut BeforeToolCall<'_>| {
            if event.tool_use.name == "denied" {
                event.deny = Some(CONTENT.into());
            }
        })
        .build()
        .await
        .unwrap();
    agent.prompt(CONTENT).limits(Limits::new().turns(1)).await.unwrap();

    let one = |message: &str, parts: &[&str]| {
        let found = lines.of(message);
        assert!(
            found.iter().any(|line| line.starts_with("WARN") && parts.iter().all(|part| line.contains(part))),
            "{message} {parts:?}: {found:#?}"
        );
    };
    one("retry", &["attempt=1", "cause=\"transport\"", "agent_id=mine", "invocation_id="]);
    one("fallback", &["from=\"scripted\"", "to=\"scripted\"", "cause=\"overloaded\""]);
    for (tool, cause) in [
        ("fails", "error"),
        ("panics", "panic"),
        ("slow", "timeout"),
        ("denied", "denied"),
        ("strict", "invalid_input"),
        ("unknown", "unknown_tool"),
    ] {
        one("tool call failed", &[&format!("tool={tool:?}"), &format!("cause={cause:?}")]);
    }
    assert_eq!(lines.of("tool call failed").len(), 6);
    one("limit reached", &["limit=\"limit_turns\"", "agent_id=mine"]);
    let all = lines.0.lock().unwrap().join("\n");
    assert!(!all.contains(CONTENT), "{all}");
}

#[tokio::test(start_paused = true)]
async fn diagnostics_report_retries_of_a_tool() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let annotations = ToolAnnotations::new().with_read_only(true);
    let fails = tool("fails", |_, _| async { Err(ToolError::retryable(CONTENT)) });
    let fails = fails.annotations(annotations).policy(ToolPolicy::new().with_retries(2));
    ToolRunner::new(tools![fails]).unwrap().call("fails", json!({})).await.unwrap();
    let retries = lines.of("tool retry");
    assert_eq!(retries.len(), 2, "{retries:?}");
    for (retry, attempt) in retries.iter().zip(["attempt=1", "attempt=2"]) {
        for part in ["WARN", "tool=\"fails\"", "tool_use_id=", "delay_ms=", "cause=\"error\"", attempt] {
            assert!(retry.contains(part), "{part}: {retry}");
        }
    }
    assert_eq!(lines.of("tool call failed").len(), 1);
    assert!(!lines.0.lock().unwrap().join("\n").contains(CONTENT));
}

#[tokio::test]
async fn diagnostics_report_unread_injected_values() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let builder = || template(&ScriptedModel::responding("hi"), [naming("one")]).agent_id("mine");
    builder().build().await.unwrap();
    assert_eq!(lines.of("injected value is not read"), [""; 0]);
    let template = builder().inject(CONTENT);
    template.clone().build().await.unwrap();
    template.build().await.unwrap();
    let unread = lines.of("injected value is not read");
    assert!(
        matches!(&unread[..], [line] if line.starts_with("WARN") && line.contains("agent_id=mine value=\"&str\"")),
        "{unread:?}"
    );
    assert!(!unread[0].contains(CONTENT));
}

#[tokio::test]
async fn diagnostics_report_repairs() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    // A worker that died between a call and its result.
    let call = Message::new(Role::Assistant, [ToolUse::new("1", "one", json!({"a": CONTENT}))]);
    let sessions = InMemorySessionManager::new("s-1").with_messages("default", [Message::user(CONTENT), call]);
    let agent = template(&ScriptedModel::responding("hi"), []).session_manager(sessions).build().await.unwrap();
    assert_eq!(agent.repairs().len(), 1);
    let [line] = &lines.of("repaired")[..] else { panic!("{:?}", lines.0) };
    assert!(line.contains("session_id=\"s-1\"") && line.contains("repairs=1") && !line.contains(CONTENT), "{line}");
}

//! Responses to interrupts that hooks change or refuse before they are stored.

use serde_json::{Value, json};
use strands_core::hook::{BeforeInvocation, HookResult};
use strands_core::models::StopReason;
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentBuilder, AgentError, Prompt, ToolOutput};

use crate::support::{FnTool, Log, assert_whole, newest_results, template, tool};

/// A tool that interrupts with its name, and logs and returns the response.
fn asking(name: &'static str, log: &Log) -> FnTool {
    let log = log.clone();
    tool(name, move |ctx, _| {
        let response = ctx.interrupt(name, "sure?");
        if let Ok(response) = &response {
            log.add(format!("{name} {response}"));
        }
        async move { response.map(ToolOutput::json) }
    })
}

/// An agent that calls the tools `a` and `b` in one turn.
fn builder(log: &Log) -> AgentBuilder {
    let model = ScriptedModel::from_fn(|request| match request.messages.last().unwrap().tool_results().next() {
        None => ScriptedTurn::tool_uses([("a", json!({})), ("b", json!({}))]),
        Some(_) => ScriptedTurn::text("done"),
    });
    template(&model, [asking("a", log), asking("b", log)])
}

/// Adds the approver to each response.
fn signs(event: &mut BeforeInvocation<'_>) {
    for response in event.responses.iter_mut() {
        response.response = json!({"approved": response.response, "by": "alice"});
    }
}

async fn with_session(sessions: &InMemorySessionManager, builder: AgentBuilder) -> Agent {
    builder.session_manager(sessions.clone()).build().await.unwrap()
}

fn record(sessions: &InMemorySessionManager) -> Value {
    serde_json::to_value(sessions.record("default").unwrap()).unwrap()
}

#[tokio::test]
async fn tools_and_the_session_get_the_changed_response() {
    let (log, sessions) = (Log::default(), InMemorySessionManager::new("s"));
    let seen = Log::default();
    let looks = seen.clone();
    let looks = move |event: &mut BeforeInvocation<'_>| {
        for call in event.interrupted {
            let responses = call.interrupts.iter().map(|interrupt| json!(interrupt.response).to_string());
            looks.add(format!("{} {}", call.tool_use.name, responses.collect::<String>()));
        }
    };
    let build =
        || with_session(&sessions, builder(&log).on_before_invocation(looks.clone()).on_before_invocation(signs));
    let interrupts = build().await.prompt("go").await.unwrap().interrupts;
    assert!(seen.lines().is_empty(), "{:?}", seen.lines());
    // The response to one of two interrupts is stored as it was changed, and another process reads it.
    let first = build().await.prompt(Prompt::none()).resume([interrupts[0].respond(true)]).await.unwrap();
    assert_eq!((first.stop_reason, first.interrupts.len()), (StopReason::Interrupt, 1));
    assert_eq!(seen.lines(), ["a null", "b null"]);
    assert!(record(&sessions).to_string().contains("alice"));
    let mut second = build().await;
    second.prompt(Prompt::none()).resume([interrupts[1].respond("yes")]).await.unwrap();
    assert_eq!(log.lines(), [r#"a {"approved":true,"by":"alice"}"#, r#"b {"approved":"yes","by":"alice"}"#]);
    assert_eq!(newest_results(second.messages()).len(), 2);
    assert_whole(&mut second).await;
}

#[tokio::test]
async fn a_refused_response_changes_nothing() {
    let (log, sessions) = (Log::default(), InMemorySessionManager::new("s"));
    let refuses = |event: &mut BeforeInvocation<'_>| -> HookResult {
        if event.responses.iter().any(|response| response.response != "alice") {
            Err("not yours".into())
        } else {
            Ok(())
        }
    };
    let mut agent = with_session(&sessions, builder(&log).on_before_invocation(refuses)).await;
    let interrupts = agent.prompt("go").await.unwrap().interrupts;
    let (before, messages) = (record(&sessions), sessions.messages("default"));
    let suspended = snapshot(&agent);
    let responses = |who: &str| interrupts.iter().map(|interrupt| interrupt.respond(who)).collect::<Vec<_>>();
    let error = agent.prompt(Prompt::none()).resume(responses("bob")).await.unwrap_err();
    assert!(matches!(&error, AgentError::Hook { event: "before_invocation", .. }), "{error:?}");
    assert!(log.lines().is_empty());
    assert_eq!(agent.interrupts(), interrupts);
    assert_eq!(record(&sessions), before);
    assert_eq!(sessions.messages("default"), messages);
    assert_eq!(snapshot(&agent), suspended);
    // Neither for this agent nor for another one.
    let mut other = with_session(&sessions, builder(&log).on_before_invocation(refuses)).await;
    assert_eq!(other.interrupts(), interrupts);
    other.prompt(Prompt::none()).resume(responses("alice")).await.unwrap();
    assert_eq!(log.lines(), [r#"a "alice""#, r#"b "alice""#]);
}

/// Returns the snapshot of an agent without the time that its invocation has taken.
fn snapshot(agent: &Agent) -> Value {
    let mut snapshot = json!(agent.snapshot().unwrap());
    remove_time(&mut snapshot);
    snapshot
}

fn remove_time(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|key, _| key != "elapsed" && key != "created_at");
            object.values_mut().for_each(remove_time);
        }
        Value::Array(values) => values.iter_mut().for_each(remove_time),
        _ => {}
    }
}

#[tokio::test]
async fn a_response_for_another_interrupt_changes_nothing() {
    type Change = fn(&mut BeforeInvocation<'_>);
    type Check = fn(&AgentError) -> bool;
    let changes: [(Change, Check); 2] = [
        (
            |event| event.responses.iter_mut().for_each(|response| response.interrupt_id.push('2')),
            |error| matches!(error, AgentError::UnknownInterrupt { .. }),
        ),
        (
            |event| event.responses.iter_mut().for_each(|response| response.response = deep()),
            |error| matches!(error, AgentError::JsonTooDeep { .. }),
        ),
    ];
    for (change, is_expected) in changes {
        let (log, sessions) = (Log::default(), InMemorySessionManager::new("s"));
        let mut agent = with_session(&sessions, builder(&log).on_before_invocation(change)).await;
        let interrupts = agent.prompt("go").await.unwrap().interrupts;
        let before = record(&sessions);
        let responses = interrupts.iter().map(|interrupt| interrupt.respond(true));
        let error = agent.prompt(Prompt::none()).resume(responses).await.unwrap_err();
        assert!(is_expected(&error), "{error:?}");
        assert_eq!(record(&sessions), before);
        assert_eq!((agent.interrupts(), log.lines().len()), (interrupts, 0));
    }
}

fn deep() -> Value {
    (0..101).fold(json!(1), |value, _| json!([value]))
}

#[tokio::test]
async fn a_removed_response_leaves_its_interrupt_pending() {
    let log = Log::default();
    let removes = |event: &mut BeforeInvocation<'_>| event.responses.retain(|response| response.response != "maybe");
    let mut agent = builder(&log).on_before_invocation(removes).build().await.unwrap();
    let interrupts = agent.prompt("go").await.unwrap().interrupts;
    let responses = [interrupts[0].respond("maybe"), interrupts[1].respond("yes")];
    let response = agent.prompt(Prompt::none()).resume(responses).await.unwrap();
    assert_eq!(response.stop_reason, StopReason::Interrupt);
    assert_eq!(agent.interrupts(), [interrupts[0].clone()]);
    assert!(log.lines().iter().all(|line| !line.starts_with('a')), "{:?}", log.lines());
}

#[tokio::test]
async fn a_denied_invocation_runs_no_tool_with_its_responses() {
    let log = Log::default();
    let denies = |event: &mut BeforeInvocation<'_>| {
        if !event.responses.is_empty() {
            event.deny = Some("not today".into());
        }
    };
    let mut agent = builder(&log).on_before_invocation(denies).build().await.unwrap();
    let interrupts = agent.prompt("go").await.unwrap().interrupts;
    let responses = interrupts.iter().map(|interrupt| interrupt.respond(true));
    let response = agent.prompt(Prompt::none()).resume(responses).await.unwrap();
    assert_eq!(response.text(), "not today");
    assert!(log.lines().is_empty() && agent.interrupts().is_empty());
    assert_whole(&mut agent).await;
}

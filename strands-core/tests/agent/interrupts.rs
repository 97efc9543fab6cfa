//! Interrupts: the questions, the effect of each response, and no progress without one.

use async_trait::async_trait;
use serde_json::{Value, json};
use strands_core::hook::{BeforeToolCall, Hook, HookResult};
use strands_core::models::StopReason;
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{
    Agent, AgentError, AgentEvent, AgentResponse, Interrupt, InterruptResponse, Limits, Prompt, ToolOutput, ToolPolicy,
};

use crate::support::{FnTool, Log, agent, assert_whole, kinds, listen, naming, newest_results, template, tool};
use crate::valid_history::flaw;

/// Interrupts before it acts, and returns the response of the human.
fn asking(name: &'static str, log: &Log) -> FnTool {
    let log = log.clone();
    tool(name, move |ctx, _| {
        let log = log.clone();
        async move {
            let reply = ctx.interrupt("sure", json!({"about": ctx.tool_name()}))?;
            log.add(format!("{name} did it"));
            Ok(ToolOutput::text(reply.to_string()))
        }
    })
}

fn calling(names: &[&str]) -> ScriptedModel {
    let calls = ScriptedTurn::tool_uses(names.iter().map(|name| (*name, json!({"n": 1}))));
    ScriptedModel::new([calls, ScriptedTurn::text("done"), ScriptedTurn::text("more")])
}

async fn resume(agent: &mut Agent, replies: Vec<InterruptResponse>) -> Result<AgentResponse, AgentError> {
    agent.prompt(Prompt::none()).resume(replies).await
}

#[tokio::test]
async fn an_interrupt_ends_the_invocation_and_its_response_resumes_it() {
    let log = Log::default();
    let model = calling(&["asks", "one"]);
    let mut agent = agent(&model, [asking("asks", &log), naming("one")]).await;
    let response = agent.prompt("go").await.unwrap();
    assert_eq!(response.stop_reason, StopReason::Interrupt);
    let [question] = response.interrupts.as_slice() else { panic!("{:?}", response.interrupts) };
    assert_eq!((question.name.as_str(), &question.reason), ("sure", &json!({"about": "asks"})));
    assert!(question.id.starts_with("v1:tool_call:"), "{}", question.id);
    assert_eq!(agent.interrupts(), response.interrupts);
    // The calls are pending in the history, without partial results.
    assert_eq!(agent.messages().len(), 2);
    assert_whole(&mut agent).await;

    let response = resume(&mut agent, vec![question.respond("yes")]).await.unwrap();
    assert_eq!((response.text().as_str(), response.stop_reason), ("done", StopReason::EndTurn));
    assert_eq!(newest_results(agent.messages()), [(false, "\"yes\"".into()), (false, "one".into())]);
    assert_eq!(log.lines(), ["asks did it"]);
    assert_eq!(agent.interrupts(), []);
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn finished_tools_do_not_run_again_after_resume() {
    let log = Log::default();
    let ran = log.clone();
    let once = tool("once", move |_, _| {
        ran.add("once");
        async { Ok(ToolOutput::text("once")) }
    });
    let model = calling(&["once", "asks"]);
    let mut agent = agent(&model, [asking("asks", &log), once]).await;
    let raised = agent.prompt("go").await.unwrap().interrupts;
    resume(&mut agent, vec![raised[0].respond(1)]).await.unwrap();
    assert_eq!(log.lines(), ["once", "asks did it"]);
    // In the order of the calls, though the other one was finished first.
    assert_eq!(newest_results(agent.messages()), [(false, "once".into()), (false, "1".into())]);
}

#[tokio::test]
async fn interrupts_without_a_response_are_raised_again() {
    let log = Log::default();
    let model = calling(&["asks", "asks", "asks"]);
    let mut agent = agent(&model, [asking("asks", &log)]).await;
    let raised = agent.prompt("go").await.unwrap().interrupts;
    assert_eq!(raised.len(), 3);
    let response = resume(&mut agent, vec![raised[1].respond("b")]).await.unwrap();
    assert_eq!(response.stop_reason, StopReason::Interrupt);
    let ids = |raised: &[Interrupt]| raised.iter().map(|each| each.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&response.interrupts), [raised[0].id.clone(), raised[2].id.clone()]);
    assert_whole(&mut agent).await;
    resume(&mut agent, vec![raised[2].respond("c"), raised[0].respond("a")]).await.unwrap();
    let texts: Vec<_> = newest_results(agent.messages()).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["\"a\"", "\"b\"", "\"c\""]);
}

#[tokio::test]
async fn every_json_value_is_a_valid_interrupt_response() {
    for reply in [Value::Null, json!(false), json!({"a": [1]}), json!("")] {
        let model = calling(&["asks"]);
        let mut agent = agent(&model, [asking("asks", &Log::default())]).await;
        let raised = agent.prompt("go").await.unwrap().interrupts;
        let response = resume(&mut agent, vec![raised[0].respond(reply.clone())]).await.unwrap();
        assert_eq!(response.stop_reason, StopReason::EndTurn);
        assert_eq!(newest_results(agent.messages()), [(false, reply.to_string())]);
    }
}

#[tokio::test]
async fn a_tool_can_raise_several_interrupts_in_sequence() {
    let asks_twice = tool("asks", |ctx, _| async move {
        let first = ctx.interrupt("first", "1?")?;
        let second = ctx.interrupt("second", "2?")?;
        Ok(ToolOutput::text(format!("{first} {second}")))
    });
    let model = calling(&["asks"]);
    let mut agent = agent(&model, [asks_twice]).await;
    let first = agent.prompt("go").await.unwrap().interrupts;
    let second = resume(&mut agent, vec![first[0].respond(1)]).await.unwrap().interrupts;
    assert_eq!(second[0].name, "second");
    resume(&mut agent, vec![second[0].respond(2)]).await.unwrap();
    assert_eq!(newest_results(agent.messages()), [(false, "1 2".into())]);
}

#[tokio::test]
async fn a_prompt_is_rejected_during_an_interrupt() {
    let model = calling(&["asks"]);
    let mut agent = agent(&model, [asking("asks", &Log::default())]).await;
    let raised = agent.prompt("go").await.unwrap().interrupts;
    let before = agent.messages().to_vec();

    let error = agent.prompt("hello?").await.unwrap_err();
    assert!(
        matches!(&error, AgentError::Interrupted { interrupts } if *interrupts == [raised[0].id.clone()]),
        "{error:?}"
    );
    let error = agent.prompt(Prompt::none()).await.unwrap_err();
    assert!(matches!(error, AgentError::Interrupted { .. }), "{error:?}");
    let error = agent.prompt("and").resume([raised[0].respond(1)]).await.unwrap_err();
    assert!(matches!(error, AgentError::Interrupted { .. }), "{error:?}");
    let error =
        resume(&mut agent, vec![raised[0].respond(1), InterruptResponse::new("v1:other", 1)]).await.unwrap_err();
    assert!(matches!(&error, AgentError::UnknownInterrupt { id } if id == "v1:other"), "{error:?}");

    // None of these responses resolved the interrupt or changed anything.
    assert_eq!((agent.interrupts(), agent.messages()), (raised.clone(), before.as_slice()));
    assert_eq!(model.requests().len(), 1);
    resume(&mut agent, vec![raised[0].respond(1)]).await.unwrap();
    assert_whole(&mut agent).await;

    let error = resume(&mut agent, vec![raised[0].respond(1)]).await.unwrap_err();
    assert!(matches!(error, AgentError::UnknownInterrupt { .. }), "{error:?}");
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn discarded_interrupts_become_error_results() {
    let model = calling(&["one", "asks"]);
    let mut agent = agent(&model, [asking("asks", &Log::default()), naming("one")]).await;
    agent.prompt("go").await.unwrap();
    agent.discard_interrupts().await.unwrap();
    assert_whole(&mut agent).await;
    assert_eq!(newest_results(agent.messages()), [(false, "one".into()), (true, "Tool was interrupted.".into())]);
    agent.prompt("something else").await.unwrap();
    assert_whole(&mut agent).await;
    for request in model.requests() {
        assert_eq!(flaw(&request.messages, false), None);
    }
}

fn needing_approval(log: &Log) -> FnTool {
    let log = log.clone();
    let book = tool("book", move |_, input| {
        log.add(input.to_string());
        async { Ok(ToolOutput::text("booked")) }
    });
    book.policy(ToolPolicy::new().with_approval(true))
}

#[tokio::test]
async fn a_tool_that_requires_approval_runs_only_when_approved() {
    let given = [json!(true), json!("y"), json!("YES"), json!(" yes ")];
    let refused =
        [json!(false), json!(null), json!("no"), json!("yess"), json!(1), json!({"approved": true}), json!([true])];
    for (reply, consents) in given.iter().map(|each| (each, true)).chain(refused.iter().map(|each| (each, false))) {
        let log = Log::default();
        let model = calling(&["book"]);
        let mut agent = agent(&model, [needing_approval(&log)]).await;
        let raised = agent.prompt("go").await.unwrap().interrupts;
        assert_eq!(
            (raised[0].name.as_str(), &raised[0].reason),
            ("approval", &json!({"tool": "book", "input": {"n": 1}}))
        );
        assert_eq!(log.lines().len(), 0);
        resume(&mut agent, vec![raised[0].respond(reply.clone())]).await.unwrap();
        assert_eq!(log.lines().len(), usize::from(consents), "{reply}");
        let (error, _) = newest_results(agent.messages()).remove(0);
        assert_eq!(error, !consents);
    }
}

#[tokio::test]
async fn approval_holds_for_one_call() {
    let log = Log::default();
    let calls = ScriptedTurn::tool_uses([("book", json!({"to": "Oslo"})), ("book", json!({"to": "Rome"}))]);
    let model = ScriptedModel::new([calls, ScriptedTurn::text("done")]);
    let mut agent = agent(&model, [needing_approval(&log)]).await;
    let raised = agent.prompt("go").await.unwrap().interrupts;
    let response = resume(&mut agent, vec![raised[0].respond(true)]).await.unwrap();
    assert_eq!(log.lines(), [r#"{"to":"Oslo"}"#]);
    assert_eq!(response.interrupts, raised[1..]);
    resume(&mut agent, vec![raised[1].respond(false)]).await.unwrap();
    assert_eq!(log.lines().len(), 1);
}

/// Changes the arguments of the call at its second `before_tool_call`.
struct BaitAndSwitch(std::sync::atomic::AtomicBool);

#[async_trait]
impl Hook for BaitAndSwitch {
    async fn before_tool_call(&self, event: &mut BeforeToolCall<'_>) -> HookResult {
        if self.0.swap(true, std::sync::atomic::Ordering::Relaxed) {
            event.tool_use.input = json!({"to": "the moon"});
        }
        Ok(())
    }
}

#[tokio::test]
async fn approval_holds_for_the_shown_arguments() {
    let log = Log::default();
    let model = calling(&["book"]);
    let builder = template(&model, [needing_approval(&log)]).hook(BaitAndSwitch(false.into()));
    let mut agent = builder.build().await.unwrap();
    let raised = agent.prompt("go").await.unwrap().interrupts;
    let response = resume(&mut agent, vec![raised[0].respond(true)]).await.unwrap();
    assert_eq!(response.stop_reason, StopReason::Interrupt);
    assert_eq!(response.interrupts[0].reason["input"], json!({"to": "the moon"}));
    assert_eq!(log.lines(), [""; 0]);
}

#[tokio::test]
async fn invalid_arguments_are_rejected_before_approval() {
    let log = Log::default();
    let model = ScriptedModel::new([ScriptedTurn::raw_tool_uses([("book", "{broken")]), ScriptedTurn::text("done")]);
    let mut agent = agent(&model, [needing_approval(&log)]).await;
    // Malformed arguments cause no interrupt.
    assert_eq!(agent.prompt("go").await.unwrap().stop_reason, StopReason::EndTurn);
    assert_eq!(log.lines(), [""; 0]);
}

/// Interrupts every call.
struct AsksAboutAll;

#[async_trait]
impl Hook for AsksAboutAll {
    async fn before_tool_call(&self, event: &mut BeforeToolCall<'_>) -> HookResult {
        match event.interrupt("go on", "?") {
            Some(Value::Bool(true)) => {}
            Some(_) => event.deny = Some("a human said no".into()),
            None => assert!(event.interrupt("go on", "?").is_none()),
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_hook_can_interrupt_before_a_tool_call() {
    let log = Log::default();
    let model = calling(&["one", "asks"]);
    let builder = template(&model, [naming("one"), asking("asks", &log)]).hook(AsksAboutAll);
    let mut agent = builder.build().await.unwrap();
    let raised = agent.prompt("go").await.unwrap().interrupts;
    assert_eq!(raised.len(), 2);
    assert!(raised.iter().all(|each| each.id.starts_with("v1:before_tool_call:")));
    // The hook's interrupt is resolved; the tool raises its own.
    let replies = vec![raised[0].respond(false), raised[1].respond(true)];
    let response = resume(&mut agent, replies).await.unwrap();
    assert_eq!(response.interrupts.len(), 1);
    assert!(response.interrupts[0].id.starts_with("v1:tool_call:"));
    resume(&mut agent, vec![response.interrupts[0].respond("ok")]).await.unwrap();
    assert_eq!(newest_results(agent.messages()), [(true, "a human said no".into()), (false, "\"ok\"".into())]);
    assert_whole(&mut agent).await;
}

#[tokio::test]
async fn limits_and_usage_continue_after_an_interrupt() {
    let model = ScriptedModel::from_fn(|request| match request.messages.len() {
        1 => ScriptedTurn::tool_use("asks", json!({})),
        _ => ScriptedTurn::tool_use("one", json!({})),
    });
    let mut agent = agent(&model, [asking("asks", &Log::default()), naming("one")]).await;
    let first = agent.prompt("go").limits(Limits::new().turns(1)).await.unwrap();
    assert_eq!((first.turns, first.usage.total_tokens), (1, 15));
    let replies = [first.interrupts[0].respond("y")];
    let second = agent.prompt(Prompt::none()).resume(replies).limits(Limits::new().turns(3)).await.unwrap();
    assert_eq!((second.turns, second.usage.total_tokens), (3, 45));
    assert_eq!(second.stop_reason, StopReason::LimitTurns);
    assert_eq!(agent.metrics().accumulated_usage().total_tokens, 45);
}

#[tokio::test]
async fn the_interrupt_event_has_the_interrupts_of_the_response() {
    let model = calling(&["asks"]);
    let mut agent = agent(&model, [asking("asks", &Log::default())]).await;
    let (events, ended) = listen(agent.prompt("go").stream()).await;
    assert_eq!(kinds(&events).last().unwrap(), "interrupt");
    let Some(AgentEvent::Interrupt { interrupts }) = events.last() else { panic!() };
    assert_eq!(*interrupts, ended.unwrap().interrupts);
}

#[tokio::test]
async fn interrupts_and_responses_round_trip_through_json() {
    let model = calling(&["asks"]);
    let mut agent = agent(&model, [asking("asks", &Log::default())]).await;
    let raised = agent.prompt("go").await.unwrap().interrupts;
    let json = serde_json::to_value(&raised[0]).unwrap();
    assert_eq!(json["response"], Value::Null);
    let elsewhere: Interrupt = serde_json::from_value(json).unwrap();
    let reply: InterruptResponse =
        serde_json::from_value(json!({"interruptId": elsewhere.id, "response": {"ok": true}})).unwrap();
    resume(&mut agent, vec![reply]).await.unwrap();
    assert_eq!(newest_results(agent.messages()), [(false, r#"{"ok":true}"#.into())]);
}

#[tokio::test(start_paused = true)]
async fn dropping_a_resumed_invocation_leaves_a_valid_history() {
    let stuck = tool("asks", |ctx, _| async move {
        ctx.interrupt("sure", "?")?;
        std::future::pending().await
    });
    let model = calling(&["asks", "one"]);
    let mut agent = agent(&model, [stuck, naming("one")]).await;
    let raised = agent.prompt("go").await.unwrap().interrupts;
    let going_on = agent.prompt(Prompt::none()).resume([raised[0].respond(1)]).into_future();
    assert!(tokio::time::timeout(std::time::Duration::from_secs(1), going_on).await.is_err());
    assert_whole(&mut agent).await;
    let results = newest_results(agent.messages());
    assert!(results[0].0 && results[0].1.contains("whether it took effect is unknown"), "{results:?}");
    assert_eq!(results[1], (false, "one".into()));
}

//! Suspended runs in a session: one approval never runs a tool twice, whenever a process dies, and no message or
//! response is lost.

use std::future::pending;

use serde_json::{Value, json};
use strands_core::hook::{BeforeInvocation, Hook, HookResult};
use strands_core::message::Message;
use strands_core::models::StopReason;
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::{
    Agent, AgentBuilder, AgentError, CancellationToken, InterruptResponse, Limits, Prompt, Repair, ToolAnnotations,
    ToolOutput, ToolPolicy, async_trait,
};

use crate::support::{FnTool, Log, naming, newest_results, poll_once, template, tool};
use crate::valid_history::flaw;

fn sessions() -> InMemorySessionManager {
    InMemorySessionManager::new("s")
}

/// A booking tool that needs approval.
fn book(log: &Log) -> FnTool {
    let log = log.clone();
    let book = tool("book", move |_, input| {
        log.add(format!("book {input}"));
        async { Ok(ToolOutput::text("booked")) }
    });
    book.policy(ToolPolicy::new().with_approval(true))
}

/// A booking tool that starts and never ends.
fn stuck(log: &Log, idempotent: bool) -> FnTool {
    let log = log.clone();
    let book = tool("book", move |_, _| {
        log.add("started");
        pending()
    });
    let annotations = ToolAnnotations::new().with_idempotent(idempotent);
    book.policy(ToolPolicy::new().with_approval(true)).annotations(annotations)
}

fn worker(
    sessions: &InMemorySessionManager,
    model: &ScriptedModel,
    tools: impl IntoIterator<Item = FnTool>,
) -> AgentBuilder {
    template(model, tools).session_manager(sessions.clone())
}

fn asks() -> ScriptedModel {
    ScriptedModel::new([ScriptedTurn::tool_use("book", json!({"to": "Oslo"}))])
}

fn responding(text: &str) -> ScriptedModel {
    ScriptedModel::responding(text)
}

/// Suspends a conversation until a booking is approved. Returns the response that approves it.
async fn suspended(sessions: &InMemorySessionManager, log: &Log) -> InterruptResponse {
    let mut agent = worker(sessions, &asks(), [book(log)]).build().await.unwrap();
    let response = agent.prompt("go").await.unwrap();
    assert_eq!(response.stop_reason, StopReason::Interrupt);
    response.interrupts[0].respond("yes")
}

async fn resume(agent: &mut Agent, reply: &InterruptResponse) -> Result<strands_core::AgentResponse, AgentError> {
    agent.prompt(Prompt::none()).resume([reply.clone()]).await
}

fn assert_valid(agent: &Agent) {
    assert_eq!(flaw(agent.messages(), false), None, "{:#?}", agent.messages());
}

/// A model that never responds.
fn silent() -> ScriptedModel {
    ScriptedModel::from_fn(|_| ScriptedTurn::text("").stalling_after(0))
}

/// Starts to resume and leaks the invocation: no destructor runs, as in a killed process.
async fn killed_while_resuming(mut agent: Agent, reply: &InterruptResponse, log: &Log, lines: usize) {
    let mut resuming = agent.prompt(Prompt::none()).resume([reply.clone()]).into_future();
    while log.lines().len() < lines {
        assert!(poll_once(&mut resuming).await.is_pending());
        tokio::task::yield_now().await;
    }
    for _ in 0..20 {
        assert!(poll_once(&mut resuming).await.is_pending());
        tokio::task::yield_now().await;
    }
    std::mem::forget(resuming);
    std::mem::forget(agent);
}

#[tokio::test]
async fn an_approved_tool_runs_once_if_the_process_dies_during_the_model_call() {
    let (sessions, log) = (sessions(), Log::default());
    let reply = suspended(&sessions, &log).await;
    let agent = worker(&sessions, &silent(), [book(&log)]).build().await.unwrap();
    killed_while_resuming(agent, &reply, &log, 1).await;

    let mut next = worker(&sessions, &responding("hi"), [book(&log)]).build().await.unwrap();
    assert_eq!((next.interrupts(), next.repairs()), (vec![], [].as_slice()));
    assert_eq!(newest_results(next.messages()), [(false, "booked".into())]);
    let refused = resume(&mut next, &reply).await.unwrap_err();
    assert!(matches!(refused, AgentError::UnknownInterrupt { .. }), "{refused:?}");
    assert_eq!(next.prompt("and?").await.unwrap().text(), "hi");
    assert_valid(&next);
    assert_eq!(log.lines(), [r#"book {"to":"Oslo"}"#]);
}

#[tokio::test]
async fn one_of_two_workers_with_the_same_response_runs_the_tool() {
    let (sessions, log) = (sessions(), Log::default());
    let reply = suspended(&sessions, &log).await;
    let mut one = worker(&sessions, &responding("done"), [book(&log)]).build().await.unwrap();
    let mut other = worker(&sessions, &responding("done"), [book(&log)]).build().await.unwrap();
    resume(&mut one, &reply).await.unwrap();
    let conflict = resume(&mut other, &reply).await.unwrap_err();
    assert!(matches!(&conflict, AgentError::Session(error) if error.is_conflict()), "{conflict:?}");
    assert_eq!(log.lines().len(), 1);
}

#[tokio::test]
async fn discarded_interrupts_stay_discarded() {
    let (sessions, log) = (sessions(), Log::default());
    let reply = suspended(&sessions, &log).await;
    let mut agent = worker(&sessions, &responding("hi"), [book(&log)]).build().await.unwrap();
    agent.discard_interrupts().await.unwrap();
    drop(agent);
    let mut next = worker(&sessions, &responding("hi"), [book(&log)]).build().await.unwrap();
    assert_eq!(next.interrupts(), []);
    assert!(matches!(resume(&mut next, &reply).await, Err(AgentError::UnknownInterrupt { .. })));
    next.prompt("something else").await.unwrap();
    assert_valid(&next);
    assert_eq!(log.lines(), [""; 0]);
}

#[tokio::test]
async fn an_interrupt_is_either_discarded_or_resumed() {
    let (sessions, log) = (sessions(), Log::default());
    let reply = suspended(&sessions, &log).await;
    let mut one = worker(&sessions, &responding("done"), [book(&log)]).build().await.unwrap();
    let mut other = worker(&sessions, &responding("done"), [book(&log)]).build().await.unwrap();
    one.discard_interrupts().await.unwrap();
    assert!(resume(&mut other, &reply).await.is_err());
    assert_eq!(log.lines(), [""; 0]);

    let sessions = self::sessions();
    let reply = suspended(&sessions, &log).await;
    let mut one = worker(&sessions, &responding("done"), [book(&log)]).build().await.unwrap();
    let mut other = worker(&sessions, &responding("done"), [book(&log)]).build().await.unwrap();
    resume(&mut one, &reply).await.unwrap();
    let conflict = other.discard_interrupts().await.unwrap_err();
    assert!(matches!(&conflict, AgentError::Session(error) if error.is_conflict()), "{conflict:?}");
    assert_eq!(sessions.messages("default").len(), 4);
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_dropped_during_its_write_is_not_restored() {
    let (sessions, log) = (sessions(), Log::default());
    let model = ScriptedModel::new([
        ScriptedTurn::text("hello"),
        ScriptedTurn::tool_use("book", json!({})),
        ScriptedTurn::text("fine"),
        ScriptedTurn::text("fine"),
    ]);
    let mut agent = worker(&sessions, &model, [book(&log)]).build().await.unwrap();
    agent.prompt("hi").await.unwrap();
    sessions.set_latency(Some(std::time::Duration::from_millis(10)));
    let mut asking = agent.prompt("go").into_future();
    while !has_run(&sessions) {
        assert!(poll_once(&mut asking).await.is_pending());
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    drop(asking);
    agent.discard_interrupts().await.unwrap();
    for _ in 0..2 {
        agent.prompt("never mind").await.unwrap();
    }
    let next = worker(&sessions, &responding("hi"), [book(&log)]).build().await.unwrap();
    assert_eq!(next.interrupts(), []);
    assert_valid(&next);
}

fn has_run(sessions: &InMemorySessionManager) -> bool {
    sessions.record("default").is_some_and(|record| record.internal_state.run.is_some())
}

/// A tool with two interrupts before it acts.
fn careful(log: &Log) -> FnTool {
    let log = log.clone();
    tool("book", move |ctx, _| {
        let log = log.clone();
        async move {
            let first = ctx.interrupt("first", "1?")?;
            let second = ctx.interrupt("second", "2?")?;
            log.add("booked");
            Ok(ToolOutput::text(format!("{first} {second}")))
        }
    })
}

#[tokio::test]
async fn interrupts_of_one_call_can_be_resumed_in_several_processes() {
    let (sessions, log) = (sessions(), Log::default());
    let mut first = worker(&sessions, &asks(), [careful(&log)]).build().await.unwrap();
    let interrupts = first.prompt("go").await.unwrap().interrupts;
    drop(first);
    let mut second = worker(&sessions, &responding("?"), [careful(&log)]).build().await.unwrap();
    let interrupts = resume(&mut second, &interrupts[0].respond(1)).await.unwrap().interrupts;
    assert_eq!(interrupts[0].name, "second");
    drop(second);
    let mut third = worker(&sessions, &responding("done"), [careful(&log)]).build().await.unwrap();
    let response = resume(&mut third, &interrupts[0].respond(2)).await.unwrap();
    assert_eq!(response.text(), "done");
    assert_eq!(newest_results(third.messages()), [(false, "1 2".into())]);
    assert_eq!(log.lines(), ["booked"]);
}

#[tokio::test]
async fn a_denial_counts_if_the_tool_no_longer_requires_approval() {
    let (sessions, log) = (sessions(), Log::default());
    let reply = suspended(&sessions, &log).await;
    let lenient = book(&log).policy(ToolPolicy::new());
    let mut agent = worker(&sessions, &responding("ok"), [lenient]).build().await.unwrap();
    let no = InterruptResponse::new(reply.interrupt_id, "no");
    resume(&mut agent, &no).await.unwrap();
    assert_eq!(log.lines(), [""; 0]);
    assert!(newest_results(agent.messages())[0].0);
}

#[tokio::test]
async fn usage_limits_and_output_continue_in_another_process() {
    let (sessions, log) = (sessions(), Log::default());
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Trip {
        #[expect(dead_code, reason = "only its schema is of interest")]
        city: String,
    }
    let mut first = worker(&sessions, &asks(), [book(&log)]).build().await.unwrap();
    let limits = Limits::new().turns(2);
    let response = first.prompt("go").limits(limits).output::<Trip>().await.unwrap();
    let reply = response.interrupts[0].respond(true);
    drop(first);
    let model = ScriptedModel::new([ScriptedTurn::tool_use("Trip", json!({"city": "Oslo"}))]);
    let mut second = worker(&sessions, &model, [book(&log)]).build().await.unwrap();
    let response = resume(&mut second, &reply).await.unwrap();
    assert_eq!((response.turns, response.usage.total_tokens), (2, 30));
    assert_eq!(response.output.unwrap()["city"], "Oslo");
    assert_eq!(log.lines().len(), 1);

    // The limit of two model calls holds over both processes.
    let sessions = self::sessions();
    let mut first = worker(&sessions, &asks(), [book(&log)]).build().await.unwrap();
    let reply = first.prompt("go").limits(Limits::new().turns(1)).await.unwrap().interrupts[0].respond(true);
    drop(first);
    let mut second = worker(&sessions, &responding("unreachable"), [book(&log)]).build().await.unwrap();
    assert_eq!(resume(&mut second, &reply).await.unwrap().stop_reason, StopReason::LimitTurns);
}

/// A session in which an approval was recorded, but the process died before the tool was started.
async fn approved(log: &Log) -> (InMemorySessionManager, InterruptResponse) {
    let sessions = sessions();
    let reply = suspended(&sessions, log).await;
    let mut agent = worker(&sessions, &responding("?"), [book(log)]).build().await.unwrap();
    sessions.fail_after(Some(1));
    // The record of the start fails, that of the approval does not.
    let error = resume(&mut agent, &reply).await.unwrap_err();
    assert!(matches!(error, AgentError::Session(_)), "{error:?}");
    assert_eq!(log.lines(), [""; 0]);
    sessions.fail_after(None);
    std::mem::forget(agent);
    (sessions, reply)
}

#[tokio::test]
async fn an_approved_tool_that_was_not_started_runs_at_resume() {
    for prompt in [Prompt::none(), Prompt::from("hurry"), Prompt::from("again")] {
        let log = Log::default();
        let (sessions, reply) = approved(&log).await;
        let model = responding("done");
        let mut next = worker(&sessions, &model, [book(&log)]).build().await.unwrap();
        let [Repair::CallPending { tool_use_id }] = next.repairs() else { panic!("{:?}", next.repairs()) };
        assert!(reply.interrupt_id.contains(tool_use_id.as_str()));
        assert_eq!(next.interrupts(), []);
        let words = prompt.clone();
        let again = if words == Prompt::from("again") { vec![reply.clone()] } else { vec![] };
        let words = if again.is_empty() { words } else { Prompt::none() };
        next.prompt(words).resume(again).await.unwrap();
        assert_eq!(log.lines().len(), 1);
        assert_valid(&next);
        let last = model.requests().pop().unwrap().messages.pop().unwrap();
        assert_eq!(last.text(), if prompt == Prompt::from("hurry") { "hurry" } else { "" });
        assert_eq!(last.tool_results().count(), 1);
        let other = worker(&sessions, &model, [book(&log)]).build().await.unwrap();
        assert_eq!(other.repairs(), []);
    }
}

#[tokio::test]
async fn a_second_response_does_not_replace_a_recorded_one() {
    let log = Log::default();
    let (sessions, reply) = approved(&log).await;
    let mut next = worker(&sessions, &responding("done"), [book(&log)]).build().await.unwrap();
    let no = InterruptResponse::new(reply.interrupt_id, "no");
    assert!(matches!(resume(&mut next, &no).await, Err(AgentError::UnknownInterrupt { .. })));
    assert_eq!(log.lines(), [""; 0]);
}

/// A session in which a tool was started, but the process died before its result was recorded.
async fn started(log: &Log, idempotent: bool) -> InMemorySessionManager {
    let sessions = sessions();
    let mut agent = worker(&sessions, &asks(), [stuck(log, idempotent)]).build().await.unwrap();
    let reply = agent.prompt("go").await.unwrap().interrupts[0].respond(true);
    killed_while_resuming(agent, &reply, log, 1).await;
    sessions
}

#[tokio::test]
async fn a_started_tool_has_an_unknown_outcome_and_does_not_run_again() {
    let log = Log::default();
    let sessions = started(&log, false).await;
    let model = responding("let me look");
    let mut next = worker(&sessions, &model, [book(&log)]).build().await.unwrap();
    assert!(matches!(next.repairs(), [Repair::OutcomeUnknown { .. }]), "{:?}", next.repairs());
    assert_eq!(next.interrupts(), []);
    next.prompt("and?").await.unwrap();
    let results = newest_results(&model.requests()[0].messages);
    assert!(results[0].0 && results[0].1.contains("whether it took effect is unknown"), "{results:?}");
    assert_eq!(log.lines(), ["started"]);
    assert_valid(&next);
    let other = worker(&sessions, &model, [book(&log)]).build().await.unwrap();
    assert_eq!((other.repairs(), other.messages()), ([].as_slice(), next.messages()));
}

#[tokio::test]
async fn an_idempotent_tool_runs_again() {
    let log = Log::default();
    let sessions = started(&log, true).await;
    let again = book(&log).annotations(ToolAnnotations::new().with_idempotent(true));
    let mut next = worker(&sessions, &responding("done"), [again]).build().await.unwrap();
    assert!(matches!(next.repairs(), [Repair::CallPending { .. }]), "{:?}", next.repairs());
    next.prompt(Prompt::none()).await.unwrap();
    assert_eq!(log.lines(), ["started", r#"book {"to":"Oslo"}"#]);
    assert_valid(&next);
}

#[tokio::test]
async fn a_worker_without_the_claim_does_not_start_the_tool() {
    let log = Log::default();
    let sessions = sessions();
    let reply = suspended(&sessions, &log).await;
    let mut slow = worker(&sessions, &responding("slow"), [book(&log)]).build().await.unwrap();
    let mut resuming = slow.prompt(Prompt::none()).resume([reply.clone()]).into_future();
    sessions.set_latency(Some(std::time::Duration::from_millis(1)));
    while !has_run_with(&sessions, "approved") {
        assert!(poll_once(&mut resuming).await.is_pending());
        tokio::task::yield_now().await;
    }
    sessions.set_latency(None);
    let mut fast = worker(&sessions, &responding("fast"), [book(&log)]).build().await.unwrap();
    fast.prompt(Prompt::none()).await.unwrap();
    let conflict = resuming.await.unwrap_err();
    assert!(matches!(&conflict, AgentError::Session(error) if error.is_conflict()), "{conflict:?}");
    assert_eq!(log.lines().len(), 1);
}

fn has_run_with(sessions: &InMemorySessionManager, status: &str) -> bool {
    let run = sessions.record("default").and_then(|record| record.internal_state.run);
    run.is_some_and(|run| run.to_string().contains(status))
}

#[tokio::test]
async fn a_dropped_claim_keeps_the_response() {
    let log = Log::default();
    let sessions = sessions();
    let reply = suspended(&sessions, &log).await;
    let mut agent = worker(&sessions, &responding("done"), [book(&log)]).build().await.unwrap();
    sessions.set_latency(Some(std::time::Duration::from_millis(1)));
    assert!(poll_once(&mut agent.prompt(Prompt::none()).resume([reply.clone()]).into_future()).await.is_pending());
    sessions.set_latency(None);
    agent.prompt(Prompt::none()).await.unwrap();
    assert_eq!(log.lines().len(), 1);
    assert_valid(&agent);
}

#[tokio::test]
async fn sequential_calls_wait_for_an_earlier_interrupt() {
    let log = Log::default();
    let second = |log: &Log| {
        let log = log.clone();
        tool("second", move |_, _| {
            log.add("second");
            async { Ok(ToolOutput::text("second")) }
        })
    };
    let exclusive = |tool: FnTool| tool.policy(ToolPolicy::new().with_exclusive(true));
    for (concurrency, is_exclusive) in [(1, false), (64, true)] {
        let calls = ScriptedTurn::tool_uses([("one", json!({})), ("book", json!({})), ("second", json!({}))]);
        let model = ScriptedModel::new([calls, ScriptedTurn::text("done")]);
        let second = if is_exclusive { exclusive(second(&log)) } else { second(&log) };
        let builder = template(&model, [naming("one"), book(&log), second]).tool_concurrency(concurrency);
        let mut agent = builder.build().await.unwrap();
        let interrupts = agent.prompt("go").await.unwrap().interrupts;
        assert_eq!(log.lines(), [""; 0]);
        agent.prompt(Prompt::none()).resume([interrupts[0].respond(true)]).await.unwrap();
        assert_eq!(std::mem::take(&mut log.lines()), ["book {}", "second"]);
        assert_eq!(newest_results(agent.messages()).len(), 3);
        log.clear();
    }
}

#[tokio::test]
async fn a_call_without_a_record_gets_a_result_and_a_repair() {
    use strands_core::message::{Role, ToolResult, ToolResultStatus, ToolUse};
    let call = || Message::new(Role::Assistant, [ToolUse::new("call_0", "book", json!({}))]);
    let result = Message::new(Role::User, [ToolResult::new("call_0", ToolResultStatus::Success, ["ok"])]);
    let messages = [Message::user("go"), call(), result, call()];
    let sessions = sessions().with_messages("default", messages);
    let log = Log::default();
    let mut agent = worker(&sessions, &responding("hi"), [book(&log)]).build().await.unwrap();
    assert_eq!(agent.repairs(), [Repair::ResultAdded { tool_use_id: "call_0".into() }]);
    agent.prompt(Prompt::none()).await.unwrap();
    assert_eq!(log.lines(), [""; 0]);
    assert_valid(&agent);
}

#[tokio::test]
async fn rejects_a_run_of_another_version() {
    let (sessions, log) = (sessions(), Log::default());
    suspended(&sessions, &log).await;
    let mut record = sessions.record("default").unwrap();
    record.internal_state.run.as_mut().unwrap()["version"] = Value::from(9);
    sessions.set_record(record.clone());
    let error = worker(&sessions, &responding("hi"), [book(&log)]).build().await.unwrap_err();
    assert!(error.to_string().contains("a suspended invocation"), "{error}");
    assert_eq!(sessions.record("default").unwrap(), record);
}

#[tokio::test]
async fn refused_responses_write_nothing() {
    let (log, sessions) = (Log::default(), sessions());
    let approval = suspended(&sessions, &log).await;
    let refuses = |builder: AgentBuilder| {
        builder.on_before_invocation(|event| match event.responses.is_empty() {
            true => Ok(()),
            false => HookResult::Err("refused".into()),
        })
    };
    let mut agent = refuses(worker(&sessions, &responding("booked"), [book(&log)])).build().await.unwrap();
    let mut other = worker(&sessions, &responding("booked"), [book(&log)]).build().await.unwrap();
    // The second failure writes what the first has changed.
    for _ in 0..2 {
        let error = agent.prompt(Prompt::none()).resume([approval.clone()]).await.unwrap_err();
        assert!(matches!(error, AgentError::Hook { .. }), "{error:?}");
        let unknown = InterruptResponse::new("x", true);
        let error = agent.prompt(Prompt::none()).resume([unknown]).await.unwrap_err();
        assert!(matches!(error, AgentError::UnknownInterrupt { .. }), "{error:?}");
    }
    // A write would be a conflict here.
    other.prompt(Prompt::none()).resume([approval]).await.unwrap();
    assert_eq!(log.lines().len(), 1);
}

#[tokio::test]
async fn a_stop_during_the_check_of_responses_takes_none() {
    let (log, sessions) = (Log::default(), sessions());
    let approval = suspended(&sessions, &log).await;
    let stalls = worker(&sessions, &responding("booked"), [book(&log)]).hook(Stalls);
    let mut agent = stalls.build().await.unwrap();
    let cancelled = CancellationToken::new();
    cancelled.cancel();
    let resumed = agent.prompt(Prompt::none()).resume([approval.clone()]).cancel_with(cancelled);
    let response = resumed.await.unwrap();
    assert_eq!(response.stop_reason, StopReason::Cancelled);
    assert_eq!((response.interrupts.len(), agent.interrupts().len()), (1, 1));
    let mut other = worker(&sessions, &responding("booked"), [book(&log)]).build().await.unwrap();
    other.prompt(Prompt::none()).resume([approval]).await.unwrap();
    assert_eq!(log.lines().len(), 1);
}

/// Checks responses forever.
struct Stalls;

#[async_trait]
impl Hook for Stalls {
    async fn before_invocation(&self, _: &mut BeforeInvocation<'_>) -> HookResult {
        pending().await
    }
}

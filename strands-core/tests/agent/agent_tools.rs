//! Agents as tools: instances, events, host values, interrupts through all levels, kept context and delegation.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use strands_core::hook::{BeforeToolCall, Hook, HookResult};
use strands_core::message::Message;
use strands_core::metrics::Usage;
use strands_core::models::{ErrorDetails, ModelError, StopReason};
use strands_core::testing::{InMemorySessionManager, RecordedJournal, ScriptedModel, ScriptedTurn};
use strands_core::tool::ConfiguredTool;
use strands_core::{
    Agent, AgentBuilder, AgentError, AgentEvent, AgentResponse, AgentTool, BuildError, CancellationToken, InjectedKey,
    Limits, Prompt, PromptRequest, Promptable, Snapshot, Tool, ToolCallOutcome, ToolContext, ToolError, ToolOutput,
    ToolPolicy, ToolSetError, ToolSpec, TraceContext, async_trait, tools,
};

use crate::support::{FnTool, Log, listen, naming, newest_results, tool};
use crate::valid_history::flaw;

/// A template that responds with its prompt and the number of messages.
pub(crate) fn echo(name: &str) -> AgentBuilder {
    let model = ScriptedModel::from_fn(|request| {
        let last = request.messages.last().map(|message| message.text()).unwrap_or_default();
        ScriptedTurn::text(format!("{last} of {}", request.messages.len()))
    });
    Agent::builder().model(model).name(name).description("Repeats.")
}

fn calling(calls: impl IntoIterator<Item = (&'static str, Value)>) -> ScriptedModel {
    ScriptedModel::new([ScriptedTurn::tool_uses(calls), ScriptedTurn::text("done")])
}

/// A model that makes these calls in its first turn, in any process, and ends when it has results.
pub(crate) fn calling_once(calls: Vec<(&'static str, Value)>) -> ScriptedModel {
    ScriptedModel::from_fn(move |request| {
        let has_results = |message: &Arc<Message>| message.tool_results().next().is_some();
        match request.messages.iter().rev().take_while(|message| !message.is_prompt()).any(has_results) {
            true => {
                let results = newest_results(request.messages);
                ScriptedTurn::text(results.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(" & "))
            }
            false => ScriptedTurn::tool_uses(calls.clone()),
        }
    })
}

/// A payment that needs approval.
pub(crate) fn pay(log: &Log) -> FnTool {
    let log = log.clone();
    let pay = tool("pay", move |_, input| {
        log.add(format!("pay {}", input["amount"]));
        async { Ok(ToolOutput::text("paid")) }
    });
    pay.policy(ToolPolicy::new().with_approval(true))
}

#[tokio::test]
async fn calls_of_one_template_are_separate_instances_with_events_of_their_own() {
    let model = calling([("the_echo", json!({"input": "a"})), ("the_echo", json!({"input": "b"}))]);
    let mut outer = Agent::builder().model(model).tools(tools![echo("the echo")]).build().await.unwrap();
    let (events, response) = listen(outer.prompt("go").stream()).await;
    assert_eq!(response.unwrap().text(), "done");
    assert_eq!(newest_results(outer.messages()), [(false, "a of 1".to_owned()), (false, "b of 1".to_owned())]);

    let calls: Vec<String> = outer.messages()[1].tool_uses().map(|call| call.tool_use_id.clone()).collect();
    for (call, text) in calls.iter().zip(["a of 1", "b of 1"]) {
        let own: Vec<&AgentEvent> = events
            .iter()
            .filter(|event| event.path().iter().map(|part| &**part).eq([format!("the_echo:{call}")]))
            .map(AgentEvent::leaf)
            .collect();
        assert!(matches!(own.first(), Some(AgentEvent::Start { .. })), "{own:?}");
        let Some(AgentEvent::Result { response }) = own.last() else { panic!("{own:?}") };
        assert_eq!(response.text(), text);
        let streamed = own.iter().filter_map(|event| match event {
            AgentEvent::TextDelta { text } => Some(text.as_str()),
            _ => None,
        });
        assert_eq!(streamed.collect::<String>(), text);
    }
    let spec = outer.tools().get("the_echo").unwrap().spec().clone();
    assert_eq!((spec.description.as_str(), &spec.input_schema["required"]), ("Repeats.", &json!(["input"])));
}

#[tokio::test]
async fn usage_and_limits_are_those_of_the_tree() {
    let turn = |turn: ScriptedTurn| turn.with_usage(Usage::new(10, 5));
    let inner = || {
        let model = ScriptedModel::from_fn(move |_| turn(ScriptedTurn::text("hi")));
        Agent::builder().model(model).name("inner")
    };
    let model = || {
        ScriptedModel::new([
            turn(ScriptedTurn::tool_use("inner", json!({"input": "x"}))),
            turn(ScriptedTurn::text("done")),
        ])
    };
    let mut outer = Agent::builder().model(model()).tools([inner()]).build().await.unwrap();
    let response = outer.prompt("go").await.unwrap();
    assert_eq!((response.usage.total_tokens, response.turns), (45, 3));

    let mut outer = Agent::builder().model(model()).tools([inner()]).build().await.unwrap();
    let response = outer.prompt("go").limits(Limits::new().turns(1)).await.unwrap();
    assert_eq!((response.stop_reason, response.turns), (StopReason::LimitTurns, 1));
    let (is_error, text) = newest_results(outer.messages()).remove(0);
    assert!(is_error && text.contains("limit_turns"), "{text}");
}

#[tokio::test]
async fn a_failure_and_a_limit_are_error_results() {
    let failing =
        Agent::builder().name("failing").model(ScriptedModel::new([ScriptedTurn::error(ModelError::InvalidRequest {
            details: ErrorDetails::new().with_body("no such model").boxed(),
        })]));
    let looping = Agent::builder()
        .name("looping")
        .model(ScriptedModel::from_fn(|_| ScriptedTurn::tool_use("again", json!({}))))
        .tool(naming("again"))
        .limits(Limits::new().turns(2));
    let model = calling([("failing", json!({"input": "x"})), ("looping", json!({"input": "x"}))]);
    let mut outer = Agent::builder().model(model).tools([failing, looping]).build().await.unwrap();
    assert_eq!(outer.prompt("go").await.unwrap().text(), "done");
    let results = newest_results(outer.messages());
    assert!(results.iter().all(|(is_error, _)| *is_error), "{results:?}");
    assert!(results[0].1.contains("`failing` failed") && results[0].1.contains("no such model"), "{results:?}");
    assert!(results[1].1.contains("stopped by limit_turns"), "{results:?}");
}

#[derive(Deserialize, JsonSchema)]
struct Trip {
    city: String,
    nights: u8,
}

#[derive(Deserialize, JsonSchema)]
struct Price {
    #[expect(dead_code, reason = "the loop reads it as JSON")]
    euros: u32,
}

#[tokio::test]
async fn input_and_output_are_typed() {
    let seen = Log::default();
    let log = seen.clone();
    let model = ScriptedModel::from_fn(move |request| {
        log.add(request.messages[0].text());
        ScriptedTurn::tool_use("Price", json!({"euros": 420}))
    });
    let pricing = Agent::builder().name("pricing").model(model).as_tool();
    let pricing = pricing.input(|trip: Trip| format!("{} nights in {}", trip.nights, trip.city)).output::<Price>();
    assert_eq!(pricing.spec().output_schema.as_ref().unwrap()["properties"]["euros"]["type"], "integer");
    let model = ScriptedModel::new([
        ScriptedTurn::tool_use("pricing", json!({"city": "Oslo"})),
        ScriptedTurn::tool_use("pricing", json!({"city": "Oslo", "nights": 2})),
        ScriptedTurn::text("done"),
    ]);
    let mut outer = Agent::builder().model(model).tool(pricing).build().await.unwrap();
    outer.prompt("go").await.unwrap();
    let rejected = &outer.messages()[2].tool_results().next().unwrap().clone();
    assert!(rejected.is_error() && format!("{rejected:?}").contains("nights"), "{rejected:?}");
    assert_eq!(newest_results(outer.messages()), [(false, r#"{"json":{"euros":420}}"#.to_owned())]);
    assert_eq!(seen.lines(), ["2 nights in Oslo"]);
}

/// Host value.
#[derive(Debug, PartialEq)]
struct User(&'static str);

/// A tool that reads the user.
struct WhoAmI(ToolSpec);

impl WhoAmI {
    fn new() -> Self {
        Self(ToolSpec::new("who_am_i", "Names the user.", json!({"type": "object"})))
    }
}

#[async_trait]
impl Tool for WhoAmI {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    fn requires(&self) -> &[InjectedKey] {
        const KEYS: &[InjectedKey] = &[InjectedKey::of::<User>()];
        KEYS
    }

    async fn call(&self, ctx: &ToolContext, _: Value) -> Result<ToolOutput, ToolError> {
        Ok(ToolOutput::text(ctx.injected::<User>()?.0))
    }
}

#[tokio::test]
async fn host_values_reach_all_levels_and_are_checked_at_build() {
    let whoami = || calling_once(vec![("who_am_i", json!({}))]);
    let inner = || Agent::builder().name("inner").model(whoami()).tool(WhoAmI::new());
    let middle = || {
        let model = calling_once(vec![("inner", json!({"input": "x"}))]);
        Agent::builder().name("middle").model(model).tools(tools![inner()])
    };
    let outer = || Agent::builder().model(calling_once(vec![("middle", json!({"input": "x"}))])).tools([middle()]);

    let missing = outer().build().await.unwrap_err();
    assert!(
        matches!(&missing, BuildError::MissingInjectedValue { tool, ty } if tool == "middle" && ty.ends_with("User"))
    );
    let mut agent = outer().inject(User("ada")).build().await.unwrap();
    assert_eq!(agent.prompt("go").await.unwrap().text(), "ada");
    assert!(agent.unread_injected_values().is_empty());
    // A value of the invocation comes first; a template's own value comes before that of the outer agent.
    assert_eq!(agent.prompt("go").inject(User("bob")).await.unwrap().text(), "bob");
    let own = Agent::builder()
        .model(calling_once(vec![("inner", json!({"input": "x"}))]))
        .tools([inner().inject(User("service"))]);
    let mut agent = own.inject(User("ada")).build().await.unwrap();
    assert_eq!(agent.prompt("go").await.unwrap().text(), "service");

    let mut agent = outer().injected_per_prompt::<User>().build().await.unwrap();
    assert_eq!(agent.prompt("go").inject(User("eve")).await.unwrap().text(), "eve");
    let error = agent.prompt("go").await.unwrap_err();
    assert!(matches!(error, AgentError::MissingInjectedValue { .. }), "{error}");
}

/// Three levels: the innermost agent pays twice at once, and then once more.
pub(crate) fn planner(sessions: &InMemorySessionManager, log: &Log) -> AgentBuilder {
    let inner = Agent::builder().name("clerk").tool(pay(log)).model(ScriptedModel::from_fn(|request| {
        match request.messages.iter().flat_map(|message| message.tool_results()).count() {
            0 => ScriptedTurn::tool_uses([("pay", json!({"amount": 1})), ("pay", json!({"amount": 2}))]),
            2 => ScriptedTurn::tool_use("pay", json!({"amount": 3})),
            _ => ScriptedTurn::text("all paid"),
        }
    }));
    let middle =
        Agent::builder().name("office").model(calling_once(vec![("clerk", json!({"input": "pay"}))])).tools([inner]);
    Agent::builder()
        .model(calling_once(vec![("office", json!({"input": "pay"})), ("look", json!({}))]))
        .tools(tools![middle, naming("look")])
        .session_manager(sessions.clone())
}

#[tokio::test]
async fn interrupts_of_inner_agents_are_resumed_through_all_levels_in_other_processes() {
    let (sessions, log) = (InMemorySessionManager::new("s"), Log::default());
    let response = planner(&sessions, &log).build().await.unwrap().prompt("go").await.unwrap();
    assert_eq!(response.stop_reason, StopReason::Interrupt);
    assert_eq!(response.interrupts.len(), 2);
    assert_eq!(response.continuation, None, "the session has it");
    for interrupt in &response.interrupts {
        assert!(interrupt.id.starts_with("v1:agent_as_tool:"), "{}", interrupt.id);
        assert_eq!(interrupt.id.matches("v1:").count(), 3, "{}", interrupt.id);
        assert_ne!(interrupt.response, Some(Value::Null));
    }
    assert!(log.lines().is_empty());

    // One response at a time, each in a process of its own.
    let mut agent = planner(&sessions, &log).build().await.unwrap();
    assert_eq!(agent.interrupts(), response.interrupts);
    let first = response.interrupts[0].respond(true);
    let second = agent.prompt(Prompt::none()).resume([first]).await.unwrap();
    assert_eq!(second.stop_reason, StopReason::Interrupt);
    assert_eq!(second.interrupts, response.interrupts[1..], "the agent has taken the first response");
    assert_eq!(log.lines().len(), 1);

    let mut agent = planner(&sessions, &log).build().await.unwrap();
    let mut rounds = 0;
    let end = loop {
        let responses: Vec<_> = agent.interrupts().iter().map(|interrupt| interrupt.respond(true)).collect();
        let response = agent.prompt(Prompt::none()).resume(responses).await.unwrap();
        rounds += 1;
        if response.stop_reason != StopReason::Interrupt {
            break response;
        }
        assert_eq!(response.interrupts.len(), 1, "{:?}", response.interrupts);
        agent = planner(&sessions, &log).build().await.unwrap();
    };
    assert_eq!(end.text(), "all paid & look");
    assert_eq!(rounds, 2);
    let mut paid = log.lines();
    paid.sort();
    assert_eq!(paid, ["pay 1", "pay 2", "pay 3"], "each tool ran once");
    assert_eq!(flaw(agent.messages(), false), None);
}

#[tokio::test]
async fn a_stored_record_names_the_inner_calls() {
    let (sessions, log) = (InMemorySessionManager::new("s"), Log::default());
    let asked = planner(&sessions, &log).build().await.unwrap().prompt("go").await.unwrap();
    let calls = sessions.record("default").unwrap().interrupted_calls().unwrap();
    assert_eq!(calls.len(), 2);
    for (call, interrupt) in calls.iter().zip(&asked.interrupts) {
        assert_eq!(call.tool_use.name, "pay");
        let within: Vec<&str> = call.within.iter().map(|call| call.name.as_str()).collect();
        assert_eq!(within, ["office", "clerk"]);
        assert_eq!(call.interrupts, std::slice::from_ref(interrupt));
        assert!(interrupt.is_of_call(&call.within[0].tool_use_id));
    }
}

#[tokio::test]
async fn a_denied_inner_call_and_discarded_interrupts_leave_valid_conversations() {
    let (sessions, log) = (InMemorySessionManager::new("s"), Log::default());
    let mut agent = planner(&sessions, &log).build().await.unwrap();
    let first = agent.prompt("go").await.unwrap();
    let deny: Vec<_> = first.interrupts.iter().map(|interrupt| interrupt.respond(false)).collect();
    let second = agent.prompt(Prompt::none()).resume(deny).await.unwrap();
    assert_eq!(second.interrupts.len(), 1);
    agent.discard_interrupts().await.unwrap();
    assert!(log.lines().is_empty());
    let mut agent = planner(&sessions, &log).build().await.unwrap();
    assert!(agent.interrupts().is_empty());
    assert_eq!(flaw(agent.messages(), false), None);
    // Nothing of the discarded agent is left: a new call starts anew.
    assert_eq!(agent.prompt("again").await.unwrap().interrupts.len(), 2);
}

#[tokio::test]
async fn the_state_of_strands_is_written_and_read() {
    let log = Log::default();
    let template = || {
        let clerk =
            Agent::builder().name("clerk").tool(pay(&log)).model(calling_once(vec![("pay", json!({"amount": 7}))]));
        Agent::builder().model(calling_once(vec![("clerk", json!({"input": "pay"}))])).tools([clerk])
    };
    let mut agent = template().build().await.unwrap();
    let response = agent.prompt("go").await.unwrap();
    let mut snapshot = agent.snapshot().unwrap();
    let call = agent.messages()[1].tool_uses().next().unwrap().tool_use_id.clone();
    let turns = &snapshot.data.interrupt_state.as_ref().unwrap()["context"]["sub_agent_interrupted_turns"];
    let inner: Snapshot = serde_json::from_value(turns[&call].clone()).unwrap();
    assert_eq!(inner.data.messages.unwrap().len(), 2);
    // Strands does not know our run, and writes none.
    snapshot.data.run = None;
    let mut other = template().build().await.unwrap();
    other.restore(snapshot).unwrap();
    let approve = response.interrupts[0].respond(true);
    assert_eq!(other.prompt(Prompt::none()).resume([approve]).await.unwrap().text(), "paid");
    assert_eq!(log.lines(), ["pay 7"]);
}

#[tokio::test]
async fn an_owned_agent_without_a_session_returns_its_continuation() {
    let log = Log::default();
    let template =
        || Agent::builder().name("clerk").tool(pay(&log)).model(calling_once(vec![("pay", json!({"amount": 7}))]));
    let response = template().build().await.unwrap().into_prompt("go").await.unwrap();
    assert!(response.continuation.is_some());
    assert!(!serde_json::to_string(&response).unwrap().contains("continuation"));
    let mut agent = template().build().await.unwrap();
    let snapshot = response.continuation.unwrap().value().clone();
    agent.restore(serde_json::from_value(snapshot).unwrap()).unwrap();
    let approve = response.interrupts[0].respond(true);
    let end = agent.into_prompt(Prompt::none()).resume([approve]).await.unwrap();
    assert_eq!((end.text().as_str(), end.continuation), ("paid", None));
}

#[tokio::test]
async fn kept_context_is_in_the_session_of_the_outer_agent() {
    let sessions = InMemorySessionManager::new("s");
    let outer = || {
        let kept = echo("kept").as_tool().keeps_context(true);
        let model = calling_once(vec![("kept", json!({"input": "a"})), ("new", json!({"input": "a"}))]);
        Agent::builder().model(model).tools(tools![kept, echo("new")]).session_manager(sessions.clone())
    };
    for (turn, expected) in ["a of 1 & a of 1", "a of 3 & a of 1", "a of 5 & a of 1"].into_iter().enumerate() {
        let response = outer().build().await.unwrap().prompt("go").await.unwrap();
        assert_eq!(response.text(), expected, "turn {turn}");
    }
    // Another conversation has a context of its own.
    let kept = echo("kept").as_tool().keeps_context(true);
    assert!(kept.policy().exclusive);
    let mut other =
        Agent::builder().model(calling_once(vec![("kept", json!({"input": "b"}))])).tool(kept).build().await.unwrap();
    assert_eq!(other.prompt("go").await.unwrap().text(), "b of 1");
}

#[tokio::test(start_paused = true)]
async fn kept_context_has_what_a_call_did_before_it_failed_or_was_cut_off() {
    let failing = || ScriptedTurn::error(ModelError::InvalidRequest { details: ErrorDetails::new().boxed() });
    let stalling = || ScriptedTurn::text("never").stalling_after(1);
    let cut_off: [fn() -> ScriptedTurn; 2] = [failing, stalling];
    for cut_off in cut_off {
        let model = ScriptedModel::from_fn(move |request| {
            let booked = request.messages.iter().flat_map(|message| message.tool_results()).count();
            // A prompt after results without a response is in one message with them.
            match (booked, request.messages.last().unwrap().text().is_empty()) {
                (0, _) => ScriptedTurn::tool_use("book", json!({})),
                (_, true) => cut_off(),
                (booked, false) => ScriptedTurn::text(format!("{booked} booked")),
            }
        });
        let clerk = Agent::builder().name("clerk").tool(naming("book")).model(model).as_tool().keeps_context(true);
        let model = calling_once(vec![("clerk", json!({"input": "book"}))]);
        let outer = Agent::builder().model(model).tool(clerk).tool_timeout(Duration::from_secs(5));
        let mut agent = outer.build().await.unwrap();
        let failed = agent.prompt("go").await.unwrap();
        assert!(!failed.text().contains("booked"), "{failed}");
        assert_eq!(agent.prompt("go").await.unwrap().text(), "1 booked");
    }
}

#[tokio::test(start_paused = true)]
async fn a_replay_keeps_the_context_of_a_call_that_a_limit_has_cut_off() {
    let model = ScriptedModel::from_fn(|request| match request.messages.last().unwrap().is_prompt() {
        true => ScriptedTurn::tool_use("book", json!({})),
        false => ScriptedTurn::text("never").stalling_after(1),
    });
    let clerk = Agent::builder().name("clerk").tool(naming("book")).model(model).as_tool().keeps_context(true);
    let model = calling_once(vec![("clerk", json!({"input": "go"}))]);
    let outer = Agent::builder().model(model).tool(clerk).limits(Limits::new().duration(Duration::from_secs(5)));
    let kept = async |journal: &RecordedJournal| {
        let mut agent = outer.clone().build().await.unwrap();
        let response = agent.prompt("go").journal(journal).await.unwrap();
        assert_eq!(response.stop_reason, StopReason::LimitDuration);
        agent.state().get("agent_tool:clerk").map(|kept| kept["data"]["messages"].clone())
    };
    let journal = RecordedJournal::new();
    let first = kept(&journal).await;
    assert!(first.as_ref().is_some_and(|messages| messages.to_string().contains("book")), "{first:?}");
    assert_eq!(kept(&journal.replay()).await, first);
}

#[tokio::test]
async fn kept_context_survives_an_interrupt() {
    let (sessions, log) = (InMemorySessionManager::new("s"), Log::default());
    let outer = || {
        let clerk = Agent::builder().name("clerk").tool(pay(&log)).model(ScriptedModel::from_fn(|request| {
            let last = request.messages.last().unwrap();
            if last.is_prompt() {
                return ScriptedTurn::tool_use("pay", json!({"amount": request.messages.len()}));
            }
            ScriptedTurn::text(format!("{} messages", request.messages.len()))
        }));
        let model = calling_once(vec![("clerk", json!({"input": "pay"}))]);
        Agent::builder().model(model).tool(clerk.as_tool().keeps_context(true)).session_manager(sessions.clone())
    };
    for expected in ["3 messages", "7 messages"] {
        let asked = outer().build().await.unwrap().prompt("go").await.unwrap();
        let approve = asked.interrupts[0].respond(true);
        let end = outer().build().await.unwrap().into_prompt(Prompt::none()).resume([approve]).await.unwrap();
        assert_eq!(end.text(), expected);
    }
    assert_eq!(log.lines(), ["pay 1", "pay 5"]);
}

#[tokio::test]
async fn the_response_of_a_delegate_is_the_final_one() {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let model = ScriptedModel::from_fn(move |request| match counted.fetch_add(1, Ordering::Relaxed) {
        0 => ScriptedTurn::tool_uses([("echo", json!({"input": "a"})), ("look", json!({}))]),
        1 => {
            let refused = newest_results(request.messages);
            assert!(refused.iter().all(|(is_error, text)| *is_error && text.contains("only")), "{refused:?}");
            ScriptedTurn::tool_use("echo", json!({"input": "b"}))
        }
        _ => ScriptedTurn::text("never"),
    });
    let delegate = echo("echo").as_tool().delegates(true).description("Echoes.");
    assert!(
        delegate.spec().description.starts_with("Echoes. ") && delegate.spec().description.contains("final answer")
    );
    let mut agent = Agent::builder().model(model).tools(tools![delegate, naming("look")]).build().await.unwrap();
    let response = agent.prompt("go").await.unwrap();
    assert_eq!((response.text().as_str(), response.stop_reason), ("b of 1", StopReason::EndTurn));
    assert_eq!(response.ended_by.map(|call| call.input.clone()), Some(json!({"input": "b"})));
    assert_eq!(calls.load(Ordering::Relaxed), 2);
    assert_eq!(flaw(agent.messages(), false), None);
    assert_eq!(agent.messages().last().unwrap().text(), "b of 1");
}

#[tokio::test]
async fn a_delegate_that_fails_or_an_output_leaves_the_turn_to_the_model() {
    let failing =
        Agent::builder().name("expert").model(ScriptedModel::new([ScriptedTurn::error(ModelError::InvalidRequest {
            details: ErrorDetails::new().boxed(),
        })]));
    let model = calling([("expert", json!({"input": "x"}))]);
    let mut agent = Agent::builder().model(model).tool(failing.as_tool().delegates(true)).build().await.unwrap();
    assert_eq!(agent.prompt("go").await.unwrap().text(), "done");

    let model = ScriptedModel::new([
        ScriptedTurn::tool_use("echo", json!({"input": "x"})),
        ScriptedTurn::tool_use("Price", json!({"euros": 1})),
    ]);
    let mut agent = Agent::builder().model(model).tool(echo("echo").as_tool().delegates(true)).build().await.unwrap();
    let response = agent.prompt("go").output::<Price>().await.unwrap();
    assert!(response.output.is_some() && response.ended_by.is_none());
}

/// Passes the task on, and ends the turn.
fn escalate() -> FnTool {
    let escalate = tool("escalate", |_, input| async move { Ok(ToolOutput::text(format!("to {}", input["who"]))) });
    escalate.policy(ToolPolicy::new().with_ends_turn(true).with_approval(true))
}

async fn respond(template: &AgentBuilder, request: PromptRequest) -> AgentResponse {
    let mut events = template.stream(request.tools(tools![escalate()]));
    while let Some(event) = events.next().await {
        if let AgentEvent::Result { response } = event.unwrap() {
            return *response;
        }
    }
    panic!("no response")
}

#[tokio::test]
async fn a_tool_of_a_prompt_ends_its_turn_after_an_interrupt_and_without_the_output() {
    /// Sends all tasks to one desk.
    struct Redirecting;

    #[async_trait]
    impl Hook for Redirecting {
        async fn before_tool_call(&self, event: &mut BeforeToolCall<'_>) -> HookResult {
            event.tool_use.input = json!({"who": "the desk"});
            Ok(())
        }
    }
    let template = || {
        let model = ScriptedModel::new([ScriptedTurn::tool_use("escalate", json!({"who": "me"}))]);
        Agent::builder().model(model).hook(Redirecting)
    };
    let asked = respond(&template(), PromptRequest::new("go").output::<Price>()).await;
    assert_eq!((&asked.stop_reason, &asked.ended_by), (&StopReason::Interrupt, &None));
    let resumed = PromptRequest::new(Prompt::none()).resume([asked.interrupts[0].respond(true)]);
    let response = respond(&template(), resumed.continue_from(asked.continuation.unwrap())).await;
    assert_eq!((response.text().as_str(), response.output), ("to \"the desk\"", None));
    assert_eq!(response.ended_by.map(|call| call.input.clone()), Some(json!({"who": "the desk"})));
}

#[tokio::test]
async fn a_delegate_that_was_interrupted_ends_the_turn_when_it_is_resumed() {
    let (sessions, log) = (InMemorySessionManager::new("s"), Log::default());
    let outer = || {
        let clerk =
            Agent::builder().name("clerk").tool(pay(&log)).model(calling_once(vec![("pay", json!({"amount": 7}))]));
        let model = ScriptedModel::new([ScriptedTurn::tool_use("clerk", json!({"input": "x"}))]);
        Agent::builder().model(model).tool(clerk.as_tool().delegates(true)).session_manager(sessions.clone())
    };
    let asked = outer().build().await.unwrap().prompt("go").await.unwrap();
    let approve = asked.interrupts[0].respond(true);
    let end = outer().build().await.unwrap().into_prompt(Prompt::none()).resume([approve]).await.unwrap();
    assert_eq!((end.text().as_str(), end.turns), ("paid", 3));
}

#[tokio::test]
async fn a_direct_call_continues_with_its_continuation() {
    let log = Log::default();
    let clerk = Agent::builder().name("clerk").tool(pay(&log)).model(calling_once(vec![("pay", json!({"amount": 7}))]));
    let agent = Agent::builder().model(ScriptedModel::responding("hi")).tools([clerk]).build().await.unwrap();
    let call = || agent.call_tool("clerk", json!({"input": "pay"})).id("call:1");
    let ToolCallOutcome::Interrupted { interrupts, continuation } = call().await.unwrap() else { panic!("not asked") };
    let approve = interrupts[0].respond(true);
    let outcome = call().continue_from(continuation).resume([approve]).await.unwrap();
    let ToolCallOutcome::Result(result) = outcome else { panic!("{outcome:?}") };
    assert_eq!(result.content, ["paid".into()]);
    assert_eq!(log.lines(), ["pay 7"]);
}

#[tokio::test]
async fn a_journal_replays_suspended_agents() {
    let log = Log::default();
    let clerk = |calls| Agent::builder().name("clerk").tool(pay(&log)).model(calling_once(calls));
    let template = || {
        let clerk = clerk(vec![("pay", json!({"amount": 1})), ("pay", json!({"amount": 2}))]);
        let calls = vec![("clerk", json!({"input": "pay"})), ("look", json!({}))];
        Agent::builder().model(calling_once(calls)).tools(tools![clerk, naming("look")])
    };
    let first = RecordedJournal::new();
    let mut agent = template().build().await.unwrap();
    let asked = agent.prompt("go").journal(&first).await.unwrap();
    assert_eq!(asked.interrupts.len(), 2);
    let mut again = template().build().await.unwrap();
    assert_eq!(again.prompt("go").journal(&first.replay()).await.unwrap().interrupts, asked.interrupts);
    let snapshot = again.snapshot().unwrap();
    assert_eq!(snapshot.data.interrupt_state, agent.snapshot().unwrap().data.interrupt_state);

    let restored = async || {
        let mut agent = template().build().await.unwrap();
        agent.restore(snapshot.clone()).unwrap();
        agent
    };
    let approve = || asked.interrupts.iter().map(|interrupt| interrupt.respond(true)).collect::<Vec<_>>();
    let whole = RecordedJournal::new();
    let end = restored().await.prompt(Prompt::none()).resume(approve()).journal(&whole).await.unwrap();
    assert_eq!(end.text(), "paid & paid & look");
    for crash in 0..whole.entries().len() {
        for journal in [RecordedJournal::new().crash_after(crash), RecordedJournal::new().crash_before_recording(crash)]
        {
            log.clear();
            let crashed = restored().await.prompt(Prompt::none()).resume(approve()).journal(&journal).await;
            assert!(matches!(crashed, Err(AgentError::Journal(_))), "{crash}: {crashed:?}");
            let replay = journal.replay();
            let end = restored().await.prompt(Prompt::none()).resume(approve()).journal(&replay).await.unwrap();
            assert!(end.text().ends_with("& look"), "{crash}: {end}");
            let mut paid = log.lines();
            paid.sort();
            paid.dedup();
            assert_eq!(paid.len(), log.lines().len(), "{crash}: {:?}", log.lines());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn cancelling_the_outer_agent_stops_the_inner_one() {
    let stalled =
        Agent::builder().name("stalled").model(ScriptedModel::from_fn(|_| ScriptedTurn::text("x").stalling_after(0)));
    let model = calling([("stalled", json!({"input": "x"}))]);
    let mut agent = Agent::builder().model(model).tools([stalled]).build().await.unwrap();
    let token = CancellationToken::new();
    let began = tokio::time::Instant::now();
    let (response, ()) = tokio::join!(agent.prompt("go").cancel_with(token.clone()).into_future(), async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        token.cancel();
    });
    assert_eq!(response.unwrap().stop_reason, StopReason::Cancelled);
    assert!(began.elapsed() < Duration::from_millis(60), "{:?}", began.elapsed());
    assert_eq!(flaw(agent.messages(), false), None);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_the_outer_agent_ends_the_inner_one() {
    let stalled = |limits: Limits| {
        let model = ScriptedModel::from_fn(|_| ScriptedTurn::text("x").stalling_after(0));
        Agent::builder().name("stalled").model(model).limits(limits)
    };
    let second = Limits::new().duration(Duration::from_secs(1));
    for (outer, inner) in [(second, Limits::unlimited()), (Limits::unlimited(), second)] {
        let model = calling([("stalled", json!({"input": "x"}))]);
        let mut agent = Agent::builder().model(model).tools([stalled(inner)]).limits(outer).build().await.unwrap();
        let began = tokio::time::Instant::now();
        let response = agent.prompt("go").await.unwrap();
        let took = began.elapsed();
        assert!(took >= Duration::from_secs(1) && took < Duration::from_millis(1_060), "{took:?}");
        if outer == second {
            assert_eq!(response.stop_reason, StopReason::LimitDuration);
        } else {
            let (is_error, text) = newest_results(agent.messages()).remove(0);
            assert!(is_error && text.contains("limit_duration"), "{text}");
            assert_eq!(response.text(), "done");
        }
        assert_eq!(flaw(agent.messages(), false), None);
    }
}

#[tokio::test]
async fn inner_agents_are_in_the_trace_of_the_outer_one() {
    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let traced =
        tool("trace", |ctx, _| async move { Ok(ToolOutput::text(ctx.injected::<TraceContext>()?.to_string())) });
    let inner = Agent::builder().name("inner").model(calling_once(vec![("trace", json!({}))])).tool(traced);
    let middle =
        Agent::builder().name("middle").model(calling_once(vec![("inner", json!({"input": "x"}))])).tools([inner]);
    let model = calling_once(vec![("middle", json!({"input": "x"}))]);
    let template = Agent::builder().model(model).tools([middle]).injected_per_prompt::<TraceContext>();
    let trace: TraceContext = PARENT.parse().unwrap();
    let response = template.build().await.unwrap().into_prompt("go").inject(trace).await.unwrap();
    assert_eq!(response.text(), PARENT);
}

#[tokio::test]
async fn deep_json_in_an_inner_conversation_loses_nothing() {
    let (sessions, log) = (InMemorySessionManager::new("s"), Log::default());
    let deep = (0..98).fold(json!("leaf"), |value, _| json!([value]));
    let outer = || {
        let calls = vec![("pay", json!({"amount": 1, "note": deep}))];
        let clerk = Agent::builder().name("clerk").tool(pay(&log)).model(calling_once(calls));
        let office = Agent::builder()
            .name("office")
            .model(calling_once(vec![("clerk", json!({"input": "pay"}))]))
            .tool(clerk.as_tool().keeps_context(true));
        let model = calling_once(vec![("office", json!({"input": "pay"}))]);
        Agent::builder().model(model).tool(office.as_tool().keeps_context(true)).session_manager(sessions.clone())
    };
    for round in 1..=2 {
        let asked = outer().build().await.unwrap().prompt("go").await.unwrap();
        let calls = sessions.record("default").unwrap().interrupted_calls().unwrap();
        assert_eq!((calls.len(), &calls[0].tool_use.input["note"]), (1, &deep));
        let approve = asked.interrupts[0].respond(true);
        let end = outer().build().await.unwrap().into_prompt(Prompt::none()).resume([approve]).await.unwrap();
        assert_eq!(end.text(), "paid");
        assert_eq!(log.lines().len(), round);
    }
}

#[tokio::test]
async fn a_template_with_a_session_is_no_tool_unless_that_is_meant() {
    let sessions = InMemorySessionManager::new("s");
    let expert = || echo("expert").agent_id("expert").session_manager(sessions.clone());
    let outer = || Agent::builder().model(calling_once(vec![("expert", json!({"input": "a"}))]));
    let errors = [
        outer().tools([expert()]).build().await.unwrap_err(),
        outer().tool(ConfiguredTool::new(expert().as_tool())).build().await.unwrap_err(),
        outer().tool(AgentTool::new(Arc::new(expert()))).build().await.unwrap_err(),
    ];
    for error in errors {
        let is_typed = matches!(&error, BuildError::Tools(ToolSetError::SharedSession { name }) if name == "expert");
        assert!(is_typed, "{error}");
    }
    let shared = expert().as_tool().shares_session(true);
    assert!(shared.policy().exclusive);
    let mut agent = outer().tool(shared).build().await.unwrap();
    assert_eq!(agent.prompt("go").await.unwrap().text(), "a of 1");
    assert_eq!(agent.prompt("go").await.unwrap().text(), "a of 3");
    assert_eq!(sessions.messages("expert").len(), 4);
}

/// An agent that is its own expert, without an end.
fn endless(levels: usize) -> AgentBuilder {
    let model = calling_once(vec![("deeper", json!({"input": "x"}))]);
    let template = Agent::builder().name("deeper").model(model);
    if levels == 0 {
        template.model(ScriptedModel::responding("bottom"))
    } else {
        template.tools([endless(levels - 1)])
    }
}

#[tokio::test]
async fn nesting_has_a_limit_with_a_typed_error() {
    let text = endless(9).build().await.unwrap().prompt("go").await.unwrap().text();
    assert_eq!(text, "bottom");
    for levels in [10, 200] {
        let text = endless(levels).build().await.unwrap().prompt("go").await.unwrap().text();
        assert!(text.contains("nest"), "{text}");
    }
}

#[tokio::test]
async fn an_invalid_name_is_a_build_error() {
    let named = echo("x").as_tool().name("not a name");
    let error = Agent::builder().model(ScriptedModel::responding("hi")).tool(named).build().await.unwrap_err();
    assert!(matches!(error, BuildError::Tools(_)), "{error}");
    let long = echo(&"ü".repeat(100)).as_tool();
    assert_eq!(long.spec().name, "_".repeat(64));
    assert_eq!(echo("").as_tool().spec().name, "agent");
}

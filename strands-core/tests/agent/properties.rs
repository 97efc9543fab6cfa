//! Property tests with random models, tools, failures, cancellations and drops: the invariants of the loop hold.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::StreamExt;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::{Value, json};
use strands_core::conversation::SlidingWindowConversationManager;
use strands_core::message::{ContentBlock, Message, Role, ToolResult, ToolResultStatus, ToolUse};
use strands_core::metrics::{ModelMetrics, Usage};
use strands_core::models::{ErrorDetails, ModelError, ReasoningDelta, StopReason, StreamEvent, ToolUseStart};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{Agent, AgentError, AgentEvent, AgentResponse, Limits, Prompt, ToolError, ToolOutput, ToolPolicy};
use tokio_util::sync::CancellationToken;

use crate::support::{FnTool, template, tool};
use crate::valid_history::flaw;

/// A turn of a random model.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    Text(String),
    Reasoning,
    Call { id: &'static str, name: &'static str, input: &'static str },
    Redacted { user: bool, assistant: bool },
    Cost(u64),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    Whole,
    /// This many events, then the outcome.
    Cut(usize),
    Broken(usize, Failure),
    Stalled(usize),
    Refused(Failure),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Failure {
    Throttled,
    Transport,
    Overflow,
    Invalid,
}

#[derive(Clone, Debug)]
pub(crate) struct RandomTurn {
    parts: Vec<Part>,
    stop: StopReason,
    ending: Ending,
}

/// An action of a random caller.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode {
    Awaited,
    Streamed,
    /// Drops the invocation after this many polls.
    Dropped(usize),
    /// Cancels the invocation after this many polls.
    Cancelled(usize),
    /// Limits the invocation to this many seconds.
    OutOfTime(u64),
    Turns(u32),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Reply {
    All(bool),
    Some(bool),
    Unknown,
    Prompt,
    Discard,
}

#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) turns: Vec<RandomTurn>,
    pub(crate) prompts: Vec<(Mode, Reply)>,
    pub(crate) concurrency: usize,
    pub(crate) window: usize,
}

fn failure() -> impl Strategy<Value = Failure> {
    prop_oneof![Just(Failure::Throttled), Just(Failure::Transport), Just(Failure::Overflow), Just(Failure::Invalid)]
}

fn part() -> impl Strategy<Value = Part> {
    let id = prop::sample::select(vec!["", "a", "b", "c"]);
    let names = ["fine", "fails", "panics", "makes", "slow", "stuck", "asks", "consent", "alone", "nonsense", "", "né"];
    let name = prop::sample::select(names.to_vec());
    let input = prop::sample::select(vec!["{}", "", "null", "{\"n\":1}", "{\"n\":\"x\"}", "{broken", "[]", "7"]);
    prop_oneof![
        4 => "[ a-z]{0,12}".prop_map(Part::Text),
        1 => Just(Part::Reasoning),
        6 => (id, name, input).prop_map(|(id, name, input)| Part::Call { id, name, input }),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(user, assistant)| Part::Redacted { user, assistant }),
        1 => (0_u64..1_000).prop_map(Part::Cost),
    ]
}

fn random_turn() -> impl Strategy<Value = RandomTurn> {
    let stop = prop::sample::select(vec![
        StopReason::EndTurn,
        StopReason::ToolUse,
        StopReason::ToolUse,
        StopReason::MaxTokens,
        StopReason::StopSequence,
        StopReason::ContentFiltered,
        StopReason::GuardrailIntervened,
        StopReason::Interrupt,
        StopReason::Cancelled,
        StopReason::Other("novel".into()),
    ]);
    let ending = prop_oneof![
        12 => Just(Ending::Whole),
        1 => (0_usize..12).prop_map(Ending::Cut),
        1 => (0_usize..12, failure()).prop_map(|(after, failure)| Ending::Broken(after, failure)),
        1 => (0_usize..12).prop_map(Ending::Stalled),
        1 => failure().prop_map(Ending::Refused),
    ];
    (prop::collection::vec(part(), 0..5), stop, ending).prop_map(|(parts, stop, ending)| RandomTurn {
        parts,
        stop,
        ending,
    })
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![
        3 => Just(Mode::Awaited),
        3 => Just(Mode::Streamed),
        2 => (0_usize..40).prop_map(Mode::Dropped),
        2 => (0_usize..40).prop_map(Mode::Cancelled),
        1 => (0_u64..20).prop_map(Mode::OutOfTime),
        1 => (0_u32..4).prop_map(Mode::Turns),
    ]
}

fn reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        3 => any::<bool>().prop_map(Reply::All),
        2 => any::<bool>().prop_map(Reply::Some),
        1 => Just(Reply::Unknown),
        1 => Just(Reply::Prompt),
        1 => Just(Reply::Discard),
    ]
}

pub(crate) fn scenario() -> impl Strategy<Value = Scenario> {
    let turns = prop::collection::vec(random_turn(), 0..12);
    let prompts = prop::collection::vec((mode(), reply()), 1..6);
    (turns, prompts, 1_usize..5, 0_usize..12).prop_map(|(turns, prompts, concurrency, window)| Scenario {
        turns,
        prompts,
        concurrency,
        window,
    })
}

fn error(failure: Failure) -> ModelError {
    let details = ErrorDetails::new().boxed();
    match failure {
        Failure::Throttled => ModelError::Throttled { retry_after: Some(Duration::from_secs(2)), details },
        Failure::Transport => ModelError::transport("cut"),
        Failure::Overflow => ModelError::ContextOverflow { details },
        Failure::Invalid => ModelError::InvalidRequest { details },
    }
}

fn turn(random_turn: &RandomTurn) -> ScriptedTurn {
    let mut events = vec![StreamEvent::start()];
    let mut costs = 0;
    for (index, part) in random_turn.parts.iter().enumerate() {
        match part {
            Part::Text(text) => events.push(StreamEvent::text(index, text.as_str())),
            Part::Reasoning => events.push(StreamEvent::reasoning(index, ReasoningDelta::Text("hm".into()))),
            Part::Call { id, name, input } => {
                events.push(StreamEvent::tool_use(index, ToolUseStart::new(*id, *name)));
                events.push(StreamEvent::tool_input(index, *input));
            }
            Part::Redacted { user, assistant } => events.push(StreamEvent::RedactContent {
                redact_user_content_message: user.then(|| "[user]".to_owned()),
                redact_assistant_content_message: assistant.then(|| "[assistant]".to_owned()),
            }),
            Part::Cost(tokens) => {
                costs = *tokens;
                events.push(StreamEvent::metadata(Usage::new(costs, 1), ModelMetrics::new(1)));
            }
        }
        events.push(StreamEvent::block_stop(index));
    }
    events.push(StreamEvent::stop(random_turn.stop.clone()));
    events.push(StreamEvent::metadata(Usage::new(costs + 10, 5), ModelMetrics::new(1)));
    match random_turn.ending {
        Ending::Whole => ScriptedTurn::events(events),
        Ending::Cut(after) => ScriptedTurn::events(events.into_iter().take(after)),
        Ending::Broken(after, failure) => ScriptedTurn::events(events).breaking_after(after, error(failure)),
        Ending::Stalled(after) => ScriptedTurn::events(events).stalling_after(after),
        Ending::Refused(failure) => ScriptedTurn::error(error(failure)),
    }
}

pub(crate) fn model(turns: &[RandomTurn]) -> ScriptedModel {
    let turns = turns.iter().map(turn).collect::<Vec<_>>();
    // The last turns are plain text, so that every scenario ends.
    ScriptedModel::new(turns.into_iter().chain((0..100).map(|_| ScriptedTurn::text("calm"))))
}

/// Panics without printing a message and a backtrace, which is slow over thousands of cases.
fn quiet_panic() -> ! {
    std::panic::resume_unwind(Box::new("in a tool"))
}

pub(crate) fn tools() -> Vec<FnTool> {
    let object = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
    let asks = tool("asks", |ctx, _| async move {
        let first = ctx.interrupt("first", "?")?;
        ctx.interrupt("second", "?")?;
        ToolOutput::serialize(&first)
    });
    let slow = tool("slow", |ctx, _| async move {
        ctx.progress("slowly").await?;
        tokio::time::sleep(Duration::from_secs(3)).await;
        Ok(ToolOutput::text("at last"))
    });
    vec![
        tool("fine", |_, input| async { Ok(ToolOutput::json(input)) }).schema(object),
        tool("fails", |_, _| async { Err(ToolError::new("no")) }),
        tool("panics", |_, _| async { quiet_panic() }),
        tool("makes", |_, _| -> std::future::Ready<_> { quiet_panic() }),
        slow,
        tool("stuck", |_, _| std::future::pending()).policy(ToolPolicy::new().with_timeout(Duration::from_secs(5))),
        asks,
        tool("consent", |_, _| async { Ok(ToolOutput::text("done")) }).policy(ToolPolicy::new().with_approval(true)),
        tool("alone", |_, _| async { Ok(ToolOutput::text("alone")) }).policy(ToolPolicy::new().with_exclusive(true)),
    ]
}

/// An outcome without its random ids.
fn summary(ended: &Result<AgentResponse, AgentError>) -> String {
    match ended {
        Ok(response) => format!("{} {} {:?} {}", response.stop_reason, response.text(), response.usage, response.turns),
        Err(error) => error.to_string(),
    }
}

/// A history without its random ids and measured times.
pub(crate) fn shape(messages: &[Arc<Message>]) -> Vec<String> {
    let block = |block: &ContentBlock| match block {
        ContentBlock::ToolUse(call) => format!("call {} {}", call.name, call.input),
        ContentBlock::ToolResult(result) => format!("result {} {:?}", result.status, result.content),
        block => format!("{block:?}"),
    };
    messages
        .iter()
        .map(|message| format!("{:?} {:?}", message.role, message.content.iter().map(block).collect::<Vec<_>>()))
        .collect()
}

/// Reads a stream and checks its events.
async fn listen(agent: &mut Agent, prompt: Prompt) -> Result<AgentResponse, AgentError> {
    let mut stream = agent.prompt(prompt).stream();
    let mut streamed = String::new();
    let mut redacted = false;
    let mut ended = None;
    while let Some(event) = stream.next().await {
        assert!(ended.is_none(), "an event after the end: {event:?}");
        match event {
            Ok(AgentEvent::CycleStart { .. }) => (streamed, redacted) = (String::new(), false),
            Ok(AgentEvent::Retry { discards_output, .. }) => {
                assert!(discards_output || streamed.is_empty(), "streamed and not retracted: {streamed:?}");
                (streamed, redacted) = (String::new(), false);
            }
            Ok(AgentEvent::ContextReduced { .. }) => (streamed, redacted) = (String::new(), false),
            Ok(AgentEvent::TextDelta { text }) => streamed.push_str(&text),
            Ok(AgentEvent::Redacted { assistant, .. }) => redacted |= assistant.is_some(),
            Ok(AgentEvent::Message { message }) if message.role == Role::Assistant && !redacted => {
                // Error results of calls that were not made may come in between.
                let kept = message.text();
                let mut rest = kept.chars();
                let all_kept = streamed.chars().all(|letter| rest.any(|kept| kept == letter));
                assert!(all_kept, "streamed {streamed:?}, persisted {kept:?}");
            }
            Ok(AgentEvent::Result { response }) => ended = Some(Ok(*response)),
            Ok(_) => {}
            Err(error) => ended = Some(Err(error)),
        }
    }
    ended.unwrap()
}

/// Polls a future at most this many times.
pub(crate) async fn polled<T>(future: impl Future<Output = T>, mut polls: usize) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        if polls == 0 {
            return Poll::Ready(None);
        }
        polls -= 1;
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

/// Runs one invocation. Returns its outcome, or `None` if it was dropped.
pub(crate) async fn invoke(agent: &mut Agent, prompt: Prompt, mode: Mode) -> Option<Result<AgentResponse, AgentError>> {
    // A model that stalls and a caller without a time limit: the invocation is dropped.
    let time_limit = Duration::from_secs(3_600);
    match mode {
        Mode::Awaited => tokio::time::timeout(time_limit, agent.prompt(prompt).into_future()).await.ok(),
        Mode::Streamed => tokio::time::timeout(time_limit, listen(agent, prompt)).await.ok(),
        Mode::Dropped(polls) => {
            let running = tokio::time::timeout(time_limit, listen(agent, prompt));
            polled(running, polls).await?.ok()
        }
        Mode::Cancelled(polls) => {
            let token = CancellationToken::new();
            let mut running = pin!(agent.prompt(prompt).cancel_with(token.clone()).into_future());
            // A model that stalls is never polled often enough.
            match tokio::time::timeout(time_limit, polled(running.as_mut(), polls)).await {
                Ok(Some(ended)) => Some(ended),
                _ => {
                    token.cancel();
                    Some(running.await)
                }
            }
        }
        Mode::OutOfTime(seconds) => {
            let limits = Limits::new().duration(Duration::from_secs(seconds));
            Some(agent.prompt(prompt).limits(limits).await)
        }
        Mode::Turns(turns) => {
            let running = agent.prompt(prompt).limits(Limits::new().turns(turns)).into_future();
            tokio::time::timeout(time_limit, running).await.ok()
        }
    }
}

fn check(agent: &Agent, before: Usage) -> Result<Usage, TestCaseError> {
    let asking = !agent.interrupts().is_empty();
    prop_assert_eq!(flaw(agent.messages(), asking), None, "{:#?}", agent.messages());
    let now = agent.metrics().accumulated_usage();
    prop_assert!(now.total_tokens >= before.total_tokens && now.input_tokens >= before.input_tokens);
    Ok(now)
}

pub(crate) async fn reply_to(agent: &mut Agent, reply: Reply) -> Result<(), TestCaseError> {
    let interrupts = agent.interrupts();
    let none = Prompt::none;
    match reply {
        Reply::All(consent) => {
            let responses: Vec<_> = interrupts.iter().map(|each| each.respond(consent)).collect();
            let ended =
                agent.prompt(none()).resume(responses).limits(Limits::new().duration(Duration::from_secs(60))).await;
            let waits = matches!(ended, Err(AgentError::Interrupted { .. }));
            prop_assert!(!waits);
        }
        Reply::Some(consent) => {
            let responses: Vec<_> = interrupts.iter().take(1).map(|each| each.respond(consent)).collect();
            let _ =
                agent.prompt(none()).resume(responses).limits(Limits::new().duration(Duration::from_secs(60))).await;
        }
        Reply::Unknown => {
            let unknown = strands_core::InterruptResponse::new("v1:unknown", Value::Null);
            let ended = agent.prompt(none()).resume([unknown]).await;
            let refused = matches!(ended, Err(AgentError::UnknownInterrupt { .. }));
            prop_assert!(refused);
            prop_assert_eq!(agent.interrupts(), interrupts);
        }
        Reply::Prompt => {
            let ended = agent.prompt("never mind").await;
            let waits = matches!(ended, Err(AgentError::Interrupted { .. }));
            prop_assert!(waits);
            prop_assert_eq!(agent.interrupts(), interrupts);
        }
        Reply::Discard => agent.discard_interrupts().await.unwrap(),
    }
    Ok(())
}

async fn build(scenario: &Scenario) -> (Agent, ScriptedModel) {
    let model = model(&scenario.turns);
    let manager = SlidingWindowConversationManager::new(scenario.window);
    let builder = template(&model, tools()).tool_concurrency(scenario.concurrency).conversation_manager(manager);
    (builder.build().await.unwrap(), model)
}

async fn play(scenario: &Scenario) -> Result<(), TestCaseError> {
    let (mut agent, model) = build(scenario).await;
    let mut usage = Usage::default();
    for (at, (mode, reply)) in scenario.prompts.iter().enumerate() {
        if agent.interrupts().is_empty() {
            let ended = invoke(&mut agent, Prompt::from(format!("prompt {at}")), *mode).await;
            if let Some(Ok(response)) = ended {
                prop_assert_eq!(response.interrupts.is_empty(), agent.interrupts().is_empty());
                prop_assert!(response.usage.total_tokens <= agent.metrics().accumulated_usage().total_tokens);
            }
        } else {
            reply_to(&mut agent, *reply).await?;
        }
        usage = check(&agent, usage)?;
    }
    agent.discard_interrupts().await.unwrap();
    check(&agent, usage)?;
    // A caller that does not drop the invocation gets a response afterwards.
    for _ in 0..20 {
        let limits = Limits::new().duration(Duration::from_secs(600));
        if agent.prompt("at last").limits(limits).await.is_ok_and(|response| response.text() == "calm") {
            break;
        }
        agent.discard_interrupts().await.unwrap();
    }
    usage = check(&agent, usage)?;
    prop_assert!(usage.total_tokens > 0);
    prop_assert_eq!(agent.messages().last().unwrap().text(), "calm");
    // Each request was valid.
    for request in model.requests() {
        prop_assert_eq!(flaw(&request.messages, false), None, "{:#?}", request.messages);
        prop_assert_eq!(request.messages.last().unwrap().role, Role::User);
    }
    Ok(())
}

/// Awaited and streamed invocations behave the same.
async fn agree(scenario: &Scenario) -> Result<(), TestCaseError> {
    let ((mut one, _), (mut other, _)) = (build(scenario).await, build(scenario).await);
    for at in 0..scenario.prompts.len() {
        let prompt = || Prompt::from(format!("prompt {at}"));
        let awaited = invoke(&mut one, prompt(), Mode::Awaited).await;
        let streamed = invoke(&mut other, prompt(), Mode::Streamed).await;
        prop_assert_eq!(awaited.as_ref().map(summary), streamed.as_ref().map(summary));
        prop_assert_eq!(shape(one.messages()), shape(other.messages()));
        prop_assert_eq!(one.metrics().accumulated_usage(), other.metrics().accumulated_usage());
        one.discard_interrupts().await.unwrap();
        other.discard_interrupts().await.unwrap();
    }
    Ok(())
}

pub(crate) fn paused<T>(run: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(run)
}

/// An arbitrary history.
fn any_history() -> impl Strategy<Value = Vec<Message>> {
    let ids = || prop::collection::hash_set(prop::sample::select(vec!["a", "b", "c"]), 0..3);
    let message =
        (any::<bool>(), prop::option::of("[a-z]{1,4}"), ids(), 0_usize..900).prop_map(|(user, text, ids, size)| {
            let mut content: Vec<ContentBlock> = text.into_iter().map(ContentBlock::text).collect();
            for id in ids {
                content.push(if user {
                    ToolResult::new(id, ToolResultStatus::Success, ["x".repeat(size)]).into()
                } else {
                    ToolUse::new(id, "fine", json!({})).into()
                });
            }
            Message::new(if user { Role::User } else { Role::Assistant }, content)
        });
    prop::collection::vec(message, 0..30)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_history_is_always_valid_and_the_agent_stays_usable(scenario in scenario()) {
        paused(play(&scenario))?;
    }

    #[test]
    fn awaited_and_streamed_runs_agree(scenario in scenario()) {
        paused(agree(&scenario))?;
    }

    #[test]
    fn repaired_and_truncated_histories_are_valid(
        history in any_history(),
        overflows in 0_usize..12,
        window in 0_usize..12,
    ) {
        paused(async {
            let overflow = || ScriptedTurn::error(error(Failure::Overflow));
            let turns = (0..overflows).map(|_| overflow()).chain([ScriptedTurn::text("fits")]);
            let model = ScriptedModel::new(turns);
            let manager = SlidingWindowConversationManager::new(window);
            let builder = template(&model, tools()).messages(history).conversation_manager(manager);
            let mut agent = builder.build().await.unwrap();
            let open = agent.messages().last().is_some_and(|last| last.tool_uses().next().is_some());
            prop_assert_eq!(flaw(agent.messages(), open), None, "{:#?}", agent.messages());
            let ended = agent.prompt("the newest").await;
            // A failed prompt leaves the history unchanged, with its pending calls.
            prop_assert_eq!(flaw(agent.messages(), open && ended.is_err()), None, "{:#?}", agent.messages());
            for request in model.requests() {
                prop_assert_eq!(flaw(&request.messages, false), None, "{:#?}", request.messages);
                prop_assert!(request.messages.last().unwrap().text().ends_with("the newest"));
            }
            Ok(())
        })?;
    }
}

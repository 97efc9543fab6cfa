//! Hooks, conversation managers, limits and approvals in the replays of a durable engine.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use strands_core::conversation::SummarizingConversationManager;
use strands_core::hook::{
    AfterInvocation, AfterTools, BeforeInvocation, BeforeModelCall, BeforeTools, Hook, HookReplay, HookResult,
    MessageAdded,
};
use strands_core::models::{ModelError, StopReason};
use strands_core::testing::{RecordedJournal, ScriptedModel, ScriptedTurn};
use strands_core::{
    AgentBuilder, AgentError, AgentResponse, BoxFuture, CancellationToken, Journal, JournalError, JournalStep, Limits,
    Prompt, PromptRequest, PromptScope, ToolAnnotations, ToolContext, ToolOutput, ToolPolicy,
};

use crate::support::{Log, naming, newest_results, template, tool};

/// A model that calls the tool `one`, and then responds.
fn calls_one() -> ScriptedModel {
    ScriptedModel::from_fn(|request| match request.messages.last().unwrap().tool_results().next() {
        None => ScriptedTurn::tool_use("one", json!({})),
        Some(_) => ScriptedTurn::text("done"),
    })
}

async fn prompt(template: &AgentBuilder, journal: &RecordedJournal) -> Result<AgentResponse, AgentError> {
    template.clone().build().await.unwrap().prompt("go").journal(journal).await
}

/// A hook that logs its events, with whether they are replays, and decides differently each time.
struct Logs {
    log: Log,
    replay: HookReplay,
    calls: AtomicU32,
}

fn logs(replay: HookReplay) -> (Arc<Logs>, Log) {
    let log = Log::default();
    (Arc::new(Logs { log: log.clone(), replay, calls: AtomicU32::new(0) }), log)
}

impl Logs {
    fn add(&self, event: &str, is_replay: bool) -> u32 {
        self.log.add(format!("{event}{}", if is_replay { " again" } else { "" }));
        self.calls.fetch_add(1, Ordering::Relaxed)
    }
}

#[async_trait]
impl Hook for Logs {
    async fn before_invocation(&self, event: &mut BeforeInvocation<'_>) -> HookResult {
        let call = self.add("before_invocation", event.context.is_replay());
        if self.replay != HookReplay::Called {
            event.prompt[0].content.push(format!("call {call}").as_str().into());
        }
        Ok(())
    }

    async fn message_added(&self, event: &MessageAdded<'_>) -> HookResult {
        self.add("message_added", event.context.is_replay());
        Ok(())
    }

    async fn before_tools(&self, event: &mut BeforeTools<'_>) -> HookResult {
        self.add("before_tools", event.context.is_replay());
        Ok(())
    }

    async fn after_invocation(&self, event: &mut AfterInvocation<'_>) -> HookResult {
        self.add("after_invocation", event.context.is_replay());
        Ok(())
    }

    fn replay(&self) -> HookReplay {
        self.replay
    }
}

#[tokio::test]
async fn records_only_events_whose_hooks_are_implemented() {
    let names = |template: AgentBuilder| async move {
        let journal = RecordedJournal::new();
        prompt(&template, &journal).await.unwrap();
        journal.names()
    };
    let bare = || template(&calls_one(), [naming("one")]);
    let calls = ["model/1/1", "tools/1/1", "model/2/1"];
    assert_eq!(names(bare()).await, calls);
    struct Inner;
    #[async_trait]
    impl Hook for Inner {
        async fn before_model_call(&self, _: &mut BeforeModelCall<'_>) -> HookResult {
            Ok(())
        }
    }
    assert_eq!(names(bare().hook(Arc::new(Box::new(Inner)))).await, calls);
    assert_eq!(names(bare().hook(logs(HookReplay::Called).0)).await, calls);
    let decided = names(bare().on_after_tools(|event| event.end_turn = Some("enough".to_owned()))).await;
    assert_eq!(decided, ["model/1/1", "tools/1/1", "after_tools/1"]);
    let all = names(bare().hook(logs(HookReplay::Recorded).0)).await;
    let expected = [
        "before_invocation/1",
        "model/1/1",
        "message_added/2",
        "message_added/3",
        "before_tools/4",
        "tools/1/1",
        "message_added/5",
        "model/2/1",
        "message_added/6",
        "after_invocation/7",
    ];
    assert_eq!(all, expected);
}

#[tokio::test]
async fn hooks_are_called_in_replays_as_they_declare() {
    for (replay, expected) in [
        (HookReplay::Recorded, vec!["before_tools", "message_added", "message_added", "after_invocation"]),
        (
            HookReplay::RecordedAndCalled,
            vec![
                "before_invocation again",
                "message_added again",
                "message_added again",
                "before_tools",
                "message_added",
                "message_added",
                "after_invocation",
            ],
        ),
        (
            HookReplay::Called,
            vec![
                "before_invocation",
                "message_added again",
                "message_added again",
                "before_tools again",
                "message_added",
                "message_added",
                "after_invocation",
            ],
        ),
    ] {
        let (hook, log) = logs(replay);
        let model = calls_one();
        let template = template(&model, [naming("one")]).hook(hook);
        // After the model's response and its announcement.
        let entries = if replay == HookReplay::Called { 1 } else { 4 };
        let journal = RecordedJournal::new().crash_after(entries);
        assert!(matches!(prompt(&template, &journal).await, Err(AgentError::Journal(_))));
        log.clear();
        assert_eq!(prompt(&template, &journal.replay()).await.unwrap().text(), "done");
        assert_eq!(log.lines(), expected, "{replay:?}");
        let prompts: Vec<String> = model.requests().iter().map(|request| request.messages[0].text()).collect();
        assert!(prompts.windows(2).all(|pair| pair[0] == pair[1]), "the recorded prompt: {prompts:?}");
    }
}

#[tokio::test]
async fn names_the_step_at_which_a_hook_that_is_not_recorded_differs() {
    /// Denies every other time.
    struct Fickle(AtomicU32);
    #[async_trait]
    impl Hook for Fickle {
        async fn after_tools(&self, event: &mut AfterTools<'_>) -> HookResult {
            if self.0.fetch_add(1, Ordering::Relaxed) % 2 == 1 {
                event.end_turn = Some("enough".to_owned());
            }
            Ok(())
        }

        fn replay(&self) -> HookReplay {
            HookReplay::Called
        }
    }
    let model = ScriptedModel::from_fn(|request| match request.messages.len() {
        1 | 3 => ScriptedTurn::tool_use("one", json!({})),
        _ => ScriptedTurn::text("done"),
    });
    let template = template(&model, [naming("one")])
        .hook(Fickle(AtomicU32::new(0)))
        .on_after_invocation(|event| _ = event.context.state().set("done", true));
    let journal = RecordedJournal::new();
    assert_eq!(prompt(&template, &journal).await.unwrap().text(), "enough");
    let error = prompt(&template, &journal.replay()).await.unwrap();
    assert_eq!(error.text(), "enough", "the second replay decides as the first attempt");
    let fickle = template.clone().build().await.unwrap();
    drop(fickle);
    let Err(AgentError::Journal(error)) = prompt_after(&template, &journal).await else { panic!() };
    assert_eq!((error.step(), error.recorded_step()), ("after_invocation/1", Some("model/2/1")), "{error}");
    assert!(error.to_string().contains("`after_invocation/1` where the journal has `model/2/1`"), "{error}");
}

/// Prompts after one more call of the hooks, in another replay.
async fn prompt_after(template: &AgentBuilder, journal: &RecordedJournal) -> Result<AgentResponse, AgentError> {
    prompt(template, &RecordedJournal::new().crash_after(2)).await.unwrap_err();
    prompt(template, &journal.replay()).await
}

#[tokio::test]
async fn names_the_step_whose_request_differs() {
    let model = calls_one();
    let journal = RecordedJournal::new().crash_after(2);
    prompt(&template(&model, [naming("one")]), &journal).await.unwrap_err();
    let tools = template(&model, [naming("one"), naming("two")]);
    let Err(AgentError::Journal(error)) = prompt(&tools, &journal.replay()).await else { panic!() };
    assert_eq!(error.step(), "model/1/1");
    assert!(error.to_string().contains("`/tools/1` was null"), "{error}");
    let system = template(&model, [naming("one")]).system_prompt("It is 12:01.");
    let Err(AgentError::Journal(error)) = prompt(&system, &journal.replay()).await else { panic!() };
    assert!(error.to_string().contains("`/system/0` was null and is now {\"text\":\"It is 12:01.\"}"), "{error}");
}

#[tokio::test]
async fn a_record_of_another_step_is_an_error_with_both_names() {
    /// A journal that returns entries by position without a look at their names.
    struct Blind(RecordedJournal, Vec<(String, Value)>, AtomicU32);
    impl Journal for Blind {
        fn step<'a>(
            &'a self,
            _: JournalStep<'a>,
            _: BoxFuture<'a, Value>,
        ) -> BoxFuture<'a, Result<Value, JournalError>> {
            let at = self.2.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move { Ok(self.1[at as usize].1.clone()) })
        }

        fn sleep<'a>(&'a self, name: &'a str, time: Duration) -> BoxFuture<'a, Result<(), JournalError>> {
            self.0.sleep(name, time)
        }

        fn random(&self) -> u64 {
            self.0.random()
        }
    }
    let journal = RecordedJournal::new();
    let template = template(&calls_one(), [naming("one")]);
    prompt(&template, &journal).await.unwrap();
    let blind = Blind(RecordedJournal::new(), journal.entries(), AtomicU32::new(1));
    let error = template.build().await.unwrap().prompt("go").journal(&blind).await.unwrap_err();
    let AgentError::Journal(error) = error else { panic!("{error}") };
    assert_eq!((error.step(), error.recorded_step()), ("model/1/1", Some("tools/1/1")), "{error}");
}

#[tokio::test]
async fn a_recorded_failure_of_a_hook_ends_the_replay_too() {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let template = template(&calls_one(), [naming("one")]).on_before_tools(move |_| -> HookResult {
        match counted.fetch_add(1, Ordering::Relaxed) {
            0 => Err("not now".into()),
            _ => Ok(()),
        }
    });
    let journal = RecordedJournal::new();
    for _ in 0..2 {
        let error = prompt(&template, &journal.replay()).await.unwrap_err();
        assert!(matches!(&error, AgentError::Hook { event: "before_tools", .. }), "{error:?}");
        assert!(error.to_string().contains("not now"), "{error}");
    }
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn summaries_are_recorded_and_can_be_cancelled() {
    let failing = Arc::new(AtomicU32::new(1));
    let left = Arc::clone(&failing);
    let summaries = ScriptedModel::from_fn(move |_| {
        match left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)) {
            Ok(_) => ScriptedTurn::error(ModelError::transport("broken")),
            Err(_) => ScriptedTurn::text("## Conversation summary"),
        }
    });
    let manager = |summaries: &ScriptedModel| {
        SummarizingConversationManager::new().model(summaries.clone()).preserve_recent(1).proactive(0.000_05)
    };
    let model = ScriptedModel::from_fn(|request| match request.messages.len() {
        1 => ScriptedTurn::tool_use("one", json!({})),
        _ => ScriptedTurn::text("done"),
    });
    let long = tool("one", |_, _| async { Ok(ToolOutput::text("a long result ".repeat(20))) });
    let with_summaries = template(&model, [long.clone()]).conversation_manager(manager(&summaries));
    let journal = RecordedJournal::new();
    let run = |journal: RecordedJournal| {
        let template = with_summaries.clone();
        async move {
            let mut agent = template.build().await.unwrap();
            agent.prompt("go").journal(&journal).await.unwrap();
            let response = agent.prompt("again").journal(&journal).await.unwrap();
            (response.usage, serde_json::to_string(agent.messages()).unwrap())
        }
    };
    let first = run(journal.replay()).await;
    assert!(journal.names().contains(&"conversation/1".to_owned()), "{:?}", journal.names());
    assert!(journal.names().contains(&"wait/conversation/1".to_owned()), "{:?}", journal.names());
    let asked = summaries.requests().len();
    assert_eq!(run(journal.replay()).await, first);
    assert_eq!(summaries.requests().len(), asked, "recorded summaries are not made again");

    let hanging = ScriptedModel::from_fn(|_| ScriptedTurn::text("never").stalling_after(1));
    let mut agent = template(&model, [long]).conversation_manager(manager(&hanging)).build().await.unwrap();
    let token = CancellationToken::new();
    let cancelling = token.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        cancelling.cancel();
    });
    let journal = RecordedJournal::new();
    let began = tokio::time::Instant::now();
    agent.prompt("go").journal(&journal).await.unwrap();
    let response = agent.prompt("go").cancel_with(token).journal(&journal).await.unwrap();
    assert_eq!(response.stop_reason, StopReason::Cancelled);
    assert!(began.elapsed() < Duration::from_millis(1_050), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_counts_the_time_of_earlier_attempts() {
    let slow = |seconds: u64| {
        tool("one", move |_, _| async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Ok(ToolOutput::text("one"))
        })
    };
    let model = ScriptedModel::from_fn(|_| ScriptedTurn::tool_use("one", json!({})));
    let template = template(&model, [slow(40)]).limits(Limits::new().duration(Duration::from_secs(100)));
    // Two turns of 40 seconds are recorded.
    let journal = RecordedJournal::new().crash_after(4);
    prompt(&template, &journal).await.unwrap_err();
    tokio::time::sleep(Duration::from_secs(1_000)).await;
    let began = tokio::time::Instant::now();
    let response = prompt(&template, &journal.replay()).await.unwrap();
    assert_eq!(response.stop_reason, StopReason::LimitDuration);
    assert_eq!(began.elapsed().as_secs(), 20, "what was left, without the time between the attempts");
    assert_eq!(response.metrics.total_duration().as_secs(), 100);
}

/// A journal of an engine, whose time goes on with what is recorded.
struct Engine {
    steps: RecordedJournal,
    /// Seconds that each recorded effect has taken.
    took: Arc<Mutex<BTreeMap<String, Duration>>>,
    clock: Mutex<Duration>,
    effect_began: Mutex<Option<tokio::time::Instant>>,
}

impl Engine {
    fn new(steps: RecordedJournal, took: &Arc<Mutex<BTreeMap<String, Duration>>>) -> Self {
        Self { steps, took: Arc::clone(took), clock: Mutex::default(), effect_began: Mutex::default() }
    }
}

impl Journal for Engine {
    fn step<'a>(
        &'a self,
        step: JournalStep<'a>,
        effect: BoxFuture<'a, Value>,
    ) -> BoxFuture<'a, Result<Value, JournalError>> {
        let name = step.name.to_owned();
        let timed = async move {
            let began = tokio::time::Instant::now();
            *self.effect_began.lock().unwrap() = Some(began);
            let value = effect.await;
            self.took.lock().unwrap().insert(name, began.elapsed());
            value
        };
        let name = step.name.to_owned();
        Box::pin(async move {
            let value = self.steps.step(step, Box::pin(timed)).await?;
            *self.effect_began.lock().unwrap() = None;
            *self.clock.lock().unwrap() += self.took.lock().unwrap()[&name];
            Ok(value)
        })
    }

    fn sleep<'a>(&'a self, name: &'a str, time: Duration) -> BoxFuture<'a, Result<(), JournalError>> {
        *self.clock.lock().unwrap() += time;
        self.steps.sleep(name, time)
    }

    fn random(&self) -> u64 {
        self.steps.random()
    }

    fn now(&self) -> Duration {
        let effect = self.effect_began.lock().unwrap().map_or(Duration::ZERO, |began| began.elapsed());
        *self.clock.lock().unwrap() + effect
    }
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_counts_earlier_attempts_in_the_time_of_an_engine_as_well() {
    let left = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&left);
    let slow = tool("one", move |_, _| {
        let remaining = PromptScope::new(&PromptRequest::new("x"), Limits::unlimited()).unwrap().remaining();
        *seen.lock().unwrap() = Some(remaining);
        async move {
            tokio::time::sleep(Duration::from_secs(40)).await;
            Ok(ToolOutput::text("one"))
        }
    });
    let model = ScriptedModel::from_fn(|_| ScriptedTurn::tool_use("one", json!({})));
    let template = template(&model, [slow]).limits(Limits::new().duration(Duration::from_secs(100)));
    let took = Arc::default();
    let engine = Engine::new(RecordedJournal::new().crash_after(4), &took);
    template.clone().build().await.unwrap().prompt("go").journal(&engine).await.unwrap_err();
    let engine = Engine::new(engine.steps.replay(), &took);
    let began = tokio::time::Instant::now();
    let response = template.clone().build().await.unwrap().prompt("go").journal(&engine).await.unwrap();
    assert_eq!(response.stop_reason, StopReason::LimitDuration);
    assert_eq!(began.elapsed().as_secs(), 20);
    let left = format!("{:?}", left.lock().unwrap());
    assert!(left.contains("20s"), "nested prompts have no more: {left}");
}

#[tokio::test(start_paused = true)]
async fn calls_that_a_stop_cuts_off_are_cancelled_before_they_are_dropped() {
    /// Logs whether the call was cancelled when it was dropped.
    struct Dropped(ToolContext, Log);

    impl Drop for Dropped {
        fn drop(&mut self) {
            self.1.add(format!("cancelled: {}", self.0.cancellation().is_cancelled()));
        }
    }

    let log = Log::default();
    let dropped = log.clone();
    let stuck = tool("one", move |ctx, _| {
        let dropped = Dropped(ctx, dropped.clone());
        async move {
            std::future::pending::<()>().await;
            drop(dropped);
            Ok(ToolOutput::text(""))
        }
    });
    let template = template(&calls_one(), [stuck]).limits(Limits::new().duration(Duration::from_secs(5)));
    template.clone().build().await.unwrap().prompt("go").await.unwrap();
    prompt(&template, &RecordedJournal::new()).await.unwrap();
    assert_eq!(log.lines(), ["cancelled: true", "cancelled: true"]);
}

/// Prompts, approves the calls, and returns the newest results.
async fn approved(template: &AgentBuilder, journal: &RecordedJournal) -> Result<Vec<(bool, String)>, AgentError> {
    let mut agent = template.clone().build().await.unwrap();
    let response = agent.prompt("go").journal(journal).await?;
    let responses: Vec<_> = response.interrupts.iter().map(|interrupt| interrupt.respond(true)).collect();
    agent.prompt(Prompt::none()).resume(responses).journal(journal).await?;
    Ok(newest_results(agent.messages()))
}

#[tokio::test]
async fn an_approved_call_that_was_started_is_not_repeated_unless_idempotent() {
    for is_idempotent in [false, true] {
        let did = Log::default();
        let log = did.clone();
        let wipe = tool("one", move |ctx, _| {
            log.add(ctx.idempotency_key());
            async { Ok(ToolOutput::text("wiped")) }
        });
        let wipe = wipe
            .policy(ToolPolicy::new().with_approval(true))
            .annotations(ToolAnnotations::new().with_idempotent(is_idempotent));
        let template = template(&calls_one(), [wipe]);
        let straight = RecordedJournal::new();
        approved(&template, &straight).await.unwrap();
        assert_eq!(straight.names(), ["model/1/1", "tools/1/1", "tools/1/2", "tools/1/3", "model/2/1"]);
        // Approved, not started: the tool runs once.
        for (journal, calls, outcome) in [
            (RecordedJournal::new().crash_before_recording(2), 1, "wiped"),
            (RecordedJournal::new().crash_after(3), if is_idempotent { 1 } else { 0 }, "started"),
            (RecordedJournal::new().crash_before_recording(3), if is_idempotent { 2 } else { 1 }, "started"),
            (RecordedJournal::new().crash_after(4), 1, "wiped"),
        ] {
            did.clear();
            approved(&template, &journal).await.unwrap_err();
            let results = approved(&template, &journal.replay()).await.unwrap();
            let expected = if is_idempotent { "wiped" } else { outcome };
            assert!(results[0].1.contains(expected), "{results:?}");
            assert_eq!(did.lines().len(), calls, "{journal:?}, idempotent: {is_idempotent}");
            let mut keys = did.lines();
            keys.dedup();
            assert!(keys.len() <= 1, "the key is the same in each attempt: {keys:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn state_is_recorded_by_call() {
    let writes = |name: &'static str, time: u64| {
        tool(name, move |ctx, _| async move {
            ctx.state().set(format!("{name} began"), true).unwrap();
            tokio::time::sleep(Duration::from_secs(time)).await;
            ctx.state().set(format!("{name} ended"), true).unwrap();
            ctx.state().remove("seed");
            Ok(ToolOutput::text(name))
        })
    };
    let model = ScriptedModel::from_fn(|request| match request.messages.len() {
        1 => ScriptedTurn::tool_uses([("quick", json!({})), ("slow", json!({}))]),
        _ => ScriptedTurn::text("done"),
    });
    let template = template(&model, [writes("quick", 1), writes("slow", 2)])
        .state([("seed".to_owned(), json!(1))].into_iter().collect());
    let journal = RecordedJournal::new().crash_after(2);
    prompt(&template, &journal).await.unwrap_err();
    let changes = journal.entries()[1].1["value"]["ended"]["state"].clone();
    assert_eq!(changes, json!({"set": {"quick began": true, "quick ended": true}, "removed": ["seed"]}));
    let mut agent = template.build().await.unwrap();
    agent.prompt("go").journal(&journal.replay()).await.unwrap();
    assert_eq!(agent.state().to_json().len(), 4);
}

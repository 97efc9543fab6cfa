//! A fake durable engine runs the loop: it crashes after each entry of its journal and replays the handler. The
//! result is the same as without a crash.

use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use strands_core::hook::{AfterToolCall, BeforeModelCall, Hook, HookResult};
use strands_core::message::Message;
use strands_core::models::{ErrorDetails, Model, ModelCapabilities, ModelError, ModelRequest, ModelStream, StopReason};
use strands_core::testing::{InMemorySessionManager, RecordedRequest, ScriptedModel, ScriptedTurn};
use strands_core::{
    Agent, AgentError, AgentResponse, BoxFuture, InterruptResponse, Journal, JournalError, JournalStep, Prompt,
    Snapshot, ToolAnnotations, ToolError, ToolOutput, ToolPolicy,
};
use tokio::time::Instant;

use crate::support::{FnTool, Log, naming, template, tool};
use crate::valid_history::flaw;

/// Entries that the engine has recorded. It survives crashes.
#[derive(Default)]
struct Entries {
    entries: Vec<(String, Value)>,
    /// Crash instead of returning from the entry with this number, after it was recorded.
    crash_after: Option<usize>,
    /// Crash before this entry is recorded, though its effect was performed.
    crash_before: Option<usize>,
}

/// One attempt of a handler.
struct Engine {
    entries: Arc<Mutex<Entries>>,
    at: Mutex<usize>,
    seed: Mutex<fastrand::Rng>,
    crashed: tokio_util::sync::CancellationToken,
}

impl Engine {
    fn attempt(entries: &Arc<Mutex<Entries>>) -> Self {
        Self {
            entries: Arc::clone(entries),
            at: Mutex::new(0),
            seed: Mutex::new(fastrand::Rng::with_seed(7)),
            crashed: tokio_util::sync::CancellationToken::new(),
        }
    }

    async fn entry(&self, name: &str, effect: impl Future<Output = Value>) -> Result<Value, JournalError> {
        let at = {
            let mut next = self.at.lock().unwrap();
            *next += 1;
            *next - 1
        };
        let recorded = self.entries.lock().unwrap().entries.get(at).cloned();
        let value = match recorded {
            Some((known, value)) => {
                assert_eq!(known, name, "the replay has a different step");
                value
            }
            None => {
                let value = effect.await;
                if self.entries.lock().unwrap().crash_before == Some(at) {
                    self.crash().await;
                }
                self.entries.lock().unwrap().entries.push((name.to_owned(), value.clone()));
                value
            }
        };
        if self.entries.lock().unwrap().crash_after == Some(at) {
            self.crash().await;
        }
        Ok(value)
    }

    /// Ends the process: no call returns any more.
    async fn crash(&self) {
        self.crashed.cancel();
        pending::<()>().await;
    }
}

impl Journal for Engine {
    fn step<'a>(
        &'a self,
        step: JournalStep<'a>,
        effect: BoxFuture<'a, Value>,
    ) -> BoxFuture<'a, Result<Value, JournalError>> {
        Box::pin(self.entry(step.name, effect))
    }

    fn sleep<'a>(&'a self, name: &'a str, time: Duration) -> BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(async move {
            let slept = async move {
                tokio::time::sleep(time).await;
                json!(time)
            };
            self.entry(name, slept).await.map(drop)
        })
    }

    fn random(&self) -> u64 {
        self.seed.lock().unwrap().u64(..)
    }
}

/// The effects outside of the agent, as they were performed.
struct World {
    model: ScriptedModel,
    did: Log,
}

impl World {
    fn new() -> Self {
        // By the conversation and not by a counter: an interrupted call is made again.
        let model = ScriptedModel::from_fn(|request| match request.messages.len() {
            1 => ScriptedTurn::tool_uses([("slow", json!({})), ("quick", json!({})), ("fails", json!({}))]),
            3 => ScriptedTurn::tool_uses([("consent", json!({})), ("counts", json!({})), ("alone", json!({}))]),
            5 => ScriptedTurn::tool_use("counts", json!({})),
            _ => ScriptedTurn::text("done"),
        });
        Self { model, did: Log::default() }
    }

    fn tools(&self) -> Vec<FnTool> {
        let does = |name: &'static str, time: u64| {
            let did = self.did.clone();
            tool(name, move |ctx, _| {
                let did = did.clone();
                async move {
                    did.add(format!("{} {}", ctx.tool_name(), ctx.tool_use_id()));
                    tokio::time::sleep(Duration::from_millis(time)).await;
                    match name {
                        "fails" => Err(ToolError::new("no")),
                        "counts" => {
                            ctx.state().update("n", |n| *n = json!(n.as_u64().unwrap_or(0) + 1)).unwrap();
                            Ok(ToolOutput::json(ctx.state().get("n").unwrap()))
                        }
                        _ => Ok(ToolOutput::text(name)),
                    }
                }
            })
        };
        vec![
            does("slow", 50),
            does("quick", 1),
            does("fails", 20),
            does("consent", 1).policy(ToolPolicy::new().with_approval(true)).annotations(idempotent()),
            does("counts", 5).annotations(idempotent()),
            does("alone", 1).policy(ToolPolicy::new().with_exclusive(true)).annotations(idempotent()),
        ]
    }

    /// The handler of the engine: a prompt, then the interrupt responses as they arrive.
    async fn handle(&self, engine: &Engine) -> Result<(Agent, AgentResponse), AgentError> {
        let mut agent = template(&self.model, self.tools()).hook(Notes(self.did.clone())).build().await.unwrap();
        let mut response = agent.prompt("go").journal(engine).await?;
        while response.stop_reason == StopReason::Interrupt {
            // A signal of the engine, which is an entry of its own.
            let responses: Vec<InterruptResponse> = response.interrupts.iter().map(|each| each.respond(true)).collect();
            engine.entry("signal", async { json!(true) }).await?;
            response = agent.prompt(Prompt::none()).resume(responses).journal(engine).await?;
        }
        Ok((agent, response))
    }
}

/// Approved calls of such tools are made again after a crash.
fn idempotent() -> ToolAnnotations {
    ToolAnnotations::new().with_idempotent(true)
}

/// Hooks around calls run inside of the effects.
struct Notes(Log);

#[async_trait::async_trait]
impl Hook for Notes {
    async fn before_model_call(&self, event: &mut BeforeModelCall<'_>) -> HookResult {
        self.0.add(format!("model {}", event.messages.len()));
        Ok(())
    }

    async fn after_tool_call(&self, event: &mut AfterToolCall<'_>) -> HookResult {
        event.result.content.push("noted".into());
        Ok(())
    }
}

fn bytes(requests: &[RecordedRequest]) -> Vec<String> {
    let bytes = |request: &RecordedRequest| {
        let messages: Vec<&Message> = request.messages.iter().map(|message| &**message).collect();
        serde_json::to_string(&without_times(json!(messages))).unwrap()
    };
    requests.iter().map(bytes).collect()
}

/// Messages as sent to the model, without metadata.
fn without_times(mut messages: Value) -> Value {
    for message in messages.as_array_mut().unwrap() {
        message.as_object_mut().unwrap().remove("metadata");
    }
    messages
}

/// Runs the handler until it ends, and restarts it after each crash. Returns the journal's length.
async fn run(world: &World, entries: &Arc<Mutex<Entries>>) -> (Snapshot, AgentResponse) {
    loop {
        let engine = Engine::attempt(entries);
        let crashed = engine.crashed.clone();
        tokio::select! {
            done = world.handle(&engine) => {
                let (agent, response) = done.unwrap();
                assert_eq!(flaw(agent.messages(), false), None);
                return (agent.snapshot().unwrap(), response);
            }
            () = crashed.cancelled() => {
                let mut entries = entries.lock().unwrap();
                (entries.crash_after, entries.crash_before) = (None, None);
            }
        }
    }
}

/// Tool results by tool, without ids: these differ between two runs, since the model makes them up.
fn results_by_tool(snapshot: &Snapshot) -> Vec<(String, usize)> {
    let messages = snapshot.data.messages.as_ref().unwrap();
    messages.iter().map(|message| (message.text(), message.content.len())).collect()
}

#[tokio::test(start_paused = true)]
async fn a_crash_after_any_journal_entry_does_not_change_the_result() {
    let straight = World::new();
    let entries = Arc::new(Mutex::new(Entries::default()));
    let (expected, response) = run(&straight, &entries).await;
    assert_eq!((response.text().as_str(), response.turns), ("done", 4));
    let (length, count) = (entries.lock().unwrap().entries.len(), straight.did.lines().len());
    let names: Vec<String> = entries.lock().unwrap().entries.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names[..4], ["model/1/1", "tools/1/1", "tools/1/2", "tools/1/3"]);
    // The approved call and those that waited for it are recorded as they start.
    assert_eq!(length, 4 + 8 + 1 + 2, "{names:?}");

    for (at, name) in names.iter().enumerate() {
        for before in [false, true] {
            let world = World::new();
            let crash = if before { (None, Some(at)) } else { (Some(at), None) };
            let state = Entries { crash_after: crash.0, crash_before: crash.1, ..Entries::default() };
            let entries = Arc::new(Mutex::new(state));
            let (snapshot, response) = run(&world, &entries).await;
            assert_eq!((response.text().as_str(), response.turns), ("done", 4), "crash at {at}");
            assert_eq!(results_by_tool(&snapshot), results_by_tool(&expected), "crash at {at}");
            assert_eq!(snapshot.data.state.as_ref().unwrap()["n"], json!(2), "crash at {at}");
            assert_eq!(entries.lock().unwrap().entries.len(), length);
            // Recorded calls are not made again.
            let did = world.did.lines();
            match before {
                false => {
                    // Calls concurrent with the recorded one are made again, and no others.
                    let again = did.len() - count;
                    assert!(again <= 2, "crash after {at}: {did:?}");
                }
                true if name.starts_with("model") => {
                    assert!(did.len() > count, "crash before {at}: the effect is made again");
                }
                // A tool that interrupts has not acted yet.
                true => assert!(did.len() >= count, "crash before {at}"),
            }
            // The requests of a turn are the same bytes in each attempt.
            let requests = bytes(&world.model.requests());
            let mut distinct = requests.clone();
            distinct.dedup();
            assert_eq!(distinct.len(), 4, "crash at {at}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_replay_skips_retry_waits_and_replays_jitter() {
    let throttled = || ModelError::Throttled { retry_after: None, details: ErrorDetails::new().boxed() };
    let model = ScriptedModel::new([ScriptedTurn::error(throttled()), ScriptedTurn::text("done")]);
    let entries = Arc::new(Mutex::new(Entries { crash_after: Some(1), ..Entries::default() }));
    let engine = Engine::attempt(&entries);
    let mut agent = template(&model, []).build().await.unwrap();
    let crashed = engine.crashed.clone();
    tokio::select! {
        _ = agent.prompt("go").journal(&engine) => panic!("it crashes"),
        () = crashed.cancelled() => {}
    }
    entries.lock().unwrap().crash_after = None;
    let names = |entries: &Entries| entries.entries.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&entries.lock().unwrap()), ["model/1/1", "wait/1/1"]);
    let began = Instant::now();
    let mut agent = template(&model, []).build().await.unwrap();
    let engine = Engine::attempt(&entries);
    assert_eq!(agent.prompt("go").journal(&engine).await.unwrap().text(), "done");
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(model.requests().len(), 2);
}

#[tokio::test]
async fn ids_are_taken_from_the_journal() {
    let ids = || async {
        let engine = Engine::attempt(&Arc::default());
        let mut agent = template(&ScriptedModel::responding("hi"), []).build().await.unwrap();
        agent.prompt("go").journal(&engine).await.unwrap();
        agent.messages().iter().map(|message| message.tracking_id.clone().unwrap()).collect::<Vec<_>>()
    };
    let (one, other) = (ids().await, ids().await);
    assert_eq!(one, other);
    assert_ne!(one[0], one[1]);
}

/// A journal that fails from an entry on.
struct Broken(usize, Engine);

impl Journal for Broken {
    fn step<'a>(
        &'a self,
        step: JournalStep<'a>,
        effect: BoxFuture<'a, Value>,
    ) -> BoxFuture<'a, Result<Value, JournalError>> {
        match *self.1.at.lock().unwrap() == self.0 {
            true => Box::pin(async move { Err(JournalError::new(step.name, "409 cancelled")) }),
            false => self.1.step(step, effect),
        }
    }

    fn sleep<'a>(&'a self, name: &'a str, time: Duration) -> BoxFuture<'a, Result<(), JournalError>> {
        self.1.sleep(name, time)
    }

    fn random(&self) -> u64 {
        self.1.random()
    }
}

#[tokio::test]
async fn a_failing_journal_ends_the_invocation() {
    for at in 0..3 {
        let model = ScriptedModel::from_fn(|request| match request.messages.len() {
            1 => ScriptedTurn::tool_use("one", json!({})),
            _ => ScriptedTurn::text("done"),
        });
        let mut agent = template(&model, [naming("one")]).build().await.unwrap();
        let journal = Broken(at, Engine::attempt(&Arc::default()));
        let error = agent.prompt("go").journal(&journal).await.unwrap_err();
        assert!(matches!(error, AgentError::Journal(_)), "{error:?}");
        assert_eq!(flaw(agent.messages(), false), None);
    }
}

#[tokio::test]
async fn a_journal_entry_of_another_step_is_an_error() {
    let entries = Entries { entries: vec![("model/1/1".into(), json!({"nonsense": 1}))], ..Entries::default() };
    let engine = Engine::attempt(&Arc::new(Mutex::new(entries)));
    let mut agent = template(&ScriptedModel::responding("hi"), []).build().await.unwrap();
    let error = agent.prompt("go").journal(&engine).await.unwrap_err();
    assert!(error.to_string().contains("model/1/1"), "{error}");
}

#[tokio::test]
async fn rejects_a_journal_together_with_a_session() {
    let builder = template(&ScriptedModel::responding("hi"), []);
    let mut agent = builder.session_manager(InMemorySessionManager::new("s")).build().await.unwrap();
    let engine = Engine::attempt(&Arc::default());
    let error = agent.prompt("go").journal(&engine).await.unwrap_err();
    assert!(matches!(error, AgentError::JournalWithSession), "{error:?}");
}

/// A journal with a clock of its own.
struct Clock(Engine, Mutex<Duration>);

impl Journal for Clock {
    fn step<'a>(
        &'a self,
        step: JournalStep<'a>,
        effect: BoxFuture<'a, Value>,
    ) -> BoxFuture<'a, Result<Value, JournalError>> {
        self.0.step(step, effect)
    }

    fn sleep<'a>(&'a self, name: &'a str, time: Duration) -> BoxFuture<'a, Result<(), JournalError>> {
        self.0.sleep(name, time)
    }

    fn random(&self) -> u64 {
        self.0.random()
    }

    fn now(&self) -> Duration {
        let mut now = self.1.lock().unwrap();
        *now += Duration::from_secs(60);
        *now
    }
}

#[tokio::test]
async fn time_is_taken_from_the_journal() {
    let clock = Clock(Engine::attempt(&Arc::default()), Mutex::default());
    let mut agent = template(&ScriptedModel::responding("hi"), []).build().await.unwrap();
    let response = agent.prompt("go").journal(&clock).await.unwrap();
    assert!(response.metrics.total_duration() >= Duration::from_secs(60), "{:?}", response.metrics.total_duration());
}

/// A model that can't be forced to call a tool, and records this capability at the first rejected request.
#[derive(Debug)]
struct Unforceable {
    script: ScriptedModel,
    has_learned: Arc<AtomicBool>,
}

#[strands_core::async_trait]
impl Model for Unforceable {
    fn model_id(&self) -> &str {
        "unforceable"
    }

    fn capabilities(&self) -> ModelCapabilities {
        let has_learned = self.has_learned.load(Ordering::Relaxed);
        ModelCapabilities::new().with_tool_choice(!has_learned).with_structured_output(has_learned)
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        if request.tool_choice.is_some() {
            self.has_learned.store(true, Ordering::Relaxed);
        }
        self.script.stream(request).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_replay_keeps_the_structured_output_mode() {
    let refusal = || {
        let details = ErrorDetails::new().with_status(400).boxed();
        ScriptedTurn::error(ModelError::InvalidRequest { details })
    };
    let turns = || [ScriptedTurn::text("seven"), refusal(), ScriptedTurn::text("eight"), ScriptedTurn::text("[7]")];
    let entries = Arc::new(Mutex::new(Entries::default()));
    let has_learned = Arc::new(AtomicBool::new(false));
    let mut conversations = Vec::new();
    for script in [ScriptedModel::new(turns()), ScriptedModel::new([])] {
        let model = Unforceable { script, has_learned: Arc::clone(&has_learned) };
        let mut agent = Agent::builder().model(model).build().await.unwrap();
        let engine = Engine::attempt(&entries);
        let response = agent.prompt("go").output::<Vec<u8>>().journal(&engine).await.unwrap();
        assert_eq!(response.into_output().unwrap(), [7]);
        conversations.push(agent.messages().iter().map(|message| message.text()).collect::<Vec<_>>());
    }
    assert_eq!(conversations[0], conversations[1]);
    let expected = ["capabilities/0/0", "model/1/1", "model/2/1", "model/2/2", "model/3/1"];
    let entries = entries.lock().unwrap();
    assert_eq!(entries.entries.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), expected);
}

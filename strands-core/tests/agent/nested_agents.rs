//! Nested agents: limits, usage, deadlines, cancellation and depth are one budget of the whole tree.

use std::future::IntoFuture;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, stream};
use proptest::prelude::*;
use serde_json::json;
use strands_core::conversation::NullConversationManager;
use strands_core::metrics::{ModelMetrics, Usage};
use strands_core::models::{Model, ModelError, ModelRequest, ModelStream, StopReason, StreamEvent, ToolUseStart};
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{
    Agent, AgentResponse, CancellationToken, Limits, Prompt, RetryPolicy, ToolContext, ToolError, ToolOutput,
};
use tokio::time::Instant;

use crate::support::{FnTool, agent, kinds, listen, tool};

/// Input and output tokens of each model call.
const TOKENS: (u64, u64) = (10, 5);

/// Ways to call a nested agent.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Nesting {
    /// Awaited by the tool.
    Awaited,
    /// In a task of its own, with `nested_in`.
    Spawned,
}

/// A tree of agents of three levels.
#[derive(Clone, Debug)]
struct Tree {
    limits: [Limits; 3],
    /// Number of calls in each turn, and number of turns with calls.
    calls: usize,
    turns: usize,
    concurrency: usize,
    delay: Duration,
    nesting: Nesting,
}

/// Counters of model calls: those of an agent, and those of its ancestors.
type Counters = Vec<Arc<AtomicU32>>;

/// A slow model that calls a tool in its first turns.
struct Costly {
    counters: Counters,
    tree: Tree,
    over: Arc<AtomicBool>,
    too_late: Arc<AtomicU32>,
}

#[async_trait]
impl Model for Costly {
    fn model_id(&self) -> &str {
        "costly"
    }

    async fn stream(&self, request: ModelRequest<'_>) -> Result<ModelStream, ModelError> {
        if self.over.load(Ordering::SeqCst) {
            self.too_late.fetch_add(1, Ordering::SeqCst);
        }
        let turn = request.messages.len() / 2;
        tokio::time::sleep(self.tree.delay).await;
        let calls = if turn < self.tree.turns { self.tree.calls } else { 0 };
        let mut events = vec![StreamEvent::start()];
        for index in 0..calls {
            events.push(StreamEvent::tool_use(index, ToolUseStart::new(format!("{turn}-{index}"), "deeper")));
            events.push(StreamEvent::block_stop(index));
        }
        if calls == 0 {
            events.push(StreamEvent::text(0, "done"));
        }
        events.push(StreamEvent::stop(if calls == 0 { StopReason::EndTurn } else { StopReason::ToolUse }));
        events.push(StreamEvent::metadata(Usage::new(TOKENS.0, TOKENS.1), ModelMetrics::new(1)));
        for counter in &self.counters {
            counter.fetch_add(1, Ordering::SeqCst);
        }
        Ok(Box::pin(stream::iter(events.into_iter().map(Ok))))
    }
}

/// The agents of one run of a tree.
#[derive(Clone)]
struct Runs {
    tree: Tree,
    over: Arc<AtomicBool>,
    too_late: Arc<AtomicU32>,
    /// Responses of the nested agents, each with the number of calls in its subtree.
    responses: Arc<Mutex<Vec<(usize, AgentResponse, u32)>>>,
}

impl Runs {
    fn of(tree: &Tree) -> Self {
        let (over, too_late, responses) = <_>::default();
        Self { tree: tree.clone(), over, too_late, responses }
    }

    fn build(&self, level: usize, above: &Counters) -> BoxFuture<'static, (Agent, Counters)> {
        let (runs, mut counters) = (self.clone(), above.clone());
        counters.push(Arc::default());
        Box::pin(async move {
            let model = Costly {
                counters: counters.clone(),
                tree: runs.tree.clone(),
                over: Arc::clone(&runs.over),
                too_late: Arc::clone(&runs.too_late),
            };
            let builder = Agent::builder()
                .model(model)
                .limits(runs.tree.limits[level])
                .retry(RetryPolicy::new().max_attempts(1))
                .conversation_manager(NullConversationManager::new())
                .tool_concurrency(runs.tree.concurrency);
            let builder = if level < 2 { builder.tool(runs.deeper(level, &counters)) } else { builder.tool(leaf()) };
            (builder.build().await.unwrap(), counters)
        })
    }

    /// The tool that prompts an agent of the next level.
    fn deeper(&self, level: usize, counters: &Counters) -> FnTool {
        let (runs, counters) = (self.clone(), counters.clone());
        tool("deeper", move |ctx, _| {
            let (runs, counters) = (runs.clone(), counters.clone());
            async move { runs.nested(level + 1, counters, ctx).await }
        })
    }

    async fn nested(self, level: usize, above: Counters, ctx: ToolContext) -> Result<ToolOutput, ToolError> {
        let (mut agent, counters) = self.build(level, &above).await;
        let response = match self.tree.nesting {
            Nesting::Awaited => agent.prompt("go").await,
            Nesting::Spawned => tokio::spawn(async move { agent.prompt("go").nested_in(&ctx).await }).await.unwrap(),
        };
        let response = response.map_err(ToolError::from_source)?;
        let calls = counters.last().unwrap().load(Ordering::SeqCst);
        let text = response.text();
        self.responses.lock().unwrap().push((level, response, calls));
        Ok(ToolOutput::text(text))
    }
}

fn leaf() -> FnTool {
    tool("deeper", |_, _| async { Ok(ToolOutput::text("leaf")) })
}

fn tree() -> impl Strategy<Value = Tree> {
    let limits = || {
        let turns = prop_oneof![2 => Just(None), 3 => (0_u32..12).prop_map(Some)];
        let tokens = prop_oneof![3 => Just(None), 1 => (1_u64..200).prop_map(Some)];
        (turns, tokens).prop_map(|(turns, tokens)| {
            let limits = turns.map_or(Limits::unlimited(), |turns| Limits::unlimited().turns(turns));
            tokens.map_or(limits, |tokens| limits.total_tokens(tokens))
        })
    };
    let nesting = prop_oneof![2 => Just(Nesting::Awaited), 1 => Just(Nesting::Spawned)];
    let shape = (1_usize..4, 1_usize..4, prop_oneof![Just(1_usize), Just(64)], 0_u64..40, nesting);
    ([limits(), limits(), limits()], shape).prop_map(|(limits, (calls, turns, concurrency, delay, nesting))| Tree {
        limits,
        calls,
        turns,
        concurrency,
        delay: Duration::from_millis(delay),
        nesting,
    })
}

/// Limits of turns and of tokens, each optional.
fn numbers(limits: Limits) -> (Option<u32>, Option<u64>) {
    let json = serde_json::to_value(limits).unwrap();
    let turns = json["turns"].as_u64().map(|turns| u32::try_from(turns).unwrap());
    (turns, json["total_tokens"].as_u64())
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(work)
}

/// Compares an agent's usage with its limits, and its response with its calls.
fn check_spent(tree: &Tree, level: usize, response: &AgentResponse, calls: u32) -> Result<(), TestCaseError> {
    let (turns, tokens) = numbers(tree.limits[level]);
    prop_assert_eq!(response.turns, calls, "level {}", level);
    let spent = u64::from(calls) * (TOKENS.0 + TOKENS.1);
    prop_assert_eq!(response.usage.total_tokens, spent, "level {}", level);
    if let Some(turns) = turns {
        prop_assert!(calls <= turns, "level {}: {} calls, {} allowed", level, calls, turns);
    }
    if let Some(tokens) = tokens {
        // Concurrent responses may exceed the limit, one for each agent at the lowest level.
        let at_once = if tree.concurrency == 1 { 1 } else { tree.calls.pow(2 - u32::try_from(level).unwrap()) };
        let overshoot = (at_once as u64) * (TOKENS.0 + TOKENS.1);
        prop_assert!(spent < tokens + overshoot, "level {}: {} tokens, {} allowed", level, spent, tokens);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn three_levels_of_agents_share_one_budget(tree in tree()) {
        block_on(async move {
            let runs = Runs::of(&tree);
            let (mut agent, counters) = runs.build(0, &Vec::new()).await;
            let response = agent.prompt("go").await.unwrap();
            let calls = counters[0].load(Ordering::SeqCst);
            check_spent(&tree, 0, &response, calls)?;
            for (level, response, calls) in &*runs.responses.lock().unwrap() {
                check_spent(&tree, *level, response, *calls)?;
            }
            // A limit is the stop reason, unless all calls were made.
            let all = response.stop_reason == StopReason::EndTurn;
            let (turns, tokens) = numbers(tree.limits[0]);
            let reached = turns.is_some_and(|turns| calls >= turns)
                || tokens.is_some_and(|tokens| response.usage.total_tokens >= tokens);
            prop_assert!(all || reached, "{:?} after {} calls", response.stop_reason, calls);
            Ok(())
        })?;
    }

    #[test]
    fn cancellation_ends_three_levels_within_50_ms(tree in tree(), after in 0_u64..400, by_deadline in any::<bool>()) {
        block_on(async move {
            let mut tree = tree;
            tree.delay += Duration::from_millis(5);
            let after = Duration::from_millis(after);
            let runs = Runs::of(&tree);
            let (mut agent, _) = runs.build(0, &Vec::new()).await;
            let began = Instant::now();
            let token = CancellationToken::new();
            let limits = if by_deadline { tree.limits[0].duration(after) } else { tree.limits[0] };
            let prompting = agent.prompt("go").limits(limits).cancel_with(token.clone()).into_future();
            let cancelling = async {
                tokio::time::sleep(after).await;
                if !by_deadline {
                    token.cancel();
                }
                runs.over.store(true, Ordering::SeqCst);
            };
            let (response, ()) = tokio::join!(prompting, cancelling);
            let response = response.unwrap();
            prop_assert!(began.elapsed() <= after + Duration::from_millis(50), "{:?} after {:?}", began.elapsed(), after);
            // Spawned agents have ended, too: no further model call.
            tokio::time::sleep(Duration::from_secs(60)).await;
            let too_late = runs.too_late.load(Ordering::SeqCst);
            prop_assert!(too_late == 0, "{} model calls after the end with {:?}", too_late, response.stop_reason);
            Ok(())
        })?;
    }
}

#[tokio::test(start_paused = true)]
async fn a_nested_agent_inherits_the_deadline() {
    let reasons = Arc::new(Mutex::new(Vec::new()));
    let recorder = Arc::clone(&reasons);
    let asks = tool("deeper", move |ctx, _| {
        let recorder = Arc::clone(&recorder);
        async move {
            let slow = tool("slow", |_, _| async {
                tokio::time::sleep(Duration::from_secs(600)).await;
                Ok(ToolOutput::text("late"))
            });
            let model = ScriptedModel::new([ScriptedTurn::tool_use("slow", json!({}))]);
            let mut inner = agent(&model, [slow]).await;
            let spawned = tokio::spawn(async move {
                let response = inner.prompt("go").nested_in(&ctx).await.unwrap();
                recorder.lock().unwrap().push((response.stop_reason, Instant::now()));
            });
            spawned.await.unwrap();
            Ok(ToolOutput::text("done"))
        }
    });
    let model = ScriptedModel::new([ScriptedTurn::tool_use("deeper", json!({}))]);
    let mut outer = agent(&model, [asks]).await;
    let began = Instant::now();
    let limits = Limits::new().duration(Duration::from_secs(3));
    let response = outer.prompt("go").limits(limits).await.unwrap();
    assert_eq!(response.stop_reason, StopReason::LimitDuration);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let reasons = reasons.lock().unwrap();
    let [(reason, at)] = &reasons[..] else { panic!("{reasons:?}") };
    assert_eq!(*reason, StopReason::LimitDuration);
    assert!(at.duration_since(began) <= Duration::from_millis(3_050));
}

mod blocking {
    use serde_json::json;
    use strands_core::testing::{ScriptedModel, ScriptedTurn};
    use strands_core::{ToolError, tool};
    use tokio::runtime::Handle;

    /// Blocks its thread on an agent.
    #[tool(crate = strands_core)]
    pub(super) fn ask(runtime: &Handle) -> Result<String, ToolError> {
        let outcome = runtime.block_on(async {
            let model = ScriptedModel::new([ScriptedTurn::tool_use("x", json!({})), ScriptedTurn::text("blocked")]);
            crate::support::agent(&model, []).await.prompt("go").await
        });
        Ok(outcome.map_err(ToolError::from_source)?.stop_reason.to_string())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_in_a_blocking_tool_is_nested() {
    let model = ScriptedModel::new([ScriptedTurn::tool_use("ask", json!({})), ScriptedTurn::text("done")]);
    let builder = Agent::builder().model(model).tool(blocking::Ask).inject(tokio::runtime::Handle::current());
    let mut agent = builder.build().await.unwrap();
    // The outer call, and one of the two of the inner agent.
    let response = agent.prompt("go").limits(Limits::new().turns(2)).await.unwrap();
    assert_eq!((response.stop_reason, response.turns), (StopReason::LimitTurns, 2));
    assert!(format!("{:?}", agent.messages()).contains("limit_turns"), "{:?}", agent.messages());
}

#[tokio::test]
async fn spending_of_nested_agents_survives_an_interrupt() {
    let nested = tool("deeper", |ctx, _| async move {
        if ctx.state().get("asked").is_none() {
            let mut inner = agent(&ScriptedModel::responding("inner"), []).await;
            inner.prompt("go").await.map_err(ToolError::from_source)?;
            ctx.state().set("asked", true).unwrap();
        }
        ToolOutput::serialize(&ctx.interrupt("sure", "?")?)
    });
    let model = ScriptedModel::new([ScriptedTurn::tool_use("deeper", json!({})), ScriptedTurn::text("done")]);
    let mut outer = agent(&model, [nested.clone()]).await;
    let response = outer.prompt("go").await.unwrap();
    assert_eq!((response.turns, response.usage.total_tokens), (2, 30));
    // As in another process.
    let json = serde_json::to_string(&outer.snapshot().unwrap()).unwrap();
    let mut restored = agent(&model, [nested]).await;
    restored.restore(serde_json::from_str(&json).unwrap()).unwrap();
    let responses: Vec<_> = response.interrupts.iter().map(|interrupt| interrupt.respond("yes")).collect();
    let response = restored.prompt(Prompt::none()).resume(responses).await.unwrap();
    assert_eq!((response.turns, response.usage.total_tokens), (3, 45));
}

#[tokio::test]
async fn a_tool_forwards_events_of_a_nested_agent_under_their_path() {
    let asks = tool("ask", |ctx, _| async move {
        let inner = agent(&ScriptedModel::responding("inner"), []).await;
        let mut events = inner.into_stream("go");
        while let Some(event) = events.next().await {
            // As a nested agent would.
            ctx.forward("expert", event.map_err(ToolError::from_source)?.at_node("library")).await;
        }
        Ok(ToolOutput::text("asked"))
    });
    let model = ScriptedModel::new([ScriptedTurn::tool_use("ask", json!({})), ScriptedTurn::text("outer")]);
    let mut outer = agent(&model, [asks]).await;
    let (events, ended) = listen(outer.prompt("go").stream()).await;
    ended.unwrap();
    let nested: Vec<_> = events.iter().filter(|event| !event.path().is_empty()).collect();
    assert!(nested.iter().all(|event| event.path().join("/") == "expert/library"), "{nested:?}");
    let leaves: Vec<_> = nested.iter().map(|event| event.leaf().clone()).collect();
    assert_eq!(kinds(&leaves), ["start", "cycle_start", "text_delta", "message", "message", "result"]);
    // Between the start and the end of the call.
    let kinds = kinds(&events);
    let at = |kind: &str| kinds.iter().position(|found| found == kind).unwrap();
    assert!(at("tool_start") < at("node") && kinds.iter().rposition(|kind| kind == "node") < Some(at("tool_end")));
    // Without a listener nothing waits.
    outer.set_model(ScriptedModel::new([ScriptedTurn::tool_use("ask", json!({})), ScriptedTurn::text("outer")]));
    assert_eq!(outer.prompt("go").await.unwrap().text(), "outer");
}

//! Property test of replays: random agents end after each journal entry in turn, and the replay continues as if nothing had
//! happened.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use proptest::prelude::*;
use serde_json::{Value, json};
use strands_core::conversation::{
    SlidingWindowConversationManager, SummarizingConversationManager, ToolResultOffloader,
};
use strands_core::hook::{
    AfterInvocation, AfterModelCall, AfterTools, BeforeInvocation, BeforeTools, Hook, HookContext, HookResult,
    MessageAdded, SelectTools,
};
use strands_core::message::Message;
use strands_core::models::{ErrorDetails, Fallback, ModelError, ModelRequest};
use strands_core::session::InMemoryContentStore;
use strands_core::testing::{RecordedJournal, ScriptedModel, ScriptedTurn};
use strands_core::{
    Agent, AgentBuilder, AgentError, AgentResponse, InterruptResponse, Prompt, ToolAnnotations, ToolError, ToolOutput,
    ToolPolicy,
};

use crate::fakes::{Trip, nested};
use crate::support::{FnTool, Log, tool};
use crate::valid_history::flaw;

/// The final text, which fits the structured output.
const FINAL: &str = r#"{"city":"Oslo"}"#;

const TOOLS: [&str; 8] = ["quick", "slow", "fails", "counts", "alone", "asks", "big", "agent"];

/// A random agent.
#[derive(Clone, Debug)]
struct Scenario {
    /// Calls of each turn: indices of tools.
    turns: Vec<Vec<usize>>,
    /// Turns whose model call fails once.
    throttled: BTreeSet<usize>,
    manager: Manager,
    has_fallback: bool,
    has_output: bool,
    hooks: Option<Deciding>,
}

#[derive(Clone, Copy, Debug)]
enum Manager {
    Window,
    Summaries,
    /// Large results are offloaded.
    Offloads,
}

/// Decisions of hooks: by the event, or different each time that they are called.
#[derive(Clone, Copy, Debug)]
enum Deciding {
    ByEvent(u64),
    AtRandom,
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let manager = prop_oneof![Just(Manager::Window), Just(Manager::Summaries), Just(Manager::Offloads)];
    let hooks = prop_oneof![
        1 => Just(None),
        3 => any::<u64>().prop_map(|seed| Some(Deciding::ByEvent(seed))),
        1 => Just(Some(Deciding::AtRandom)),
    ];
    let turns = prop::collection::vec(prop::collection::vec(0..TOOLS.len(), 1..5), 0..4);
    let throttled = prop::collection::btree_set(0_usize..4, 0..2);
    (turns, throttled, manager, any::<bool>(), any::<bool>(), hooks).prop_map(
        |(turns, throttled, manager, has_fallback, has_output, hooks)| Scenario {
            turns,
            throttled,
            manager,
            has_fallback,
            has_output,
            hooks,
        },
    )
}

/// Everything outside of the agent: it survives crashes.
struct World {
    scenario: Scenario,
    model: ScriptedModel,
    store: InMemoryContentStore,
    /// Ids of the calls that were begun.
    begun: Log,
    summaries: ScriptedModel,
}

/// Returns the number of the turn that a request asks for: one more than that of the newest calls.
fn requested_turn(request: &ModelRequest<'_>) -> usize {
    let [.., calls, newest] = request.messages else { return 0 };
    if newest.tool_results().next().is_none() {
        return 0;
    }
    calls.tool_uses().filter_map(|call| call.input["turn"].as_u64()).max().map_or(0, |turn| turn as usize + 1)
}

impl World {
    fn new(scenario: &Scenario) -> Self {
        let Scenario { turns, throttled, .. } = scenario.clone();
        let failed: Mutex<BTreeSet<usize>> = Mutex::default();
        let model = ScriptedModel::from_fn(move |request| {
            let turn = requested_turn(request);
            if throttled.contains(&turn) && failed.lock().unwrap().insert(turn) {
                let details = ErrorDetails::new().boxed();
                return ScriptedTurn::error(ModelError::Throttled { retry_after: None, details });
            }
            match turns.get(turn) {
                Some(calls) => ScriptedTurn::tool_uses(calls.iter().map(|at| (TOOLS[*at], json!({"turn": turn})))),
                None => ScriptedTurn::text(FINAL),
            }
        });
        Self {
            scenario: scenario.clone(),
            model,
            store: InMemoryContentStore::default(),
            begun: Log::default(),
            summaries: ScriptedModel::responding("## Conversation summary: nothing happened"),
        }
    }

    fn tools(&self) -> Vec<FnTool> {
        let does = |name: &'static str, time: u64| {
            let begun = self.begun.clone();
            tool(name, move |ctx, _| {
                let begun = begun.clone();
                async move {
                    begun.add(ctx.tool_use_id());
                    tokio::time::sleep(Duration::from_millis(time)).await;
                    match name {
                        "fails" => Err(ToolError::new("no")),
                        "counts" => {
                            ctx.state().update("n", |n| *n = json!(n.as_u64().unwrap_or(0) + 1)).unwrap();
                            Ok(ToolOutput::text("counted"))
                        }
                        "big" => Ok(ToolOutput::text("word ".repeat(400))),
                        _ => Ok(ToolOutput::text(name)),
                    }
                }
            })
        };
        // An approved call is made again after a crash only if that has the same effect.
        let asks = does("asks", 3).policy(ToolPolicy::new().with_approval(true));
        let tools = vec![
            does("quick", 1),
            does("slow", 50),
            does("fails", 20),
            does("counts", 5),
            does("alone", 2).policy(ToolPolicy::new().with_exclusive(true)),
            asks,
            does("big", 4),
            nested("agent", 2, &Arc::<AtomicU32>::default()),
        ];
        tools.into_iter().map(|tool| tool.annotations(ToolAnnotations::new().with_idempotent(true))).collect()
    }

    fn template(&self) -> AgentBuilder {
        let builder = Agent::builder();
        let builder = if self.scenario.has_fallback {
            let unreachable = ScriptedModel::from_fn(|_| ScriptedTurn::error(ModelError::transport("unreachable")));
            builder.model(Fallback::new(unreachable).or(self.model.clone()))
        } else {
            builder.model(self.model.clone())
        };
        let builder = match self.scenario.manager {
            Manager::Window => builder.conversation_manager(SlidingWindowConversationManager::new(4)),
            Manager::Summaries => {
                let manager = SummarizingConversationManager::new().model(self.summaries.clone()).preserve_recent(2);
                builder.conversation_manager(manager.proactive(0.000_3))
            }
            Manager::Offloads => {
                let offloader = ToolResultOffloader::new(self.store.clone()).threshold(100).preview(20);
                builder.offload_tool_results(offloader)
            }
        };
        let builder = self.tools().into_iter().fold(builder, AgentBuilder::tool);
        match self.scenario.hooks {
            Some(deciding) => builder.hook(Decides(deciding)),
            None => builder,
        }
    }

    /// The handler of an engine: a prompt, then approvals until the agent is done.
    async fn handle(&self, journal: &RecordedJournal) -> (Agent, Result<End, AgentError>) {
        let mut agent = self.template().build().await.unwrap();
        let mut ended = match self.scenario.has_output {
            true => agent.prompt("go").output::<Trip>().journal(journal).await.map(End::of),
            false => agent.prompt("go").journal(journal).await.map(End::of),
        };
        while let Ok(End { responses, .. }) = &ended
            && !responses.is_empty()
        {
            ended = agent.prompt(Prompt::none()).resume(responses.clone()).journal(journal).await.map(End::of);
        }
        (agent, ended)
    }
}

/// The end of an invocation, with approvals of the calls that wait.
struct End {
    text: String,
    responses: Vec<InterruptResponse>,
}

impl End {
    fn of<T>(response: AgentResponse<T>) -> Self {
        let AgentResponse { stop_reason, turns, usage, interrupts, .. } = &response;
        let text = format!("{} {stop_reason:?} {turns} {usage:?}", response.text());
        Self { text, responses: interrupts.iter().map(|interrupt| interrupt.respond(true)).collect() }
    }
}

/// A hook that decides about all events around calls.
struct Decides(Deciding);

impl Decides {
    /// Returns a number below `sides`, for one occurrence of an event.
    fn choose(&self, event: &str, context: &HookContext, detail: impl Hash, sides: u64) -> u64 {
        static CALLS: AtomicU64 = AtomicU64::new(0);
        let mut hasher = DefaultHasher::new();
        match self.0 {
            Deciding::ByEvent(seed) => (seed, event, context.cycle(), detail).hash(&mut hasher),
            Deciding::AtRandom => CALLS.fetch_add(1, Ordering::Relaxed).hash(&mut hasher),
        }
        hasher.finish() % sides
    }
}

#[async_trait]
impl Hook for Decides {
    async fn before_invocation(&self, event: &mut BeforeInvocation<'_>) -> HookResult {
        match self.choose("before_invocation", event.context, event.prompt.len(), 8) {
            0 => event.deny = Some("denied".to_owned()),
            number if !event.prompt.is_empty() => {
                event.prompt[0].content.push(format!("luck {number}").as_str().into());
            }
            _ => {}
        }
        Ok(())
    }

    async fn select_tools(&self, event: &mut SelectTools<'_>) -> HookResult {
        let hidden = self.choose("select_tools", event.context, "", 12);
        if let Some(name) = TOOLS.get(hidden as usize) {
            event.hide(*name);
        }
        Ok(())
    }

    async fn message_added(&self, event: &MessageAdded<'_>) -> HookResult {
        tokio::task::yield_now().await;
        let content = event.message.content.len();
        let value = self.choose("message_added", event.context, (event.message.role as u8, content), 9);
        event.context.state().set("last", value)?;
        match self.choose("message_added fails", event.context, content, 40) {
            0 => Err("the hook failed".into()),
            _ => Ok(()),
        }
    }

    async fn after_model_call(&self, event: &mut AfterModelCall<'_>) -> HookResult {
        event.retry = event.attempt == 1 && self.choose("after_model_call", event.context, "", 6) == 0;
        event.context.state().set(format!("cycle {}", event.context.cycle()), event.attempt)?;
        Ok(())
    }

    async fn before_tools(&self, event: &mut BeforeTools<'_>) -> HookResult {
        if self.choose("before_tools", event.context, event.message.content.len(), 6) == 0 {
            event.deny = Some("no tools now".to_owned());
        }
        Ok(())
    }

    async fn after_tools(&self, event: &mut AfterTools<'_>) -> HookResult {
        if self.choose("after_tools", event.context, event.results.content.len(), 8) == 0 {
            event.end_turn = Some("enough".to_owned());
        }
        Ok(())
    }

    async fn after_invocation(&self, event: &mut AfterInvocation<'_>) -> HookResult {
        let rounds = event.context.state().get_as::<u32>("rounds")?.unwrap_or(0);
        if rounds < 2 && self.choose("after_invocation", event.context, rounds, 3) == 0 {
            event.context.state().set("rounds", rounds + 1)?;
            event.resume = Some("go on".into());
        }
        Ok(())
    }
}

/// Replaces random ids by the order of their first appearance, and removes times.
#[derive(Default)]
struct Normal {
    ids: BTreeMap<String, usize>,
}

impl Normal {
    fn text(&mut self, text: &str) -> String {
        let is_of_id = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let pieces = text.split_inclusive(|c| !is_of_id(c)).map(|piece| {
            let id = piece.trim_end_matches(|c| !is_of_id(c));
            if !id.starts_with("tooluse_") && !id.starts_with("offloaded-") {
                return piece.to_owned();
            }
            let next = self.ids.len();
            let number = *self.ids.entry(id.to_owned()).or_insert(next);
            format!("#{number}{}", piece.trim_start_matches(id))
        });
        pieces.collect()
    }

    fn messages<'m>(&mut self, messages: impl IntoIterator<Item = &'m Arc<Message>>) -> String {
        let mut json = json!(messages.into_iter().map(|message| &**message).collect::<Vec<_>>());
        for message in json.as_array_mut().unwrap() {
            message.as_object_mut().unwrap().remove("metadata");
        }
        self.text(&json.to_string())
    }
}

/// The outcome of a handler, without ids and times.
#[derive(Debug, PartialEq)]
struct Outcome {
    ended: String,
    history: String,
    state: Value,
}

fn outcome((agent, ended): &(Agent, Result<End, AgentError>)) -> Outcome {
    let ended = match ended {
        Ok(end) => end.text.clone(),
        Err(error) => error.to_string(),
    };
    assert_eq!(flaw(agent.messages(), false), None);
    let mut normal = Normal::default();
    let history = normal.messages(agent.messages());
    Outcome { ended: normal.text(&ended), history, state: Value::Object(agent.state().to_json()) }
}

/// The requests that the model got, without ids and times.
fn requests(world: &World) -> Vec<String> {
    let mut normal = Normal::default();
    let one = |request: &strands_core::testing::RecordedRequest| {
        let schema = request.output_schema.as_ref().map(|schema| schema.name.clone());
        let rest = (&request.tools, &request.tool_choice, schema);
        format!("{} {rest:?}", normal.messages(&request.messages))
    };
    world.model.requests().iter().map(one).collect()
}

/// Ids of the calls whose results are recorded.
fn ended_calls(journal: &RecordedJournal) -> BTreeSet<String> {
    let id = |(_, record): (String, Value)| {
        let ended = &record["value"]["ended"];
        // An interrupted call is made once it is approved.
        let has_result = ended["answer"]["interrupts"].is_null();
        has_result.then(|| ended["call"]["toolUseId"].as_str().map(str::to_owned)).flatten()
    };
    journal.entries().into_iter().filter_map(id).collect()
}

/// Replays a journal to its end, and then once more, when no effect is left.
async fn replayed(world: &World, journal: &RecordedJournal, what: &str) -> Outcome {
    let known = ended_calls(journal);
    world.begun.clear();
    let done = outcome(&world.handle(&journal.replay()).await);
    let again: Vec<_> = world.begun.lines().into_iter().filter(|id| known.contains(id)).collect();
    assert_eq!(again, [""; 0], "{what}: recorded calls were begun again");
    let (entries, calls) = (journal.entries(), world.model.requests().len());
    assert_eq!(outcome(&world.handle(&journal.replay()).await), done, "{what}: a replay of a complete journal");
    assert_eq!((journal.entries(), world.model.requests().len()), (entries, calls), "{what}");
    done
}

async fn play(scenario: Scenario) {
    let world = World::new(&scenario);
    let journal = RecordedJournal::new();
    let ended = world.handle(&journal).await;
    if let Err(AgentError::Journal(error)) = &ended.1 {
        panic!("{error}");
    }
    let (expected, expected_requests) = (outcome(&ended), requests(&world));
    let names = journal.names();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "names are unique: {names:?}");
    let is_random = matches!(scenario.hooks, Some(Deciding::AtRandom));
    for at in 0..names.len() {
        let what = format!("after {at} of {names:?}");
        let world = World::new(&scenario);
        let journal = RecordedJournal::new().crash_after(at);
        let crashed = world.handle(&journal).await.1;
        // Other decisions may need fewer entries.
        assert!(
            is_random || matches!(crashed, Err(AgentError::Journal(_))),
            "{what}: {:?}",
            crashed.map(|end| end.text)
        );
        let done = replayed(&world, &journal, &what).await;
        if !is_random {
            assert_eq!(done, expected, "{what}");
            assert_eq!(requests(&world), expected_requests, "{what}: other requests");
        }

        // The effect is made twice, and recorded once.
        let what = format!("before {at} of {names:?} is recorded");
        let world = World::new(&scenario);
        let journal = RecordedJournal::new().crash_before_recording(at);
        let crashed = world.handle(&journal).await.1;
        assert!(
            is_random || matches!(crashed, Err(AgentError::Journal(_))),
            "{what}: {:?}",
            crashed.map(|end| end.text)
        );
        let done = replayed(&world, &journal, &what).await;
        if !is_random && scenario.throttled.is_empty() {
            assert_eq!(done.history, expected.history, "{what}");
            assert_eq!(done.ended, expected.ended, "{what}");
            let mut distinct = requests(&world);
            distinct.dedup();
            let mut expected = expected_requests.clone();
            expected.dedup();
            assert_eq!(distinct, expected, "{what}: other requests");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_crash_after_any_entry_changes_nothing(scenario in scenario()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(play(scenario));
    }
}

//! Faults that a review has found, each with the story that showed it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use strands_core::conversation::{Conversation, ConversationManager, Reduction, SlidingWindowConversationManager};
use strands_core::hook::*;
use strands_core::message::*;
use strands_core::metrics::Usage;
use strands_core::models::*;
use strands_core::session::*;
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::*;

use crate::fakes::Recorded;
use crate::support::{FnTool, Log, newest_results, poll_once, template, tool};

fn consent_tool(log: &Log) -> FnTool {
    let log = log.clone();
    tool("book", move |_, _| {
        log.add("ran");
        async { Ok(ToolOutput::text("booked")) }
    })
    .policy(ToolPolicy::new().with_approval(true))
}

fn texts(messages: &[Arc<Message>]) -> Vec<String> {
    messages.iter().map(|message| message.text()).collect()
}

// 1. A denied prompt reaches the model when the denial conflicts and is retried.
struct Denies;
#[async_trait]
impl Hook for Denies {
    async fn before_invocation(&self, event: &mut BeforeInvocation<'_>) -> HookResult {
        if event.prompt.iter().any(|message| message.text().contains("secret")) {
            event.deny = Some("not allowed".into());
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_denied_prompt_stays_denied_after_a_conflict() {
    let sessions = InMemorySessionManager::new("s");
    let model = ScriptedModel::responding("the secret is 42");
    let mut agent =
        template(&model, []).session_manager(sessions.clone()).conflict_retries(1).hook(Denies).build().await.unwrap();
    template(&ScriptedModel::responding("x"), [])
        .session_manager(sessions.clone())
        .build()
        .await
        .unwrap()
        .prompt("hi")
        .await
        .unwrap();
    let response = agent.prompt("tell the secret").await.unwrap();
    assert_eq!(model.requests().len(), 0, "the model was called with a denied prompt");
    assert_eq!(response.text(), "not allowed");
}

// 2. Hooks unbalanced when reopening fails.
#[derive(Clone)]
struct OpensOnce(InMemorySessionManager, Arc<AtomicUsize>);
#[async_trait]
impl SessionManager for OpensOnce {
    fn session_id(&self) -> &str {
        self.0.session_id()
    }
    async fn open(&self, agent_id: &str) -> Result<OpenedSession, SessionError> {
        if self.1.fetch_add(1, Ordering::SeqCst) > 0 {
            return Err(SessionError::Storage { action: "read", key: "k".into(), source: "gone".into() });
        }
        self.0.open(agent_id).await
    }
}
struct Pairs(Log);
#[async_trait]
impl Hook for Pairs {
    async fn before_invocation(&self, _: &mut BeforeInvocation<'_>) -> HookResult {
        self.0.add("before");
        Ok(())
    }
    async fn after_invocation(&self, _: &mut AfterInvocation<'_>) -> HookResult {
        self.0.add("after");
        Ok(())
    }
}

#[tokio::test]
async fn after_invocation_hooks_run_if_reopening_fails() {
    let sessions = InMemorySessionManager::new("s");
    let log = Log::default();
    let mut agent = template(&ScriptedModel::responding("x"), [])
        .session_manager(OpensOnce(sessions.clone(), Arc::default()))
        .conflict_retries(1)
        .hook(Pairs(log.clone()))
        .build()
        .await
        .unwrap();
    template(&ScriptedModel::responding("x"), [])
        .session_manager(sessions.clone())
        .build()
        .await
        .unwrap()
        .prompt("hi")
        .await
        .unwrap();
    agent.prompt("go").await.unwrap_err();
    assert_eq!(log.lines(), ["before", "after"]);
}

// 3. Rewinding to a pinned message behind which messages were removed: what follows is lost at the next build.
#[tokio::test]
async fn messages_after_a_rewind_to_a_pinned_prompt_are_persisted() {
    let sessions = InMemorySessionManager::new("s");
    let build = || {
        template(&ScriptedModel::responding("x"), [])
            .session_manager(sessions.clone())
            .conversation_manager(SlidingWindowConversationManager::new(4))
            .build()
    };
    let mut agent = build().await.unwrap();
    let pinned = Message::user("pinned").pinned();
    agent.prompt(pinned).await.unwrap();
    for n in 0..6 {
        agent.prompt(format!("p{n}")).await.unwrap();
    }
    assert_eq!(agent.messages()[0].text(), "pinned");
    agent.rewind(0).await.unwrap();
    drop(agent);
    let mut agent = build().await.unwrap();
    agent.prompt("anew").await.unwrap();
    let agent = build().await.unwrap();
    assert_eq!(texts(agent.messages()), ["anew", "x"]);
}

// 4. A hook that refuses the answers' bearer (an error) leaves the approval behind.
struct Refuses;
#[async_trait]
impl Hook for Refuses {
    async fn before_invocation(&self, _: &mut BeforeInvocation<'_>) -> HookResult {
        Err("this user may not approve".into())
    }
}

#[tokio::test]
async fn a_response_rejected_by_a_hook_approves_no_call() {
    let sessions = InMemorySessionManager::new("s");
    let log = Log::default();
    let asks = ScriptedModel::new([ScriptedTurn::tool_use("book", json!({}))]);
    let mut agent = template(&asks, [consent_tool(&log)]).session_manager(sessions.clone()).build().await.unwrap();
    let asked = agent.prompt("go").await.unwrap().interrupts;
    drop(agent);
    let says = ScriptedModel::responding("ok");
    let mut intruder =
        template(&says, [consent_tool(&log)]).session_manager(sessions.clone()).hook(Refuses).build().await.unwrap();
    intruder.prompt(Prompt::none()).resume([asked[0].respond(true)]).await.unwrap_err();
    drop(intruder);
    let mut agent = template(&says, [consent_tool(&log)]).session_manager(sessions.clone()).build().await.unwrap();
    let still = agent.interrupts().len();
    let _ = agent.prompt("what is the state?").await;
    assert_eq!((still, log.lines().len()), (1, 0), "questions left, runs of the tool");
}

// 5. discard_interrupts() that failed says Ok the second time, and the question is still in the session.
#[tokio::test]
async fn a_retried_discard_is_persisted() {
    let sessions = InMemorySessionManager::new("s");
    let log = Log::default();
    let asks = ScriptedModel::new([ScriptedTurn::tool_use("book", json!({}))]);
    let mut agent = template(&asks, [consent_tool(&log)]).session_manager(sessions.clone()).build().await.unwrap();
    agent.prompt("go").await.unwrap();
    sessions.fail_after(Some(0));
    agent.discard_interrupts().await.unwrap_err();
    sessions.fail_after(None);
    agent.discard_interrupts().await.unwrap();
    let next = template(&asks, [consent_tool(&log)]).session_manager(sessions.clone()).build().await.unwrap();
    assert_eq!(next.interrupts().len(), 0, "the question is still in the session after Ok");
}

// 6. A dropped resume, then a discard, while another worker makes the approved call.
struct HangsBeforeTools;
#[async_trait]
impl Hook for HangsBeforeTools {
    async fn before_tools(&self, _: &mut BeforeTools<'_>) -> HookResult {
        std::future::pending::<()>().await;
        Ok(())
    }
}

#[tokio::test]
async fn a_discard_after_a_dropped_resume_conflicts_with_another_worker() {
    let sessions = InMemorySessionManager::new("s");
    let log = Log::default();
    let asks = ScriptedModel::new([ScriptedTurn::tool_use("book", json!({}))]);
    let mut one = template(&asks, [consent_tool(&log)])
        .session_manager(sessions.clone())
        .hook(HangsBeforeTools)
        .build()
        .await
        .unwrap();
    // No tool of the first turn ran: the hook hangs for it, too, so ask without it.
    drop(one);
    let mut first = template(&asks, [consent_tool(&log)]).session_manager(sessions.clone()).build().await.unwrap();
    let asked = first.prompt("go").await.unwrap().interrupts;
    drop(first);
    one = template(&asks, [consent_tool(&log)])
        .session_manager(sessions.clone())
        .hook(HangsBeforeTools)
        .build()
        .await
        .unwrap();
    {
        let mut resuming = one.prompt(Prompt::none()).resume([asked[0].respond(true)]).into_future();
        for _ in 0..10 {
            assert!(poll_once(&mut resuming).await.is_pending());
        }
    }
    // Another worker goes on; while its tool runs, the first one discards.
    let one = Arc::new(tokio::sync::Mutex::new(one));
    let (discarder, heard) = (Arc::clone(&one), Arc::new(Mutex::new(None)));
    let hears = Arc::clone(&heard);
    let ran = log.clone();
    let book = tool("book", move |_, _| {
        let (discarder, hears) = (Arc::clone(&discarder), Arc::clone(&hears));
        ran.add("ran");
        async move {
            let said = discarder.lock().await.discard_interrupts().await.map_err(|error| error.to_string());
            *hears.lock().unwrap() = Some(said);
            Ok(ToolOutput::text("booked"))
        }
    })
    .policy(ToolPolicy::new().with_approval(true));
    let mut other =
        template(&ScriptedModel::responding("ok"), [book]).session_manager(sessions.clone()).build().await.unwrap();
    let _ = other.prompt(Prompt::none()).await;
    let stored = newest_results(&sessions.messages("default"));
    assert_eq!(log.lines().len(), 1);
    assert_eq!(stored, [(false, "booked".to_owned())], "the tool ran; this is what the history says");
}

// 7. The result of a sibling call is lost if the process dies between the two writes of a discard.
#[tokio::test]
async fn a_failed_discard_keeps_existing_results() {
    let sessions = InMemorySessionManager::new("s");
    let log = Log::default();
    let asks = ScriptedModel::new([ScriptedTurn::tool_uses([("look", json!({})), ("book", json!({}))])]);
    let look = || tool("look", |_, _| async { Ok(ToolOutput::text("seen")) });
    let mut agent =
        template(&asks, [look(), consent_tool(&log)]).session_manager(sessions.clone()).build().await.unwrap();
    agent.prompt("go").await.unwrap();
    sessions.fail_after(Some(1));
    agent.discard_interrupts().await.unwrap_err();
    drop(agent);
    sessions.fail_after(None);
    let next = template(&asks, [look(), consent_tool(&log)]).session_manager(sessions.clone()).build().await.unwrap();
    assert_eq!(newest_results(next.messages())[0], (false, "seen".to_owned()), "{:?}", next.repairs());
}

// 7b. The unknown outcome of a started call is forgotten if the process dies between the two writes.
#[tokio::test]
async fn an_unknown_outcome_survives_a_crash_between_two_writes() {
    let sessions = InMemorySessionManager::new("s");
    let log = Log::default();
    let asks = ScriptedModel::new([ScriptedTurn::tool_use("book", json!({}))]);
    let mut agent = template(&asks, [consent_tool(&log)]).session_manager(sessions.clone()).build().await.unwrap();
    let asked = agent.prompt("go").await.unwrap().interrupts;
    drop(agent);
    let ran = log.clone();
    let stuck = tool("book", move |_, _| {
        ran.add("ran");
        std::future::pending()
    })
    .policy(ToolPolicy::new().with_approval(true));
    let mut agent = template(&asks, [stuck]).session_manager(sessions.clone()).build().await.unwrap();
    {
        let mut resuming = agent.prompt(Prompt::none()).resume([asked[0].respond(true)]).into_future();
        while log.lines().is_empty() {
            assert!(poll_once(&mut resuming).await.is_pending());
        }
        std::mem::forget(resuming);
    }
    std::mem::forget(agent);
    let build =
        || template(&ScriptedModel::responding("ok"), [consent_tool(&log)]).session_manager(sessions.clone()).build();
    let mut next = build().await.unwrap();
    assert!(matches!(next.repairs(), [Repair::OutcomeUnknown { .. }]), "{:?}", next.repairs());
    sessions.fail_after(Some(1));
    next.prompt("so?").await.unwrap_err();
    drop(next);
    sessions.fail_after(None);
    let last = build().await.unwrap();
    assert!(
        matches!(last.repairs(), [Repair::OutcomeUnknown { .. }]),
        "{:?} {:?}",
        last.repairs(),
        newest_results(last.messages())
    );
}

// 8. A prompt that is given while an approved call is pending is lost when the call asks again.
#[tokio::test]
async fn a_prompt_with_a_pending_call_survives_another_interrupt() {
    let sessions = InMemorySessionManager::new("s");
    let careful = || {
        tool("careful", |ctx, _| async move {
            ctx.interrupt("one", "first?")?;
            ctx.interrupt("two", "second?")?;
            Ok(ToolOutput::text("done"))
        })
    };
    let asks = ScriptedModel::new([ScriptedTurn::tool_use("careful", json!({}))]);
    let mut agent = template(&asks, [careful()]).session_manager(sessions.clone()).build().await.unwrap();
    let asked = agent.prompt("go").await.unwrap().interrupts;
    drop(agent);
    let mut agent =
        template(&asks, [careful()]).session_manager(sessions.clone()).hook(HangsBeforeTools).build().await.unwrap();
    {
        let mut resuming = agent.prompt(Prompt::none()).resume([asked[0].respond(true)]).into_future();
        for _ in 0..10 {
            assert!(poll_once(&mut resuming).await.is_pending());
        }
    }
    drop(agent);
    let says = ScriptedModel::responding("ok");
    let mut agent = template(&says, [careful()]).session_manager(sessions.clone()).build().await.unwrap();
    let response = agent.prompt("and book a hotel, too").await.unwrap();
    assert_eq!(response.stop_reason, StopReason::Interrupt);
    let answer = response.interrupts[0].respond(true);
    agent.prompt(Prompt::none()).resume([answer]).await.unwrap();
    let asked = says.requests();
    assert!(
        asked.iter().any(|request| request.messages.iter().any(|m| m.text().contains("hotel"))),
        "the prompt was lost, though the invocation said Ok"
    );
}

// 9. Usage and turns of a first attempt are lost on a conflict retry.
#[tokio::test]
async fn usage_of_an_attempt_is_counted_after_a_conflict() {
    let sessions = InMemorySessionManager::new("s");
    let model = ScriptedModel::from_fn(|_| ScriptedTurn::text("x").costing(Usage::new(10, 5)));
    let mut agent = template(&model, []).session_manager(sessions.clone()).conflict_retries(1).build().await.unwrap();
    template(&ScriptedModel::responding("x"), [])
        .session_manager(sessions.clone())
        .build()
        .await
        .unwrap()
        .prompt("hi")
        .await
        .unwrap();
    let response = agent.prompt("go").await.unwrap();
    assert_eq!((model.requests().len(), response.turns, response.usage.input_tokens), (2, 2, 20));

    // A limit holds over both.
    template(&ScriptedModel::responding("x"), [])
        .session_manager(sessions.clone())
        .build()
        .await
        .unwrap()
        .prompt("hi")
        .await
        .unwrap();
    let error = agent.prompt("on").limits(Limits::new().turns(1)).await.unwrap_err();
    assert!(matches!(&error, AgentError::Session(conflict) if conflict.is_conflict()), "{error:?}");
    assert_eq!(model.requests().len(), 3, "no call is left for another attempt");
}

// 10. The journal of the docs, keyed by name: resume in the same handler.
#[tokio::test]
async fn the_documented_journal_resumes_in_the_same_handler() {
    let log = Log::default();
    let model = ScriptedModel::from_fn(|request| match request.messages.len() {
        1 => ScriptedTurn::tool_use("book", json!({})),
        _ => ScriptedTurn::text("done"),
    });
    let mut agent = template(&model, [consent_tool(&log)]).build().await.unwrap();
    let journal = Recorded::default();
    let response = agent.prompt("go").journal(&journal).await.unwrap();
    let answer = response.interrupts[0].respond(true);
    let response = agent.prompt(Prompt::none()).resume([answer]).journal(&journal).await.unwrap();
    assert_eq!((response.stop_reason, log.lines().len()), (StopReason::EndTurn, 1));
}

// 11. "Durations and time limits are measured with it."
#[tokio::test]
async fn time_limits_use_the_clock_of_the_journal() {
    let model = ScriptedModel::from_fn(|request| match request.messages.len() {
        1 => ScriptedTurn::tool_use("look", json!({})),
        _ => ScriptedTurn::text("done"),
    });
    let look = tool("look", |_, _| async { Ok(ToolOutput::text("seen")) });
    let mut agent = template(&model, [look]).build().await.unwrap();
    let journal = Recorded { hours: Some(Mutex::default()), ..Recorded::default() };
    let response =
        agent.prompt("go").limits(Limits::new().duration(Duration::from_secs(60))).journal(&journal).await.unwrap();
    assert_eq!(response.stop_reason, StopReason::LimitDuration);
}

// 12. Deep JSON of a provider.
fn deep(levels: usize) -> Value {
    (0..levels).fold(json!(1), |value, _| json!([value]))
}

#[tokio::test]
async fn deep_provider_content_in_a_response_does_not_corrupt_the_session() {
    let sessions = InMemorySessionManager::new("s");
    let model = ScriptedModel::from_fn(|_| {
        ScriptedTurn::events([
            StreamEvent::start(),
            StreamEvent::provider_content(0, ProviderContent::new("a", deep(124))),
            StreamEvent::text(1, "hi"),
            StreamEvent::stop(StopReason::EndTurn),
        ])
    });
    let mut agent = template(&model, []).session_manager(sessions.clone()).build().await.unwrap();
    let said = agent.prompt("go").await;
    assert!(!matches!(said, Err(AgentError::Session(_))));
}

#[tokio::test]
async fn deep_provider_content_in_a_prompt_is_refused() {
    let mut agent = template(&ScriptedModel::responding("x"), []).build().await.unwrap();
    let prompt = Message::new(Role::User, [ContentBlock::text("hi"), ContentBlock::provider("a", deep(124))]);
    let said = agent.prompt(prompt).await;
    assert!(matches!(said, Err(AgentError::JsonTooDeep { .. })), "{:?}", said.map(|_| ()));
    // And what was taken can't be read back.
    let json = serde_json::to_string(&agent.snapshot().unwrap()).unwrap();
    serde_json::from_str::<Snapshot>(&json).unwrap();
}

// 13. has_unsaved_changes before the first prompt.
#[tokio::test]
async fn unpersisted_state_is_reported_as_unsaved() {
    let sessions = InMemorySessionManager::new("s");
    let agent = template(&ScriptedModel::responding("x"), []).session_manager(sessions.clone()).build().await.unwrap();
    agent.state().set("a", 1).unwrap();
    assert!(agent.has_unsaved_changes().unwrap());
}

// 14. Nested through hooks: the depth limit does not see it.
struct Nests(usize);
#[async_trait]
impl Hook for Nests {
    async fn before_tool_call(&self, _: &mut BeforeToolCall<'_>) -> HookResult {
        if self.0 > 0 {
            let model = ScriptedModel::from_fn(|request| match request.messages.len() {
                1 => ScriptedTurn::tool_use("look", json!({})),
                _ => ScriptedTurn::text("done"),
            });
            let look = tool("look", |_, _| async { Ok(ToolOutput::text("seen")) });
            let mut agent = template(&model, [look]).hook(Nests(self.0 - 1)).build().await?;
            agent.prompt("go").await?;
        }
        Ok(())
    }
}

#[test]
fn agents_in_hooks_spend_from_the_budget() {
    let code = std::env::var("STRANDS_NESTED_HOOKS").is_ok();
    if !code {
        let me = std::env::current_exe().unwrap();
        let out = std::process::Command::new(me)
            .args(["regressions::agents_in_hooks_are_counted", "--exact", "--nocapture"])
            .env("STRANDS_NESTED_HOOKS", "1")
            .output()
            .unwrap();
        assert!(
            out.status.success(),
            "{:?} {}",
            out.status,
            String::from_utf8_lossy(&out.stderr).lines().take(5).collect::<Vec<_>>().join("\n")
        );
        return;
    }
    let rt = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _ = rt.block_on(async {
        tokio::spawn(async {
            let _ = Nests(40).before_all().await;
        })
        .await
    });
}
impl Nests {
    async fn before_all(&self) -> HookResult {
        let model = ScriptedModel::from_fn(|request| match request.messages.len() {
            1 => ScriptedTurn::tool_use("look", json!({})),
            _ => ScriptedTurn::text("done"),
        });
        let look = tool("look", |_, _| async { Ok(ToolOutput::text("seen")) });
        let mut agent = template(&model, [look]).hook(Nests(self.0)).build().await?;
        agent.prompt("go").await?;
        Ok(())
    }
}

// 16. A worker that does not claim (its record is as it was) answers the call that another one makes.
#[tokio::test]
async fn a_worker_without_the_tool_conflicts_with_the_worker_that_runs_it() {
    let sessions = InMemorySessionManager::new("s");
    let log = Log::default();
    let asks = ScriptedModel::new([ScriptedTurn::tool_use("book", json!({}))]);
    let mut first = template(&asks, [consent_tool(&log)]).session_manager(sessions.clone()).build().await.unwrap();
    let asked = first.prompt("go").await.unwrap().interrupts;
    drop(first);
    let mut dies = template(&asks, [consent_tool(&log)])
        .session_manager(sessions.clone())
        .hook(HangsBeforeTools)
        .build()
        .await
        .unwrap();
    {
        let mut resuming = dies.prompt(Prompt::none()).resume([asked[0].respond(true)]).into_future();
        for _ in 0..10 {
            assert!(poll_once(&mut resuming).await.is_pending());
        }
        std::mem::forget(resuming);
    }
    std::mem::forget(dies);
    // Both know of the approved call; one is of a release without the tool.
    let without = template(&ScriptedModel::responding("there is no such tool"), [])
        .session_manager(sessions.clone())
        .build()
        .await
        .unwrap();
    let without = Arc::new(tokio::sync::Mutex::new(without));
    let (meddles, ran) = (Arc::clone(&without), log.clone());
    let book = tool("book", move |_, _| {
        let meddles = Arc::clone(&meddles);
        ran.add("ran");
        async move {
            let _ = meddles.lock().await.prompt(Prompt::none()).await;
            Ok(ToolOutput::text("booked"))
        }
    })
    .policy(ToolPolicy::new().with_approval(true));
    let mut other =
        template(&ScriptedModel::responding("ok"), [book]).session_manager(sessions.clone()).build().await.unwrap();
    let _ = other.prompt(Prompt::none()).await;
    let stored = newest_results(&sessions.messages("default"));
    assert_eq!(stored, [(false, "booked".to_owned())], "the tool ran; this is what the history says");
}

// 17. Random numbers are drawn inside of effects, which a replay does not perform.
struct Seeded {
    recorded: Arc<Mutex<Vec<(String, Value)>>>,
    rng: Mutex<fastrand::Rng>,
    at: Mutex<usize>,
}
impl Seeded {
    fn new(recorded: &Arc<Mutex<Vec<(String, Value)>>>) -> Self {
        Self { recorded: Arc::clone(recorded), rng: Mutex::new(fastrand::Rng::with_seed(7)), at: Mutex::new(0) }
    }
}
impl Journal for Seeded {
    fn step<'a>(
        &'a self,
        step: JournalStep<'a>,
        effect: BoxFuture<'a, Value>,
    ) -> BoxFuture<'a, Result<Value, JournalError>> {
        Box::pin(async move {
            let at = {
                let mut at = self.at.lock().unwrap();
                *at += 1;
                *at - 1
            };
            let known = self.recorded.lock().unwrap().get(at).cloned();
            if let Some((name, value)) = known {
                assert_eq!(name, step.name);
                return Ok(value);
            }
            let value = effect.await;
            self.recorded.lock().unwrap().push((step.name.to_owned(), value.clone()));
            Ok(value)
        })
    }
    fn sleep<'a>(&'a self, _: &'a str, _: Duration) -> BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(async move { Ok(()) })
    }
    fn random(&self) -> u64 {
        self.rng.lock().unwrap().u64(..)
    }
}

#[tokio::test]
async fn ids_are_stable_in_a_replay_after_a_retry() {
    let model = ScriptedModel::new([ScriptedTurn::error(ModelError::transport("no")), ScriptedTurn::text("done")]);
    let recorded = Arc::new(Mutex::new(Vec::new()));
    let mut ids = Vec::new();
    for _ in 0..2 {
        let mut agent = template(&model, []).build().await.unwrap();
        let engine = Seeded::new(&recorded);
        agent.prompt("go").journal(&engine).await.unwrap();
        ids.push(agent.messages().iter().map(|m| m.tracking_id.clone().unwrap()).collect::<Vec<_>>());
    }
    assert_eq!(recorded.lock().unwrap().len(), 2);
    assert_eq!(ids[0], ids[1]);
}

// 18. A journal that polls only what was woken.
struct Woken;
impl Journal for Woken {
    fn step<'a>(
        &'a self,
        _: JournalStep<'a>,
        effect: BoxFuture<'a, Value>,
    ) -> BoxFuture<'a, Result<Value, JournalError>> {
        use futures_util::StreamExt;
        Box::pin(async move {
            let mut one = futures_util::stream::FuturesUnordered::new();
            one.push(effect);
            Ok(one.next().await.unwrap())
        })
    }
    fn sleep<'a>(&'a self, _: &'a str, _: Duration) -> BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(async move { Ok(()) })
    }
    fn random(&self) -> u64 {
        4
    }
}

#[tokio::test]
async fn a_stream_with_a_journal_that_polls_woken_futures_ends() {
    let mut agent = template(&ScriptedModel::responding("a b c"), []).build().await.unwrap();
    let stream = agent.prompt("go").journal(&Woken).stream();
    tokio::time::timeout(Duration::from_secs(2), crate::support::listen(stream)).await.expect("hangs").1.unwrap();
}

// 19. A leaked invocation, then the agent's other methods.
#[tokio::test]
async fn a_rewind_after_a_leaked_invocation_does_not_panic() {
    let sessions = InMemorySessionManager::new("s");
    let model = ScriptedModel::from_fn(|request| match request.messages.len() {
        1 => ScriptedTurn::text("x"),
        _ => ScriptedTurn::text("x").stalling_after(0),
    });
    let mut agent = template(&model, []).session_manager(sessions.clone()).build().await.unwrap();
    agent.prompt("a").await.unwrap();
    let mut leaked = agent.prompt("b").into_future();
    for _ in 0..10 {
        assert!(poll_once(&mut leaked).await.is_pending());
    }
    std::mem::forget(leaked);
    agent.rewind(0).await.unwrap();
    agent.has_unsaved_changes().unwrap();
}

// 20. Cancelled while the start is recorded; another worker goes on; the first one saves.
#[tokio::test]
async fn a_save_after_a_cancelled_resume_conflicts_with_another_worker() {
    let sessions = InMemorySessionManager::new("s");
    let log = Log::default();
    let asks = ScriptedModel::new([ScriptedTurn::tool_use("book", json!({}))]);
    let mut first = template(&asks, [consent_tool(&log)]).session_manager(sessions.clone()).build().await.unwrap();
    let asked = first.prompt("go").await.unwrap().interrupts;
    drop(first);
    struct Slow(InMemorySessionManager, CancellationToken);
    #[async_trait]
    impl Hook for Slow {
        async fn before_tools(&self, _: &mut BeforeTools<'_>) -> HookResult {
            // The claim is written; the session becomes slow, and the user cancels.
            self.0.set_latency(Some(Duration::from_millis(300)));
            self.1.cancel();
            Ok(())
        }
    }
    let token = CancellationToken::new();
    let mut one = template(&asks, [consent_tool(&log)])
        .session_manager(sessions.clone())
        .hook(Slow(sessions.clone(), token.clone()))
        .build()
        .await
        .unwrap();
    let ended = one.prompt(Prompt::none()).resume([asked[0].respond(true)]).cancel_with(token).await.unwrap();
    assert_eq!((ended.stop_reason, log.lines().len()), (StopReason::Cancelled, 0));
    sessions.set_latency(None);
    let one = Arc::new(tokio::sync::Mutex::new(one));
    let (saver, ran) = (Arc::clone(&one), log.clone());
    let book = tool("book", move |_, _| {
        let saver = Arc::clone(&saver);
        ran.add("ran");
        async move {
            let _ = saver.lock().await.save().await;
            Ok(ToolOutput::text("booked"))
        }
    })
    .policy(ToolPolicy::new().with_approval(true));
    let mut other =
        template(&ScriptedModel::responding("ok"), [book]).session_manager(sessions.clone()).build().await.unwrap();
    let _ = other.prompt(Prompt::none()).await;
    assert_eq!(
        newest_results(&sessions.messages("default")),
        [(false, "booked".to_owned())],
        "the tool ran; this is what the history says"
    );
}

// 21. A manager's state.
struct Remembers;
#[async_trait]
impl ConversationManager for Remembers {
    fn name(&self) -> &'static str {
        "Remembers"
    }
    async fn apply(&self, conversation: &mut Conversation<'_>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        conversation.state().insert("deep".into(), deep(125));
        Ok(())
    }
    async fn reduce(&self, _: &mut Conversation<'_>) -> Result<Reduction, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Reduction::NotNeeded)
    }
}

#[tokio::test]
async fn deep_conversation_manager_state_can_be_read_back() {
    let mut agent =
        template(&ScriptedModel::responding("x"), []).conversation_manager(Remembers).build().await.unwrap();
    let _ = agent.prompt("go").await;
    let json = serde_json::to_string(&agent.snapshot().unwrap()).unwrap();
    serde_json::from_str::<Snapshot>(&json).unwrap();
}

// 22. The session in memory takes another worker's messages for known after a write of the record, and the reverse.
#[tokio::test]
async fn a_record_write_detects_unread_messages() {
    let sessions = InMemorySessionManager::new("s");
    let mut seed = sessions.open("a").await.unwrap().session;
    seed.save(&AgentRecord::new("a")).await.unwrap();
    let (mut one, mut other) = (sessions.open("a").await.unwrap(), sessions.open("a").await.unwrap());
    one.session.read(&MessageRange::default()).await.unwrap();
    other.session.read(&MessageRange::default()).await.unwrap();
    other.session.write(&MessageBatch::append([Message::user("theirs"), Message::assistant("answer")])).await.unwrap();
    let mut record = one.record.unwrap();
    record.state.insert("k".into(), json!(1));
    one.session.save(&record).await.unwrap();
    let written = one.session.write(&MessageBatch::append([Message::user("mine"), Message::assistant("answer")])).await;
    assert!(written.is_err_and(|error| error.is_conflict()), "appended behind messages that it never saw");
}

#[tokio::test]
async fn a_message_write_detects_an_unread_record() {
    let sessions = InMemorySessionManager::new("s");
    let mut seed = sessions.open("a").await.unwrap().session;
    seed.save(&AgentRecord::new("a")).await.unwrap();
    let (mut one, mut other) = (sessions.open("a").await.unwrap(), sessions.open("a").await.unwrap());
    one.session.read(&MessageRange::default()).await.unwrap();
    let mut record = other.record.unwrap();
    record.state.insert("theirs".into(), json!(1));
    other.session.save(&record).await.unwrap();
    one.session.write(&MessageBatch::append([Message::user("mine"), Message::assistant("answer")])).await.unwrap();
    let mut record = one.record.unwrap();
    record.state.insert("mine".into(), json!(1));
    let written = one.session.save(&record).await;
    assert!(written.is_err_and(|error| error.is_conflict()), "overwrote a record that it never saw");
}

// 23. "what is added to it has no effect" (hook.rs, Hook::before_invocation).
struct Adds;
#[async_trait]
impl Hook for Adds {
    async fn before_invocation(&self, event: &mut BeforeInvocation<'_>) -> HookResult {
        event.prompt.push(Message::user("<context>"));
        Ok(())
    }
}

#[tokio::test]
async fn responses_added_by_a_hook_have_no_effect() {
    let log = Log::default();
    let model = ScriptedModel::new([ScriptedTurn::tool_use("book", json!({})), ScriptedTurn::text("done")]);
    let mut agent = template(&model, [consent_tool(&log)]).hook(Adds).build().await.unwrap();
    let answer = agent.prompt("go").await.unwrap().interrupts[0].respond(true);
    agent.prompt(Prompt::none()).resume([answer]).await.unwrap();
    let last = model.requests().last().unwrap().messages.last().unwrap().text();
    assert!(!last.contains("<context>"), "{last}");
}

// 24. A journal that fails (an engine that suspends) shows hooks a result that is none.
struct FailsAt(&'static str);
impl Journal for FailsAt {
    fn step<'a>(
        &'a self,
        step: JournalStep<'a>,
        effect: BoxFuture<'a, Value>,
    ) -> BoxFuture<'a, Result<Value, JournalError>> {
        if step.name.starts_with(self.0) {
            return Box::pin(async move { Err(JournalError::new(step.name, "suspended")) });
        }
        Box::pin(async move { Ok(effect.await) })
    }
    fn sleep<'a>(&'a self, _: &'a str, _: Duration) -> BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(async move { Ok(()) })
    }
    fn random(&self) -> u64 {
        4
    }
}
struct Hears(Log);
#[async_trait]
impl Hook for Hears {
    async fn message_added(&self, event: &MessageAdded<'_>) -> HookResult {
        for result in event.message.tool_results() {
            self.0.add(crate::support::text_of(result));
        }
        Ok(())
    }
}

#[tokio::test]
async fn hooks_get_no_results_when_an_engine_suspends() {
    let log = Log::default();
    let model = ScriptedModel::new([ScriptedTurn::tool_use("book", json!({}))]);
    let mut agent = template(&model, [crate::support::naming("book")]).hook(Hears(log.clone())).build().await.unwrap();
    agent.prompt("go").journal(&FailsAt("tools")).await.unwrap_err();
    assert_eq!(log.lines(), [""; 0]);
}

// 25. A cancellation in a conversation manager is not inside of a step: a replay asks for another step.
struct Waits(Arc<AtomicUsize>, CancellationToken);
#[async_trait]
impl ConversationManager for Waits {
    fn name(&self) -> &'static str {
        "Waits"
    }
    async fn apply(&self, _: &mut Conversation<'_>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Ok(())
    }
    async fn prepare(&self, _: &mut Conversation<'_>) -> Result<Reduction, Box<dyn std::error::Error + Send + Sync>> {
        // Slow (a summary), and cancelled meanwhile, in the first attempt.
        if self.0.fetch_add(1, Ordering::SeqCst) == 0 {
            self.1.cancel();
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        Ok(Reduction::NotNeeded)
    }
    async fn reduce(&self, _: &mut Conversation<'_>) -> Result<Reduction, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Reduction::NotNeeded)
    }
}

#[tokio::test]
async fn a_cancellation_in_a_conversation_manager_is_replayed() {
    let model = ScriptedModel::responding("done");
    let recorded = Arc::new(Mutex::new(Vec::new()));
    let tries = Arc::new(AtomicUsize::new(0));
    let mut reasons = Vec::new();
    for _ in 0..2 {
        let token = CancellationToken::new();
        let mut agent =
            template(&model, []).conversation_manager(Waits(Arc::clone(&tries), token.clone())).build().await.unwrap();
        let engine = Seeded::new(&recorded);
        reasons.push(agent.prompt("go").journal(&engine).cancel_with(token).await.unwrap().stop_reason);
    }
    assert_eq!(reasons[0], reasons[1]);
}

// 26. State that was set before a conflict is lost by the retry, whose hooks are not told again.
struct Sets;
#[async_trait]
impl Hook for Sets {
    async fn before_invocation(&self, event: &mut BeforeInvocation<'_>) -> HookResult {
        event.context.state().set("tenant", "acme")?;
        Ok(())
    }
}

#[tokio::test]
async fn state_from_before_a_conflict_is_kept() {
    let sessions = InMemorySessionManager::new("s");
    let mut agent = template(&ScriptedModel::responding("x"), [])
        .session_manager(sessions.clone())
        .conflict_retries(1)
        .hook(Sets)
        .build()
        .await
        .unwrap();
    agent.state().set("mine", 1).unwrap();
    template(&ScriptedModel::responding("x"), [])
        .session_manager(sessions.clone())
        .build()
        .await
        .unwrap()
        .prompt("hi")
        .await
        .unwrap();
    agent.prompt("go").await.unwrap();
    assert_eq!((agent.state().get("tenant"), agent.state().get("mine")), (Some(json!("acme")), Some(json!(1))));
}

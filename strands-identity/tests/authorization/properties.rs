//! Property test: random authorizers, approvals and hooks that deny, replace, retry, interrupt, fail and panic never break the
//! invariants of the loop, and no denied tool runs.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::json;
use strands_core::hook::{
    AfterInvocation, AfterModelCall, AfterToolCall, AfterTools, AuthorizeToolCall, BeforeInvocation, BeforeModelCall,
    BeforeToolCall, BeforeTools, Hook, HookContext, HookResult, MessageAdded, SelectTools,
};
use strands_core::message::Role;
use strands_core::models::ModelStream;
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::{
    Agent, AgentBuilder, CancellationToken, Limits, Prompt, Tool, ToolAnnotations, ToolPolicy, async_trait,
};
use strands_identity::{
    ApprovalHook, ApprovalRequirement, Audit, AuditDecision, AuthorizationHook, AuthorizationRequest, Authorizer,
    Decision, Fingerprint, Identity, MemoryAudit, ToolRequest,
};

use crate::support::*;
use crate::valid_history::flaw;

const TOOLS: [&str; 8] = ["fine", "fails", "panics", "slow", "asks", "consent", "alone", "again"];

/// Decision of a random authorizer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Verdict {
    Allow,
    Deny,
    Ask,
    Fail,
    Panic,
    Hang,
    Slow,
}

/// Action of a random hook at an event.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    Nothing,
    Deny,
    Rename,
    ReplaceInput,
    ReplaceTool,
    Retry,
    Interrupt,
    Approve,
    Require,
    Fail,
    Panic,
    Wait,
    End,
}

/// Event at which a random hook acts.
#[derive(Clone, Copy, Debug, PartialEq)]
enum On {
    BeforeInvocation,
    SelectTools,
    BeforeModel,
    Stream,
    AfterModel,
    Message,
    BeforeTools,
    BeforeTool,
    Authorize,
    AfterTool,
    AfterTools,
    AfterInvocation,
}

#[derive(Clone, Copy, Debug)]
enum Mode {
    Awaited,
    Streamed,
    Dropped(usize),
    Cancelled(usize),
    Direct(usize),
}

#[derive(Clone, Copy, Debug)]
enum Reply {
    All(bool),
    First(bool),
    Prompt,
    Discard,
    Restart,
}

#[derive(Clone, Debug)]
struct Scenario {
    turns: Vec<Vec<(usize, i64)>>,
    verdicts: Vec<Verdict>,
    /// Hooks before and after the authorization.
    hooks: (Vec<RandomHook>, Vec<RandomHook>),
    steps: Vec<(Mode, Reply, usize)>,
    concurrency: usize,
    has_session: bool,
    /// True with an `ApprovalHook`; otherwise the agent requests approvals itself.
    has_approvals: bool,
}

/// A hook that acts at one event, on some of its calls.
#[derive(Clone, Debug)]
struct RandomHook {
    on: On,
    acts: Vec<Act>,
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        8 => Just(Verdict::Allow),
        3 => Just(Verdict::Deny),
        3 => Just(Verdict::Ask),
        1 => Just(Verdict::Fail),
        1 => Just(Verdict::Panic),
        1 => Just(Verdict::Hang),
        1 => Just(Verdict::Slow),
    ]
}

fn hook() -> impl Strategy<Value = RandomHook> {
    use Act::*;
    let on = prop_oneof![
        1 => Just(On::BeforeInvocation), 1 => Just(On::SelectTools), 1 => Just(On::BeforeModel), 1 => Just(On::Stream),
        1 => Just(On::AfterModel), 1 => Just(On::Message), 1 => Just(On::BeforeTools), 5 => Just(On::BeforeTool),
        6 => Just(On::Authorize), 3 => Just(On::AfterTool), 1 => Just(On::AfterTools), 1 => Just(On::AfterInvocation),
    ];
    let acts = vec![
        Nothing,
        Nothing,
        Nothing,
        Deny,
        Rename,
        ReplaceInput,
        ReplaceTool,
        Retry,
        Interrupt,
        Approve,
        Require,
        Fail,
        Panic,
        Wait,
        End,
    ];
    (on, prop::collection::vec(prop::sample::select(acts), 1..6)).prop_map(|(on, acts)| RandomHook { on, acts })
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let call = (0..TOOLS.len(), 0_i64..3);
    let turns = prop::collection::vec(prop::collection::vec(call, 0..5), 0..10);
    let mode = prop_oneof![
        3 => Just(Mode::Awaited),
        3 => Just(Mode::Streamed),
        2 => (0_usize..60).prop_map(Mode::Dropped),
        2 => (0_usize..60).prop_map(Mode::Cancelled),
        1 => (0..TOOLS.len()).prop_map(Mode::Direct),
    ];
    let reply = prop_oneof![
        4 => any::<bool>().prop_map(Reply::All),
        2 => any::<bool>().prop_map(Reply::First),
        1 => Just(Reply::Prompt),
        1 => Just(Reply::Discard),
        1 => Just(Reply::Restart),
    ];
    let hooks = || prop::collection::vec(hook(), 0..4);
    let verdicts = prop::collection::vec(verdict(), 1..12);
    let steps = prop::collection::vec((mode, reply, 0_usize..3), 1..8);
    (turns, verdicts, (hooks(), hooks()), steps, 1_usize..5, any::<bool>(), any::<bool>()).prop_map(
        |(turns, verdicts, hooks, steps, concurrency, has_session, has_approvals)| Scenario {
            turns,
            verdicts,
            hooks,
            steps,
            concurrency,
            has_session,
            has_approvals,
        },
    )
}

/// An event of the log that decisions, hooks and tools share.
#[derive(Clone, Debug)]
enum Logged {
    Decided {
        call: Run,
        verdict: Verdict,
    },
    /// A hook denied the call.
    Denied {
        tool_use_id: String,
    },
    /// A response approved the call, or another interrupt of it.
    Approved {
        tool_use_id: String,
    },
    ApprovedByHook {
        tool_use_id: String,
    },
    Ran(Run),
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Logged>>>);

impl Log {
    fn add(&self, event: Logged) {
        self.0.lock().unwrap().push(event);
    }
}

struct RandomAuthorizer {
    verdicts: Vec<Verdict>,
    next: AtomicUsize,
    calm: Arc<AtomicBool>,
    log: Log,
}

impl RandomAuthorizer {
    fn next(&self) -> Verdict {
        if self.calm.load(Ordering::SeqCst) {
            return Verdict::Allow;
        }
        self.verdicts[self.next.fetch_add(1, Ordering::SeqCst) % self.verdicts.len()]
    }
}

#[async_trait]
impl Authorizer for RandomAuthorizer {
    async fn authorize(&self, request: &AuthorizationRequest<'_>) -> Result<Decision, BoxError> {
        let verdict = self.next();
        let call = Run {
            subject: Some(request.identity.subject.clone()),
            tool_use_id: request.tool_use_id.to_owned(),
            tool: request.tool.name.clone(),
            input: request.input.clone(),
        };
        self.log.add(Logged::Decided { call, verdict });
        match verdict {
            Verdict::Allow => Ok(Decision::allow()),
            Verdict::Deny => Ok(Decision::deny("no")),
            Verdict::Ask => Ok(Decision::ask(ApprovalRequirement::new("sure?"))),
            Verdict::Fail => Err("down".into()),
            Verdict::Panic => resume_unwind(Box::new("authorizer")),
            Verdict::Hang => std::future::pending().await,
            Verdict::Slow => {
                tokio::time::sleep(Duration::from_secs(3)).await;
                Ok(Decision::allow())
            }
        }
    }

    async fn may_call(&self, _: &ToolRequest<'_>) -> Result<bool, BoxError> {
        match self.next() {
            Verdict::Fail => Err("down".into()),
            Verdict::Panic => resume_unwind(Box::new("authorizer")),
            _ => Ok(true),
        }
    }
}

/// A random hook in an agent.
struct Acting {
    hook: RandomHook,
    next: AtomicUsize,
    calm: Arc<AtomicBool>,
    log: Log,
    replacement: Arc<dyn Tool>,
}

impl Acting {
    fn act(&self, on: On) -> Act {
        if on != self.hook.on || self.calm.load(Ordering::SeqCst) {
            return Act::Nothing;
        }
        self.hook.acts[self.next.fetch_add(1, Ordering::SeqCst) % self.hook.acts.len()]
    }

    /// Performs the actions that all events have.
    async fn shared(&self, act: Act) -> HookResult {
        match act {
            Act::Fail => Err("a hook failed".into()),
            Act::Panic => resume_unwind(Box::new("a hook")),
            Act::Wait => {
                tokio::time::sleep(Duration::from_millis(700)).await;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Hook for Acting {
    async fn before_invocation(&self, event: &mut BeforeInvocation<'_>) -> HookResult {
        let act = self.act(On::BeforeInvocation);
        match act {
            Act::Deny => event.deny = Some("not today".into()),
            Act::ReplaceInput => event.responses.iter_mut().for_each(|response| response.response = json!("no")),
            _ => {}
        }
        self.shared(act).await
    }

    async fn select_tools(&self, event: &mut SelectTools<'_>) -> HookResult {
        let act = self.act(On::SelectTools);
        if act == Act::Deny {
            event.hide("fine");
        }
        self.shared(act).await
    }

    async fn before_model_call(&self, event: &mut BeforeModelCall<'_>) -> HookResult {
        let act = self.act(On::BeforeModel);
        if act == Act::Deny {
            event.deny = Some("no model".into());
        }
        self.shared(act).await
    }

    fn response_stream(&self, _: &HookContext, stream: ModelStream) -> ModelStream {
        match self.act(On::Stream) {
            Act::Panic => resume_unwind(Box::new("a hook")),
            // A guardrail that blocks the rest of the response.
            Act::Deny => stream.take(2).boxed(),
            _ => stream,
        }
    }

    async fn after_model_call(&self, event: &mut AfterModelCall<'_>) -> HookResult {
        let act = self.act(On::AfterModel);
        event.retry |= act == Act::Retry;
        self.shared(act).await
    }

    async fn message_added(&self, _: &MessageAdded<'_>) -> HookResult {
        self.shared(self.act(On::Message)).await
    }

    async fn before_tools(&self, event: &mut BeforeTools<'_>) -> HookResult {
        let act = self.act(On::BeforeTools);
        if act == Act::Deny {
            event.deny = Some("no tools".into());
        }
        self.shared(act).await
    }

    async fn before_tool_call(&self, event: &mut BeforeToolCall<'_>) -> HookResult {
        let act = self.act(On::BeforeTool);
        match act {
            Act::Deny => event.deny = Some("no".into()),
            Act::Rename => event.tool_use.name = "again".into(),
            Act::ReplaceInput => event.tool_use.input = json!({"n": 99}),
            Act::ReplaceTool => event.tool = Some(Arc::clone(&self.replacement)),
            Act::Interrupt => drop(event.interrupt("before", "?")),
            _ => {}
        }
        self.shared(act).await
    }

    async fn authorize_tool_call(&self, event: &mut AuthorizeToolCall<'_>) -> HookResult {
        let act = self.act(On::Authorize);
        let tool_use_id = event.tool_use.tool_use_id.clone();
        match act {
            Act::Deny => {
                self.log.add(Logged::Denied { tool_use_id });
                event.deny("no");
            }
            Act::Approve if event.required_approval().is_some() => {
                self.log.add(Logged::ApprovedByHook { tool_use_id });
                event.approve();
            }
            Act::Require => event.require_approval("a hook wants it"),
            Act::Interrupt => drop(event.interrupt("authorize", "?")),
            _ => {}
        }
        self.shared(act).await
    }

    async fn after_tool_call(&self, event: &mut AfterToolCall<'_>) -> HookResult {
        let act = self.act(On::AfterTool);
        match act {
            Act::Retry => event.retry = true,
            Act::ReplaceInput => event.result.content = vec!["[redacted]".into()],
            _ => {}
        }
        self.shared(act).await
    }

    async fn after_tools(&self, event: &mut AfterTools<'_>) -> HookResult {
        let act = self.act(On::AfterTools);
        if act == Act::End {
            event.end_turn = Some("enough".into());
        }
        self.shared(act).await
    }

    async fn after_invocation(&self, event: &mut AfterInvocation<'_>) -> HookResult {
        let act = self.act(On::AfterInvocation);
        if act == Act::Retry {
            event.resume = Some("go on".into());
        }
        self.shared(act).await
    }
}

struct Play {
    template: AgentBuilder,
    model: ScriptedModel,
    log: Log,
    calm: Arc<AtomicBool>,
    audit: MemoryAudit,
    has_approvals: bool,
}

fn identity(number: usize) -> Option<Identity> {
    match number {
        0 => None,
        1 => Some(Identity::new("alice")),
        _ => Some(Identity::new("bob")),
    }
}

fn tools(log: &Log) -> Vec<Recording> {
    let log = log.clone();
    let runs = Runs::observed(move |run| log.add(Logged::Ran(run.clone())));
    let tool = |name: &str| {
        let body = match name {
            "fails" => Body::Fails,
            "panics" => Body::Panics,
            "slow" => Body::Slow,
            "asks" => Body::Asks,
            _ => Body::Echo,
        };
        let mut tool = runs.tool(name).body(body);
        tool.policy = ToolPolicy::new().with_approval(name == "consent").with_exclusive(name == "alone");
        match name {
            "again" => tool.annotated(ToolAnnotations::new().with_idempotent(true)),
            _ => tool,
        }
    };
    TOOLS.iter().map(|name| tool(name)).chain([tool("replacement")]).collect()
}

impl Play {
    fn new(scenario: &Scenario) -> Self {
        let (log, calm, audit) = (Log::default(), Arc::new(AtomicBool::new(false)), MemoryAudit::new());
        let mut tools = tools(&log);
        let replacement: Arc<dyn Tool> = Arc::new(tools.pop().unwrap());
        let turn = |calls: &Vec<(usize, i64)>| {
            ScriptedTurn::tool_uses(calls.iter().map(|(tool, n)| (TOOLS[*tool], json!({ "n": n }))))
        };
        let turns: Vec<_> = scenario.turns.iter().filter(|calls| !calls.is_empty()).map(turn).collect();
        let model = ScriptedModel::new(turns.into_iter().chain((0..200).map(|_| ScriptedTurn::text("calm"))));
        let acting = |hook: &RandomHook| Acting {
            hook: hook.clone(),
            next: AtomicUsize::new(0),
            calm: Arc::clone(&calm),
            log: log.clone(),
            replacement: Arc::clone(&replacement),
        };
        let authorizer = RandomAuthorizer {
            verdicts: scenario.verdicts.clone(),
            next: AtomicUsize::new(0),
            calm: Arc::clone(&calm),
            log: log.clone(),
        };
        let authorization = AuthorizationHook::new(authorizer).audit(Audit::new(audit.clone()));
        let mut template = builder(&model, tools).tool_concurrency(scenario.concurrency);
        template = scenario.hooks.0.iter().fold(template, |template, hook| template.hook(acting(hook)));
        template = template.hook(authorization);
        template = scenario.hooks.1.iter().fold(template, |template, hook| template.hook(acting(hook)));
        if scenario.has_approvals {
            template = template.hook(ApprovalHook::builder().audit(Audit::new(audit.clone())).build());
        }
        if scenario.has_session {
            template = template.session_manager(InMemorySessionManager::new("session"));
        }
        Self { template, model, log, calm, audit, has_approvals: scenario.has_approvals }
    }

    /// Makes one invocation, which may be dropped or panic.
    async fn invoke(&self, agent: &mut Agent, prompt: Prompt, mode: Mode, who: usize) {
        let caught = AssertUnwindSafe(self.invoke_uncaught(agent, prompt, mode, who)).catch_unwind();
        // A waiting invocation is dropped.
        let _ = tokio::time::timeout(Duration::from_secs(3_600), caught).await;
    }

    async fn invoke_uncaught(&self, agent: &mut Agent, prompt: Prompt, mode: Mode, who: usize) {
        if let Mode::Direct(tool) = mode {
            let call = agent.call_tool(TOOLS[tool], json!({"n": 7}));
            let call = match identity(who) {
                Some(identity) => call.inject(identity),
                None => call,
            };
            let _ = call.await;
            return;
        }
        let invocation = agent.prompt(prompt);
        let invocation = match identity(who) {
            Some(identity) => invocation.inject(identity),
            None => invocation,
        };
        match mode {
            Mode::Awaited | Mode::Direct(_) => drop(invocation.await),
            Mode::Streamed => {
                let mut stream = invocation.stream();
                while stream.next().await.is_some() {}
            }
            Mode::Dropped(polls) => drop(polled(invocation.into_future(), polls).await),
            Mode::Cancelled(polls) => {
                let token = CancellationToken::new();
                let mut running = pin!(invocation.cancel_with(token.clone()).into_future());
                let early = tokio::time::timeout(Duration::from_secs(60), polled(running.as_mut(), polls)).await;
                if !matches!(early, Ok(Some(_))) {
                    let began = tokio::time::Instant::now();
                    token.cancel();
                    let _ = running.await;
                    assert!(began.elapsed() <= Duration::from_millis(50), "cancelled after {:?}", began.elapsed());
                }
            }
        }
    }

    async fn reply(&self, agent: &mut Agent, reply: Reply, who: usize) {
        let interrupts = agent.interrupts();
        let respond = |all: bool, consent: bool| {
            let count = if all { interrupts.len() } else { 1 };
            interrupts.iter().take(count).map(move |interrupt| interrupt.respond(consent)).collect::<Vec<_>>()
        };
        let responses = match reply {
            Reply::All(consent) => respond(true, consent),
            Reply::First(consent) => respond(false, consent),
            Reply::Prompt => return self.invoke(agent, "never mind".into(), Mode::Awaited, who).await,
            Reply::Discard => return agent.discard_interrupts().await.unwrap(),
            Reply::Restart => {
                *agent = self.template.clone().build().await.unwrap();
                return;
            }
        };
        for response in responses.iter().filter(|response| response.response == json!(true)) {
            let tool_use_id = response.interrupt_id.split(':').nth(2).unwrap().to_owned();
            self.log.add(Logged::Approved { tool_use_id });
        }
        let invocation =
            agent.prompt(Prompt::none()).resume(responses).limits(Limits::new().duration(Duration::from_secs(60)));
        let invocation = match identity(who) {
            Some(identity) => invocation.inject(identity),
            None => invocation,
        };
        let _ = AssertUnwindSafe(invocation.into_future()).catch_unwind().await;
    }

    /// Checks that each tool that ran was allowed: the tool, the arguments and the identity, and approved where needed.
    fn check_runs(&self) -> Result<usize, TestCaseError> {
        let log = self.log.0.lock().unwrap().clone();
        let records = self.audit.records();
        let mut ran = 0;
        for (at, event) in log.iter().enumerate() {
            let Logged::Ran(run) = event else { continue };
            ran += 1;
            let before = &log[..at];
            let last = before.iter().rev().find(|event| match event {
                Logged::Decided { call, .. } => call.tool_use_id == run.tool_use_id,
                Logged::Denied { tool_use_id } => *tool_use_id == run.tool_use_id,
                _ => false,
            });
            let Some(Logged::Decided { call, verdict }) = last else {
                return Err(TestCaseError::fail(format!("{run:?} ran after {last:?}")));
            };
            prop_assert_eq!(call, run);
            prop_assert!(
                matches!(verdict, Verdict::Allow | Verdict::Ask | Verdict::Slow),
                "{:?} ran after {:?}",
                run,
                verdict
            );
            if *verdict == Verdict::Ask || run.tool == "consent" {
                let approved = before.iter().any(|event| match event {
                    Logged::Approved { tool_use_id } | Logged::ApprovedByHook { tool_use_id } => {
                        *tool_use_id == run.tool_use_id
                    }
                    _ => false,
                });
                prop_assert!(approved, "{:?} ran without approval", run);
                let by_a_hook = before.iter().any(
                    |event| matches!(event, Logged::ApprovedByHook { tool_use_id } if *tool_use_id == run.tool_use_id),
                );
                let is_recorded = records.iter().any(|record| {
                    record.decision == AuditDecision::Approved && record.tool_use_id.as_ref() == Some(&run.tool_use_id)
                });
                prop_assert!(by_a_hook || is_recorded || !self.has_approvals, "{:?}: no record of the approval", run);
            }
            let fingerprint = Fingerprint::of_call(&run.tool_use_id, &run.tool, &run.input);
            let recorded = records.iter().any(|record| {
                record.fingerprint.as_ref() == Some(&fingerprint)
                    && record.identity.as_ref().map(|identity| &identity.subject) == run.subject.as_ref()
                    && matches!(record.decision, AuditDecision::Allowed | AuditDecision::ApprovalRequested)
            });
            prop_assert!(recorded, "{:?} has no record", run);
        }
        Ok(ran)
    }
}

/// Polls a future at most this many times.
async fn polled<T>(future: impl Future<Output = T>, mut polls: usize) -> Option<T> {
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

/// Checks the history. After a reply whose invocation failed, calls with responses are left to the next invocation.
fn check(agent: &Agent, after_reply: bool) -> Result<(), TestCaseError> {
    let is_open = agent.messages().last().is_some_and(|last| last.tool_uses().next().is_some());
    let is_asking = !agent.interrupts().is_empty() || (after_reply && is_open);
    prop_assert_eq!(flaw(agent.messages(), is_asking), None, "{:#?}", agent.messages());
    Ok(())
}

async fn play(scenario: &Scenario) -> Result<usize, TestCaseError> {
    let play = Play::new(scenario);
    let mut agent = play.template.clone().build().await.unwrap();
    let mut after_reply = false;
    for (at, (mode, reply, who)) in scenario.steps.iter().enumerate() {
        if agent.interrupts().is_empty() {
            play.invoke(&mut agent, Prompt::from(format!("prompt {at}")), *mode, *who).await;
        } else {
            after_reply = true;
            play.reply(&mut agent, *reply, *who).await;
        }
        check(&agent, after_reply)?;
    }
    // Without the random hooks, the next prompt works.
    play.calm.store(true, Ordering::SeqCst);
    agent.discard_interrupts().await.unwrap();
    for _ in 0..20 {
        let limits = Limits::new().duration(Duration::from_secs(600));
        let ended = agent.prompt("at last").inject(Identity::new("alice")).limits(limits).await;
        if ended.is_ok_and(|response| response.text() == "calm") {
            break;
        }
        agent.discard_interrupts().await.unwrap();
    }
    check(&agent, false)?;
    prop_assert_eq!(agent.messages().last().unwrap().text(), "calm");
    for request in play.model.requests() {
        prop_assert_eq!(flaw(&request.messages, false), None, "{:#?}", request.messages);
        prop_assert_eq!(request.messages.last().unwrap().role, Role::User);
    }
    if scenario.has_session {
        let restored = play.template.clone().build().await.unwrap();
        prop_assert_eq!(restored.messages().len(), agent.messages().len());
        check(&restored, false)?;
    }
    play.check_runs()
}

#[test]
fn no_denied_tool_runs_and_the_loop_stays_valid() {
    // More with `PROPTEST_CASES`.
    let cases = ProptestConfig::default().cases.max(600);
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let ran = AtomicUsize::new(0);
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let done = runner.run(&scenario(), |scenario| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        ran.fetch_add(runtime.block_on(play(&scenario))?, Ordering::SeqCst);
        Ok(())
    });
    done.unwrap();
    let ran = ran.into_inner();
    assert!(ran > cases as usize, "only {ran} tools ran");
}

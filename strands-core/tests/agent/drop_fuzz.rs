//! Invocations that are dropped at each of their polls, with interrupts and with agents rebuilt from the session: no
//! approved call runs twice, and every stored conversation is valid and can be continued. Invocations that are
//! serialized at every step end like uninterrupted ones.
//!
//! `STRANDS_STORIES` is the number of scenarios; the default is small.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use strands_core::conversation::SlidingWindowConversationManager;
use strands_core::testing::{InMemorySessionManager, ScriptedModel, ScriptedTurn};
use strands_core::{
    Agent, AgentBuilder, AgentError, AgentResponse, Limits, Prompt, Snapshot, ToolAnnotations, ToolOutput, ToolPolicy,
};

use crate::properties::{paused, polled, shape};
use crate::support::{FnTool, template, tool};
use crate::valid_history::flaw;

fn scenarios() -> u64 {
    let count = std::env::var("STRANDS_STORIES").ok().and_then(|count| count.parse().ok());
    count.unwrap_or(60)
}

/// Runs of each call, by tool and tool use id.
#[derive(Clone, Default)]
struct Ledger(Arc<Mutex<HashMap<(&'static str, String), usize>>>);

impl Ledger {
    fn add(&self, tool: &'static str, call: &str) {
        *self.0.lock().unwrap().entry((tool, call.to_owned())).or_default() += 1;
    }

    /// Checks that only calls of the idempotent tool have run twice.
    fn check(&self, seed: u64) {
        for ((tool, call), times) in self.0.lock().unwrap().iter() {
            assert!(*times == 1 || *tool == "again", "scenario {seed}: call {call} of {tool} ran {times} times");
        }
    }
}

/// Tools that interrupt, need approval, or are slow. The ledger counts each call that runs.
fn tools(ledger: &Ledger) -> Vec<FnTool> {
    let runs = |name: &'static str, time: u64, asks: bool| {
        let ledger = ledger.clone();
        tool(name, move |ctx, _| {
            let ledger = ledger.clone();
            async move {
                let choice = if asks { ctx.interrupt("which", name)? } else { Value::Null };
                ledger.add(name, ctx.tool_use_id());
                tokio::time::sleep(Duration::from_millis(time)).await;
                Ok(ToolOutput::text(format!("{name} {choice}")))
            }
        })
    };
    let consent = ToolPolicy::new().with_approval(true);
    vec![
        runs("fine", 0, false),
        runs("slow", 3, false),
        runs("asks", 2, true),
        runs("consent", 2, false).policy(consent),
        runs("alone", 1, false).policy(consent.with_exclusive(true)),
        runs("again", 2, false).policy(consent).annotations(ToolAnnotations::new().with_idempotent(true)),
    ]
}

/// An agent that calls the same tools.
fn office(ledger: &Ledger, random: fastrand::Rng) -> AgentBuilder {
    template(&model(random, &TOOLS), tools(ledger)).name("office").limits(Limits::new().turns(4))
}

const TOOLS: [&str; 6] = ["fine", "slow", "asks", "consent", "alone", "again"];
const TOOLS_AND_AGENT: [&str; 8] = ["fine", "slow", "asks", "consent", "alone", "again", "office", "office"];

/// A model that calls one to three tools in some of its turns, at random, and responds with text in the others.
fn model(mut random: fastrand::Rng, names: &[&'static str]) -> ScriptedModel {
    let turns: Vec<Option<Vec<&'static str>>> = (0..200)
        .map(|_| {
            (random.u8(..) < 150).then(|| (0..random.usize(1..4)).map(|_| *random.choice(names).unwrap()).collect())
        })
        .collect();
    let at = Mutex::new(turns.into_iter().cycle());
    ScriptedModel::from_fn(move |_| match at.lock().unwrap().next().flatten() {
        Some(names) => ScriptedTurn::tool_uses(names.into_iter().map(|name| (name, json!({"input": "go on"})))),
        None => ScriptedTurn::text("so be it"),
    })
}

struct Scenario {
    sessions: InMemorySessionManager,
    template: AgentBuilder,
    agent: Agent,
    random: fastrand::Rng,
}

impl Scenario {
    async fn new(seed: u64, ledger: &Ledger) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let sessions = InMemorySessionManager::new("s");
        sessions.set_latency((random.u8(..) < 200).then_some(Duration::from_micros(500)));
        let template = template(&model(random.fork(), &TOOLS_AND_AGENT), tools(ledger))
            .tools([office(ledger, random.fork())])
            .session_manager(sessions.clone())
            .tool_concurrency(random.usize(1..4))
            .conversation_manager(SlidingWindowConversationManager::new(random.usize(4..40)));
        let agent = template.clone().build().await.unwrap();
        Self { sessions, template, agent, random }
    }

    /// Replaces the agent by one of another worker.
    async fn rebuild(&mut self) {
        self.agent = self.template.clone().build().await.unwrap();
        self.check();
    }

    fn check(&self) {
        let messages = self.agent.messages();
        let open = messages.last().is_some_and(|last| last.tool_uses().next().is_some());
        assert_eq!(flaw(messages, open), None, "{messages:#?}");
    }

    /// Runs the next step of a program that uses the agent, for at most `polls` polls.
    async fn step(&mut self, polls: usize) -> Option<Result<AgentResponse, AgentError>> {
        let interrupts = self.agent.interrupts();
        let limits = Limits::new().turns(6).duration(Duration::from_secs(60));
        if interrupts.is_empty() {
            return polled(self.agent.prompt("go on").limits(limits).into_future(), polls).await;
        }
        let responses: Vec<_> = interrupts.iter().take(self.random.usize(1..=interrupts.len())).collect();
        let responses: Vec<_> = responses.into_iter().map(|each| each.respond(self.random.u8(..) < 200)).collect();
        polled(self.agent.prompt(Prompt::none()).resume(responses).limits(limits).into_future(), polls).await
    }
}

/// Drops the same step at each of its polls, until it completes.
async fn play(seed: u64) {
    let ledger = Ledger::default();
    let mut scenario = Scenario::new(seed, &ledger).await;
    for _ in 0..6 {
        for polls in 0.. {
            let ended = scenario.step(polls).await;
            scenario.check();
            match scenario.random.u8(..) {
                0..100 => scenario.rebuild().await,
                100..115 if !scenario.agent.interrupts().is_empty() => {
                    let _ = polled(scenario.agent.discard_interrupts(), usize::from(scenario.random.u8(0..4))).await;
                    scenario.check();
                }
                115..125 => {
                    let prompts = scenario.agent.messages().iter().enumerate();
                    let prompt = prompts.rev().find(|(_, message)| message.text() == "go on").map(|(at, _)| at);
                    if let Some(prompt) = prompt {
                        let _ = polled(scenario.agent.rewind(prompt), usize::from(scenario.random.u8(0..4))).await;
                        scenario.check();
                    }
                }
                _ => {}
            }
            match ended {
                Some(Ok(_)) => break,
                Some(Err(error)) => {
                    // Another worker of this scenario was dropped during a write: continue from the stored session.
                    let is_conflict = matches!(&error, AgentError::Session(error) if error.is_conflict());
                    assert!(is_conflict || matches!(error, AgentError::Rewind { .. }), "scenario {seed}: {error:?}");
                    scenario.rebuild().await;
                }
                None => {}
            }
        }
    }
    // Without drops the scenario ends, and all workers see the same conversation.
    scenario.sessions.set_latency(None);
    scenario.rebuild().await;
    for _ in 0..60 {
        match scenario.step(usize::MAX).await {
            Some(Ok(response)) if response.interrupts.is_empty() && !scenario.agent.has_unsaved_changes().unwrap() => {
                break;
            }
            Some(Ok(_)) => {}
            other => panic!("scenario {seed}: {other:?}"),
        }
    }
    scenario.check();
    let elsewhere = scenario.template.clone().build().await.unwrap();
    assert_eq!(elsewhere.messages(), scenario.agent.messages(), "scenario {seed}");
    ledger.check(seed);
}

#[test]
fn dropping_at_every_poll_runs_each_tool_at_most_once() {
    for seed in 0..scenarios() {
        paused(play(seed));
    }
}

/// Returns the result of the scenario without a drop.
async fn straight(seed: u64, split: bool) -> (Vec<String>, Value, u64) {
    let ledger = Ledger::default();
    let mut random = fastrand::Rng::with_seed(seed);
    let template = template(&model(random.fork(), &TOOLS_AND_AGENT), tools(&ledger))
        .tools([office(&ledger, random.fork()).tool_concurrency(1)])
        .tool_concurrency(1);
    let mut agent = template.clone().build().await.unwrap();
    for at in 0..4 {
        let limits = Limits::new().turns(5);
        let mut response = agent.prompt(format!("prompt {at}")).limits(limits).await.unwrap();
        loop {
            if split {
                let json = serde_json::to_string(&agent.snapshot().unwrap()).unwrap();
                agent = template.clone().build().await.unwrap();
                agent.restore(serde_json::from_str::<Snapshot>(&json).unwrap()).unwrap();
                assert_eq!(agent.interrupts(), response.interrupts);
            }
            if response.interrupts.is_empty() {
                break;
            }
            // One response at a time.
            let reply = response.interrupts[0].respond(seed.is_multiple_of(3));
            response = agent.prompt(Prompt::none()).resume([reply]).await.unwrap();
        }
        assert!(response.turns <= 5);
    }
    let ran = ledger.0.lock().unwrap().len() as u64;
    (shape(agent.messages()), Value::from(agent.state().to_json()), ran)
}

#[test]
fn serializing_a_run_at_every_step_does_not_change_its_result() {
    for seed in 0..scenarios() {
        let whole = paused(straight(seed, false));
        assert_eq!(paused(straight(seed, true)), whole, "scenario {seed}");
    }
}

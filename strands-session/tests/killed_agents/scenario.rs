//! Scenario of agents whose process is killed at any instant: in a turn, during an interrupt, while an approved tool runs,
//! while an interrupt is discarded, while the conversation is rewound. With every session manager, no tool runs twice for
//! one approval unless it is idempotent, no acknowledged message is lost, and every restored agent continues.
//!
//! A worker is another process of the same program. It reports acknowledged writes in lines on its standard output, and
//! each run of a tool in a ledger file. Both survive it.

use std::collections::{HashMap, HashSet};
use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use strands_core::conversation::NullConversationManager;
use strands_core::message::{Message, Role};
use strands_core::session::SessionManager;
use strands_core::testing::{ScriptedModel, ScriptedTurn};
use strands_core::{
    Agent, AgentBuilder, AgentError, Prompt, Tool, ToolAnnotations, ToolContext, ToolError, ToolOutput, ToolPolicy,
    ToolSpec, async_trait,
};

/// Environment variable with a worker's orders, as JSON. Only workers have it.
const ORDERS: &str = "STRANDS_KILLED_AGENT_WORKER";

/// Number of agents to kill: `STRANDS_KILLS`, or a few.
pub(crate) fn kills() -> usize {
    std::env::var("STRANDS_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(25)
}

/// Returns the orders of this process, if it is a worker.
pub(crate) fn orders() -> Option<Value> {
    std::env::var(ORDERS).ok().map(|orders| serde_json::from_str(&orders).unwrap())
}

/// A tool that writes each run to the ledger.
struct Records {
    spec: ToolSpec,
    policy: ToolPolicy,
    ledger: PathBuf,
}

#[async_trait]
impl Tool for Records {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn policy(&self) -> ToolPolicy {
        self.policy
    }

    async fn call(&self, ctx: &ToolContext, _: Value) -> Result<ToolOutput, ToolError> {
        let line = format!("{} {}\n", ctx.tool_name(), ctx.tool_use_id());
        let mut ledger = OpenOptions::new().append(true).create(true).open(&self.ledger).unwrap();
        ledger.write_all(line.as_bytes()).unwrap();
        tokio::time::sleep(Duration::from_micros(fastrand::u64(0..2_000))).await;
        Ok(ToolOutput::text("done"))
    }
}

/// A model that calls tools in about half of its turns.
fn model() -> ScriptedModel {
    ScriptedModel::from_fn(|_| match fastrand::u8(0..10) {
        0..3 => ScriptedTurn::tool_use("pay", json!({"amount": 7})),
        3 => ScriptedTurn::tool_uses([("pay", json!({})), ("touch", json!({})), ("look", json!({}))]),
        4 => ScriptedTurn::tool_use("touch", json!({})),
        5 => ScriptedTurn::tool_use("look", json!({})),
        _ => ScriptedTurn::text("so be it"),
    })
}

fn template(sessions: impl SessionManager + 'static, ledger: &Path) -> AgentBuilder {
    let tool = |name: &str, approval, idempotent| Records {
        spec: ToolSpec::new(name, "Does it.", json!({"type": "object"}))
            .with_annotations(ToolAnnotations::new().with_idempotent(idempotent)),
        policy: ToolPolicy::new().with_approval(approval),
        ledger: ledger.to_owned(),
    };
    let tools = [tool("pay", true, false), tool("touch", true, true), tool("look", false, false)];
    let everything = NullConversationManager::new();
    Agent::builder().model(model()).tools(tools).conversation_manager(everything).session_manager(sessions)
}

/// Reports a line to the test. A kill may truncate a long line, so its end is marked.
fn report(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "report {line} .").and_then(|()| out.flush()).unwrap();
}

/// Returns what identifies the messages: their ids, and `results-of-{id}` for tool results, since a message of results gets
/// the id of a prompt that is joined with it.
fn ids(messages: &[Arc<Message>]) -> Vec<String> {
    let mut ids = Vec::new();
    let mut calls = "";
    for message in messages {
        // An agent's own notes have no id, and are not in the session.
        let Some(id) = message.tracking_id.as_deref() else { continue };
        if message.tool_results().next().is_some() {
            ids.push(format!("results-of-{calls}"));
        }
        if message.role == Role::Assistant || message.is_prompt() {
            ids.push(id.to_owned());
        }
        calls = id;
    }
    ids
}

/// Prompts, resumes, rewinds and discards until the worker is killed.
pub(crate) async fn work(sessions: impl SessionManager + 'static, orders: &Value) {
    let ledger = PathBuf::from(orders["ledger"].as_str().unwrap());
    let mut agent = template(sessions, &ledger).build().await.unwrap();
    loop {
        step(&mut agent).await.unwrap();
        report(&format!("stored {}", ids(agent.messages()).join(" ")));
    }
}

/// Performs one random operation on an agent.
async fn step(agent: &mut Agent) -> Result<(), AgentError> {
    let interrupts = agent.interrupts();
    let rewinds = fastrand::u8(0..10) == 0;
    let prompts = agent.messages().iter().enumerate();
    // A prompt in one message with tool results can't be edited.
    let is_prompt = |message: &Message| message.text().starts_with("prompt") && message.tool_results().next().is_none();
    let prompt = prompts.rev().find(|(_, message)| is_prompt(message)).map(|(at, _)| at);
    if let Some(at) = prompt.filter(|_| rewinds) {
        report(&format!("rewinding {}", ids(&agent.messages()[at..]).join(" ")));
        let dropped = agent.rewind(at).await?;
        report(&format!("rewound {}", ids(&dropped).join(" ")));
    } else if interrupts.is_empty() {
        agent.prompt(format!("prompt {}", fastrand::u32(..))).await?;
    } else if fastrand::u8(0..6) == 0 {
        let calls: Vec<&str> = interrupts.iter().filter_map(|interrupt| interrupt.id.split(':').nth(2)).collect();
        agent.discard_interrupts().await?;
        report(&format!("discarded {}", calls.join(" ")));
    } else {
        let some = interrupts.iter().take(fastrand::usize(1..=interrupts.len()));
        let responses: Vec<_> = some.map(|interrupt| interrupt.respond(fastrand::u8(0..5) > 0)).collect();
        agent.prompt(Prompt::none()).resume(responses).await?;
    }
    Ok(())
}

/// Expected state of a session, from its workers' reports.
#[derive(Default)]
struct Known {
    stored: HashSet<String>,
    /// Messages of a rewind that may have been killed.
    unsure: HashSet<String>,
    removed: HashSet<String>,
    /// The ids of discarded calls.
    discarded: HashSet<String>,
}

impl Known {
    fn record(&mut self, line: &str) {
        let mut words = line.split(' ');
        let what = words.next().unwrap();
        let ids = words.filter(|id| !id.is_empty()).map(str::to_owned);
        match what {
            "stored" => self.stored.extend(ids),
            "rewinding" => self.unsure.extend(ids),
            "rewound" => self.removed.extend(ids),
            "discarded" => self.discarded.extend(ids),
            _ => panic!("{line}"),
        }
    }

    fn check(&self, agent: &Agent, kill: usize) {
        let found: HashSet<String> = ids(agent.messages()).into_iter().collect();
        for id in &self.removed {
            assert!(!found.contains(id), "kill {kill}: message {id} is back");
        }
        for id in self.stored.iter().filter(|id| !self.unsure.contains(*id) && !self.removed.contains(*id)) {
            assert!(found.contains(id), "kill {kill}: message {id} is lost");
        }
    }
}

/// Server of a store. It may handle a request that a worker has sent before it was killed after the next agent was built: a conflict
/// with another worker. So the test waits for such requests.
pub(crate) trait Server {
    /// Returns the number of open connections.
    fn open_connections(&self) -> usize;

    /// Waits for the requests of a killed worker. `open` connections were open before it was started.
    async fn settled(&self, open: usize);
}

/// A store without a server.
impl Server for () {
    fn open_connections(&self) -> usize {
        0
    }

    async fn settled(&self, _open: usize) {}
}

/// Kills workers on several sessions, and checks the session after each kill.
pub(crate) async fn check_killed_agents<M: SessionManager + 'static>(
    open: impl Fn(&str) -> M,
    location: &Value,
    kills: usize,
    server: &impl Server,
) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger");
    let mut known = Known::default();
    let mut session = String::new();
    let mut continued = 0;
    for kill in 0..kills {
        if kill % 20 == 0 {
            session = format!("killed-{kill}");
            known = Known::default();
        }
        let orders = json!({"location": location, "session": session, "ledger": ledger});
        let open_connections = server.open_connections();
        let mut child = start(&orders);
        let mut lines = lines(&mut child);
        for _ in 0..fastrand::usize(0..6) {
            if let Some(line) = lines.next() {
                known.record(&line);
            }
        }
        // Kill at any instant, also during the start.
        let until = Instant::now() + Duration::from_micros(fastrand::u64(0..8_000));
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        lines.for_each(|line| known.record(&line));
        server.settled(open_connections).await;

        let mut agent = template(open(&session), &ledger).build().await.unwrap();
        valid(&agent, kill);
        known.check(&agent, kill);
        check_ledger(&ledger, &known, kill);
        if kill % 4 == 3 {
            continue_agent(&mut agent, kill).await;
            continued += 1;
            known.stored.extend(ids(agent.messages()));
            check_ledger(&ledger, &known, kill);
            let again = template(open(&session), &ledger).build().await.unwrap();
            assert_eq!(again.messages(), agent.messages(), "kill {kill}");
        }
    }
    assert!(continued > 0 || kills < 4);
    assert!(std::fs::read_to_string(&ledger).unwrap().lines().count() > kills / 2, "the tools have hardly run");
}

/// Approves all interrupts and prompts, until the agent has no interrupts.
async fn continue_agent(agent: &mut Agent, kill: usize) {
    for _ in 0..100 {
        let responses: Vec<_> = agent.interrupts().iter().map(|interrupt| interrupt.respond(true)).collect();
        let prompt = if responses.is_empty() { Prompt::from("prompt on") } else { Prompt::none() };
        let response = agent.prompt(prompt).resume(responses).await.unwrap();
        if response.interrupts.is_empty() {
            return valid(agent, kill);
        }
    }
    panic!("kill {kill}: the interrupts do not end");
}

/// Checks that the conversation is valid for a model, apart from suspended calls.
fn valid(agent: &Agent, kill: usize) {
    let messages = agent.messages();
    for (at, pair) in messages.windows(2).enumerate() {
        assert_ne!(pair[0].role, pair[1].role, "kill {kill}: message {at}");
        let calls: Vec<_> = pair[0].tool_uses().map(|call| &call.tool_use_id).collect();
        let results: Vec<_> = pair[1].tool_results().map(|result| &result.tool_use_id).collect();
        assert_eq!(calls, results, "kill {kill}: message {at}");
    }
    assert!(messages.first().is_none_or(|first| first.role == Role::User), "kill {kill}");
}

fn check_ledger(ledger: &Path, known: &Known, kill: usize) {
    let mut runs: HashMap<String, usize> = HashMap::new();
    let text = std::fs::read_to_string(ledger).unwrap_or_default();
    for line in text.lines() {
        *runs.entry(line.to_owned()).or_default() += 1;
    }
    for (call, times) in &runs {
        let (tool, id) = call.split_once(' ').unwrap();
        assert!(*times == 1 || tool == "touch", "kill {kill}: {call} ran {times} times");
        assert!(!known.discarded.contains(id), "kill {kill}: {call} was discarded and ran");
    }
}

fn start(orders: &Value) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["worker", "--exact", "--nocapture", "--test-threads=1"])
        .env(ORDERS, orders.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Returns the reports of a worker. The output of the test harness may precede the first.
fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.map_while(Result::ok).filter_map(|line| Some(line.split_once("report ")?.1.strip_suffix(" .")?.to_owned()))
}

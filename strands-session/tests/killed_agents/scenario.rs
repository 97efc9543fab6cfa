//! Agents whose process is killed at any instant: in a turn, between a question and its answer, while an approved tool
//! runs, while a question is dropped, while the conversation is rewound. Whatever session manager stores the conversation,
//! no tool runs twice for one approval unless it is idempotent, nothing that was acknowledged is lost, and every restore
//! goes on.
//!
//! A worker is another process of the same program. It tells what it has been told in lines on its standard output, and
//! each tool that really runs in a ledger file, both of which survive it.

use std::collections::{HashMap, HashSet};
use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
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

/// Environment variable with a worker's orders, as JSON; without it the process is no worker.
const ORDERS: &str = "STRANDS_KILLED_AGENT_WORKER";

/// Number of agents to kill: `STRANDS_KILLS`, or a few.
pub(crate) fn kills() -> usize {
    std::env::var("STRANDS_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(25)
}

/// The orders of this process, if it is a worker.
pub(crate) fn orders() -> Option<Value> {
    std::env::var(ORDERS).ok().map(|orders| serde_json::from_str(&orders).unwrap())
}

/// A tool that writes in the ledger that it ran.
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

/// Says a line that survives this process. A long one may be cut when the process is killed, so its end is marked.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "said {line} .").and_then(|()| out.flush()).unwrap();
}

fn ids<'a>(messages: impl IntoIterator<Item = &'a std::sync::Arc<Message>>) -> String {
    let ids: Vec<&str> = messages.into_iter().filter_map(|message| message.tracking_id.as_deref()).collect();
    ids.join(" ")
}

/// Work of a worker until it is killed.
pub(crate) async fn work(sessions: impl SessionManager + 'static, orders: &Value) {
    let ledger = PathBuf::from(orders["ledger"].as_str().unwrap());
    let mut agent = template(sessions, &ledger).build().await.unwrap();
    loop {
        step(&mut agent).await.unwrap();
        say(&format!("kept {}", ids(agent.messages())));
    }
}

/// One thing that a program does with an agent.
async fn step(agent: &mut Agent) -> Result<(), AgentError> {
    let asked = agent.interrupts();
    let rewinds = fastrand::u8(0..10) == 0;
    let prompts = agent.messages().iter().enumerate();
    // One that has joined results can't be edited.
    let is_prompt = |message: &Message| message.text().starts_with("prompt") && message.tool_results().next().is_none();
    let prompt = prompts.rev().find(|(_, message)| is_prompt(message)).map(|(at, _)| at);
    if let Some(at) = prompt.filter(|_| rewinds) {
        say(&format!("rewinding {}", ids(&agent.messages()[at..])));
        let dropped = agent.rewind(at).await?;
        say(&format!("rewound {}", ids(&dropped)));
    } else if asked.is_empty() {
        agent.prompt(format!("prompt {}", fastrand::u32(..))).await?;
    } else if fastrand::u8(0..6) == 0 {
        let calls: Vec<&str> = asked.iter().filter_map(|asked| asked.id.split(':').nth(2)).collect();
        agent.discard_interrupts().await?;
        say(&format!("discarded {}", calls.join(" ")));
    } else {
        let answers: Vec<_> = asked.iter().take(fastrand::usize(1..=asked.len())).collect();
        let answers: Vec<_> = answers.iter().map(|asked| asked.respond(fastrand::u8(0..5) > 0)).collect();
        agent.prompt(Prompt::none()).resume(answers).await?;
    }
    Ok(())
}

/// Expected state of a session, from its workers' acknowledgements.
#[derive(Default)]
struct Known {
    kept: HashSet<String>,
    /// May be gone: somebody was killed while it was dropped.
    unsure: HashSet<String>,
    gone: HashSet<String>,
    /// Runs of each discarded call by then.
    discarded: HashSet<String>,
}

impl Known {
    fn heard(&mut self, line: &str) {
        let mut words = line.split(' ');
        let what = words.next().unwrap();
        let ids = words.filter(|id| !id.is_empty()).map(str::to_owned);
        match what {
            "kept" => self.kept.extend(ids),
            "rewinding" => self.unsure.extend(ids),
            "rewound" => self.gone.extend(ids),
            "discarded" => self.discarded.extend(ids),
            _ => panic!("{line}"),
        }
    }

    fn check(&self, agent: &Agent, kill: usize) {
        let found: HashSet<&str> =
            agent.messages().iter().filter_map(|message| message.tracking_id.as_deref()).collect();
        for id in &self.gone {
            assert!(!found.contains(id.as_str()), "kill {kill}: message {id} is back");
        }
        for id in self.kept.iter().filter(|id| !self.unsure.contains(*id) && !self.gone.contains(*id)) {
            assert!(found.contains(id.as_str()), "kill {kill}: message {id} is lost");
        }
    }
}

/// Kills workers on one session after another, and looks at what is left each time.
pub(crate) async fn nothing_is_lost_and_nothing_runs_twice<M: SessionManager + 'static>(
    open: impl Fn(&str) -> M,
    place: &Value,
    kills: usize,
) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger");
    let mut known = Known::default();
    let mut session = String::new();
    let mut went_on = 0;
    for kill in 0..kills {
        if kill % 20 == 0 {
            session = format!("killed-{kill}");
            known = Known::default();
        }
        let orders = json!({"place": place, "session": session, "ledger": ledger});
        let mut child = start(&orders);
        let mut lines = lines(&mut child);
        for _ in 0..fastrand::usize(0..6) {
            if let Some(line) = lines.next() {
                known.heard(&line);
            }
        }
        // Any instant, also of the start.
        let until = Instant::now() + Duration::from_micros(fastrand::u64(0..8_000));
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        lines.for_each(|line| known.heard(&line));

        let mut agent = template(open(&session), &ledger).build().await.unwrap();
        valid(&agent, kill);
        known.check(&agent, kill);
        check_ledger(&ledger, &known, kill);
        if kill % 4 == 3 {
            go_on(&mut agent, kill).await;
            went_on += 1;
            known.heard(&format!("kept {}", ids(agent.messages())));
            check_ledger(&ledger, &known, kill);
            let again = template(open(&session), &ledger).build().await.unwrap();
            assert_eq!(again.messages(), agent.messages(), "kill {kill}");
        }
    }
    assert!(went_on > 0 || kills < 4);
    assert!(std::fs::read_to_string(&ledger).unwrap().lines().count() > kills / 2, "the tools have hardly run");
}

/// Answers what is asked and prompts, until the model has had the last word.
async fn go_on(agent: &mut Agent, kill: usize) {
    for _ in 0..100 {
        let answers: Vec<_> = agent.interrupts().iter().map(|asked| asked.respond(true)).collect();
        let prompt = if answers.is_empty() { Prompt::from("prompt on") } else { Prompt::none() };
        let response = agent.prompt(prompt).resume(answers).await.unwrap();
        if response.interrupts.is_empty() {
            return valid(agent, kill);
        }
    }
    panic!("kill {kill}: humans are asked for ever");
}

/// A conversation that a model takes, but for calls that are suspended.
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

/// The lines that a worker says. The harness's own words may stand in front of the first.
fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.map_while(Result::ok).filter_map(|line| Some(line.split_once("said ")?.1.strip_suffix(" .")?.to_owned()))
}

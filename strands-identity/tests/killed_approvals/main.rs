//! Workers that are killed while they approve tool calls: at any instant, and before and after each write. A tool runs at most
//! once for one approval, or its outcome is reported as unknown, and the session always goes on.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails panics")]
#![cfg(unix)]

mod worker;

use std::collections::{HashMap, HashSet};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use strands::identity::{Approver, AuditDecision, AuditRecord};
use strands::message::{ToolResult, ToolResultContent};
use strands::serde_json::{Value, json};
use strands::{Agent, Prompt, Repair};

use worker::{Death, Place, alice, manager, work};

/// Environment variable with a worker's orders, as JSON. Only workers have it.
const ORDERS: &str = "STRANDS_KILLED_APPROVAL_WORKER";

/// Number of writes of a worker, at most, at which one is killed.
const WRITES: usize = 24;

/// Number of workers to kill: `STRANDS_KILLS`, or a few.
fn kills() -> usize {
    std::env::var("STRANDS_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(48)
}

/// Entry point of the worker processes, not a test: this program runs itself with this name.
#[tokio::test]
async fn worker_process() {
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let orders: Value = serde_json::from_str(&orders).unwrap();
    let text = |name: &str| orders[name].as_str().unwrap().to_owned();
    let place = Place {
        folder: PathBuf::from(text("folder")),
        session: text("session"),
        as_snapshots: orders["as_snapshots"].as_bool().unwrap(),
    };
    let death = orders["write"]
        .as_u64()
        .map(|write| Death { write: usize::try_from(write).unwrap(), after: orders["after"].as_bool().unwrap() });
    work(&place, Path::new(&text("ledger")), death).await;
}

#[tokio::test]
async fn one_approval_runs_a_tool_at_most_once_with_messages() {
    check_killed_approvals(false).await;
}

#[tokio::test]
async fn one_approval_runs_a_tool_at_most_once_with_snapshots() {
    check_killed_approvals(true).await;
}

/// Reports and repairs of the workers.
#[derive(Default)]
struct Seen {
    approving: HashSet<String>,
    /// Calls whose tool may have run before a kill.
    unknown: usize,
    /// Calls that were approved and not started before a kill.
    pending: usize,
}

async fn check_killed_approvals(as_snapshots: bool) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger");
    let mut seen = Seen::default();
    let kills = kills();
    let mut place = Place { folder: folder.path().join("sessions"), session: String::new(), as_snapshots };
    for kill in 0..kills {
        if kill % 16 == 0 {
            place.session = format!("killed-{kill}");
        }
        // Each write in turn, before and after it; and every third time any instant.
        let by_write = kill % 3 != 2;
        let turn = kill - kill / 3;
        let death = by_write.then_some(Death { write: turn / 2 % WRITES, after: turn % 2 == 1 });
        for line in killed(&place, &ledger, death) {
            if let Some(("approving", id)) = line.split_once(' ') {
                seen.approving.insert(id.to_owned());
            }
        }
        let mut agent = place.agent(place.store(None), &ledger).await;
        for repair in agent.repairs() {
            match repair {
                Repair::OutcomeUnknown { .. } => seen.unknown += 1,
                Repair::CallPending { .. } => seen.pending += 1,
                _ => {}
            }
        }
        check(&agent, &ledger, &seen, kill);
        check_audit(&place, &agent, &ledger, kill);
        if kill % 4 == 3 {
            go_on(&place, &mut agent, &mut seen, kill).await;
            check(&agent, &ledger, &seen, kill);
            check_audit(&place, &agent, &ledger, kill);
            let again = place.agent(place.store(None), &ledger).await;
            assert_eq!(again.messages(), agent.messages(), "kill {kill}");
        }
    }
    let runs = runs(&ledger).len();
    assert!(runs > kills / 3, "the tools have hardly run: {runs}");
    assert!(kills < 200 || (seen.pending > 0 && seen.unknown > 0), "no kill between the records of a call");
}

/// Runs a worker until it is killed. Returns its reports.
fn killed(place: &Place, ledger: &Path, death: Option<Death>) -> Vec<String> {
    let orders = json!({
        "folder": place.folder, "session": place.session, "as_snapshots": place.as_snapshots, "ledger": ledger,
        "write": death.map(|death| death.write), "after": death.map(|death| death.after),
    });
    let mut child = start(&orders);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut lines = lines
        .map_while(Result::ok)
        .filter_map(|line| Some(line.split_once("report ")?.1.strip_suffix(" .")?.to_owned()));
    let mut reports = Vec::new();
    if death.is_none() {
        reports.extend(lines.by_ref().take(fastrand::usize(0..6)));
        let until = Instant::now() + Duration::from_micros(fastrand::u64(0..8_000));
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
    }
    // A worker kills itself at its write, which ends its output.
    reports.extend(lines);
    let status = child.wait().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "a worker failed");
    reports
}

fn start(orders: &Value) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["worker_process", "--exact", "--nocapture", "--test-threads=1"])
        .env(ORDERS, orders.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Approves all requests and prompts, until the agent has no interrupts.
async fn go_on(place: &Place, agent: &mut Agent, seen: &mut Seen, kill: usize) {
    for _ in 0..100 {
        let requests = place.requests(&place.store(None)).await;
        assert_eq!(requests.len(), agent.interrupts().len(), "kill {kill}");
        seen.approving.extend(requests.iter().map(|request| request.tool_use_id.clone()));
        let responses: Vec<_> = requests.iter().map(|request| request.approve()).collect();
        let prompt = if responses.is_empty() { Prompt::from("prompt on") } else { Prompt::none() };
        let resumed = agent.prompt(prompt).resume(responses);
        let response = resumed.inject(alice()).inject(Approver::new(manager())).await.unwrap();
        if response.interrupts.is_empty() {
            return;
        }
    }
    panic!("kill {kill}: the interrupts do not end");
}

/// Returns the number of runs of each call in the ledger, by its id, with its tool.
fn runs(ledger: &Path) -> HashMap<String, (String, usize)> {
    let mut runs: HashMap<String, (String, usize)> = HashMap::new();
    for line in std::fs::read_to_string(ledger).unwrap_or_default().lines() {
        let (tool, id) = line.split_once(' ').unwrap();
        runs.entry(id.to_owned()).or_insert_with(|| (tool.to_owned(), 0)).1 += 1;
    }
    runs
}

fn check(agent: &Agent, ledger: &Path, seen: &Seen, kill: usize) {
    let runs = runs(ledger);
    for (id, (tool, times)) in &runs {
        assert!(*times == 1 || tool == "touch", "kill {kill}: {tool} {id} ran {times} times");
        assert!(tool == "look" || seen.approving.contains(id), "kill {kill}: {tool} {id} ran without an approval");
    }
    let messages = agent.messages();
    for pair in messages.windows(2) {
        let calls: Vec<_> = pair[0].tool_uses().map(|call| &call.tool_use_id).collect();
        let results: Vec<_> = pair[1].tool_results().map(|result| &result.tool_use_id).collect();
        assert_eq!(calls, results, "kill {kill}");
    }
    for result in messages.iter().flat_map(|message| message.tool_results()) {
        let has_run = runs.contains_key(&result.tool_use_id);
        let text = text(result);
        match text.as_str() {
            "done" => assert!(has_run, "kill {kill}: {} has a result and did not run", result.tool_use_id),
            "a human denied the call" => assert!(!has_run, "kill {kill}: {} was denied and ran", result.tool_use_id),
            // The outcome is unknown, or a call without an approval was cut off.
            _ => assert!(result.is_error() && !text.contains("void"), "kill {kill}: {text}"),
        }
    }
}

/// Each call that ran has a record of its approval, each that was denied has one of that, and a record that is made again after a
/// kill is the same.
fn check_audit(place: &Place, agent: &Agent, ledger: &Path, kill: usize) {
    let mut decisions: HashMap<String, HashSet<String>> = HashMap::new();
    let audits = std::fs::read_dir(place.audits()).unwrap().map(|file| std::fs::read_to_string(file.unwrap().path()));
    for line in audits.map(Result::unwrap).collect::<String>().lines() {
        // A kill may truncate a line.
        let Ok(record) = serde_json::from_str::<AuditRecord>(line) else { continue };
        if [AuditDecision::Approved, AuditDecision::Disapproved].contains(&record.decision) {
            decisions.entry(record.tool_use_id.unwrap()).or_default().insert(line.to_owned());
        }
    }
    assert!(decisions.values().all(|of_call| of_call.len() == 1), "kill {kill}: {decisions:?}");
    let is_recorded = |id: &str, decision: &str| {
        decisions.get(id).is_some_and(|of_call| of_call.iter().all(|line| line.contains(decision)))
    };
    for (id, (tool, _)) in runs(ledger) {
        assert!(tool == "look" || is_recorded(&id, "\"approved\""), "kill {kill}: {tool} {id} ran without a record");
    }
    for result in agent.messages().iter().flat_map(|message| message.tool_results()) {
        let is_denied = text(result) == "a human denied the call";
        assert!(!is_denied || is_recorded(&result.tool_use_id, "\"disapproved\""), "kill {kill}: {result:?}");
    }
}

fn text(result: &ToolResult) -> String {
    match &result.content[..] {
        [ToolResultContent::Text(text)] => text.clone(),
        other => panic!("{other:?}"),
    }
}

//! Graphs whose process is killed at any instant: a node that is recorded never runs again, and every run ends.
//!
//! A worker is another process of the same program. Its nodes append to a ledger file, which survives it. `STRANDS_KILLS` is the number
//! of kills on each store.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails panics")]
#![cfg(unix)]

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use strands::multiagent::{Graph, Join, NodeContext, NodeError, NodeInput, NodeOutput, RunError, function};
use strands::session::object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use strands::session::{HttpsConnector, SessionManager, SessionStore, SnapshotSessionManager, StoreSessionManager};
use strands::{AgentError, Limits, Prompt};
use strands_testkit::s3::S3Server;

/// Environment variable with a worker's orders, as JSON. Only workers have it.
const ORDERS: &str = "STRANDS_KILLED_GRAPH_WORKER";
/// The id of the graph.
const GRAPH: &str = "ten";
const NODES: [&str; 10] = ["start", "a", "b", "c", "all", "d", "e", "any", "two", "end"];
const EDGES: [(&str, &str); 14] = [
    ("start", "a"),
    ("start", "b"),
    ("start", "c"),
    ("a", "all"),
    ("b", "all"),
    ("c", "all"),
    ("all", "d"),
    ("all", "e"),
    ("d", "any"),
    ("e", "any"),
    ("any", "two"),
    ("d", "two"),
    ("e", "two"),
    ("two", "end"),
];
/// Longest time of a node.
const NODE_TIME: u64 = 3_000;

/// Number of kills on each store.
fn kills() -> usize {
    std::env::var("STRANDS_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(12)
}

/// Returns the graph. Each start and each end of a node is a line in the ledger.
fn graph(ledger: &Path, manager: impl SessionManager + 'static) -> Graph {
    let node = || {
        let ledger = ledger.to_owned();
        function(move |ctx: NodeContext, input: NodeInput| {
            let ledger = ledger.clone();
            async move {
                let write = |what: &str| {
                    let mut ledger = OpenOptions::new().append(true).create(true).open(&ledger)?;
                    ledger.write_all(format!("{what} {}\n", ctx.node()).as_bytes())
                };
                write("began").map_err(|error| NodeError::new(error.to_string()))?;
                tokio::time::sleep(Duration::from_micros(fastrand::u64(..NODE_TIME))).await;
                write("ended").map_err(|error| NodeError::new(error.to_string()))?;
                let from: Vec<&str> = input.from.iter().map(|source| &*source.node).collect();
                Ok::<_, NodeError>(NodeOutput::text(format!("{} of [{}]", ctx.node(), from.join(" "))))
            }
        })
    };
    let graph = NODES.iter().fold(Graph::builder(GRAPH), |graph, id| graph.node(*id, node()));
    let graph = EDGES.iter().fold(graph, |graph, (from, to)| graph.edge(*from, *to));
    let graph = graph.join("any", Join::Any).join("two", Join::AtLeast(2)).limits(Limits::unlimited());
    graph.session_manager(manager).build().unwrap()
}

/// Returns the manager of a session at a location: a folder, or a prefix on a server.
fn manager(location: &Value, session: &str) -> Arc<dyn SessionManager> {
    let text = |name: &str| location.get(name).and_then(Value::as_str);
    let store = match (text("folder"), text("url"), text("prefix")) {
        (Some(folder), _, _) => SessionStore::files(folder),
        (None, Some(url), Some(prefix)) => bucket(url, prefix),
        _ => panic!("{location}"),
    };
    match text("layout") {
        Some("snapshots") => Arc::new(SnapshotSessionManager::new(session, store).unwrap()),
        _ => Arc::new(StoreSessionManager::new(session, store).unwrap()),
    }
}

fn bucket(url: &str, prefix: &str) -> SessionStore {
    let store = AmazonS3Builder::new()
        .with_bucket_name("bucket")
        .with_region("us-east-1")
        .with_access_key_id("AKEXAMPLE")
        .with_secret_access_key("s3cret-of-the-tests")
        .with_allow_http(true)
        .with_endpoint(url)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_http_connector(HttpsConnector::new().allow_http(true))
        .build()
        .unwrap();
    SessionStore::objects(Arc::new(store), prefix).unwrap()
}

/// Entry point of the worker processes of the tests below, not a test: this program runs itself with this name.
#[tokio::test]
async fn worker() {
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let orders: Value = serde_json::from_str(&orders).unwrap();
    let text = |name: &str| orders.get(name).and_then(Value::as_str).unwrap();
    let manager = manager(orders.get("location").unwrap(), text("session"));
    // A task would start a new run, if the last save of the killed worker before this one was done after all.
    let stored = manager.open_multi_agent(GRAPH).await.unwrap().read().await.unwrap();
    let task: Prompt = if stored.is_some() { Prompt::none() } else { "count".into() };
    match graph(Path::new(text("ledger")), manager).run(task).await {
        Ok(_) => {}
        // A request of the killed worker before this one was done later.
        Err(AgentError::Session(error)) if error.is_conflict() => {}
        Err(error) => {
            let is_of_run = matches!(&error, AgentError::Promptable { source, .. } if source.is::<RunError>());
            panic!("{error} (of the run: {is_of_run})");
        }
    }
}

fn start(orders: &Value) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["worker", "--exact", "--nocapture", "--test-threads=1"]).env(ORDERS, orders.to_string());
    command.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap()
}

/// Returns the nodes that began, in order.
fn began(ledger: &Path) -> Vec<String> {
    let ledger = std::fs::read_to_string(ledger).unwrap_or_default();
    ledger.lines().filter_map(|line| line.strip_prefix("began ").map(str::to_owned)).collect()
}

/// Returns the nodes that are recorded as completed, and true if the run has completed.
async fn recorded(location: &Value, session: &str) -> (BTreeSet<String>, bool) {
    let stored = manager(location, session).open_multi_agent(GRAPH).await.unwrap().read().await.unwrap();
    let Some(stored) = stored else { return (BTreeSet::new(), false) };
    let results = stored.get("node_results").and_then(Value::as_object).unwrap();
    (results.keys().cloned().collect(), stored.get("status").unwrap() == "completed")
}

/// Kills runs until their number is reached, each run until it has completed nevertheless.
async fn check_killed_graphs(location: &Value, kills: usize) {
    let folder = tempfile::tempdir().unwrap();
    let (mut killed, mut runs) = (0, 0);
    // The time of a run without a kill, with the start of its process.
    let mut longest = Duration::from_millis(80);
    while killed < kills {
        let session = format!("run-{runs}");
        let ledger = folder.path().join(&session);
        let orders = json!({"location": location, "session": session, "ledger": ledger});
        let mut known = BTreeSet::new();
        runs += 1;
        for attempt in 0.. {
            assert!(attempt < 100, "{session} does not end");
            let before = began(&ledger);
            let since = Instant::now();
            let mut worker = start(&orders);
            // Each tenth worker lives, so that each run ends.
            if attempt % 10 < 9 && killed < kills {
                let after = longest.mul_f64(fastrand::f64());
                while since.elapsed() < after && worker.try_wait().unwrap().is_none() {
                    std::thread::sleep(Duration::from_micros(500));
                }
                killed += usize::from(worker.try_wait().unwrap().is_none());
                worker.kill().unwrap();
                worker.wait().unwrap();
            } else {
                assert!(worker.wait().unwrap().success());
                longest = since.elapsed().max(Duration::from_millis(20));
            }
            let all = began(&ledger);
            let again: Vec<&String> = all.iter().skip(before.len()).filter(|node| known.contains(*node)).collect();
            assert!(again.is_empty(), "{session}: {again:?} were recorded, and ran again: {all:?}");
            let (nodes, is_completed) = recorded(location, &session).await;
            assert!(known.is_subset(&nodes), "{session}: {known:?} were recorded, and now {nodes:?}");
            known = nodes;
            if is_completed {
                break;
            }
        }
        assert_eq!(known.len(), NODES.len(), "{session}: {known:?}");
        assert_eq!(began(&ledger).iter().collect::<BTreeSet<_>>().len(), NODES.len());
    }
}

#[tokio::test]
async fn recorded_nodes_of_killed_graphs_never_run_again_on_files() {
    let folder = tempfile::tempdir().unwrap();
    check_killed_graphs(&json!({"folder": folder.path()}), kills()).await;
}

#[tokio::test]
async fn recorded_nodes_of_killed_graphs_never_run_again_on_snapshots() {
    let folder = tempfile::tempdir().unwrap();
    check_killed_graphs(&json!({"folder": folder.path(), "layout": "snapshots"}), kills()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_nodes_of_killed_graphs_never_run_again_on_s3() {
    let server = S3Server::start("bucket").await;
    // Another implementation with a bucket of that name, as for the tests of sessions.
    let foreign = std::env::var("STRANDS_TEST_S3").ok().filter(|url| !url.is_empty());
    let prefix = format!("strands-test-{:016x}", fastrand::u64(..));
    let location = json!({"url": foreign.unwrap_or_else(|| server.url()), "prefix": prefix});
    check_killed_graphs(&location, kills()).await;
}

//! Resources after many connections.

use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs};

use serde_json::json;
use strands::mcp::McpClient;
use tokio::runtime::Handle;
use tokio::time::sleep;

use crate::server::McpServer;
use crate::{Texts as _, children, soon};

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

fn children_of_this_process() -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let children = tasks.map(|task| fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default());
    children.map(|children| children.split_whitespace().count()).sum()
}

async fn settles(what: &str, most: usize, mut count: impl FnMut() -> usize) {
    let until = Instant::now() + Duration::from_secs(15);
    while count() > most {
        assert!(Instant::now() < until, "{what}: {} remain, {most} are expected", count());
        sleep(Duration::from_millis(20)).await;
    }
}

/// Set in the process that a test starts for itself.
const ALONE: &str = "STRANDS_ALONE";

/// Runs in a process of its own, since it counts descriptors and children of the whole process.
#[tokio::test]
async fn leaks_nothing_in_many_connects() {
    if env::var_os(ALONE).is_some() {
        let count = env::var("STRANDS_CONNECTS").map_or(100, |count| count.parse().unwrap());
        return connect_many_times(count).await;
    }
    let mut test = Command::new(env::current_exe().unwrap());
    let test = test.args(["--exact", "leaks::leaks_nothing_in_many_connects", "--nocapture"]).env(ALONE, "1");
    let output = test.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

async fn connect_many_times(count: usize) {
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let (before_tasks, before_descriptors) = (tasks(), descriptors());
    let server = McpServer::start(|call| call.json("worked")).await;
    for round in 0..count {
        let client = if round % 2 == 0 {
            McpClient::http(server.url()).bearer_token("token").build().unwrap()
        } else {
            children::server("", "text worked").build().unwrap()
        };
        match round % 5 {
            // Dropped while it connects.
            0 => drop(tokio::time::timeout(Duration::from_millis(1), client.connect()).await),
            1 => soon(client.connect()).await.unwrap(),
            // Dropped in a call.
            2 => drop(tokio::time::timeout(Duration::from_millis(4), client.call_tool("work", json!({}))).await),
            3 => assert_eq!(soon(client.call_tool("work", json!({}))).await.unwrap().texts(), "worked"),
            _ => {
                soon(client.connect()).await.unwrap();
                soon(client.close()).await;
            }
        }
    }
    drop(server);
    settles("tasks", before_tasks, tasks).await;
    settles("children", 0, children_of_this_process).await;
    // The runtime keeps one for signals.
    settles("descriptors", before_descriptors + 4, descriptors).await;
}

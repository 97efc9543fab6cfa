//! Agents of ten calls, while their server is killed at a random instant and started again.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use strands::Agent;
use strands::mcp::{ElicitationResponse, McpClient, McpClientBuilder, Transport};
use strands::testing::{ScriptedModel, ScriptedTurn};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::{child, text};

const CALLS: usize = 10;
/// Time within which a run ends, restart of a Node server included.
const MOST: Duration = Duration::from_secs(60);

/// The server of a transport, and how it is killed.
enum Server {
    /// The client starts it and starts it again.
    Stdio,
    /// This program starts it and starts it again.
    Http { process: Child, address: String, command: Vec<String> },
}

pub(crate) async fn check(count: usize, seed: u64, transport: &str, command: &[&str]) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut lost_calls = 0;
    let (client, mut server) = if transport == "stdio" {
        (patient(child(command).restarts_per_minute(1_000)), Server::Stdio)
    } else {
        (patient(McpClient::http(transport)), Server::http(transport, command).await)
    };
    client.connect().await.unwrap();
    // Without a kill: how long a run takes.
    let usual = run(&client).await.1;
    println!("{transport}: a run without a kill takes {usual:.1?}");
    for number in 1..=count {
        let instant = usual.mul_f64(random.f64());
        let (results, time) = tokio::join!(run(&client), async {
            sleep(instant).await;
            server.restart(&mut random).await;
        })
        .0;
        assert_eq!(results.len(), CALLS, "run {number}");
        let lost: Vec<_> = results.iter().filter(|(is_error, _)| *is_error).collect();
        assert!(lost.len() <= 1, "run {number}, seed {seed}, killed after {instant:?}: lost calls: {lost:#?}");
        lost_calls += lost.len();
        if number % 10 == 0 || number == count {
            println!("{transport}: {number} runs, {lost_calls} calls lost, the last run took {time:.1?}");
        }
    }
    client.close().await;
    server.stop();
}

/// A client that responds to elicitations after a while.
fn patient<T: Transport>(builder: McpClientBuilder<T>) -> McpClient {
    let builder = builder.elicitation(|_| async {
        sleep(Duration::from_millis(50)).await;
        ElicitationResponse::Accept(json!({"name": "Ada", "check": true}))
    });
    builder.build().unwrap()
}

/// Runs an agent, and returns the results of its calls and the time.
async fn run(client: &McpClient) -> (Vec<(bool, String)>, Duration) {
    let start = Instant::now();
    let turns = (0..CALLS).map(|call| match call % 4 {
        // Read-only, as the next ones: sent again after a loss.
        0 => ScriptedTurn::tool_use("trigger-long-running-operation", json!({"duration": 0.05, "steps": 2})),
        // Not sent again.
        1 => ScriptedTurn::tool_use("trigger-elicitation-request", json!({})),
        2 => ScriptedTurn::tool_use("echo", json!({"message": format!("call {call}")})),
        _ => ScriptedTurn::tool_use("get-sum", json!({"a": call, "b": 1})),
    });
    let model = ScriptedModel::new(turns.chain([ScriptedTurn::text("Done.")]));
    let work = async {
        let mut agent = Agent::builder().model(model).tool_provider(client.clone()).build().await.unwrap();
        let response = agent.prompt("Work.").await.unwrap();
        assert_eq!(response.text(), "Done.");
        let results = agent.messages().iter().flat_map(|message| message.tool_results());
        results.map(|result| (result.is_error(), text(&result.content))).collect::<Vec<_>>()
    };
    let results = timeout(MOST, work).await.expect("a run hangs");
    for (call, (is_error, text)) in results.iter().enumerate() {
        let expected = match call % 4 {
            0 => "Long running operation completed".to_owned(),
            1 => "Ada".to_owned(),
            2 => format!("call {call}"),
            _ => format!("{}", call + 1),
        };
        assert!(*is_error || text.contains(&expected), "call {call}: {text}");
    }
    (results, start.elapsed())
}

impl Server {
    async fn http(url: &str, command: &[&str]) -> Self {
        let address = url.trim_start_matches("http://").split('/').next().unwrap().to_owned();
        let command: Vec<String> = command.iter().map(|argument| (*argument).to_owned()).collect();
        let process = start(&command);
        listening(&address).await;
        Self::Http { process, address, command }
    }

    /// Kills the server and starts it again after a random time.
    async fn restart(&mut self, random: &mut fastrand::Rng) {
        match self {
            Self::Stdio => {
                // The children of this process: the server is the only one.
                let is_killed = Arc::new(AtomicBool::new(false));
                while !is_killed.load(Ordering::Relaxed) {
                    for pid in children() {
                        let done = Command::new("kill").args(["-KILL", &pid]).status().unwrap();
                        is_killed.fetch_or(done.success(), Ordering::Relaxed);
                    }
                    sleep(Duration::from_millis(1)).await;
                }
            }
            Self::Http { process, address, command } => {
                process.kill().unwrap();
                process.wait().unwrap();
                sleep(Duration::from_millis(random.u64(0..300))).await;
                *process = start(command);
                listening(address).await;
            }
        }
    }

    fn stop(&mut self) {
        if let Self::Http { process, .. } = self {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }
}

/// Stops the server if a check fails.
impl Drop for Server {
    fn drop(&mut self) {
        if let Self::Http { process, .. } = self {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn start(command: &[String]) -> Child {
    let mut process = Command::new(&command[0]);
    process.args(&command[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

async fn listening(address: &str) {
    for _ in 0..600 {
        if TcpStream::connect(address).await.is_ok() {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("nothing listens at {address}");
}

fn children() -> Vec<String> {
    let mut children = Vec::new();
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let listed = std::fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default();
        children.extend(listed.split_whitespace().map(str::to_owned));
    }
    children
}

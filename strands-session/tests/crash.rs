//! Processes that are killed, and processes that write at once: what was acknowledged stays.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that fails panics"
)]
#![cfg(unix)]

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use strands_core::message::{ContentBlock, Message, Role, ToolResult, ToolResultStatus, ToolUse};
use strands_core::session::{AgentRecord, MessageRange, SessionError};
use strands_session::SessionStore;
use strands_testkit::s3::S3Server;
use support::{foreign_s3, open, s3_builder, unused_prefix};

/// Where the worker finds what it is to do, as JSON; without it the process is no worker.
const ORDERS: &str = "STRANDS_SESSION_TEST_WORKER";

/// Not a test, but what the other processes of the tests below do: this program runs itself with this name.
#[tokio::test]
async fn worker() {
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let orders: Value = serde_json::from_str(&orders).unwrap();
    let text = |name: &str| orders[name].as_str().unwrap().to_owned();
    let store = place(&text("place")).await;
    match orders["task"].as_str() {
        Some("turns") => take_turns(&store, &text("session")).await,
        Some("race") => race(&store, &text("name"), orders["milliseconds"].as_u64().unwrap()).await,
        Some("count") => count(&store, orders["milliseconds"].as_u64().unwrap()).await,
        other => panic!("no such task: {other:?}"),
    }
}

/// The store behind a folder, or a prefix on a server.
async fn place(place: &str) -> SessionStore {
    match place.split_once('#') {
        Some((url, prefix)) => {
            let manager = s3_builder("any", "bucket", url).prefix(prefix).build().await.unwrap();
            manager.store().clone()
        }
        None => SessionStore::files(place),
    }
}

/// A prefix on this server that is empty.
fn unused_place(url: &str) -> String {
    format!("{url}#{}", unused_prefix())
}

fn start(orders: &Value) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["worker", "--exact", "--nocapture", "--test-threads=1"])
        .env(ORDERS, orders.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Tells the test what the store has acknowledged. A line in a pipe survives its writer.
fn acknowledge(what: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "ack {what}").and_then(|()| out.flush()).unwrap();
}

/// What the workers have said so far, until they say no more.
fn acknowledgements(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The harness's own words stand on the line of the first acknowledgement.
    lines.map_while(Result::ok).filter_map(|line| Some(line.split_once("ack ")?.1.to_owned()))
}

/// One turn after the other, with a tool call in each, until somebody ends it.
async fn take_turns(store: &SessionStore, session_id: &str) {
    let mut opened = open(store, session_id, "main").await;
    let messages = opened.session.read(&MessageRange::default()).await.unwrap();
    let mut record = opened.record.unwrap_or_else(|| AgentRecord::new("main"));
    // The agent mends what a crash has left open; here the turn is simply begun again where it broke off.
    let mut number = messages.len();
    loop {
        opened.session.append(&turn(number)).await.unwrap();
        acknowledge(&format!("message {number}"));
        number += 1;
        if number.is_multiple_of(4) {
            record.state.insert("messages".to_owned(), json!(number));
            opened.session.save(&record).await.unwrap();
            acknowledge(&format!("record {number}"));
        }
        if number.is_multiple_of(7) {
            opened.session.replace_last(&turn(number - 1)).await.unwrap();
            acknowledge(&format!("replaced {number}"));
        }
    }
}

/// Question, tool call, tool result, answer, and again.
fn turn(number: usize) -> Message {
    let padding = "x".repeat(number % 5 * 1_000);
    let id = format!("tooluse_{}", number / 4);
    match number % 4 {
        0 => Message::user(format!("question {number} {padding}")),
        1 => Message::new(Role::Assistant, [ContentBlock::from(ToolUse::new(id, "look_up", json!({"n": number})))]),
        2 => {
            let result = ToolResult::new(id, ToolResultStatus::Success, [format!("result {padding}")]);
            Message::new(Role::User, [ContentBlock::from(result)])
        }
        _ => Message::assistant(format!("answer {number} {padding}")),
    }
}

async fn is_killed_and_loses_nothing(place_name: &str, kills: usize) {
    let store = place(place_name).await;
    let mut random = fastrand::Rng::with_seed(7);
    for kill in 0..kills {
        // A session that has grown long makes the test slow, not hard.
        let session = format!("killed-{}", kill / 25);
        let mut child = start(&json!({"task": "turns", "place": place_name, "session": session}));
        let mut said = acknowledgements(&mut child);
        let mut acknowledged = Vec::new();
        for _ in 0..random.usize(0..12) {
            acknowledged.extend(said.next());
        }
        // Any instant of a write, and of the start too where nothing was waited for.
        let until = Instant::now() + Duration::from_micros(random.u64(0..6_000));
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged.extend(said);

        let mut opened = open(&store, &session, "main").await;
        let messages = opened.session.read(&MessageRange::default()).await.unwrap();
        for (number, message) in messages.iter().enumerate() {
            assert_eq!(**message, turn(number), "kill {kill}: message {number} of {}", messages.len());
        }
        let state = opened.record.as_ref().and_then(|record| record.state.get("messages")).and_then(Value::as_u64);
        for acknowledgement in &acknowledged {
            let (what, number) = acknowledgement.split_once(' ').unwrap();
            let number: usize = number.parse().unwrap();
            match what {
                "message" => assert!(number < messages.len(), "kill {kill}: message {number} is lost"),
                "record" => assert!(state.is_some_and(|state| state >= number as u64), "kill {kill}: {state:?}"),
                _ => assert!(number <= messages.len(), "kill {kill}"),
            }
        }
        assert!(opened.record.is_some() || messages.is_empty(), "kill {kill}: messages that nobody has said");
    }
}

/// How often, and how long: thoroughly where the shared data is, and shortly in the plain test run.
fn thoroughly() -> bool {
    strands_testkit::shared_dir().is_some()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_workers_lose_nothing_on_files() {
    let folder = tempfile::tempdir().unwrap();
    is_killed_and_loses_nothing(folder.path().to_str().unwrap(), if thoroughly() { 500 } else { 25 }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_workers_lose_nothing_on_s3() {
    let server = S3Server::start("bucket").await;
    is_killed_and_loses_nothing(&unused_place(&server.url()), if thoroughly() { 500 } else { 25 }).await;
}

const RACERS: usize = 8;

/// Appends as fast as it can, reading what the others have written whenever it was too slow.
async fn race(store: &SessionStore, name: &str, milliseconds: u64) {
    let until = Instant::now() + Duration::from_millis(milliseconds);
    let mut session = open(store, "race", "main").await.session;
    let (mut number, mut conflicts) = (0, 0);
    while Instant::now() < until {
        match session.append(&Message::user(format!("{name} {number}"))).await {
            Ok(()) => {
                acknowledge(&format!("{name} {number}"));
                number += 1;
            }
            Err(error @ SessionError::Conflict { .. }) => {
                assert!(error.to_string().contains("session `race`"), "{error}");
                conflicts += 1;
                // Only how far it has come is of interest.
                session.read(&MessageRange::new(u64::MAX, Vec::new())).await.unwrap_or_default();
            }
            Err(error) => panic!("{}", support::chain(&error)),
        }
    }
    acknowledge(&format!("conflicts {conflicts}"));
}

async fn race_is_won_by_one_for_each_message(place_name: &str) {
    let store = place(place_name).await;
    // The session is there, so that all begin with the first message.
    let mut opened = open(&store, "race", "main").await;
    opened.session.save(&AgentRecord::new("main")).await.unwrap();
    let milliseconds = if thoroughly() { 10_000 } else { 700 };
    let mut children: Vec<Child> = (0..RACERS)
        .map(|racer| {
            let name = format!("racer-{racer}");
            start(&json!({"task": "race", "place": place_name, "name": name, "milliseconds": milliseconds}))
        })
        .collect();
    // Each is listened to, or the pipe of one would fill up while another is heard.
    let listeners: Vec<_> = children
        .iter_mut()
        .map(|child| {
            let said = acknowledgements(child);
            std::thread::spawn(move || said.collect::<Vec<String>>())
        })
        .collect();
    let mut acknowledged = Vec::new();
    for listener in listeners {
        acknowledged.extend(tokio::task::spawn_blocking(move || listener.join().unwrap()).await.unwrap());
    }
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let conflicts: u64 =
        acknowledged.iter().filter_map(|text| text.strip_prefix("conflicts ")?.parse::<u64>().ok()).sum();
    acknowledged.retain(|text| !text.starts_with("conflicts "));

    let mut texts: Vec<String> = support::texts(&store, "race", "main").await;
    let mut order: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for text in &texts {
        let (name, number) = text.split_once(' ').unwrap();
        order.entry(name.to_owned()).or_default().push(number.parse().unwrap());
    }
    assert!(order.values().all(|numbers| numbers.is_sorted()), "each racer's messages stand in its order");
    texts.sort();
    acknowledged.sort();
    assert_eq!(texts.len(), acknowledged.len(), "one message for each acknowledgement");
    assert_eq!(texts, acknowledged);
    assert!(conflicts > 0, "{} messages, and nobody was in the way", texts.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_writers_overwrite_nothing_on_files() {
    let folder = tempfile::tempdir().unwrap();
    race_is_won_by_one_for_each_message(folder.path().to_str().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_writers_overwrite_nothing_on_s3() {
    let server = S3Server::start("bucket").await;
    race_is_won_by_one_for_each_message(&unused_place(&server.url())).await;
}

/// Adds one to a number in the agent's record, again and again, each time to the number that is there.
async fn count(store: &SessionStore, milliseconds: u64) {
    let until = Instant::now() + Duration::from_millis(milliseconds);
    let mut counted = 0;
    while Instant::now() < until {
        let mut opened = open(store, "race", "main").await;
        let mut record = opened.record.unwrap();
        let number = record.state.get("number").and_then(Value::as_u64).unwrap_or(0);
        record.state.insert("number".to_owned(), json!(number + 1));
        match opened.session.save(&record).await {
            Ok(()) => counted += 1,
            Err(error) => assert!(error.is_conflict(), "{}", support::chain(&error)),
        }
    }
    acknowledge(&counted.to_string());
}

/// A record is read and written again by one worker at a time, or the number would be smaller than their sum.
async fn no_change_of_a_record_is_lost(place_name: &str) {
    let store = place(place_name).await;
    open(&store, "race", "main").await.session.save(&AgentRecord::new("main")).await.unwrap();
    let orders = json!({"task": "count", "place": place_name, "milliseconds": if thoroughly() { 5_000 } else { 700 }});
    let mut children: Vec<Child> = (0..RACERS).map(|_| start(&orders)).collect();
    let mut sum = 0;
    for child in &mut children {
        let said = acknowledgements(child);
        let said = tokio::task::spawn_blocking(move || said.collect::<Vec<String>>()).await.unwrap();
        sum += said.iter().map(|counted| counted.parse::<u64>().unwrap()).sum::<u64>();
        assert!(child.wait().unwrap().success());
    }
    let record = open(&store, "race", "main").await.record.unwrap();
    assert!(sum > 0);
    assert_eq!(record.state["number"], json!(sum));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_writers_lose_no_change_on_files() {
    let folder = tempfile::tempdir().unwrap();
    no_change_of_a_record_is_lost(folder.path().to_str().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_writers_lose_no_change_on_s3() {
    let server = S3Server::start("bucket").await;
    no_change_of_a_record_is_lost(&unused_place(&server.url())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_on_a_server_of_somebody_else() {
    let Some(url) = foreign_s3() else { return };
    is_killed_and_loses_nothing(&unused_place(&url), if thoroughly() { 100 } else { 25 }).await;
    race_is_won_by_one_for_each_message(&unused_place(&url)).await;
    no_change_of_a_record_is_lost(&unused_place(&url)).await;
}

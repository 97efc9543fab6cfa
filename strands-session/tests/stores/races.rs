//! Processes that write to one session concurrently: one succeeds each time, and none overwrites another's message.

use std::collections::BTreeMap;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::support::processes::{acknowledge, acknowledgements, orders, start, store_at, unused_location};
use crate::support::{foreign_s3, open};
use serde_json::{Value, json};
use strands_core::message::Message;
use strands_core::session::{AgentRecord, MessageBatch, MessageRange, SessionError};
use strands_session::SessionStore;
use strands_testkit::s3::S3Server;

const WORKER: &str = "races::worker";

/// Entry point of the worker processes of the tests below, not a test: this program runs itself with this name.
#[tokio::test]
async fn worker() {
    let Some(orders) = orders() else { return };
    let text = |name: &str| orders[name].as_str().unwrap().to_owned();
    let store = store_at(&text("location")).await;
    match orders["task"].as_str() {
        Some("race") => race(&store, &text("name"), orders["milliseconds"].as_u64().unwrap()).await,
        Some("count") => count(&store, orders["milliseconds"].as_u64().unwrap()).await,
        other => panic!("no such task: {other:?}"),
    }
}

const RACERS: usize = 8;

/// Appends as fast as possible, and reads the conversation after each conflict.
async fn race(store: &SessionStore, name: &str, milliseconds: u64) {
    let until = Instant::now() + Duration::from_millis(milliseconds);
    let mut session = open(store, "race", "main").await.session;
    let (mut number, mut conflicts) = (0, 0);
    while Instant::now() < until {
        let count = 1 + number % 2;
        let batch: Vec<Message> =
            (number..number + count).map(|number| Message::user(format!("{name} {number}"))).collect();
        match session.write(&MessageBatch::append(batch)).await {
            Ok(()) => {
                for _ in 0..count {
                    acknowledge(&format!("{name} {number}"));
                    number += 1;
                }
            }
            Err(error @ SessionError::Conflict { .. }) => {
                assert!(error.to_string().contains("session `race`"), "{error}");
                conflicts += 1;
                // Only the number of messages is needed.
                session.read(&MessageRange::new(u64::MAX, Vec::new())).await.unwrap_or_default();
            }
            Err(error) => panic!("{}", crate::support::chain(&error)),
        }
    }
    acknowledge(&format!("conflicts {conflicts}"));
}

async fn check_concurrent_writers(location: &str) {
    let store = store_at(location).await;
    // The session exists, so that all workers start with the first message.
    let mut opened = open(&store, "race", "main").await;
    opened.session.save(&AgentRecord::new("main")).await.unwrap();
    let milliseconds = if strands_testkit::is_thorough() { 10_000 } else { 700 };
    let mut children: Vec<Child> = (0..RACERS)
        .map(|racer| {
            let name = format!("racer-{racer}");
            start(WORKER, &json!({"task": "race", "location": location, "name": name, "milliseconds": milliseconds}))
        })
        .collect();
    // Each worker's pipe is read by its own thread, so that none fills up.
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

    let mut texts: Vec<String> = crate::support::texts(&store, "race", "main").await;
    let mut order: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for text in &texts {
        let (name, number) = text.split_once(' ').unwrap();
        order.entry(name.to_owned()).or_default().push(number.parse().unwrap());
    }
    assert!(order.values().all(|numbers| numbers.is_sorted()), "each racer's messages are in its order");
    // An odd message was written together with the next.
    for (text, next) in texts.iter().zip(texts.iter().skip(1).map(Some).chain([None])) {
        let (name, number) = text.split_once(' ').unwrap();
        let number: u64 = number.parse().unwrap();
        let expected = format!("{name} {}", number + 1);
        assert!(number.is_multiple_of(2) || next == Some(&expected), "{text} and {next:?}");
    }
    texts.sort();
    acknowledged.sort();
    assert_eq!(texts.len(), acknowledged.len(), "one message for each acknowledgement");
    assert_eq!(texts, acknowledged);
    assert!(conflicts > 0, "{} messages without a conflict", texts.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serializes_eight_concurrent_writers_on_files() {
    let folder = tempfile::tempdir().unwrap();
    check_concurrent_writers(folder.path().to_str().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serializes_eight_concurrent_writers_on_s3() {
    let server = S3Server::start("bucket").await;
    check_concurrent_writers(&unused_location(&server.url())).await;
}

/// Increments a number in the agent's record repeatedly.
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
            Err(error) => assert!(error.is_conflict(), "{}", crate::support::chain(&error)),
        }
    }
    acknowledge(&counted.to_string());
}

/// Checks that no increment of a record by concurrent workers is lost.
async fn check_record_increments(location: &str) {
    let store = store_at(location).await;
    open(&store, "race", "main").await.session.save(&AgentRecord::new("main")).await.unwrap();
    let orders = json!({"task": "count", "location": location, "milliseconds": if strands_testkit::is_thorough() { 5_000 } else { 700 }});
    let mut children: Vec<Child> = (0..RACERS).map(|_| start(WORKER, &orders)).collect();
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
async fn loses_no_record_change_of_eight_writers_on_files() {
    let folder = tempfile::tempdir().unwrap();
    check_record_increments(folder.path().to_str().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loses_no_record_change_of_eight_writers_on_s3() {
    let server = S3Server::start("bucket").await;
    check_record_increments(&unused_location(&server.url())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serializes_eight_concurrent_writers_on_another_s3_server() {
    let Some(url) = foreign_s3() else { return };
    check_concurrent_writers(&unused_location(&url)).await;
    check_record_increments(&unused_location(&url)).await;
}

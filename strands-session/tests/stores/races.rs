//! Processes that write to one session at once: one wins each time, and nothing is overwritten.

use std::collections::BTreeMap;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::support::processes::{acknowledge, acknowledgements, orders, place, start, thoroughly, unused_place};
use crate::support::{foreign_s3, open};
use serde_json::{Value, json};
use strands_core::message::Message;
use strands_core::session::{AgentRecord, MessageBatch, MessageRange, SessionError};
use strands_session::SessionStore;
use strands_testkit::s3::S3Server;

const WORKER: &str = "races::worker";

/// Not a test, but what the other processes of the tests below do: this program runs itself with this name.
#[tokio::test]
async fn worker() {
    let Some(orders) = orders() else { return };
    let text = |name: &str| orders[name].as_str().unwrap().to_owned();
    let store = place(&text("place")).await;
    match orders["task"].as_str() {
        Some("race") => race(&store, &text("name"), orders["milliseconds"].as_u64().unwrap()).await,
        Some("count") => count(&store, orders["milliseconds"].as_u64().unwrap()).await,
        other => panic!("no such task: {other:?}"),
    }
}

const RACERS: usize = 8;

/// Appends as fast as it can, reading what the others have written whenever it was too slow.
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
                // Only how far it has come is of interest.
                session.read(&MessageRange::new(u64::MAX, Vec::new())).await.unwrap_or_default();
            }
            Err(error) => panic!("{}", crate::support::chain(&error)),
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
            start(WORKER, &json!({"task": "race", "place": place_name, "name": name, "milliseconds": milliseconds}))
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

    let mut texts: Vec<String> = crate::support::texts(&store, "race", "main").await;
    let mut order: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for text in &texts {
        let (name, number) = text.split_once(' ').unwrap();
        order.entry(name.to_owned()).or_default().push(number.parse().unwrap());
    }
    assert!(order.values().all(|numbers| numbers.is_sorted()), "each racer's messages stand in its order");
    // Odd ones were written together with the next.
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
            Err(error) => assert!(error.is_conflict(), "{}", crate::support::chain(&error)),
        }
    }
    acknowledge(&counted.to_string());
}

/// A record is read and written again by one worker at a time, or the number would be smaller than their sum.
async fn no_change_of_a_record_is_lost(place_name: &str) {
    let store = place(place_name).await;
    open(&store, "race", "main").await.session.save(&AgentRecord::new("main")).await.unwrap();
    let orders = json!({"task": "count", "place": place_name, "milliseconds": if thoroughly() { 5_000 } else { 700 }});
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
    race_is_won_by_one_for_each_message(&unused_place(&url)).await;
    no_change_of_a_record_is_lost(&unused_place(&url)).await;
}

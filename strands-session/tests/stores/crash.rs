//! Processes that are killed at any instant: acknowledged writes are not lost, batches are complete, and truncated messages
//! do not return.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::processes::{acknowledge, acknowledgements, orders, start, store_at, unused_location};
use crate::support::{foreign_s3, open};
use serde_json::{Value, json};
use strands_core::message::{ContentBlock, Message, Role, ToolResult, ToolResultStatus, ToolUse};
use strands_core::session::{AgentRecord, MessageBatch, MessageRange, SessionError};
use strands_session::SessionStore;
use strands_testkit::s3::S3Server;

const WORKER: &str = "crash::worker";

/// Entry point of the worker processes of the tests below, not a test: this program runs itself with this name.
#[tokio::test]
async fn worker() {
    let Some(orders) = orders() else { return };
    let text = |name: &str| orders[name].as_str().unwrap().to_owned();
    write_randomly(&store_at(&text("location")).await, &text("session"), orders["seed"].as_u64().unwrap()).await;
}

/// Writes at random until it is killed: single messages, pairs, records, and truncations. Sometimes it drops a write and
/// repeats it.
async fn write_randomly(store: &SessionStore, session_id: &str, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut opened = open(store, session_id, "main").await;
    let mut messages: Vec<Message> = opened
        .session
        .read(&MessageRange::default())
        .await
        .unwrap()
        .iter()
        .map(|message| (**message).clone())
        .collect();
    let mut record = opened.record.unwrap_or_else(|| AgentRecord::new("main"));
    loop {
        let mut batch = MessageBatch::default();
        let mut keep = None;
        let generation = starts(&record).last().map_or(0, |(generation, _)| *generation);
        match random.usize(0..12) {
            0 => {
                record.state.insert("messages".to_owned(), json!(messages.len()));
            }
            1 | 2 if messages.len() > 2 => {
                let most = messages.len() - random.usize(1..messages.len().min(8));
                let ends_in_pair = mark(&messages[most - 1]).ends_with("1/2");
                keep = Some(most + usize::from(ends_in_pair));
                let mut starts = starts(&record);
                starts.retain(|(_, start)| *start < keep.unwrap());
                starts.push((generation + 1, keep.unwrap()));
                record.state.insert("starts".to_owned(), json!(starts));
            }
            choice => {
                let marks: &[&str] = if choice.is_multiple_of(2) { &["1/1"] } else { &["1/2", "2/2"] };
                let numbers = messages.len()..;
                let appended =
                    numbers.zip(marks).map(|(number, part)| turn(number, &format!("{generation} {part}")).into());
                batch.appended = appended.collect();
                batch.replaced = messages.last().filter(|_| choice > 9).map(|last| last.clone().into());
            }
        }
        loop {
            let session = &mut opened.session;
            let write = async {
                match keep {
                    Some(keep) => session.truncate(u64::try_from(keep).unwrap(), &record).await,
                    None if batch.is_empty() => session.save(&record).await,
                    None => session.write(&batch).await,
                }
            };
            let polls = if random.u8(0..10) == 0 { random.usize(1..20) } else { usize::MAX };
            if polled(write, polls).await {
                break;
            }
        }
        messages.truncate(keep.unwrap_or(usize::MAX));
        messages.extend(batch.appended.iter().map(|message| (**message).clone()));
        let generation = starts(&record).last().map_or(0, |(generation, _)| *generation);
        acknowledge(&format!("{generation} {} {}", messages.len(), record.state.get("messages").unwrap_or(&json!(0))));
    }
}

/// Polls a write at most this many times. Returns true if it has ended.
async fn polled(write: impl Future<Output = Result<(), SessionError>>, polls: usize) -> bool {
    let mut write = std::pin::pin!(write);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return std::task::Poll::Ready(None);
        }
        left -= 1;
        write.as_mut().poll(context).map(Some)
    })
    .await
    .map(|written| written.unwrap_or_else(|error| panic!("{}", crate::support::chain(&error))))
    .is_some()
}

/// Returns the generations of messages, each with its first position. A truncation starts a generation, and stores it in
/// the record.
fn starts(record: &AgentRecord) -> Vec<(u64, usize)> {
    record.state.get("starts").map_or_else(Vec::new, |starts| serde_json::from_value(starts.clone()).unwrap())
}

/// Returns the message of a turn: prompt, tool call, tool result, response, and so on, each with a mark.
fn turn(number: usize, mark: &str) -> Message {
    let padding = "x".repeat(number % 5 * 1_000);
    let id = format!("tooluse_{}", number / 4);
    let content = match number % 4 {
        1 => ContentBlock::from(ToolUse::new(id, "look_up", json!({"n": number}))),
        2 => ContentBlock::from(ToolResult::new(id, ToolResultStatus::Success, [format!("result {padding}")])),
        _ => ContentBlock::from(format!("text {number} {padding}")),
    };
    let role = if number.is_multiple_of(2) { Role::User } else { Role::Assistant };
    Message::new(role, [content, ContentBlock::from(mark.to_owned())])
}

fn mark(message: &Message) -> &str {
    message.content.last().and_then(|block| block.as_text()).unwrap()
}

/// Checks that each message has the generation of its position, and that all pairs are complete.
fn check(messages: &[Arc<Message>], record: Option<&AgentRecord>, kill: usize) {
    let starts = record.map_or_else(Vec::new, starts);
    for (number, message) in messages.iter().enumerate() {
        let generation =
            starts.iter().rev().find(|(_, start)| *start <= number).map_or(0, |(generation, _)| *generation);
        let mark = mark(message);
        let case = format!("kill {kill}: message {number} of {}, {mark}, {starts:?}", messages.len());
        assert!(mark.starts_with(&format!("{generation} ")), "{case}");
        assert_eq!(**message, turn(number, mark), "{case}");
        if mark.ends_with("1/2") {
            let second = messages.get(number + 1).unwrap_or_else(|| panic!("{case}: half a batch"));
            assert_eq!(self::mark(second), format!("{generation} 2/2"), "{case}");
        }
    }
}

async fn check_killed_workers(location: &str, kills: usize) {
    let store = store_at(location).await;
    let mut random = fastrand::Rng::with_seed(7);
    let mut truncated = 0;
    for kill in 0..kills {
        // Long sessions make the test slower, not stronger.
        let session = format!("killed-{}", kill / 25);
        let mut child = start(WORKER, &json!({"location": location, "session": session, "seed": kill}));
        let mut said = acknowledgements(&mut child);
        let mut acknowledged = Vec::new();
        for _ in 0..random.usize(0..12) {
            acknowledged.extend(said.next());
        }
        // Kill at any instant of a write, or of the start if no line was read.
        let until = Instant::now() + Duration::from_micros(random.u64(0..6_000));
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().code(), None, "kill {kill}: the worker has failed before");
        acknowledged.extend(said);

        let mut opened = open(&store, &session, "main").await;
        let messages = opened.session.read(&MessageRange::default()).await.unwrap();
        check(&messages, opened.record.as_ref(), kill);
        let generation =
            opened.record.as_ref().and_then(|record| starts(record).last().copied()).map_or(0, |last| last.0);
        let state = opened.record.as_ref().and_then(|record| record.state.get("messages")).and_then(Value::as_u64);
        if let Some(last) = acknowledged.last() {
            let mut numbers = last.split(' ').map(|number| number.parse::<u64>().unwrap());
            let (acknowledged, length, saved) =
                (numbers.next().unwrap(), numbers.next().unwrap(), numbers.next().unwrap());
            assert!(generation >= acknowledged, "kill {kill}: generation {acknowledged} is lost");
            let found = u64::try_from(messages.len()).unwrap();
            assert!(generation > acknowledged || found >= length, "kill {kill}: {found} messages of {length}");
            assert!(saved == 0 || state.is_some(), "kill {kill}: a record is lost");
        }
        truncated = truncated.max(generation);
        assert!(opened.record.is_some() || messages.is_empty(), "kill {kill}: messages without a record");
    }
    assert!(truncated > 0, "nothing was truncated");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loses_no_acknowledged_writes_of_killed_workers_on_files() {
    let folder = tempfile::tempdir().unwrap();
    check_killed_workers(folder.path().to_str().unwrap(), if strands_testkit::is_thorough() { 500 } else { 25 }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loses_no_acknowledged_writes_of_killed_workers_on_s3() {
    let server = S3Server::start("bucket").await;
    check_killed_workers(&unused_location(&server.url()), if strands_testkit::is_thorough() { 500 } else { 25 }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loses_no_acknowledged_writes_of_killed_workers_on_another_s3_server() {
    let Some(url) = foreign_s3() else { return };
    check_killed_workers(&unused_location(&url), if strands_testkit::is_thorough() { 100 } else { 25 }).await;
}

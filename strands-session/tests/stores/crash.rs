//! Processes that are killed at any instant: what was acknowledged stays, batches are whole, and what was truncated does
//! not come back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::processes::{acknowledge, acknowledgements, orders, place, start, thoroughly, unused_place};
use crate::support::{foreign_s3, open};
use serde_json::{Value, json};
use strands_core::message::{ContentBlock, Message, Role, ToolResult, ToolResultStatus, ToolUse};
use strands_core::session::{AgentRecord, MessageBatch, MessageRange, SessionError};
use strands_session::SessionStore;
use strands_testkit::s3::S3Server;

const WORKER: &str = "crash::worker";

/// Not a test, but what the other processes of the tests below do: this program runs itself with this name.
#[tokio::test]
async fn worker() {
    let Some(orders) = orders() else { return };
    let text = |name: &str| orders[name].as_str().unwrap().to_owned();
    write_anything(&place(&text("place")).await, &text("session"), orders["seed"].as_u64().unwrap()).await;
}

/// Writes whatever comes next until somebody ends it: messages alone and in pairs, records, and truncations. Now and then
/// it drops a write in the middle, and repeats it.
async fn write_anything(store: &SessionStore, session_id: &str, seed: u64) {
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

/// Polls so often at most; true if it has ended.
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

/// The generations of messages, and where each begins: a truncation begins one. They stand in the record, which is written
/// with it.
fn starts(record: &AgentRecord) -> Vec<(u64, usize)> {
    record.state.get("starts").map_or_else(Vec::new, |starts| serde_json::from_value(starts.clone()).unwrap())
}

/// Question, tool call, tool result, answer, and again, each with a mark.
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

/// Checks that each message is of the generation that is right where it stands, and no pair is half.
fn check(messages: &[Arc<Message>], record: Option<&AgentRecord>, kill: usize) {
    let starts = record.map_or_else(Vec::new, starts);
    for (number, message) in messages.iter().enumerate() {
        let generation =
            starts.iter().rev().find(|(_, start)| *start <= number).map_or(0, |(generation, _)| *generation);
        let mark = mark(message);
        let place = format!("kill {kill}: message {number} of {}, {mark}, {starts:?}", messages.len());
        assert!(mark.starts_with(&format!("{generation} ")), "{place}");
        assert_eq!(**message, turn(number, mark), "{place}");
        if mark.ends_with("1/2") {
            let second = messages.get(number + 1).unwrap_or_else(|| panic!("{place}: half a batch"));
            assert_eq!(self::mark(second), format!("{generation} 2/2"), "{place}");
        }
    }
}

async fn is_killed_and_loses_nothing(place_name: &str, kills: usize) {
    let store = place(place_name).await;
    let mut random = fastrand::Rng::with_seed(7);
    let mut truncated = 0;
    for kill in 0..kills {
        // A session that has grown long makes the test slow, not hard.
        let session = format!("killed-{}", kill / 25);
        let mut child = start(WORKER, &json!({"place": place_name, "session": session, "seed": kill}));
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
        assert!(opened.record.is_some() || messages.is_empty(), "kill {kill}: messages that nobody has said");
    }
    assert!(truncated > 0, "nothing was truncated");
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_on_a_server_of_somebody_else() {
    let Some(url) = foreign_s3() else { return };
    is_killed_and_loses_nothing(&unused_place(&url), if thoroughly() { 100 } else { 25 }).await;
}

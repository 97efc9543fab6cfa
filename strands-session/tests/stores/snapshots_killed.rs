//! Processes that are killed while they write snapshots: the latest has all acknowledged messages, and all snapshots are
//! complete.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{message, read_texts};
use strands_core::session::{AgentRecord, MessageBatch, MessageRange, SessionManager};
use strands_session::{SessionStore, SnapshotSessionManager};

/// Environment variable with the folder that a worker writes to. Only workers have it.
const FOLDER: &str = "STRANDS_SNAPSHOT_TEST_WORKER";

fn sessions(folder: &Path) -> SnapshotSessionManager {
    let sessions = SnapshotSessionManager::new("s", SessionStore::files(folder)).unwrap();
    sessions.checkpoint_when(|snapshot| {
        snapshot.data.messages.as_ref().is_some_and(|messages| messages.len().is_multiple_of(8))
    })
}

/// Reports the number of acknowledged messages to the test. A line in a pipe survives its writer.
fn acknowledge(number: usize) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "ack {number}").and_then(|()| out.flush()).unwrap();
}

/// Entry point of the worker processes of the test below, not a test: this program runs itself with this name.
#[tokio::test]
async fn worker() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let mut session = sessions(Path::new(&folder)).open("main").await.unwrap().session;
    let from = session.read(&MessageRange::default()).await.unwrap().len();
    let mut number = from;
    loop {
        session.write(&MessageBatch::append([message(number), message(number + 1)])).await.unwrap();
        number += 2;
        acknowledge(number);
        if number.is_multiple_of(20) {
            number -= 2;
            acknowledge(number);
            session.truncate(u64::try_from(number).unwrap(), &AgentRecord::new("main")).await.unwrap();
        }
        session.invocation_ended().await.unwrap();
    }
}

#[tokio::test]
async fn loses_no_acknowledged_messages_of_killed_workers() {
    let folder = tempfile::tempdir().unwrap();
    let sessions = sessions(folder.path());
    let mut random = fastrand::Rng::with_seed(11);
    let mut checkpoints = Vec::new();
    for kill in 0..if strands_testkit::is_thorough() { 200 } else { 25 } {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["snapshots_killed::worker", "--exact", "--nocapture", "--test-threads=1"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut said = lines.filter_map(|line| line.split_once("ack ")?.1.parse::<usize>().ok());
        let mut acknowledged = (0..random.usize(0..6)).map_while(|_| said.next()).last();
        // Kill at any instant of a write, or of the start if no line was read.
        let until = Instant::now() + Duration::from_micros(random.u64(0..6_000));
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().code(), None, "kill {kill}: the worker has failed before");
        acknowledged = said.last().or(acknowledged);

        let texts = read_texts(&mut *sessions.open("main").await.unwrap().session).await;
        assert!(
            acknowledged.is_none_or(|count| count <= texts.len()),
            "kill {kill}: {acknowledged:?} of {}",
            texts.len()
        );
        assert!(texts.len().is_multiple_of(2), "kill {kill}: half a batch");
        assert!(texts.iter().enumerate().all(|(number, text)| *text == message(number).text()), "kill {kill}");
        let ids = sessions.snapshot_ids("main", None, usize::MAX).await.unwrap();
        assert!(ids.starts_with(&checkpoints), "kill {kill}: a checkpoint is lost");
        for id in &ids[checkpoints.len()..] {
            let messages = sessions.snapshot("main", id).await.unwrap().data.messages.unwrap();
            assert!(messages.len().is_multiple_of(8) && messages.len() <= texts.len() + 2, "kill {kill}");
        }
        checkpoints = ids;
    }
    assert!(!checkpoints.is_empty());
}

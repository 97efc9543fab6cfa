//! Benchmarks of sessions: appending a message to a short and to a long conversation, and restoring a conversation. On
//! files nearly all the time of an append is the disk's (fsync of the file and of its folder); the benchmarks named
//! `by_hand` measure that part.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark that fails panics")]

use std::fs::File;
use std::future::Future;
use std::io::Write as _;
use std::sync::{Arc, LazyLock};

use divan::{Bencher, black_box};
use strands_core::message::Message;
use strands_core::session::{MessageBatch, MessageRange, Session};
use strands_session::object_store::memory::InMemory;
use strands_session::{SessionStore, StoreSessionManager};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use strands_core::session::SessionManager as _;

const LENGTHS: [usize; 2] = [10, 2_000];
const RESTORED: [usize; 4] = [10, 100, 1_000, 10_000];
const WINDOW: u64 = 40;

fn main() {
    divan::main();
}

/// Runs a future to its end, on a runtime with threads for blocking work.
fn block_on<F: Future>(work: F) -> F::Output {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().enable_all().build().unwrap());
    RUNTIME.block_on(work)
}

fn message(number: usize) -> Message {
    let text = format!("message {number}: {}", "a sentence of some length for a test. ".repeat(8));
    if number.is_multiple_of(2) { Message::user(text) } else { Message::assistant(text) }
}

fn open(store: &SessionStore) -> Box<dyn Session> {
    let manager = StoreSessionManager::new("s", store.clone()).unwrap();
    block_on(manager.open("main")).unwrap().session
}

/// Creates a folder with this number of messages, written without fsync: copies of a first message from the store.
fn folder(length: usize) -> (TempDir, SessionStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SessionStore::files(folder.path());
    block_on(open(&store).write(&MessageBatch::append([message(0)]))).unwrap();
    let messages = folder.path().join("session_s/agents/agent_main/messages");
    let first = std::fs::read_to_string(messages.join("message_0.json")).unwrap();
    for number in 1..length {
        let document = first.replace("\"message_id\": 0", &format!("\"message_id\": {number}"));
        std::fs::write(messages.join(format!("message_{number}.json")), document).unwrap();
    }
    (folder, store)
}

/// Appending a message.
mod append {
    use super::*;

    #[divan::bench(args = LENGTHS)]
    fn files(bencher: Bencher<'_, '_>, length: usize) {
        let (_folder, store) = folder(length);
        let mut session = open(&store);
        block_on(session.read(&MessageRange::new(u64::MAX, Vec::new()))).unwrap();
        let message = message(length);
        bencher.bench_local(|| block_on(session.write(&MessageBatch::append([message.clone()]))).unwrap());
    }

    /// Writing a durable file without a store.
    #[divan::bench]
    fn files_by_hand(bencher: Bencher<'_, '_>) {
        let folder = tempfile::tempdir().unwrap();
        let document = serde_json::to_vec_pretty(&message(0)).unwrap();
        let mut number = 0;
        bencher.bench_local(|| {
            number += 1;
            let mut file = File::create(folder.path().join(format!("message_{number}.json"))).unwrap();
            file.write_all(&document).unwrap();
            file.sync_all().unwrap();
            File::open(folder.path()).unwrap().sync_all().unwrap();
        });
    }

    /// The store without a disk or a network.
    #[divan::bench(args = LENGTHS)]
    fn memory(bencher: Bencher<'_, '_>, length: usize) {
        let store = SessionStore::objects(Arc::new(InMemory::new()), "").unwrap();
        let mut session = open(&store);
        for number in 0..length {
            block_on(session.write(&MessageBatch::append([message(number)]))).unwrap();
        }
        let message = message(length);
        bencher.bench_local(|| block_on(session.write(&MessageBatch::append([message.clone()]))).unwrap());
    }
}

/// Restoring a conversation.
mod restore {
    use super::*;

    #[divan::bench(args = RESTORED)]
    fn files_all(bencher: Bencher<'_, '_>, length: usize) {
        let (_folder, store) = folder(length);
        bencher.bench_local(|| black_box(block_on(open(&store).read(&MessageRange::default())).unwrap()));
    }

    /// The read of a sliding window of 40 messages.
    #[divan::bench(args = RESTORED)]
    fn files_window(bencher: Bencher<'_, '_>, length: usize) {
        let (_folder, store) = folder(length);
        let range = MessageRange::new((length as u64).saturating_sub(WINDOW), Vec::new());
        bencher.bench_local(|| black_box(block_on(open(&store).read(&range)).unwrap()));
    }

    /// Reading and parsing each file sequentially, without a store.
    #[divan::bench(args = RESTORED)]
    fn files_by_hand(bencher: Bencher<'_, '_>, length: usize) {
        #[derive(serde::Deserialize)]
        struct Document {
            message: Message,
        }
        let (folder, _store) = folder(length);
        let messages = folder.path().join("session_s/agents/agent_main/messages");
        bencher.bench_local(|| {
            let read = |number| std::fs::read(messages.join(format!("message_{number}.json"))).unwrap();
            let parse = |number| serde_json::from_slice::<Document>(&read(number)).unwrap().message;
            black_box((0..length).map(parse).collect::<Vec<_>>())
        });
    }

    #[divan::bench(args = RESTORED)]
    fn memory_all(bencher: Bencher<'_, '_>, length: usize) {
        let store = SessionStore::objects(Arc::new(InMemory::new()), "").unwrap();
        let mut session = open(&store);
        for number in 0..length {
            block_on(session.write(&MessageBatch::append([message(number)]))).unwrap();
        }
        bencher.bench_local(|| black_box(block_on(open(&store).read(&MessageRange::default())).unwrap()));
    }
}

/// Restoring over HTTP, from a server in this process that responds at once.
mod restore_s3 {
    use super::*;
    use aws_config::{Region, SdkConfig};
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use strands_session::S3SessionManager;
    use strands_testkit::s3::S3Server;

    #[divan::bench(args = RESTORED)]
    fn all(bencher: Bencher<'_, '_>, length: usize) {
        static RUNTIME: LazyLock<Runtime> =
            LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());
        let credentials = Credentials::new("AKEXAMPLE", "secret", None, None, "bench");
        let config = SdkConfig::builder()
            .region(Region::from_static("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build();
        let server = RUNTIME.block_on(S3Server::start("bucket"));
        let manager = S3SessionManager::builder("s", "bucket").endpoint(server.url()).sdk_config(&config);
        let manager = RUNTIME.block_on(manager.build()).unwrap();
        RUNTIME.block_on(async {
            manager.open("main").await.unwrap().session.write(&MessageBatch::append([message(0)])).await.unwrap();
        });
        let key = |number| format!("session_s/agents/agent_main/messages/message_{number}.json");
        let first = server.object(&key(0)).unwrap();
        for number in 1..length {
            server.put(&key(number), first.clone());
        }
        bencher.bench_local(|| {
            RUNTIME.block_on(async {
                let mut session = manager.open("main").await.unwrap().session;
                black_box(session.read(&MessageRange::default()).await.unwrap())
            })
        });
    }
}

//! Killed agents on each store of this crate.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that fails panics"
)]
#![cfg(unix)]

mod scenario;
#[path = "../stores/support/mod.rs"]
mod support;

use serde_json::{Value, json};
use strands_session::{SessionStore, SnapshotSessionManager, StoreSessionManager};
use strands_testkit::s3::S3Server;
use support::{s3_builder, unused_prefix};

use scenario::{Server, check_killed_agents, kills, orders, work};

/// Entry point of the worker processes of the tests below, not a test: this program runs itself with this name.
#[tokio::test]
async fn worker() {
    let Some(orders) = orders() else { return };
    let store = store(&orders["location"]).await;
    let session = orders["session"].as_str().unwrap();
    match orders["location"]["as"].as_str() {
        Some("snapshots") => work(SnapshotSessionManager::new(session, store).unwrap(), &orders).await,
        _ => work(StoreSessionManager::new(session, store).unwrap(), &orders).await,
    }
}

/// Opens the store at a folder, or at a prefix on a server.
async fn store(location: &Value) -> SessionStore {
    let text = |name: &str| location[name].as_str().unwrap();
    if location["url"].is_null() {
        return SessionStore::files(text("folder"));
    }
    s3_builder("any", "bucket", text("url")).prefix(text("prefix")).build().await.unwrap().store().clone()
}

impl Server for S3Server {
    fn open_connections(&self) -> usize {
        self.server().open_connections()
    }

    async fn settled(&self, open: usize) {
        self.server().settled(open).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restores_killed_agents_on_files() {
    let folder = tempfile::tempdir().unwrap();
    let location = json!({"folder": folder.path()});
    let store = store(&location).await;
    let open = |session: &str| StoreSessionManager::new(session, store.clone()).unwrap();
    check_killed_agents(open, &location, kills(), &()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restores_killed_agents_on_s3() {
    let server = S3Server::start("bucket").await;
    let location = json!({"url": server.url(), "prefix": unused_prefix()});
    let store = store(&location).await;
    let open = |session: &str| StoreSessionManager::new(session, store.clone()).unwrap();
    check_killed_agents(open, &location, kills(), &server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restores_killed_agents_on_snapshots() {
    let folder = tempfile::tempdir().unwrap();
    let location = json!({"folder": folder.path(), "as": "snapshots"});
    let store = store(&location).await;
    let open = |session: &str| SnapshotSessionManager::new(session, store.clone()).unwrap();
    check_killed_agents(open, &location, kills(), &()).await;
}

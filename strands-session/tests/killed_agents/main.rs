//! Agents that are killed, on each of our stores.
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

use scenario::{kills, nothing_is_lost_and_nothing_runs_twice, orders, work};

/// Not a test, but what the other processes of the tests below do: this program runs itself with this name.
#[tokio::test]
async fn worker() {
    let Some(orders) = orders() else { return };
    let store = store(&orders["place"]).await;
    let session = orders["session"].as_str().unwrap();
    match orders["place"]["as"].as_str() {
        Some("snapshots") => work(SnapshotSessionManager::new(session, store).unwrap(), &orders).await,
        _ => work(StoreSessionManager::new(session, store).unwrap(), &orders).await,
    }
}

/// The store behind a folder, or a prefix on a server.
async fn store(place: &Value) -> SessionStore {
    let text = |name: &str| place[name].as_str().unwrap();
    if place["url"].is_null() {
        return SessionStore::files(text("folder"));
    }
    s3_builder("any", "bucket", text("url")).prefix(text("prefix")).build().await.unwrap().store().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_files() {
    let folder = tempfile::tempdir().unwrap();
    let place = json!({"folder": folder.path()});
    let store = store(&place).await;
    let open = |session: &str| StoreSessionManager::new(session, store.clone()).unwrap();
    nothing_is_lost_and_nothing_runs_twice(open, &place, kills()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_s3() {
    let server = S3Server::start("bucket").await;
    let place = json!({"url": server.url(), "prefix": unused_prefix()});
    let store = store(&place).await;
    let open = |session: &str| StoreSessionManager::new(session, store.clone()).unwrap();
    nothing_is_lost_and_nothing_runs_twice(open, &place, kills()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_snapshots() {
    let folder = tempfile::tempdir().unwrap();
    let place = json!({"folder": folder.path(), "as": "snapshots"});
    let store = store(&place).await;
    let open = |session: &str| SnapshotSessionManager::new(session, store.clone()).unwrap();
    nothing_is_lost_and_nothing_runs_twice(open, &place, kills()).await;
}

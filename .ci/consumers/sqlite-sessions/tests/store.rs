//! Contract tests of the store and of sessions in it, and agents that are killed at random.

#[path = "../../../../strands-session/tests/killed_agents/scenario.rs"]
mod scenario;

use std::path::Path;

use serde_json::json;
use sqlite_sessions::SqliteStore;
use strands_core::testing::contract::check_session_manager;
use strands_session::contract::check_document_store;
use strands_session::{SessionStore, SnapshotSessionManager, StoreSessionManager};

fn store(path: &Path) -> SqliteStore {
    SqliteStore::open(path).unwrap()
}

/// Entry point of the worker processes, not a test: this program starts itself with this name.
#[tokio::test]
async fn worker() {
    let Some(orders) = scenario::orders() else { return };
    let store = SessionStore::new(store(Path::new(orders["location"].as_str().unwrap())));
    let session = orders["session"].as_str().unwrap();
    scenario::work(StoreSessionManager::new(session, store).unwrap(), &orders).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_keeps_its_contract() {
    let folder = tempfile::tempdir().unwrap();
    check_document_store(store(&folder.path().join("sessions.sqlite3"))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_in_the_store_keep_their_contract() {
    let folder = tempfile::tempdir().unwrap();
    let store = SessionStore::new(store(&folder.path().join("sessions.sqlite3")));
    let make = async |id: &str| StoreSessionManager::new(id, store.clone()).unwrap();
    check_session_manager(make).await.unwrap();
    let make = async |id: &str| SnapshotSessionManager::new(id, store.clone()).unwrap();
    check_session_manager(make).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_survive_killed_agents() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.sqlite3");
    let store = SessionStore::new(store(&path));
    let open = |session: &str| StoreSessionManager::new(session, store.clone()).unwrap();
    scenario::check_killed_agents(open, &json!(path), scenario::kills(), &()).await;
}

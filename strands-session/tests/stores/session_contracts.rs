//! Our session managers keep the contract of sessions, on every store.

use crate::support::places;
use strands_core::testing::contract::check_session_manager;
use strands_session::{SnapshotSessionManager, StoreSessionManager};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_of_messages_keep_it() {
    for place in places().await {
        let make = async |id: &str| StoreSessionManager::new(id, place.store.clone()).unwrap();
        if let Err(violation) = check_session_manager(make).await {
            panic!("{}: {violation}", place.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn snapshots_keep_it() {
    for place in places().await {
        let make = async |id: &str| SnapshotSessionManager::new(id, place.store.clone()).unwrap();
        if let Err(violation) = check_session_manager(make).await {
            panic!("{}: {violation}", place.name);
        }
    }
}

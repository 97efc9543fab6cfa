//! The contract suite of sessions, for all session managers and stores of this crate.

use crate::support::backends;
use strands_core::testing::contract::{check_multi_agent_session, check_session_manager};
use strands_session::{SnapshotSessionManager, StoreSessionManager};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_of_messages_satisfy_the_contract() {
    for backend in backends().await {
        let make = async |id: &str| StoreSessionManager::new(id, backend.store.clone()).unwrap();
        if let Err(violation) = check_session_manager(make).await {
            panic!("{}: {violation}", backend.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_of_snapshots_satisfy_the_contract() {
    for backend in backends().await {
        let make = async |id: &str| SnapshotSessionManager::new(id, backend.store.clone()).unwrap();
        if let Err(violation) = check_session_manager(make).await {
            panic!("{}: {violation}", backend.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_beside_messages_satisfy_the_contract() {
    for backend in backends().await {
        let make = async |id: &str| StoreSessionManager::new(id, backend.store.clone()).unwrap();
        if let Err(violation) = check_multi_agent_session(make).await {
            panic!("{}: {violation}", backend.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_in_snapshots_satisfy_the_contract() {
    for backend in backends().await {
        let make = async |id: &str| SnapshotSessionManager::new(id, backend.store.clone()).unwrap();
        if let Err(violation) = check_multi_agent_session(make).await {
            panic!("{}: {violation}", backend.name);
        }
    }
}

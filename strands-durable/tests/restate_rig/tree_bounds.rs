//! Bounds of trees: usage of turns that fail, depth, and sessions that see nothing of each other.

use serde_json::json;

use crate::rig::Rig;
use crate::tree::started;

/// A session neither watches nor cancels the run of another one.
pub(crate) async fn other_sessions(rig: &Rig, session: &str, run_id: &str) {
    let run = json!({"run_id": run_id});
    for handler in ["watch", "cancel"] {
        let (status, response) = rig.call_of("Tree", session, handler, Some(&run)).await;
        assert!(status == 404 && !response.to_string().contains(run_id), "{handler}: {status} {response}");
    }
}

/// The model calls of a turn that fails count in the tree.
pub(crate) async fn failed_usage(rig: &Rig) {
    let sent = rig.send_to("Tree", "tree_fails", "tf-1").await;
    let (status, response) = rig.end(&sent).await;
    assert!(status.is_success() && response["turns"] == 3, "{status} {response}");
    let (run_id, key, _) = started(rig).await.into_iter().find(|(.., session)| session == "tf-1-1").unwrap();
    let (status, watched) = rig.call(&key, "watch", Some(&json!({"run_id": run_id}))).await;
    let failed = &watched["failed"];
    assert!(status.is_success() && failed["status"] == 413 && failed["turns"] == 1, "{status} {watched}");
}

/// Agents that call each other without end stop at the tenth level.
pub(crate) async fn depth(rig: &Rig) {
    let sent = rig.send_to("Tree", "tree_deep", "td-1").await;
    let (status, response) = rig.end(&sent).await;
    assert!(status.is_success() && response["turns"] == 20, "{status} {response}");
    let turns = "select id from sys_invocation where target_service_name = 'Tree' and target_handler_name = 'stream'";
    // Two of them are the trees that were cancelled, and one that with the failure.
    assert_eq!(rig.query(turns).await.len(), 13);
}

//! Memory of lists and deletions, whose records may be large.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::StreamExt as _;
use serde_json::json;
use strands::a2a::{A2aLimits, A2aServer, RecordKind, StoredRecord, TaskStore as _};
use strands::testing::{ScriptedModel, ScriptedTurn};

use crate::client::{Client, URL, agent};
use crate::watched_store::{Watch, Watched};

/// Number of contents of lists that exist, and the most there were.
#[derive(Default)]
struct Counts {
    now: AtomicUsize,
    most: AtomicUsize,
}

/// A content that is counted while it exists.
struct Counted(Bytes, Arc<Counts>);

impl Counted {
    fn content(content: Bytes, counts: &Arc<Counts>) -> Bytes {
        let now = counts.now.fetch_add(1, Ordering::Relaxed) + 1;
        counts.most.fetch_max(now, Ordering::Relaxed);
        Bytes::from_owner(Self(content, Arc::clone(counts)))
    }
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.now.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Counting {
    counts: Arc<Counts>,
}

impl Watch for Counting {
    fn listed(&self, record: StoredRecord) -> StoredRecord {
        StoredRecord::new(Counted::content(record.content, &self.counts), record.version)
    }
}

#[tokio::test]
async fn a_list_has_one_record_in_memory_at_a_time_and_so_has_a_deletion() {
    let store = Arc::new(Watched::<Counting>::default());
    let model = ScriptedModel::from_fn(|_| ScriptedTurn::text("ok"));
    let builder = A2aServer::builder(agent(model), URL).task_store(Arc::clone(&store));
    // Each task that ends leads to a deletion.
    let client = Client::of(&builder.limits(A2aLimits::new().tasks_per_caller(6)).build().unwrap());
    for _ in 0..8 {
        client.send("x").await;
    }
    let pruned = async {
        while store.records.list("anonymous", RecordKind::Task).count().await > 6 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), pruned).await.expect("the oldest are deleted");
    assert_eq!(store.counts.most.load(Ordering::Relaxed), 1);
    assert_eq!(client.call("ListTasks", json!({})).await.unwrap()["totalSize"], 6);
    assert_eq!(store.counts.most.load(Ordering::Relaxed), 1);
}

//! Approvals in a durable engine, which replays an invocation after a crash.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use strands::identity::{ApprovalHook, Approver, Audit, AuditDecision, MemoryAudit};
use strands::serde_json::{Value, json};
use strands::{BoxFuture, Journal, JournalError, JournalStep, Prompt};

use crate::support::{Log, alice, calling, manager, request, template, tool};

/// An attempt of an engine with the steps of earlier attempts.
struct Attempt {
    steps: Arc<Mutex<Vec<Value>>>,
    next: AtomicUsize,
}

impl Attempt {
    fn with(steps: &Arc<Mutex<Vec<Value>>>) -> Self {
        Self { steps: Arc::clone(steps), next: AtomicUsize::new(0) }
    }
}

impl Journal for Attempt {
    fn step<'a>(
        &'a self,
        _: JournalStep<'a>,
        effect: BoxFuture<'a, Value>,
    ) -> BoxFuture<'a, Result<Value, JournalError>> {
        Box::pin(async move {
            let number = self.next.fetch_add(1, Ordering::SeqCst);
            let recorded = self.steps.lock().unwrap().get(number).cloned();
            if let Some(value) = recorded {
                return Ok(value);
            }
            let value = effect.await;
            self.steps.lock().unwrap().push(value.clone());
            Ok(value)
        })
    }

    fn sleep<'a>(&'a self, _: &'a str, _: Duration) -> BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(async { Ok(()) })
    }

    fn random(&self) -> u64 {
        7
    }

    fn is_replaying(&self) -> Option<bool> {
        Some(self.next.load(Ordering::SeqCst) < self.steps.lock().unwrap().len())
    }
}

#[tokio::test]
async fn a_replay_after_the_expiry_takes_the_approval_that_was_in_time() {
    let (audit, log) = (MemoryAudit::new(), Log::default());
    let hook = ApprovalHook::builder()
        .tools(["book"])
        .by_role("manager")
        .expires_after(Duration::from_mins(60))
        .audit(Audit::new(audit.clone()))
        .build();
    let template = template(calling("book", json!({})), [tool("book", &log)], hook);
    let mut agent = template.clone().build().await.unwrap();
    let asked = request(&agent.prompt("go").inject(alice()).await.unwrap());
    let snapshot = serde_json::to_string(&agent.snapshot().unwrap()).unwrap();
    let expired = snapshot.replace(asked.expires_at.as_ref().unwrap(), "2001-01-01T00:00:00.000Z");
    assert_ne!(snapshot, expired);
    let steps = Arc::default();
    for (attempt, snapshot) in [snapshot, expired].iter().enumerate() {
        let mut agent = template.clone().build().await.unwrap();
        agent.restore(serde_json::from_str(snapshot).unwrap()).unwrap();
        let journal = Attempt::with(&steps);
        let resumed = agent.prompt(Prompt::none()).resume([asked.approve()]).inject(Approver::new(manager()));
        assert_eq!(resumed.journal(&journal).await.unwrap().text(), "done", "attempt {attempt}");
    }
    assert_eq!(log.lines().len(), 1);
    let approved = audit.records().into_iter().filter(|record| record.decision == AuditDecision::Approved);
    assert_eq!(approved.count(), 1);
}

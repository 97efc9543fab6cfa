//! One task at a time in a context, also if several processes share the store.
//!
//! The record of a context names the task that runs in it. It is written under the condition that no other writer has changed it, after
//! the task was stored with its lease and before the agent works: of two processes, one finds the task of the other, and gives its
//! own up. The task is the lease: a context is free again once the task has ended, or has not renewed its own.

use a2a::TaskState;
use chrono::Utc;
use strands_http::Caller;

use super::core::Core;
use super::failure::Failure;
use super::store::{ContextRecord, StoredRecord, Versioned};

/// A context in which no other task runs or waits, as the store has it.
pub(super) struct FreeContext {
    pub(super) record: ContextRecord,
    known: Option<StoredRecord>,
}

impl Core {
    /// Returns a context if it is free for a task.
    pub(super) async fn free_context(
        &self,
        caller: &Caller,
        context_id: &str,
        task_id: &str,
    ) -> Result<FreeContext, Failure> {
        let (mut record, known) = match self.records.context(&caller.key(), context_id).await? {
            Some(Versioned { record, stored }) => (record, Some(stored)),
            None => (ContextRecord::new(context_id), None),
        };
        let others = [&record.running, &record.waiting].into_iter().flatten().filter(|id| *id != task_id);
        for other in others {
            let state = match self.stored_task(caller, other).await {
                Ok(task) => task.record.task.status.state,
                Err(Failure::TaskNotFound(_)) => continue,
                Err(failure) => return Err(failure),
            };
            match state {
                TaskState::InputRequired => {
                    return Err(Failure::Unsupported(format!(
                        "task {other} of this context waits for input: respond to it, cancel it, or start another context"
                    )));
                }
                TaskState::Submitted | TaskState::Working => return Err(Failure::Busy),
                _ => {}
            }
        }
        // The conversation of one that has expired does not go on. Its tasks were asked for before: those that wait are forgotten.
        if known.is_some() && self.is_expired(record.updated) {
            record = ContextRecord::new(context_id);
        }
        Ok(FreeContext { record, known })
    }

    /// Names a task as the one that runs in a context. It is in the store, so that others see its lease.
    pub(super) async fn occupy(
        &self,
        caller: &Caller,
        mut free: FreeContext,
        task_id: &str,
    ) -> Result<ContextRecord, Failure> {
        loop {
            free.record.running = Some(task_id.to_owned());
            free.record.updated = Utc::now();
            if self.records.put_context(&caller.key(), &free.record, free.known.as_ref()).await? {
                return Ok(free.record);
            }
            // Another process has changed it meanwhile.
            free = self.free_context(caller, &free.record.id, task_id).await?;
        }
    }
}

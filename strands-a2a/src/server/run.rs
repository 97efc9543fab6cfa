//! A run: an agent works on a task, whether or not a client watches.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use a2a::{StreamResponse, Task, TaskState};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{FutureExt as _, StreamExt as _};
use strands_core::{AgentError, AgentEvent, PromptRequest};
use strands_http::Caller;

use super::core::Core;
use super::live_task::{CancelReason, LiveTask, state_events};
use super::outcome::{Outcome, Suspended, status};
use super::registry::ContextClaim;
use super::response_artifact::{ResponseArtifact, size_of};
use super::run_guard::RunGuard;
use super::store::{RecordKind, RunLease, TaskRecord, Versioned};
use super::voided_messages::{replacement_of, replacement_of_refused};

/// Time in which an agent has to end after its task was canceled. Agents of this library need 50 ms.
const CANCEL_GRACE: Duration = Duration::from_secs(1);

/// Attempts to store the end of a task.
const SAVE_ATTEMPTS: u32 = 4;

/// A run that has not begun.
pub(super) struct Run {
    pub(super) core: Arc<Core>,
    pub(super) caller: Caller,
    pub(super) live: Arc<LiveTask>,
    pub(super) stored: Versioned<TaskRecord>,
    pub(super) claim: ContextClaim,
    pub(super) request: PromptRequest,
    /// Interrupts that the task waited for before.
    pub(super) before: Option<Suspended>,
    /// True if the response is a message, so that nothing is kept of a completed task but its conversation.
    pub(super) is_message: bool,
}

impl Run {
    /// Runs the task to its end.
    pub(super) async fn run(self) {
        let Self { core, caller, live, mut stored, claim, request, before, is_message } = self;
        let guard = RunGuard::new(&core, &live);
        let working = live.status_event(status(TaskState::Working, None));
        live.publish(working.clone());
        core.notify(&live, &[working]);

        let mut artifact = ResponseArtifact::new(Arc::clone(&live), &stored.record.task);
        let work = AssertUnwindSafe(work(&core, &live, request, &mut artifact, before.as_ref())).catch_unwind();
        let (mut events, outcome) = tokio::select! {
            worked = work => worked.unwrap_or_else(|_| (Vec::new(), Outcome::failed())),
            never = renew_lease(&core, &live, &mut stored) => match never {},
        };
        let outcome = match outcome.suspended {
            Some(suspended) if suspended.size() > core.limits.context_bytes => {
                // They are discarded below, so that no host of the agent resumes it.
                (stored.record.interrupts, stored.record.continuation) = (suspended.interrupts, suspended.continuation);
                let text = format!(
                    "the agent waits for input, and its state is larger than {} bytes",
                    core.limits.context_bytes
                );
                Outcome::new(TaskState::Failed, &text)
            }
            suspended => Outcome { suspended, ..outcome },
        };
        events.push(live.status_event(outcome.status(&live.id, &live.context_id)));

        if outcome.suspended.is_none() && outcome.state != TaskState::Completed {
            // Those that it waited for before, if the agent has not taken the responses. A failure has been logged.
            let _ = core.discard_interrupts(&caller, &stored.record).await;
        }
        stored.record.task = live.apply(&events);
        let (suspended, conversation) = (outcome.suspended, outcome.conversation);
        core.keep_conversation(&live, suspended.is_some(), conversation).await;
        (stored.record.interrupts, stored.record.continuation) =
            suspended.map_or_else(Default::default, |suspended| (suspended.interrupts, suspended.continuation));
        let run_id = stored.record.run.take().map(|run| run.id);
        if is_message && stored.record.task.status.state == TaskState::Completed {
            // A failure has been logged. The record is pruned later.
            let _ = core.records.delete(&live.caller, RecordKind::Task, &live.id).await;
        } else if let Some(other) = save_end(&core, &live, stored, &run_id).await {
            events = state_events(&other);
            live.replace(other);
        }
        // Before a client learns of the end, since it may send the next message at once.
        core.registry.remove(&live);
        drop(claim);
        core.notify(&live, &events);
        guard.end_with(events);
        core.prune(&caller, &live.id).await;
    }
}

/// Lets the agent work, and returns the last events of the task before its last status.
async fn work(
    core: &Core,
    live: &LiveTask,
    request: PromptRequest,
    artifact: &mut ResponseArtifact,
    before: Option<&Suspended>,
) -> (Vec<StreamResponse>, Outcome) {
    let overdue = async {
        live.cancellation().cancelled().await;
        tokio::time::sleep(CANCEL_GRACE).await;
    };
    let mut overdue = std::pin::pin!(overdue);
    let mut events = core.agent.stream(request);
    let too_large = || {
        let text = format!("the response is larger than {} bytes", core.limits.response_bytes);
        (Vec::new(), Outcome::new(TaskState::Failed, &text))
    };
    // Only until the agent begins: then it has accepted the responses.
    let mut waiting = before;
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            () = &mut overdue => return (Vec::new(), Outcome::of_cancellation(live)),
        };
        match event {
            Some(Ok(AgentEvent::Result { response })) => {
                let mut outcome = Outcome::of_response(&response);
                if outcome.state == TaskState::Canceled {
                    outcome = Outcome::of_cancellation(live);
                }
                if !matches!(outcome.state, TaskState::Completed | TaskState::Failed) {
                    return (Vec::new(), outcome);
                }
                let last = artifact.finish(&response);
                if let Some(StreamResponse::ArtifactUpdate(update)) = &last
                    && size_of(&update.artifact.parts) > core.limits.response_bytes
                {
                    return too_large();
                }
                return (last.into_iter().collect(), outcome);
            }
            Some(Ok(event)) => {
                waiting = None;
                if let Some(replacement) = replacement_of(&event) {
                    live.redact_prompt(replacement);
                }
                if let Some(update) = artifact.update(event) {
                    live.publish(update);
                }
                if artifact.bytes() > core.limits.response_bytes {
                    return too_large();
                }
            }
            Some(Err(error)) => {
                if let Some(replacement) = replacement_of_refused(&error) {
                    live.redact_prompt(replacement);
                }
                let before = if matches!(error, AgentError::Suspended { .. }) { before } else { waiting };
                return (Vec::new(), Outcome::of_error(&error, before));
            }
            None => {
                tracing::error!("an agent ended without a response in an A2A task");
                return (Vec::new(), Outcome::failed());
            }
        }
    }
}

/// Renews the lease of the run, so that other processes see that it goes on, and cancels it if one of them asks for that.
async fn renew_lease(core: &Core, live: &LiveTask, stored: &mut Versioned<TaskRecord>) -> Infallible {
    loop {
        tokio::time::sleep(core.limits.lease / 3).await;
        let mut next = stored.record.clone();
        next.run.iter_mut().for_each(|run| run.until = end_of_lease(core.limits.lease));
        // A guardrail may have replaced the prompt, which must not stay in the store for the rest of a long run.
        next.task.history = live.history();
        match core.records.put_task(&live.caller, &next, Some(&stored.stored)).await {
            Ok(Some(written)) => *stored = Versioned { record: next, stored: written },
            Ok(None) => reload(core, live, stored).await,
            // Logged. The next attempt may succeed.
            Err(_) => {}
        }
    }
}

/// Reads what others have changed: the configurations of push notifications, and the wish to cancel. If another process has ended
/// the task, or runs it, this run is canceled, and keeps the record that it knows, so that it does not store its end.
async fn reload(core: &Core, live: &LiveTask, stored: &mut Versioned<TaskRecord>) {
    let Ok(Some(found)) = core.records.task(&live.caller, &live.id).await else { return };
    let run_id = |record: &TaskRecord| record.run.as_ref().map(|run| run.id.clone());
    if run_id(&found.record) != run_id(&stored.record) {
        tracing::warn!(task_id = live.id, "an A2A task was ended by another process; its run is canceled");
        live.cancel(CancelReason::Client);
        return;
    }
    if found.record.run.as_ref().is_some_and(|run| run.is_canceled) {
        live.cancel(CancelReason::Client);
    }
    live.set_push(found.record.push.clone());
    stored.record.push = found.record.push;
    stored.stored = found.stored;
}

/// Stores the end of a task. Returns the task that is stored if another process has ended it: that one has reported it as failed,
/// since the lease was not renewed, and an end is for good.
async fn save_end(
    core: &Core,
    live: &LiveTask,
    mut stored: Versioned<TaskRecord>,
    run_id: &Option<String>,
) -> Option<Task> {
    stored.record.updated = Utc::now();
    let mut known = Some(stored.stored);
    for attempt in 1..=SAVE_ATTEMPTS {
        match core.records.put_task(&live.caller, &stored.record, known.as_ref()).await {
            Ok(Some(_)) => return None,
            Ok(None) => match core.records.task(&live.caller, &live.id).await {
                Ok(Some(found)) if found.record.run.as_ref().map(|run| &run.id) != run_id.as_ref() => {
                    return Some(found.record.task);
                }
                Ok(Some(found)) => {
                    // Another process may have changed them since the lease was renewed. They are notified of the end.
                    live.set_push(found.record.push.clone());
                    stored.record.push = found.record.push;
                    known = Some(found.stored);
                }
                // The store has forgotten it.
                Ok(None) => known = None,
                Err(_) => {}
            },
            Err(_) => tokio::time::sleep(Duration::from_millis(100) * 2_u32.pow(attempt)).await,
        }
    }
    tracing::error!(task_id = live.id, "the end of an A2A task was not stored; it will be reported as failed");
    None
}

/// Returns the lease of a new run.
pub(super) fn new_lease(lease: Duration) -> RunLease {
    RunLease { id: uuid::Uuid::new_v4().to_string(), until: end_of_lease(lease), is_canceled: false }
}

fn end_of_lease(lease: Duration) -> DateTime<Utc> {
    let end = TimeDelta::from_std(lease).ok().and_then(|lease| Utc::now().checked_add_signed(lease));
    end.unwrap_or(DateTime::<Utc>::MAX_UTC)
}

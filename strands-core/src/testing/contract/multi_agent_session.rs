//! Contract of the storage of graphs and swarms: one document that two workers never overwrite for each other.

use std::sync::Arc;

use futures_util::future::{LocalBoxFuture, join};
use serde_json::{Value, json};

use super::polling::{DropPoint, poll_times};
use super::sample::{UNICODE, nested, numbers};
use super::violation::{ContractViolation, Promise, ensure};
use crate::message::random_uuid;
use crate::session::{MultiAgentSession, SessionError, SessionManager};

/// The most polls after which a save is dropped.
const MAX_POLLS: usize = 48;

/// Number of consecutive saves that finish before the end of the test.
const FINISHED_IN_A_ROW: usize = 3;

type Make<'a> = LocalBoxFuture<'a, Arc<dyn SessionManager>>;

/// Checks the contract of the [`MultiAgentSession`]s of a session manager.
///
/// `make` returns a manager of the session with the given id, as for [`check_session_manager`](super::check_session_manager): managers
/// of one id represent different workers on one session. Nothing is deleted afterwards.
///
/// Covered are the round trip of documents, isolation, conflicts between workers, and saves whose futures are dropped after any
/// number of polls.
///
/// # Errors
///
/// Returns the first broken promise.
///
/// # Examples
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::Mutex;
///
/// use strands::testing::{InMemorySessionManager, contract::check_multi_agent_session};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let sessions: Mutex<HashMap<String, InMemorySessionManager>> = Mutex::default();
/// check_multi_agent_session(async |session_id: &str| {
///     let mut sessions = sessions.lock().unwrap();
///     sessions.entry(session_id.to_owned()).or_insert_with(|| InMemorySessionManager::new(session_id)).clone()
/// })
/// .await?;
/// # Ok::<(), strands::testing::contract::ContractViolation>(())
/// # }).unwrap();
/// ```
pub async fn check_multi_agent_session<M: SessionManager + 'static>(
    make: impl AsyncFn(&str) -> M,
) -> Result<(), ContractViolation> {
    let make = &make;
    let make = move |session_id: String| -> Make<'_> {
        Box::pin(async move { Arc::new(make(&session_id).await) as Arc<dyn SessionManager> })
    };
    round_trip(&Run::new(&make)).await?;
    isolation(&make).await?;
    outdated_views(&Run::new(&make)).await?;
    equal_documents(&Run::new(&make)).await?;
    concurrent_saves(&Run::new(&make)).await?;
    dropped_saves(&Run::new(&make)).await
}

/// The stored run of one graph in a session.
struct Run<'a> {
    make: &'a dyn Fn(String) -> Make<'a>,
    session_id: String,
    id: String,
}

/// A worker on a run. It holds its manager, which may own the resources of the session.
struct Worker {
    session: Box<dyn MultiAgentSession>,
    _manager: Arc<dyn SessionManager>,
}

impl<'a> Run<'a> {
    fn new(make: &'a dyn Fn(String) -> Make<'a>) -> Self {
        Self { make, session_id: format!("contract-{}", random_uuid()), id: "graph".to_owned() }
    }

    /// Returns another graph in the same session.
    fn other(&self, id: impl Into<String>) -> Self {
        Self { make: self.make, session_id: self.session_id.clone(), id: id.into() }
    }

    async fn worker(&self) -> Result<Worker, ContractViolation> {
        let manager = (self.make)(self.session_id.clone()).await;
        let session = manager.open_multi_agent(&self.id).await;
        let session = session.map_err(|error| failed("a graph to be opened", error))?;
        Ok(Worker { session, _manager: manager })
    }

    /// Checks the document that a new worker reads.
    async fn has(&self, promise: Promise, when: &str, expected: Option<&Value>) -> Result<(), ContractViolation> {
        let mut worker = self.worker().await?;
        let found = worker.read().await?;
        ensure(found.as_ref() == expected, promise, format!("{when}: {expected:?}"), || format!("{found:?}"))
    }
}

impl Worker {
    async fn read(&mut self) -> Result<Option<Value>, ContractViolation> {
        self.session.read().await.map_err(|error| failed("a document to be read", error))
    }

    /// Saves as the only worker, or with a view that is up to date.
    async fn save(&mut self, document: &Value) -> Result<(), ContractViolation> {
        self.session.save(document).await.map_err(|error| {
            let is_conflict = error.is_conflict();
            let promise = if is_conflict { Promise::MultiAgentNoFalseConflict } else { Promise::MultiAgentRoundTrip };
            ContractViolation::error(promise, "a save of a worker whose view is up to date to succeed", error)
        })
    }
}

/// Returns a document of a run, with the number of a save.
fn document(number: u64) -> Value {
    json!({
        "type": "graph",
        "id": "graph",
        "status": "executing",
        "current_task": UNICODE,
        "node_results": {"a": {"result": {"type": "agent_result", "deep": nested()}, "numbers": numbers()}},
        "_internal_state": {"interrupt_state": {"interrupts": {}, "context": {}, "activated": false}},
        "execution_count": number,
    })
}

async fn round_trip(run: &Run<'_>) -> Result<(), ContractViolation> {
    let promise = Promise::MultiAgentOpenWritesNothing;
    run.has(promise, "a new graph has no document", None).await?;
    run.has(promise, "opening and reading write no document", None).await?;

    let promise = Promise::MultiAgentRoundTrip;
    let mut worker = run.worker().await?;
    worker.save(&document(1)).await?;
    run.has(promise, "a document", Some(&document(1))).await?;
    worker.save(&document(2)).await?;
    run.has(promise, "a changed document", Some(&document(2))).await?;

    let small = json!({"type": "graph"});
    let mut next = run.worker().await?;
    next.read().await?;
    next.save(&small).await?;
    run.has(promise, "a document with less in it, by another worker", Some(&small)).await?;
    next.save(&small).await?;
    run.has(promise, "an equal document", Some(&small)).await
}

async fn isolation<'a>(make: &'a dyn Fn(String) -> Make<'a>) -> Result<(), ContractViolation> {
    let run = Run::new(make);
    // None is a part of another's path or prefix.
    let runs = [run.other("graph"), run.other("graph-2"), run.other("graph.2"), Run::new(make)];
    for (number, run) in (0..).zip(&runs) {
        run.worker().await?.save(&document(number)).await?;
    }
    for (number, run) in (0..).zip(&runs) {
        let when = "graphs of a session, and two sessions";
        run.has(Promise::MultiAgentIsolation, when, Some(&document(number))).await?;
    }
    let agent = (run.make)(run.session_id.clone()).await.open("graph").await;
    let agent = agent.map_err(|error| failed("an agent to be opened", error))?;
    let when = "an agent with the id of a graph to be new";
    ensure(agent.record.is_none(), Promise::MultiAgentIsolation, when, || format!("{:?}", agent.record))
}

async fn outdated_views(run: &Run<'_>) -> Result<(), ContractViolation> {
    let (mut one, mut other) = (run.worker().await?, run.worker().await?);
    one.save(&document(1)).await?;
    is_conflict("a save of a worker that saw no document", other.session.save(&document(9)).await)?;
    is_conflict("the same save again", other.session.save(&document(9)).await)?;
    run.has(Promise::MultiAgentConflict, "a refused save", Some(&document(1))).await?;

    other.read().await?;
    one.save(&document(2)).await?;
    is_conflict("a save of a worker that saw an earlier document", other.session.save(&document(9)).await)?;
    run.has(Promise::MultiAgentConflict, "a refused save", Some(&document(2))).await?;
    // A document that looks as before is a later one.
    other.read().await?;
    one.save(&document(3)).await?;
    one.save(&document(2)).await?;
    is_conflict("a save of a worker that saw an equal document", other.session.save(&document(9)).await)?;
    run.has(Promise::MultiAgentConflict, "a refused save", Some(&document(2))).await?;

    // Reading again makes a worker's view up to date, and causes no conflict for the first one.
    other.read().await?;
    one.save(&document(4)).await?;
    other.read().await?;
    other.save(&document(5)).await?;
    run.has(Promise::MultiAgentRoundTrip, "both workers save in turn", Some(&document(5))).await
}

/// Two workers that save equal documents do not both claim the run.
async fn equal_documents(run: &Run<'_>) -> Result<(), ContractViolation> {
    let (mut one, mut other) = (run.worker().await?, run.worker().await?);
    one.save(&document(1)).await?;
    is_conflict("a first save of an equal document", other.session.save(&document(1)).await)?;
    other.read().await?;
    one.save(&document(1)).await?;
    is_conflict("a save of an unchanged document after that of another worker", other.session.save(&document(1)).await)
}

async fn concurrent_saves(run: &Run<'_>) -> Result<(), ContractViolation> {
    for round in 0..4 {
        let run = run.other(format!("at-once-{round}"));
        let (mut one, mut other) = (run.worker().await?, run.worker().await?);
        let (saved, other_saved) = join(one.session.save(&document(1)), other.session.save(&document(2))).await;
        let winner = match (saved, other_saved) {
            (Ok(()), refused @ Err(_)) => {
                is_conflict("two concurrent saves, the first one successful", refused)?;
                document(1)
            }
            (refused @ Err(_), Ok(())) => {
                is_conflict("two concurrent saves, the second one successful", refused)?;
                document(2)
            }
            (one, other) => {
                let expected = "two concurrent saves: one to succeed and one to be a conflict";
                let observed = format!("{one:?} and {other:?}");
                return Err(ContractViolation::new(Promise::MultiAgentConflict, expected, observed));
            }
        };
        run.has(Promise::MultiAgentConflict, "two concurrent saves", Some(&winner)).await?;
    }
    Ok(())
}

async fn dropped_saves(run: &Run<'_>) -> Result<(), ContractViolation> {
    for drop_point in DropPoint::ALL {
        for is_first in [true, false] {
            let mut finished = 0;
            for polls in 1..=MAX_POLLS {
                let run = run.other(format!("dropped-{drop_point:?}-{is_first}-{polls}"));
                // Another thread may have been faster.
                finished = if dropped_save(&run, polls, drop_point, is_first).await? { finished + 1 } else { 0 };
                if finished == FINISHED_IN_A_ROW {
                    break;
                }
            }
        }
    }
    Ok(())
}

/// Drops a save after a number of polls, and makes others. Returns true if it had finished.
async fn dropped_save(
    run: &Run<'_>,
    polls: usize,
    drop_point: DropPoint,
    is_first: bool,
) -> Result<bool, ContractViolation> {
    let promise = Promise::MultiAgentDroppedSave;
    let mut worker = run.worker().await?;
    if !is_first {
        worker.save(&document(0)).await?;
    }
    match poll_times(worker.session.save(&document(1)), polls, drop_point).await {
        Some(Ok(())) => return Ok(true),
        Some(Err(error)) => return Err(failed("a save to succeed", error)),
        None => {}
    }
    // The dropped save is repeated, or another one made in its place.
    let next = document(if polls.is_multiple_of(2) { 1 } else { 2 });
    let expected = || format!("a save that was dropped after {polls} poll(s), then one of the same worker: success");
    worker.session.save(&next).await.map_err(|error| ContractViolation::error(promise, expected(), error))?;
    run.has(promise, "a save after a dropped one", Some(&next)).await?;
    worker.session.save(&document(3)).await.map_err(|error| ContractViolation::error(promise, expected(), error))?;
    run.has(promise, "another save after a dropped one", Some(&document(3))).await?;
    Ok(false)
}

fn is_conflict(when: &str, result: Result<(), SessionError>) -> Result<(), ContractViolation> {
    match result {
        Err(error) if error.is_conflict() => Ok(()),
        Err(error) => Err(ContractViolation::error(Promise::MultiAgentConflict, format!("{when}: a conflict"), error)),
        Ok(()) => Err(ContractViolation::new(Promise::MultiAgentConflict, format!("{when}: a conflict"), "success")),
    }
}

fn failed(expected: &str, error: SessionError) -> ContractViolation {
    ContractViolation::error(Promise::MultiAgentRoundTrip, expected, error)
}

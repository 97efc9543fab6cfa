//! The contract of session managers: storage that two workers can share.

mod conflict;
mod dropped;
mod round_trip;
mod stage;
mod truncation;

use std::sync::Arc;

use crate::session::SessionManager;
use stage::{Make, Stage};

use super::violation::ContractViolation;

/// Checks the contract of [`SessionManager`] and its [`Session`](crate::session::Session)s.
///
/// `make` returns a manager of the session with the given id. It is called with new, random ids, and more than once with
/// each: the managers of one id are those of different workers on one session, and see the same data. Nothing is deleted
/// afterwards.
///
/// Covered are the round trip of messages of every kind and of records, ranges, atomic batches, truncation, conflicts
/// between workers, and writes whose futures are dropped after any number of polls: on a runtime of one thread, at the same
/// places each time. That acknowledged writes survive a
/// crash, and that ids are validated, is left to the implementation's own tests.
///
/// # Errors
///
/// Returns the first promise that is broken.
///
/// # Examples
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::Mutex;
///
/// use strands::testing::{InMemorySessionManager, contract::check_session_manager};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// // A store that outlives its managers needs no map.
/// let sessions: Mutex<HashMap<String, InMemorySessionManager>> = Mutex::default();
/// check_session_manager(async |session_id: &str| {
///     let mut sessions = sessions.lock().unwrap();
///     sessions.entry(session_id.to_owned()).or_insert_with(|| InMemorySessionManager::new(session_id)).clone()
/// })
/// .await?;
/// # Ok::<(), strands::testing::contract::ContractViolation>(())
/// # }).unwrap();
/// ```
pub async fn check_session_manager<M: SessionManager + 'static>(
    make: impl AsyncFn(&str) -> M,
) -> Result<(), ContractViolation> {
    let make = &make;
    let make = move |session_id: String| -> Make<'_> {
        Box::pin(async move { Arc::new(make(&session_id).await) as Arc<dyn SessionManager> })
    };
    let stage = Stage::new(&make);
    round_trip::check(&stage).await?;
    truncation::check(&stage).await?;
    conflict::check(&stage).await?;
    dropped::check(&stage).await
}

//! Contract of session managers: storage that two workers can share.

mod conflict;
mod dropped;
mod fixture;
mod round_trip;
mod truncation;

use std::sync::Arc;

use crate::session::SessionManager;
use fixture::{Fixture, Make};

use super::violation::ContractViolation;

/// Checks the contract of [`SessionManager`] and its [`Session`](crate::session::Session)s.
///
/// `make` returns a manager of the session with the given id. The suite calls it with new, random ids, and several times
/// with each: managers of one id represent different workers on one session, and must see the same data. Nothing is deleted
/// afterwards.
///
/// Covered are the round trip of messages of every kind and of records, ranges, atomic batches, truncation, conflicts
/// between workers, and writes whose futures are dropped after any number of polls: on a single-threaded runtime, at the
/// same agents each time. The implementation's own tests have to cover the durability of acknowledged writes and the
/// validation of ids.
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
    let fixture = Fixture::new(&make);
    round_trip::check(&fixture).await?;
    truncation::check(&fixture).await?;
    conflict::check(&fixture).await?;
    dropped::check(&fixture).await
}

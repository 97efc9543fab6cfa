//! Admission of turns: permits for the process, for each user, and for each session.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{BusySession, ServiceLimits, TurnError};

pub(crate) struct Admission {
    process: Arc<Semaphore>,
    busy_session: BusySession,
    per_user: usize,
    shared: Arc<Mutex<Counts>>,
}

#[derive(Default)]
struct Counts {
    users: HashMap<String, usize>,
    sessions: HashMap<String, SessionSlot>,
}

/// The right to use a session, and the number of turns that have it or wait for it.
struct SessionSlot {
    right: Arc<Semaphore>,
    turns: usize,
}

/// Permit of one turn. Dropping it admits the next one.
pub(crate) struct Permit {
    // Released in this order: a turn that waits for the session finds it free when it is woken.
    _session: OwnedSemaphorePermit,
    _place: Place,
    _process: OwnedSemaphorePermit,
}

/// Place of a turn in the counts of its user and its session.
struct Place {
    shared: Arc<Mutex<Counts>>,
    user: Option<String>,
    session: String,
}

impl Admission {
    pub(super) fn new(limits: &ServiceLimits) -> Self {
        Self {
            process: Arc::new(Semaphore::new(limits.turns.min(Semaphore::MAX_PERMITS))),
            busy_session: limits.busy_session,
            per_user: limits.turns_per_user,
            shared: Arc::default(),
        }
    }

    /// Admits a turn of a user in a session. Waits if the session is busy, and turns may wait.
    ///
    /// # Errors
    ///
    /// Returns the limit that was reached.
    pub(crate) async fn admit(&self, user: &str, session: &str) -> Result<Permit, TurnError> {
        let process = Arc::clone(&self.process).try_acquire_owned().map_err(|_| TurnError::Overloaded)?;
        self.admit_session(Some(user), session, process).await
    }

    /// Returns true if the process may have another turn.
    #[cfg(feature = "http")]
    pub(super) fn has_capacity(&self) -> bool {
        self.process.available_permits() > 0
    }

    /// Admits a change of a session that is not a turn.
    pub(crate) async fn admit_change(&self, session: &str) -> Result<Permit, TurnError> {
        let process = Arc::clone(&self.process).try_acquire_owned().map_err(|_| TurnError::Overloaded)?;
        self.admit_session(None, session, process).await
    }

    async fn admit_session(
        &self,
        user: Option<&str>,
        session: &str,
        process: OwnedSemaphorePermit,
    ) -> Result<Permit, TurnError> {
        let (right, place) = self.place(user, session)?;
        let acquired = match (Arc::clone(&right).try_acquire_owned(), self.busy_session) {
            (Ok(permit), _) => permit,
            (Err(_), BusySession::Refuse) => return Err(TurnError::SessionBusy),
            (Err(_), BusySession::Queue { timeout, .. }) => {
                match tokio::time::timeout(timeout, right.acquire_owned()).await {
                    Ok(Ok(permit)) => permit,
                    _ => return Err(TurnError::SessionBusy),
                }
            }
        };
        Ok(Permit { _session: acquired, _place: place, _process: process })
    }

    fn place(&self, user: Option<&str>, session: &str) -> Result<(Arc<Semaphore>, Place), TurnError> {
        let waiting = match self.busy_session {
            BusySession::Refuse => 0,
            BusySession::Queue { waiting, .. } => waiting,
        };
        let mut counts = lock(&self.shared);
        let of_user = user.and_then(|user| counts.users.get(user)).copied().unwrap_or_default();
        if user.is_some() && of_user >= self.per_user {
            return Err(TurnError::UserBusy);
        }
        let slot = match counts.sessions.entry(session.to_owned()) {
            Entry::Occupied(slot) if slot.get().turns > waiting => return Err(TurnError::SessionBusy),
            Entry::Occupied(slot) => slot.into_mut(),
            Entry::Vacant(empty) => empty.insert(SessionSlot { right: Arc::new(Semaphore::new(1)), turns: 0 }),
        };
        slot.turns += 1;
        let right = Arc::clone(&slot.right);
        if let Some(user) = user {
            *counts.users.entry(user.to_owned()).or_default() += 1;
        }
        let place =
            Place { shared: Arc::clone(&self.shared), user: user.map(str::to_owned), session: session.to_owned() };
        Ok((right, place))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = lock(&self.shared);
        if let Some(Entry::Occupied(mut count)) = self.user.take().map(|user| counts.users.entry(user)) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
        if let Entry::Occupied(mut slot) = counts.sessions.entry(std::mem::take(&mut self.session)) {
            slot.get_mut().turns -= 1;
            if slot.get().turns == 0 {
                slot.remove();
            }
        }
    }
}

fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    // Counts are changed by single assignments, so a panic elsewhere leaves them valid.
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

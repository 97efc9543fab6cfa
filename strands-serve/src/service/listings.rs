//! Permits of requests that read the records of many sessions: for the process, and for each user.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::TurnError;

/// Maximum number of such requests at the same time. Each reads up to 15 records at a time.
const IN_PROCESS: usize = 32;
/// Maximum number of those of one user, so that other users are not refused because of one.
const PER_USER: usize = 8;

pub(crate) struct Listings {
    process: Semaphore,
    users: Mutex<HashMap<String, usize>>,
}

/// Permit of one request.
pub(crate) struct Listing<'a> {
    listings: &'a Listings,
    user: String,
    _process: SemaphorePermit<'a>,
}

impl Listings {
    pub(super) fn new() -> Self {
        Self { process: Semaphore::new(IN_PROCESS), users: Mutex::default() }
    }

    /// Admits a request of a user.
    ///
    /// # Errors
    ///
    /// Returns the limit that was reached.
    pub(super) fn admit(&self, user: String) -> Result<Listing<'_>, TurnError> {
        let process = self.process.try_acquire().map_err(|_| TurnError::Overloaded)?;
        let mut users = self.users();
        let count = users.entry(user.clone()).or_default();
        if *count >= PER_USER {
            return Err(TurnError::UserBusy);
        }
        *count += 1;
        Ok(Listing { listings: self, user, _process: process })
    }

    fn users(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listing<'_> {
    fn drop(&mut self) {
        if let Entry::Occupied(mut count) = self.listings.users().entry(std::mem::take(&mut self.user)) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_user_has_all_permits() {
        let listings = Listings::new();
        let admit = |user: &str| listings.admit(user.to_owned());
        let mut of_alice: Vec<_> = (0..PER_USER).map(|_| admit("alice").unwrap()).collect();
        assert!(matches!(admit("alice"), Err(TurnError::UserBusy)));
        let others: Vec<_> = (PER_USER..IN_PROCESS).map(|number| admit(&number.to_string()).unwrap()).collect();
        assert!(matches!(admit("bob"), Err(TurnError::Overloaded)));
        of_alice.pop();
        drop(admit("bob").unwrap());
        drop(admit("alice").unwrap());
        drop((of_alice, others));
        assert!(listings.users().is_empty());
    }
}

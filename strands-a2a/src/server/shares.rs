//! Shares of callers in something limited, so that no caller uses up all of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Something limited, in any unit.
pub(super) struct Shares {
    total: usize,
    per_caller: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    total: usize,
    callers: HashMap<String, usize>,
}

/// The amount that a caller has taken, until this is dropped.
pub(super) struct Share {
    shares: Arc<Shares>,
    caller: String,
    amount: usize,
}

/// The limit that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exhausted {
    Total,
    Caller,
}

impl Shares {
    pub(super) fn new(total: usize, per_caller: usize) -> Arc<Self> {
        Arc::new(Self { total, per_caller, taken: Mutex::default() })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // Each change is complete before anything can panic.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an amount for a caller, or nothing.
    pub(super) fn take(self: &Arc<Self>, caller: &str, amount: usize) -> Result<Share, Exhausted> {
        let mut taken = self.taken();
        let own = taken.callers.get(caller).copied().unwrap_or_default().saturating_add(amount);
        if own > self.per_caller {
            return Err(Exhausted::Caller);
        }
        let total = taken.total.saturating_add(amount);
        if total > self.total {
            return Err(Exhausted::Total);
        }
        taken.total = total;
        taken.callers.insert(caller.to_owned(), own);
        drop(taken);
        Ok(Share { shares: Arc::clone(self), caller: caller.to_owned(), amount })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.shares.taken();
        taken.total = taken.total.saturating_sub(self.amount);
        if let Some(own) = taken.callers.get_mut(&self.caller) {
            *own = own.saturating_sub(self.amount);
            if *own == 0 {
                taken.callers.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_caller_has_all_and_what_is_dropped_can_be_taken_again() {
        let shares = Shares::new(5, 3);
        let alice = shares.take("alice", 3).unwrap();
        assert_eq!(shares.take("alice", 1).err(), Some(Exhausted::Caller));
        let bob = shares.take("bob", 2).unwrap();
        assert_eq!(shares.take("carol", 1).err(), Some(Exhausted::Total));
        drop(alice);
        let alice = shares.take("alice", 1).unwrap();
        drop((alice, bob));
        assert!(shares.taken().callers.is_empty() && shares.taken().total == 0);
    }
}

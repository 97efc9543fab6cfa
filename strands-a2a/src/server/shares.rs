//! Shares of callers in something limited, so that no caller uses up all of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Something limited, in any unit.
#[derive(Debug)]
pub(super) struct Shares {
    total: usize,
    per_caller: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    callers: HashMap<String, usize>,
}

/// The amount that a caller has taken, until this is dropped.
#[derive(Debug)]
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
        self.add(caller, amount)?;
        Ok(Share { shares: Arc::clone(self), caller: caller.to_owned(), amount })
    }

    fn add(&self, caller: &str, amount: usize) -> Result<(), Exhausted> {
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
        Ok(())
    }
}

impl Share {
    /// Takes a further amount, or nothing.
    pub(super) fn grow(&mut self, amount: usize) -> Result<(), Exhausted> {
        self.shares.add(&self.caller, amount)?;
        self.amount = self.amount.saturating_add(amount);
        Ok(())
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
        let mut carol = shares.take("carol", 0).unwrap();
        carol.grow(2).unwrap();
        assert_eq!(carol.grow(1), Err(Exhausted::Total));
        drop((alice, bob));
        carol.grow(1).unwrap();
        assert_eq!((carol.grow(1), shares.taken().total), (Err(Exhausted::Caller), 3));
        drop(carol);
        assert!(shares.taken().callers.is_empty() && shares.taken().total == 0);
    }
}

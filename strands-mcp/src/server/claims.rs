//! Claims of calls that continue after a question, so that a response that is sent twice runs a tool once.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Number of calls that are remembered. The oldest are forgotten first.
const CAPACITY: usize = 10_000;

/// Calls that were continued in this process.
#[derive(Default)]
pub(super) struct Claims(Mutex<Claimed>);

#[derive(Default)]
struct Claimed {
    ids: HashSet<String>,
    order: VecDeque<String>,
}

impl Claims {
    /// Claims a call. Returns false if it is claimed already.
    pub(super) fn claim(&self, id: &str) -> bool {
        let mut claimed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !claimed.ids.insert(id.to_owned()) {
            return false;
        }
        claimed.order.push_back(id.to_owned());
        if claimed.order.len() > CAPACITY
            && let Some(oldest) = claimed.order.pop_front()
        {
            claimed.ids.remove(&oldest);
        }
        true
    }

    /// Releases a call that asks another question.
    pub(super) fn release(&self, id: &str) {
        let mut claimed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if claimed.ids.remove(id) {
            claimed.order.retain(|claimed| claimed != id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CAPACITY, Claims};

    #[test]
    fn claims_are_exclusive_and_bounded() {
        let claims = Claims::default();
        assert!(claims.claim("0") && !claims.claim("0"));
        claims.release("0");
        assert!(claims.claim("0"));
        for id in 1..=CAPACITY {
            assert!(claims.claim(&id.to_string()));
        }
        assert!(claims.claim("0"), "the oldest was forgotten");
        assert_eq!(claims.0.lock().unwrap().ids.len(), CAPACITY);
    }
}

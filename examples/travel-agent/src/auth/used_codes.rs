//! Codes that were exchanged: each is valid once in a process.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// Maximum number of codes. Each is forgotten when it expires.
const MAX_CODES: usize = 10_000;

/// Ids of used codes, with the ends of their validity in seconds since 1970.
#[derive(Debug, Default)]
pub(super) struct UsedCodes(Mutex<HashMap<String, u64>>);

impl UsedCodes {
    /// Marks a code as used. Returns false if it is already, or if too many codes are in use.
    pub(super) fn mark(&self, id: &str, expires: u64, now: u64) -> bool {
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if codes.len() >= MAX_CODES {
            codes.retain(|_, expires| *expires > now);
        }
        codes.len() < MAX_CODES && codes.insert(id.to_owned(), expires).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_used_once() {
        let codes = UsedCodes::default();
        assert!(codes.mark("a", 60, 0));
        assert!(!codes.mark("a", 60, 1));
        assert!(codes.mark("b", 60, 1));
    }

    #[test]
    fn is_bounded_and_forgets_expired_codes() {
        let codes = UsedCodes::default();
        for id in 0..MAX_CODES {
            assert!(codes.mark(&id.to_string(), 60, 0));
        }
        assert!(!codes.mark("late", 100, 59));
        assert!(codes.mark("late", 100, 60));
        assert_eq!(codes.0.lock().unwrap().len(), 1);
    }
}

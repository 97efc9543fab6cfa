//! The first violation that a callback observes.

use std::sync::{Mutex, PoisonError};

use super::violation::ContractViolation;

/// Holds the first violation for the suite.
#[derive(Debug, Default)]
pub(super) struct FirstViolation(Mutex<Option<ContractViolation>>);

impl FirstViolation {
    /// Records the first violation.
    pub(super) fn note(&self, checked: Result<(), ContractViolation>) {
        if let Err(violation) = checked {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(violation);
        }
    }

    /// Returns the recorded violation.
    pub(super) fn outcome(&self) -> Result<(), ContractViolation> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }
}
